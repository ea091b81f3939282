"""From the bytes of a file to a work package, or to the reason why it cannot be one (rules R1 to R5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.feedback import read_feedback
from kittywatch.workpackages.frontmatter import Frontmatter, read_frontmatter
from kittywatch.workpackages.lanes import Lane, LaneNames
from kittywatch.workpackages.layout import Place, place
from kittywatch.workpackages.schemes import SPEC_KITTY_2, Scheme
from kittywatch.workpackages.stated import StatedNote, StatedStep
from kittywatch.workpackages.text import ContentError, text_of
from kittywatch.workpackages.trail import Record, read_trail
from kittywatch.yaml.values import Value

_ID = pattern(r"WP[0-9]{2,3}\Z")
_IDS_IN_TEXT = pattern(r"\bWP[0-9]{2,3}\b")
_HEADING = pattern(r"^# +(.+)$", re.MULTILINE)


HOME_MARK = "/"
"""What the name of a home begins with, and no feature's name does."""


class Problem(Struct, frozen=True):
    """What is wrong with a file, for people: `line` counts from 1, `reason` quotes no content."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


class WorkPackage(Struct, frozen=True):
    """What its sources say of a work package.

    `lane` is None where none is stated or where the stated one is invalid, which is then the `problem`. `agent`,
    `assignee` and `reviewer` are None where none is named, `feedback` where the review left none. `dependencies` is
    None where the frontmatter doesn't say, and may be empty. `source` is the lane source. One that states steps by
    ids of their own has all of them in `stated`, in their order, and its notes in `notes`; then there is no trail.
    `home` is the name that it is kept under where its feature may change, None where that is its feature.
    """

    feature: str
    wp_id: str
    path: str
    lane: Lane | None
    trail: tuple[Record, ...]
    title: str
    agent: str | None = None
    dependencies: tuple[str, ...] | None = None
    problem: Problem | None = None
    assignee: str | None = None
    reviewer: str | None = None
    feedback: str | None = None
    source: str = "frontmatter"
    scheme: Scheme = SPEC_KITTY_2
    stated: Sequence[StatedStep] = ()
    notes: tuple[StatedNote, ...] = ()
    home: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is kept under: its feature, or what it belongs to whatever its feature is, and its id."""
        return (self.feature if self.home is None else self.home), self.wp_id

    @property
    def assigned(self) -> str | None:
        """Who has taken it on."""
        return self.agent or self.assignee

    def stated_since(self, before: WorkPackage | None) -> tuple[StatedStep, ...]:
        """The steps that it states and that what was there before didn't."""
        known = {step.id for step in before.stated} if before is not None else set()
        return tuple(step for step in self.stated if step.id not in known)


def read_work_package(path: str, data: bytes, names: LaneNames) -> WorkPackage | Problem:
    """Read the file at `path` (relative to the project, a work package by its name) with the bytes `data`."""
    where = place(path)
    if where is None:
        raise ValueError("not the path of a work package")
    try:
        matter = read_frontmatter(text_of(data))
    except ContentError as error:
        return Problem(path, error.line, error.reason)
    lane, problem = _lane(path, matter, where, names)
    stated = matter.fields.get("work_package_id")
    return WorkPackage(
        feature=where.feature,
        wp_id=stated if isinstance(stated, str) and _ID.match(stated) else where.wp_id,
        path=path,
        lane=lane,
        trail=read_trail(matter.body),
        title=_title(matter, path),
        agent=word(matter.fields.get("agent")),
        dependencies=_dependencies(matter.fields),
        problem=problem,
        assignee=word(matter.fields.get("assignee")),
        reviewer=word(matter.fields.get("reviewed_by")),
        feedback=read_feedback(matter.body),
    )


def _lane(path: str, matter: Frontmatter, where: Place, names: LaneNames) -> tuple[Lane | None, Problem | None]:
    stated = matter.fields.get("lane")
    if stated is None:
        return where.lane_directory, None
    lane = names.lane(stated.strip()) if isinstance(stated, str) else None
    if lane is not None:
        return lane, None
    return None, Problem(path, matter.lines["lane"], "the lane is none of planned, doing, for_review, done")


def _title(matter: Frontmatter, path: str) -> str:
    title = word(matter.fields.get("title"))
    if title is None and (heading := _HEADING.search(matter.body)):
        title = heading[1].strip()
    return title or path.rsplit("/", 1)[-1].removesuffix(".md")


def word(value: Value) -> str | None:
    """The text of a field that says something, None for all else."""
    return value.strip() or None if isinstance(value, str) else None


def _dependencies(fields: dict[str, Value]) -> tuple[str, ...] | None:
    if "dependencies" not in fields:
        return None
    value = fields["dependencies"]
    if isinstance(value, str):
        return distinct(_IDS_IN_TEXT.findall(value))
    if isinstance(value, list):
        return distinct(item.strip() for item in value if isinstance(item, str) and _ID.match(item.strip()))
    return ()


def distinct(ids: Iterable[str]) -> tuple[str, ...]:
    """The ids in their order, each once."""
    return tuple(dict.fromkeys(ids))
