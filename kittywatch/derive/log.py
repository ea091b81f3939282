"""The log of one work package: what has been told of it, in the order in which it happened.

Every view holds a cursor into the log: the entry that the lane it shows now came with. What a view sees is looked
for ahead of its cursor; what is found was told already, by whichever view or process, and only the cursor moves.

Entries that were not told stand for what kittywatch may not tell by itself: `baseline`, what was there before it came
(rule B1), `elsewhere`, what others had told when it was first seen here (rule O3), and `theirs`, one step that others
told since. That one has the id that they tell it with, so a copy of their commit finds it; its lane alone finds
nothing, for who moves a work package to the same lane here has made a transition. Where another clone on this machine
turns out to have made it, it becomes what it is.

Who took a work package on stands in the same list: an entry `assigned` belongs to the stay in a lane that began with
the entry before it that is none. One without an event id was only noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Literal, TypeAlias

from msgspec import Struct

from kittywatch.workpackages.lanes import Lane

EntryKind: TypeAlias = Literal["created", "step", "baseline", "elsewhere", "theirs", "assigned"]
Phase: TypeAlias = Literal["implementation", "review"]

_TIME = 10  # characters of a ULID that say when


class Entry(Struct, eq=False):
    """One entry; `key` is its row in the store, None until it is stored. `lane` is the lane after it.

    `agent` and `phase` say who had taken the work package on by then, where the entry tells or takes in just that.
    """

    kind: EntryKind
    lane: Lane
    event_id: str | None = None
    commit: str | None = None
    key: int | None = None
    agent: str | None = None
    phase: Phase | None = None

    @property
    def told(self) -> bool:
        return self.kind in ("created", "step", "assigned")

    @property
    def making(self) -> tuple[str, Lane]:
        """What a step keeps when its commit is put on other ground."""
        return making(self.event_id or "", self.lane)

    @property
    def begins(self) -> bool:
        """Whether the entry stands for all that came before it, which nobody tells here."""
        return self.kind in ("baseline", "elsewhere")


class Log:
    """The ordered entries of one work package. A cursor is an entry, or None before all of them."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries: list[Entry] = list(entries)
        self.added: list[Entry] = []

    def position(self, cursor: Entry | None) -> int:
        """The index of the first entry after the cursor."""
        return 0 if cursor is None else self.entries.index(cursor) + 1

    def add(self, entry: Entry, *, after: Entry | Literal["all"] | None = "all") -> Entry:
        """Put a new entry right after another one, or after all of them."""
        index = len(self.entries) if after == "all" else self.position(after)
        self.entries.insert(index, entry)
        self.added.append(entry)
        return entry

    def claim(self, entry: Entry, event_id: str) -> None:
        """What others were thought to tell is told here after all."""
        entry.kind, entry.event_id = "step", event_id
        self.added.append(entry)

    def before(self, entry: Entry) -> Entry | None:
        """The entry before one of them, None before the first."""
        index = self.entries.index(entry)
        return self.entries[index - 1] if index else None

    def later(self, one: Entry | None, other: Entry | None) -> Entry | None:
        """Whichever of two cursors stands further on."""
        return one if self.position(one) >= self.position(other) else other

    def base(self, cursor: Entry | None) -> Entry | None:
        """The entry that the stay in a lane began with in which a cursor stands."""
        for entry in reversed(self.entries[: self.position(cursor)]):
            if entry.kind != "assigned":
                return entry
        return None

    def reach(self, cursor: Entry | None) -> int:
        """How far in the log a cursor stands, whoever was assigned in that stay."""
        return self.position(self.base(cursor))

    def stay(self, cursor: Entry | None) -> list[Entry]:
        """The assignments after a cursor in its stay."""
        found: list[Entry] = []
        for entry in self.entries[self.position(cursor) :]:
            if entry.kind != "assigned":
                break
            found.append(entry)
        return found

    def agent(self, cursor: Entry | None) -> str | None:
        """Who had the work package last at a cursor, None where nobody had."""
        before = reversed(self.entries[: self.position(cursor)])
        return next((entry.agent for entry in before if entry.agent is not None), None)

    def told_id(self, event_id: str) -> Entry | None:
        """The entry that told an event, None where nothing did."""
        return next((entry for entry in self.entries if entry.event_id == event_id), None)

    def told_step(self, event_id: str, lane: Lane) -> Entry | None:
        """The entry that told a step, maybe from another lane; None where nothing did."""
        steps = (entry for entry in self.entries if entry.kind == "step" and entry.event_id)
        made = making(event_id, lane)
        rewritten = (entry for entry in steps if entry.making == made)
        return self.told_id(event_id) or next(rewritten, None)


def match(
    window: Sequence[Entry],
    ids: Sequence[str],
    lanes: Sequence[Lane],
    claimed: frozenset[int],
    behind: Set[Entry] = frozenset(),
) -> tuple[int, int]:
    """Find steps among the entries of a log: (how many steps are told, how many entries they reach over).

    A step is found by its event id, else by its moment and lane, else by its lane alone. Entries found by what
    identifies them are anchors that lanes can't cross. An entry whose index is in `claimed` belongs to a later
    sighting, so lanes stop before it. One in `behind` belongs to an earlier one, so its lane finds nothing.
    """
    anchors = _anchors(window, ids, lanes)
    told = reached = 0
    for index, lane in enumerate(lanes):
        if index in anchors:
            told, reached = index + 1, anchors[index] + 1
            continue
        end = min((at for step, at in anchors.items() if step > index), default=len(window))
        end = min([end, *(at for at in claimed if at >= reached)])
        there = (at for at in range(reached, end) if window[at] not in behind)
        found = next((at for at in there if _ends_in(window[at], lane)), None)
        if found is not None:
            told, reached = index + 1, found + 1
    return told, reached


def making(event_id: str, lane: Lane) -> tuple[str, Lane]:
    """What a step keeps when its commit is put on other ground, where it comes from another lane: its time, which an
    event id begins with, and the lane that it ends in.
    """
    return event_id[:_TIME], lane


def _anchors(window: Sequence[Entry], ids: Sequence[str], lanes: Sequence[Lane]) -> dict[int, int]:
    entries = [(at, entry) for at, entry in enumerate(window) if entry.event_id]
    places = {entry.event_id: at for at, entry in reversed(entries)}
    makings = {entry.making: at for at, entry in reversed(entries)}
    anchors: dict[int, int] = {}
    reached = -1
    for index, event_id in enumerate(ids):
        at = places.get(event_id, makings.get(making(event_id, lanes[index])))
        if at is not None and at > reached:
            anchors[index] = reached = at
    return anchors


def _ends_in(entry: Entry, lane: Lane) -> bool:
    return entry.kind in ("step", "elsewhere") and entry.lane == lane
