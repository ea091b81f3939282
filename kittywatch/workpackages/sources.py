"""The lane sources of a project, and which of its files concern them.

Nothing outside of this folder knows which source speaks: it asks here which paths matter, and what the files of a
feature say together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.workpackages import event_log
from kittywatch.workpackages.event_log import Log
from kittywatch.workpackages.features import first_of_each
from kittywatch.workpackages.layout import LOG, OWN, SPECS, feature_of, place
from kittywatch.workpackages.reader import MAX_BYTES, Problem, WorkPackage
from kittywatch.workpackages.schemes import SPEC_KITTY_3

ROOT = SPECS
"""The directory that all sources are below."""


class Fault(Struct, frozen=True):
    """What is wrong with a file, and a fingerprint of the content that is."""

    problem: Problem
    content: str


class Stated(Struct, frozen=True):
    """What the files of a feature say together: its work packages by id, and what is wrong with the files."""

    packages: Mapping[str, WorkPackage]
    faults: tuple[Fault, ...] = ()


class Contents(Protocol):
    """The contents of a feature's files, each read once."""

    def package(self, path: str) -> tuple[WorkPackage | Problem, str]:
        """What the work package file at a path says, and a fingerprint of it."""
        ...

    def log(self, path: str) -> Log:
        """What the event log at a path says."""
        ...


def matters(path: str) -> bool:
    """Whether a file states lanes, or what belongs to them."""
    return states_lanes(path) or _is_own(path)


def states_lanes(path: str) -> bool:
    """Whether a file states lanes."""
    return place(path) is not None or is_log(path)


def is_log(path: str) -> bool:
    """Whether a file is an event log, which is only ever added to."""
    parts = path.split("/")
    return len(parts) == 3 and parts[0] == SPECS and parts[2] == LOG


def log_of(feature: str) -> str:
    """The path of a feature's event log, whether it has one or not."""
    return f"{SPECS}/{feature}/{LOG}"


def coordination_worktree(feature: str) -> str:
    """Where a mission that has one has its coordination worktree, as a path from the main worktree's top (rule E11)."""
    return f".worktrees/{feature}-coord"


def largest(path: str) -> int:
    """How many bytes a file may have to be read."""
    return event_log.MAX_BYTES if is_log(path) else MAX_BYTES


def read_feature(paths: Iterable[str], contents: Contents) -> Stated:
    """Read the work packages of a feature from the files at `paths`, all of one feature."""
    files: list[tuple[str, WorkPackage | Problem]] = []
    fingerprints: dict[str, str] = {}
    logs: list[str] = []
    for path in paths:
        if place(path) is not None:
            read, fingerprints[path] = contents.package(path)
            files.append((path, read))
        elif is_log(path):
            logs.append(path)
    packages, problems = first_of_each(files)
    faults = [Fault(problem, fingerprints[problem.path]) for problem in problems]
    for path in logs:
        packages, faults = _with_log(packages, faults, path, contents.log(path))
    return Stated(packages, tuple(faults))


def _with_log(
    packages: dict[str, WorkPackage], faults: list[Fault], path: str, log: Log
) -> tuple[dict[str, WorkPackage], list[Fault]]:
    """Let a log say where its work packages are; what frontmatter says of their lanes counts no more (rule E12)."""
    feature = feature_of(path) or ""
    found = dict(packages)
    silenced = {packages[wp_id].problem for wp_id in log.lanes.keys() & packages.keys()} - {None}
    for wp_id, steps in log.lanes.items():
        package = packages.get(wp_id) or WorkPackage(feature, wp_id, path, None, (), wp_id)
        found[wp_id] = replace(
            package,
            lane=steps[-1].new,
            trail=(),
            problem=None,
            feedback=None,
            source="event-log",
            scheme=SPEC_KITTY_3,
            stated=steps,
            notes=log.notes.get(wp_id, ()),
        )
    kept = [fault for fault in faults if fault.problem not in silenced]
    kept += [Fault(Problem(path, one.line, one.reason), one.content) for one in log.faults]
    return found, kept


def _is_own(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 3 and parts[0] == SPECS and parts[2] in OWN
