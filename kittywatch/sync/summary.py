"""The summary of a run of delivery, for people and for the next process. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.errors import SyncError
from kittywatch.sync.verdicts import Fate

Progress: TypeAlias = Callable[[int, int], None]
"""Called after each settled batch with how many events were settled, and how many there are."""

Kind: TypeAlias = Literal["network", "server", "auth", "login", "deadline", "stopped"]
RETRY_SECONDS = 30.0  # before a short-lived process tries again after one that gave up


class Summary(Struct, frozen=True):
    """The results of one run.

    `refused` has the reason by event id, `dead` how many of them are dead letters now, `waiting` how many the server
    took note of without having them, `missing` how many it said nothing of, `left` how many could still be sent or are
    being sent by others, `forbidden` why a project is not taken. `aliases`, `renames` (of features) and `moves` (of
    work packages) count those delivered, `aliases_refused` and `renames_refused` (with moves) have the reasons of those
    that weren't taken.
    `stopped` says why the run ended early: `network` (not reachable, or busy), `server` (no answer of the protocol),
    `auth`, `login` (somebody logged in elsewhere meanwhile), `deadline`, or `stopped`; `error` what was wrong.
    """

    delivered: int = 0
    duplicates: int = 0
    waiting: int = 0
    missing: int = 0
    refused: dict[str, str] = {}
    dead: int = 0
    batches: int = 0
    forbidden: dict[str, str] = {}
    left: int = 0
    aliases: int = 0
    aliases_refused: dict[str, str] = {}
    renames: int = 0
    moves: int = 0
    renames_refused: dict[str, str] = {}
    stopped: Kind | None = None
    error: SyncError | None = None

    @property
    def gave_up(self) -> Literal["network", "auth"] | None:
        """Error type (of ErrorLogged) that a run ended with, None if there is nothing to report."""
        if self.stopped in ("network", "server"):
            return "network"
        return "auth" if self.stopped == "auth" else None

    def with_left(self, left: int) -> Summary:
        """The same summary with another count of what is left."""
        return replace(self, left=left)

    @property
    def has_delivered(self) -> bool:
        return bool(self.delivered + self.duplicates + self.aliases + self.renames + self.moves)

    def notes(self, now: float, before: dict[str, Any]) -> dict[str, Any]:
        """The values to keep for other processes; `before` is what was kept, `now` in seconds since 1970."""
        notes: dict[str, Any] = {"last_try_at": now}
        if self.forbidden or before.get("forbidden"):
            notes["forbidden"] = self.forbidden or None
        if self.stopped is None or self.has_delivered:
            notes |= {"last_sync_at": now, "failure": None, "next_try_at": None, "reported": None}
        if self.forbidden:
            notes["next_try_at"] = now + RETRY_SECONDS
        if self.gave_up is not None and self.error is not None:
            wait = max(getattr(self.error, "wait", None) or 0.0, RETRY_SECONDS)
            notes["failure"] = {"kind": self.stopped, "said": str(self.error), "remedy": self.error.remedy}
            notes["next_try_at"] = None if self.gave_up == "auth" else now + wait
        return notes


@dataclass
class Tally:
    """A summary while it is made."""

    total: int = 0
    done: int = 0
    batches: int = 0
    dead: int = 0
    counts: dict[Fate, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    forbidden: dict[str, str] = field(default_factory=dict)

    def count(self, fates: Iterable[Fate]) -> None:
        """Add the fates of some events."""
        for fate in fates:
            self.counts[fate] = self.counts.get(fate, 0) + 1
            self.done += 1

    def summary(self, stopped: Kind | None, error: SyncError | None) -> Summary:
        return Summary(
            delivered=self.counts.get("delivered", 0),
            duplicates=self.counts.get("duplicate", 0),
            waiting=self.counts.get("waiting", 0),
            missing=self.counts.get("missing", 0),
            refused=self.reasons,
            dead=self.dead,
            batches=self.batches,
            forbidden=self.forbidden,
            stopped=stopped,
            error=error,
        )
