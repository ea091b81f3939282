"""The ledger to decide by and the queue to emit into, within one transaction (rule O8)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from kittywatch.derive.facts import Fact
from kittywatch.derive.ledger import Alias
from kittywatch.emit.drafts import EnvelopeContext, EventDraft, drafts, envelopes
from kittywatch.events import Event, random_id
from kittywatch.store import clock, destinations, outbox
from kittywatch.store.aliases import Aliases
from kittywatch.store.ledger import Ledger


class UnitOfWork:
    """One observation within its transaction.

    `events` are those queued so far, `correlation_id` is what they share; `aliases` are further ids of the project's.
    `project` is the project's row, 0 where it has none yet; `least_tick` is where the clock starts at least.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        project: int,
        context: EnvelopeContext,
        *,
        warn: Callable[[str], None],
        least_tick: int,
    ) -> None:
        self.connection = connection
        self.project = project
        self.ledger = Ledger(connection, self.project)
        self.aliases = Aliases(connection, self.project)
        self.events: list[Event] = []
        self.correlation_id = random_id()  # shared by all events of the observation
        self._context = context
        self._warn = warn
        self._least_tick = least_tick

    def emit(self, facts: Iterable[Fact], observer: str, aliases: Iterable[Alias] = ()) -> list[Event]:
        """Make events of facts and queue them, and record the other ids of what was emitted; returns the events."""
        events = self.enqueue(drafts(facts, self._context, observer, self._warn, self._first_moment))
        for one in aliases:
            self.alias(one)
        return events

    def alias(self, one: Alias) -> None:
        """Record an alias of an emitted event (rule O11); an id under which an event was emitted here is none."""
        if outbox.find(self.connection, one.alias) is None:
            self.aliases.add(one.alias, one.event_id)

    def _first_moment(self, feature: str, event_type: str | None) -> str | None:
        return outbox.first_moment(self.connection, self.project, feature, event_type)

    def enqueue(self, drafted: Iterable[EventDraft]) -> list[Event]:
        """Tick and queue drafts; returns the events of those that are new to the log, in their order.

        An event that the log has already takes no tick: the clock would have a gap where it stays out.
        """
        made = [draft for draft in drafted if outbox.find(self.connection, draft.event_id) is None]
        if not made:
            return []
        last = clock.ticks(self.connection, len(made), at_least=self._least_tick)
        context, destination = self._context, destinations.present(self.connection)
        if destination is not None:
            context = replace(context, team_slug=destination.team)
        sourced = envelopes(made, context, last - len(made) + 1, self.correlation_id)
        outbox.append(self.connection, self.project, sourced, destination=destination.key if destination else None)
        events = [event for event, _ in sourced]
        self.events += events
        return events
