"""Where lanes come from: missions that state none, event logs with faults, and frontmatter that says something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.git.repository import Git
from kittywatch.natural import natural
from kittywatch.observe.worktree import read_file
from kittywatch.sync.identity import config_from
from kittywatch.workflow.feature import Feature, list_features, load_feature
from kittywatch.workflow.missions import Place, logs_of
from kittywatch.workpackages.event_log import LogReader
from kittywatch.workpackages.lanes import Lane, LaneNames
from kittywatch.workpackages.layout import SPECS
from kittywatch.yaml.values import PlainYamlError

METADATA = ".kittify/metadata.yaml"
# The newest of spec-kitty-cli, and of what it calls the schema of a project, whose files were tried.
KNOWN_VERSION, KNOWN_SCHEMA = 4, 3
# Rule E6, beyond the names that frontmatter itself may have.
_IN_FRONTMATTER: dict[Lane, Lane] = {"blocked": "doing", "canceled": "done"}


def check(examination: Examination) -> Iterator[Finding]:
    git, names = examination.project.git, examination.project.names
    yield from _newer(git.main_root)
    reader = LogReader()
    for slug in list_features(git.main_root):
        yield from _check(git, load_feature(git.main_root, slug, names), names, reader)


def _newer(root: Path) -> Iterator[Finding]:
    """A project that a spec-kitty-cli wrote which is newer than this version knows."""
    read = read_file(root, METADATA)
    if read is None:
        return
    try:
        about = config_from(read[0]).get("spec_kitty")
    except PlainYamlError:
        return  # spec-kitty's own file: no lanes in it
    fields = about if isinstance(about, dict) else {}
    version, schema = str(fields.get("version")), str(fields.get("schema_version"))
    if _number(version) > KNOWN_VERSION or _number(schema) > KNOWN_SCHEMA:
        yield Finding(
            f"spec-kitty-cli {version} (schema {schema}) wrote this project; this version of kittywatch knows up to"
            f" {KNOWN_VERSION}.x (schema {KNOWN_SCHEMA})",
            "install a newer kittywatch; until then lines of a kind that it doesn't know are passed over",
        )


def _check(git: Git, feature: Feature, names: LaneNames, reader: LogReader) -> Iterator[Finding]:
    places = list(logs_of(git, feature.slug, reader))
    for place in places:
        for fault in place.log.faults:
            yield Finding(
                f"{place.name}:{fault.line}: {fault.reason}", "mend that line; those before and after it count as ever"
            )
    if any(place.log.lanes for place in places):
        yield from _contradictions(git, feature, places, names)
    elif feature.packages and not any(one.lane or one.problem for one in feature.packages.values()):
        begin = f"`spec-kitty agent mission finalize-tasks --mission {feature.slug}`"
        yield Finding(
            f"{SPECS}/{feature.slug}: no work package has a lane, neither in an event log nor in its frontmatter",
            f"{begin}, which begins the log" if places else "write `lane: planned` into the frontmatter of each",
        )


def _number(text: str) -> int:
    """The number that a version begins with, 0 without one."""
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _contradictions(git: Git, feature: Feature, places: list[Place], names: LaneNames) -> Iterator[Finding]:
    for wp_id, package in sorted(feature.packages.items(), key=lambda one: natural(one[0])):
        # Of the copies of a log one is further on than the others: before a merge not the checkout's, and after it is.
        steps = [step for place in places for step in place.log.lanes.get(wp_id, ())]
        if not steps or package.lane is None:
            continue
        lane = max(steps, key=lambda step: step.order).new
        if package.lane not in (lane, names.lane(lane), _IN_FRONTMATTER.get(lane)):
            yield Finding(
                f"{git.main_root / package.path}: frontmatter says {package.lane}, but the event log, which counts,"
                f" has {wp_id} {lane}",
                "take the `lane:` out of the frontmatter",
            )
