"""One transaction's view of the store: the ledger to decide by, and the way to emit what was decided."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from kittywatch.derive.facts import Fact
from kittywatch.derive.ledger import Alias
from kittywatch.emit.drafts import Draft, Stamp, drafts, envelopes
from kittywatch.events import Event, random_id
from kittywatch.store import clock, outbox, recipients
from kittywatch.store.ledger import Ledger


class UnitOfWork:
    """One observation within its transaction: the ledger to decide by, and the way to tell what was decided.

    `project` is the project's row, 0 where it has none yet; `least_tick` is where the clock starts at least.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        project: int,
        stamp: Stamp,
        *,
        warn: Callable[[str], None],
        least_tick: int,
    ) -> None:
        self.connection = connection
        self.project = project
        self.ledger = Ledger(connection, self.project)
        self.events: list[Event] = []
        self.correlation_id = random_id()  # shared by all events of the observation
        self._stamp = stamp
        self._warn = warn
        self._least_tick = least_tick

    def emit(self, facts: Iterable[Fact], observer: str, aliases: Iterable[Alias] = ()) -> list[Event]:
        """Stamp, tick and queue facts, and record the other ids of what was emitted; returns the events."""
        events = self.enter(drafts(facts, self._stamp, observer, self._warn, self._first_moment))
        for one in aliases:
            self.alias(one)
        return events

    def alias(self, one: Alias) -> None:
        """Record an alias of an emitted event (rule O11)."""

    def _first_moment(self, feature: str, event_type: str | None) -> str | None:
        return outbox.first_moment(self.connection, self.project, feature, event_type)

    def enter(self, drafted: Iterable[Draft]) -> list[Event]:
        """Tick and queue; what the log has already takes no tick, or there would be a gap where it stays out."""
        made = [draft for draft in drafted if outbox.told(self.connection, draft.event_id) is None]
        if not made:
            return []
        last = clock.ticks(self.connection, len(made), at_least=self._least_tick)
        stamp, recipient = self._stamp, recipients.present(self.connection)
        if recipient is not None:
            stamp = replace(stamp, team_slug=recipient.team)
        sourced = envelopes(made, stamp, last - len(made) + 1, self.correlation_id)
        outbox.append(self.connection, self.project, sourced, recipient=recipient.key if recipient else None)
        events = [event for event, _ in sourced]
        self.events += events
        return events
