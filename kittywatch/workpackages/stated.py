"""What a source states of a work package beside its lane, with ids of its own: steps and notes.

A step that has an id is told once by it, wherever and however often it is come upon (rules E2 to E10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import SupportsIndex, overload

from msgspec import Struct

from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.lanes import Lane

GENESIS = "genesis"
"""Where a work package is before it is planned: no lane, and no column."""

_ULID = pattern(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")


class Who(Struct, frozen=True):
    """Who wrote a line; None for what it doesn't say."""

    role: str | None = None
    profile: str | None = None
    tool: str | None = None
    model: str | None = None

    @property
    def name(self) -> str | None:
        """The agent's name: the tool, else the profile, else the role (rule E7)."""
        return self.tool or self.profile or self.role


class Verdict(Struct, frozen=True):
    """The outcome of a review."""

    reviewer: str
    verdict: str


class StatedStep(Struct, frozen=True):
    """One step as its source states it. Its `id` is its identity, whatever else changes (rule E2).

    `previous` may be GENESIS. `reason` and `evidence`, JSON, hold paths and names of their writers.
    """

    id: str
    wp_id: str
    previous: Lane
    new: Lane
    moment: datetime
    agent: str
    who: Who | None = None
    force: bool | None = None
    execution_mode: str | None = None
    review_ref: str | None = None
    reason: str | None = None
    evidence: str | None = None
    verdict: Verdict | None = None

    @property
    def moves(self) -> bool:
        """Whether it is a transition; what comes from GENESIS to planned is the creation (rules E4, E5)."""
        return self.previous != self.new and not (self.previous == GENESIS and self.new == "planned")

    @property
    def is_migration(self) -> bool:
        """Whether a migration wrote it (rule E6)."""
        return self.agent == "migration" or self.agent.startswith("migration:")

    @property
    def is_ulid(self) -> bool:
        """Whether its id can be an event's (rule E7)."""
        return is_ulid(self.id)

    @property
    def order(self) -> tuple[datetime, str]:
        """Its place among all steps of its work package, whatever their order in a file (rule E3)."""
        return self.moment, self.id


class Steps(Sequence[StatedStep]):
    """The steps of one work package by their order (rule E3), put together when the first of them is asked for.

    `last` is the lane that they lead to. They equal every sequence of the same steps.
    """

    __slots__ = ("_length", "_made", "_make", "last")

    def __init__(self, last: Lane, length: int, make: Callable[[], tuple[StatedStep, ...]]) -> None:
        self.last = last
        self._length = length
        self._make = make
        self._made: tuple[StatedStep, ...] | None = None

    @classmethod
    def joined(cls, known: Iterable[StatedStep], more: Mapping[str, StatedStep]) -> Steps:
        """Steps and more of them by their ids; of two with one id, the one that was known."""
        steps = {**more, **{step.id: step for step in known}}
        made = tuple(sorted(steps.values(), key=lambda step: step.order))
        return cls(made[-1].new, len(made), lambda: made)

    def made(self) -> tuple[StatedStep, ...]:
        """All of them."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: SupportsIndex) -> StatedStep: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[StatedStep, ...]: ...

    def __getitem__(self, at: SupportsIndex | slice) -> StatedStep | tuple[StatedStep, ...]:
        return self.made()[at]

    def __iter__(self) -> Iterator[StatedStep]:
        return iter(self.made())

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Sequence) and len(self) == len(other) and self.made() == tuple(other)

    def __hash__(self) -> int:
        return hash(self.made())


class StatedNote(Struct, frozen=True):
    """An annotation with a note."""

    id: str
    wp_id: str
    moment: datetime
    agent: str
    text: str


def is_ulid(name: str) -> bool:
    """Whether an id has the form of a ULID."""
    return _ULID.match(name) is not None
