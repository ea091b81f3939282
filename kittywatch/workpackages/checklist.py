"""Lists of tasks with boxes: GitHub spec-kit's and OpenSpec's `tasks.md` (rules C1 to C3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from msgspec import Struct

from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.globs import Glob
from kittywatch.workpackages.lane_source import Contents, Fault, LaneSource, Stated, Unit
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import Problem, WorkPackage
from kittywatch.workpackages.schemes import Scheme
from kittywatch.workpackages.text import ContentError, text_of

CHECKLIST = Scheme("checklist", {"planned": "backlog", "done": "done"})
_ITEM = pattern(r"^[-*+][ \t]+\[([ xX])\][ \t]+(?:\*\*)?(T[0-9]+|[0-9]+(?:\.[0-9]+)+)(?![\w-]|\.\w)[.:]?(.*)$")
_MARKS = pattern(r"[ \t]*(?:\*\*[:.]?)?[ \t]*(?:\[[^\]\[]*\](?!\()[ \t]*)*")
_FENCE = pattern(r"^ {0,3}(`{3,}|~{3,})")
_LARGEST = 4 << 20
_IDS = pattern(r"T[0-9]+|[0-9]+(?:\.[0-9]+)+")
_LONGEST_ID = 40


class Item(Struct, frozen=True):
    """One item: its id, its line from 1, whether its box is ticked, and its text without marks."""

    wp_id: str
    line: int
    done: bool
    title: str


class Checklist(LaneSource):
    """The lists of one tool; where a feature has several, the files of the first pattern count before the others'."""

    kind = "checklist"

    def __init__(self, name: str, *files: str) -> None:
        self.name = name
        self.globs = tuple(Glob(text) for text in files)
        self.ids = _IDS

    def is_added_to(self, path: str) -> bool:
        return True

    def largest(self, path: str) -> int:
        return _LARGEST

    def read(self, path: str, data: bytes, names: LaneNames) -> object:
        try:
            return tuple(items(text_of(data, _LARGEST)))
        except ContentError as error:
            return Problem(path, error.line, error.reason)

    def together(self, unit: Unit, paths: Iterable[str], contents: Contents) -> Stated:
        feature = unit.feature or self.name
        found: dict[tuple[str, str], WorkPackage] = {}
        faults: list[Fault] = []
        for path in sorted(paths, key=self._rank):
            said, content = contents.said(path)
            if isinstance(said, Problem):
                faults.append(Fault(said, content))
                continue
            lines: dict[str, int] = {}
            for item in cast("tuple[Item, ...]", said):
                if (first := lines.setdefault(item.wp_id, item.line)) != item.line:
                    reason = f"{item.wp_id} is already the id of line {first}, which counts"
                    faults.append(Fault(Problem(path, item.line, reason), ""))
                    continue
                key = feature, item.wp_id
                if key not in found:  # an archived list of the same name, whose tasks stand in the one at work
                    found[key] = _package(feature, path, item)
        return Stated(found, tuple(faults), feature)

    def _rank(self, path: str) -> tuple[int, list[int]]:
        """The order of a feature's lists: the one at work first, then the archived ones, the newest of them first."""
        at = next((number for number, glob in enumerate(self.globs) if glob.match(path) is not None), len(self.globs))
        return at, [-ord(letter) for letter in path]


def _package(feature: str, path: str, item: Item) -> WorkPackage:
    lane = "done" if item.done else "planned"
    return WorkPackage(
        feature, item.wp_id, path, lane, (), item.title, dependencies=(), source=Checklist.kind, scheme=CHECKLIST
    )


def items(text: str) -> Iterable[Item]:
    """The items of a text that have an id, outside of fenced code."""
    fence = ""
    fenced = "```" in text or "~~~" in text
    for number, line in enumerate(text.split("\n"), start=1):
        if fenced and (mark := _FENCE.match(line)):
            if not fence:
                fence = mark[1]
            elif mark[1].startswith(fence) and not line.strip(" \t" + fence[0]):
                fence = ""
            continue
        if fence or line[:1] not in ("-", "*", "+"):
            continue
        item = _ITEM.match(line)
        if item is not None and len(item[2]) <= _LONGEST_ID:
            rest = item[3]
            marks = _MARKS.match(rest)
            title = rest[marks.end() if marks else 0 :].strip().removesuffix("**")
            yield Item(item[2], number, item[1] != " ", title or item[2])
