"""Lists of tasks with boxes: GitHub spec-kit's and OpenSpec's `tasks.md` (rules C1 to C3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from msgspec import Struct

from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.globs import Glob
from kittywatch.workpackages.lane_source import LONGEST_ID, Contents, Fault, LaneSource, Stated, Unit
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import Problem, WorkPackage
from kittywatch.workpackages.schemes import Scheme
from kittywatch.workpackages.text import ContentError, text_of

CHECKLIST = Scheme("checklist", {"planned": "backlog", "done": "done"})
_ITEM = pattern(r"^[-*+][ \t]+\[([ xX])\][ \t]+(?:\*\*)?(T[0-9]+|[0-9]+(?:\.[0-9]+)+)(?![\w-]|\.\w)[.:]?(.*)$")
_MARKS = pattern(r"[ \t]*(?:\*\*[:.]?)?[ \t]*(?:\[[^\]\[]*\](?!\()[ \t]*)*")
_FENCE = pattern(r"^ {0,3}(`{3,}|~{3,})")
_LARGEST = 4 << 20
_REMEMBERED = 200_000  # lines
_IDS = pattern(r"T[0-9]+|[0-9]+(?:\.[0-9]+)+")


class Item(Struct, frozen=True, eq=False):
    """What one line says: an id, whether its box is ticked, and its text without marks."""

    wp_id: str
    done: bool
    title: str


class Checklist(LaneSource):
    """The lists of one tool; where a feature has several, the files of the first pattern count before the others'.

    A line says the same in every version of a list, so each is read once: an item that stays is the same object, and
    so is its work package.
    """

    kind = "checklist"

    def __init__(self, name: str, *files: str) -> None:
        self.name = name
        self.globs = tuple(Glob(text) for text in files)
        self.ids = _IDS
        self._lines: dict[str, Item | None] = {}
        self._packages: dict[str, dict[Item, WorkPackage]] = {}

    def is_added_to(self, path: str) -> bool:
        return True

    def largest(self, path: str) -> int:
        return _LARGEST

    def read(self, path: str, data: bytes, names: LaneNames) -> object:
        try:
            text = text_of(data, _LARGEST)
        except ContentError as error:
            return Problem(path, error.line, error.reason)
        if len(self._lines) > _REMEMBERED:
            self._lines.clear()
            self._packages.clear()
        return tuple(self._items(text))

    def _items(self, text: str) -> list[tuple[int, Item]]:
        """The items that have an id, outside of fenced code, each with its line from 1."""
        known = self._lines
        found: list[tuple[int, Item]] = []
        for number, line in _outside_fences(text):
            item = known.get(line, ...)
            if item is ...:
                item = known[line] = _item(line)
            if item is not None:
                found.append((number, item))
        return found

    def together(self, unit: Unit, paths: Iterable[str], contents: Contents) -> Stated:
        feature = unit.feature or self.name
        found: dict[tuple[str, str], WorkPackage] = {}
        faults: list[Fault] = []
        for path in sorted(paths, key=self._rank):
            said, content = contents.said(path)
            if isinstance(said, Problem):
                faults.append(Fault(said, content))
                continue
            here, twice = self._one(feature, path, cast("tuple[tuple[int, Item], ...]", said))
            faults += twice
            found = here | found  # an archived list's tasks may stand in the one at work as well
        return Stated(found, tuple(faults), feature)

    def _one(
        self, feature: str, path: str, said: tuple[tuple[int, Item], ...]
    ) -> tuple[dict[tuple[str, str], WorkPackage], list[Fault]]:
        """The work packages of one list, and what is wrong with it."""
        found: dict[tuple[str, str], WorkPackage] = {}
        faults: list[Fault] = []
        lines: dict[str, int] = {}
        packages = self._packages.setdefault(path, {})
        for number, item in said:
            wp_id = item.wp_id
            if wp_id in lines:
                reason = f"{wp_id} is already the id of line {lines[wp_id]}, which counts"
                faults.append(Fault(Problem(path, number, reason), ""))
                continue
            lines[wp_id] = number
            package = packages.get(item)
            if package is None:
                package = packages[item] = _package(feature, path, item)
            found[feature, wp_id] = package
        return found, faults

    def _rank(self, path: str) -> tuple[int, list[int]]:
        """The order of a feature's lists: the one at work first, then the archived ones, the newest of them first."""
        at = next((number for number, glob in enumerate(self.globs) if glob.match(path) is not None), len(self.globs))
        return at, [-ord(letter) for letter in path]


def _package(feature: str, path: str, item: Item) -> WorkPackage:
    lane = "done" if item.done else "planned"
    return WorkPackage(
        feature, item.wp_id, path, lane, (), item.title, dependencies=(), source=Checklist.kind, scheme=CHECKLIST
    )


def _item(line: str) -> Item | None:
    found = _ITEM.match(line)
    if found is None or len(found[2]) > LONGEST_ID:
        return None
    rest = found[3]
    marks = _MARKS.match(rest)
    title = rest[marks.end() if marks else 0 :].strip().removesuffix("**")
    return Item(found[2], found[1] != " ", title or found[2])


def _outside_fences(text: str) -> Iterable[tuple[int, str]]:
    """The lines of a text, from 1, without those of fenced code."""
    numbered = enumerate(text.split("\n"), start=1)
    return numbered if "```" not in text and "~~~" not in text else _unfenced(numbered)


def _unfenced(numbered: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    fence = ""
    for number, line in numbered:
        mark = _FENCE.match(line)
        if mark is None:
            if not fence:
                yield number, line
        elif not fence:
            fence = mark[1]
        elif mark[1].startswith(fence) and not line.strip(" \t" + fence[0]):
            fence = ""
