"""What a source states of a work package beside its lane, with ids of its own: steps and notes.

A step that has an id is told once by it, wherever and however often it is come upon (rules E2 to E10).
"""

from __future__ import annotations

from datetime import datetime

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
