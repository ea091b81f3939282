"""The lines of a long event log, read together: of most of them only what says where a work package is.

Of a log of ten thousand lines a look needs the last lane of each work package, and the steps of the one that was just
moved. So what else a line says is read when it is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence, Set
from datetime import UTC, datetime
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.schemes import SPEC_KITTY_3
from kittywatch.workpackages.stated import GENESIS, StatedStep, Steps

Read: TypeAlias = Callable[[bytes], object]
"""What one line says, a StatedStep for every line whose head is `usual`."""


if TYPE_CHECKING:
    _Lane: TypeAlias = str
else:
    # Of a name that is one of these there are no copies. Another one is no lane, and has its log read line by line.
    _Lane = Literal[(*SPEC_KITTY_3.lanes, GENESIS, "doing")]


class Head(Struct, gc=False):
    """What a line must say to be a lane line, and what tells it from others."""

    event_id: str = ""
    wp_id: str | None = None
    from_lane: _Lane | None = None
    to_lane: _Lane | None = None
    at: datetime = datetime.min  # which has no zone
    kind: str | None = None
    event_type: str | None = None
    event_name: str | None = None


_HEADS = msgspec.json.Decoder(Head)
_KIND = attrgetter("from_lane", "to_lane", "at.tzinfo", "kind", "event_type", "event_name")
_ORDER = attrgetter("at", "event_id")


class Lines:
    """The lines of a log, taken apart when the first of them is asked for."""

    def __init__(self, data: bytes, read: Read) -> None:
        self._data = data
        self._read = read

    def some(self, numbers: Iterable[int]) -> list[tuple[int, bytes]]:
        """Some lines with their numbers, which count from 0."""
        return [(number, self._line(number)) for number in numbers]

    def steps(self, numbers: list[int], heads: Sequence[Head]) -> Steps:
        """The steps of one work package: its lines' numbers, sorted by their order."""
        return Steps(heads[numbers[-1]].to_lane or GENESIS, len(numbers), lambda: self._made(numbers))

    @cached_property
    def _ends(self) -> list[int]:
        """Where each line ends. Copies of all lines would be as large as the log, of which a few are asked for."""
        ends, find = [-1], self._data.find
        while (end := find(b"\n", ends[-1] + 1)) >= 0:
            ends.append(end)
        return ends

    def _line(self, number: int) -> bytes:
        return self._data[self._ends[number] + 1 : self._ends[number + 1]]

    def _made(self, numbers: list[int]) -> tuple[StatedStep, ...]:
        said = (self._read(self._line(number)) for number in numbers)
        return tuple(step for step in said if isinstance(step, StatedStep))


def heads_of(data: bytes) -> list[Head] | None:
    """The heads of all lines, None where one of them is of another form: then each is read by itself."""
    try:
        heads = _HEADS.decode_lines(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return heads if len(heads) == data.count(b"\n") and data.endswith(b"\n") else None


def grouped(
    heads: Sequence[Head], is_id: Callable[[str], bool], lanes: Container[Lane]
) -> tuple[dict[str, list[int]], list[int]]:
    """The numbers of the lane lines by their work package and order, and those of the lines to be read by themselves.

    A line is read by itself where its head is unusual, and all of them are where two have one id.
    """
    ids = [head.event_id for head in heads if head.event_id]
    if len(set(ids)) < len(ids):
        return {}, list(range(len(heads)))
    found: defaultdict[str | None, list[int]] = defaultdict(list)
    for number, head in enumerate(heads):
        found[head.wp_id].append(number)
    others = _unusual(heads, found.keys(), is_id, lanes)
    order = list(map(_ORDER, heads)).__getitem__
    groups: dict[str, list[int]] = {}
    for name, numbers in found.items():
        kept = [number for number in numbers if number not in others] if others else numbers
        if kept and name is not None:
            groups[name] = sorted(kept, key=order)
    return groups, sorted(others)


def _unusual(
    heads: Sequence[Head], names: Set[str | None], is_id: Callable[[str], bool], lanes: Container[Lane]
) -> Set[int]:
    """The numbers of the lines whose heads are out of the ordinary."""
    # Of ten thousand lines there are a few dozen kinds: what all of a kind have in common is asked once.
    kinds = set(map(_KIND, heads))
    usual = {kind for kind in kinds if _is_usual(kind, lanes)}
    known = {name for name in names if name is not None and is_id(name)}
    if len(usual) == len(kinds) and len(known) == len(names) and all(head.event_id.isalnum() for head in heads):
        return frozenset()
    return {
        number
        for number, head in enumerate(heads)
        if not (head.wp_id in known and _KIND(head) in usual and head.event_id.isalnum())
    }


def _is_usual(kind: tuple[Any, ...], lanes: Container[Lane]) -> bool:
    previous, new, zone, *others = kind
    return previous in lanes and new in lanes and new != GENESIS and zone is UTC and others == [None, None, None]
