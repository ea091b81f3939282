"""The one door to the store.

Observers hand over what they derived together with the ledger's step; everything that becomes an event is stamped,
ticked and queued here, in the transaction that keeps the step (rule O8).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from msgspec.structs import replace

from kittywatch.by_hand import ByHand
from kittywatch.derive.tellings import Telling
from kittywatch.errors import KittywatchError
from kittywatch.events import Event, InvalidEventError, Payload, random_id
from kittywatch.stamp import Draft, Stamp, drafts, envelopes
from kittywatch.store import clock, outbox, projects, recipients
from kittywatch.store.aliases import Aliases
from kittywatch.store.ledger import Ledger
from kittywatch.store.store import Store

Result = TypeVar("Result")


class Unit:
    """One observation within its transaction: the ledger to decide by, and the way to tell what was decided."""

    def __init__(self, connection: sqlite3.Connection, emitter: EventEmitter, *, writes: bool = True) -> None:
        self.connection = connection
        self.project = (projects.ensure if writes else projects.find)(connection, emitter.stamp, emitter.place) or 0
        self.ledger = Ledger(connection, self.project)
        self.aliases = Aliases(connection, self.project)
        self.events: list[Event] = []
        self.correlation_id = random_id()  # shared by all events of the observation
        self._emitter = emitter

    def tell(self, tellings: Iterable[Telling], observer: str) -> list[Event]:
        """Stamp, tick and queue what one commit, or one look at a worktree, tells; returns the events."""
        return self.enter(drafts(tellings, self._emitter.stamp, observer, self._emitter.warn, self._first_moment))

    def _first_moment(self, feature: str, event_type: str | None) -> str | None:
        return outbox.first_moment(self.connection, self.project, feature, event_type)

    def enter(self, drafted: Iterable[Draft]) -> list[Event]:
        """Tick and queue; what the log has already takes no tick, or there would be a gap where it stays out."""
        emitter = self._emitter
        made = [draft for draft in drafted if outbox.told(self.connection, draft.event_id) is None]
        if not made:
            return []
        last = clock.ticks(self.connection, len(made), at_least=emitter.store.least_tick)
        stamp, recipient = emitter.stamp, recipients.present(self.connection)
        if recipient is not None:
            stamp = replace(stamp, team_slug=recipient.team)
        sourced = envelopes(made, stamp, last - len(made) + 1, self.correlation_id)
        outbox.append(self.connection, self.project, sourced, recipient=recipient.key if recipient else None)
        events = [event for event, _ in sourced]
        self.events += events
        return events


class EventEmitter(ByHand):
    """Emits for one checkout of one project. `place` is the repository's common directory, `warn` says what failed.

    `on_told` is called after each transaction that told something or found an alias; it must come back at once and
    not raise.
    """

    def __init__(self, store: Store, stamp: Stamp, *, place: str, warn: Callable[[str], None]) -> None:
        self.store = store
        self.stamp = stamp
        self.place = place
        self.warn = warn
        self.on_told: Callable[[], None] = _nobody_listens

    def emit(
        self, payload: Payload, aggregate_id: str, aggregate_type: str, *, causation_id: str | None = None
    ) -> Event | None:
        """Tell one event by hand; returns it, or the event that told the same before.

        Never raises: None means that nothing was told, and `warn` has said why.
        """
        from kittywatch.told_once import tell_by_hand  # what only observes has no need of it

        try:
            return self.transact(
                lambda unit: tell_by_hand(unit, self.stamp, payload, aggregate_id, aggregate_type, causation_id)
            )
        except Exception as error:
            self.failed(error)
            return None

    def failed(self, error: Exception) -> None:
        """Warn that an emission came to nothing; what the event says stays out of it."""
        # What an error of this package says is made for people; any other's text may quote the content.
        ours = isinstance(error, (KittywatchError, InvalidEventError))
        with suppress(Exception):
            self.warn(f"an event was not emitted: {error if ours else type(error).__name__}")

    def transact(self, work: Callable[[Unit], Result]) -> Result:
        """Decide and tell in one transaction; raises StoreError, after which nothing of it has happened."""

        def deciding(connection: sqlite3.Connection) -> tuple[Result, bool]:
            unit = Unit(connection, self)
            return work(unit), bool(unit.events or unit.aliases.added)

        result, told = self.store.transact(deciding)
        if told:
            self.on_told()
        return result

    def rehearse(self, work: Callable[[Unit], Result]) -> Result:
        """The same on a copy in memory: what would be told, without telling it."""
        return self.store.rehearse(lambda connection: work(Unit(connection, self)))

    def peek(self, work: Callable[[Unit], Result]) -> Result:
        """Look at the ledger without changing it; a project that was never observed has an empty one."""
        if not self.store.exists:
            return self.rehearse(work)
        return self.store.read(lambda connection: work(Unit(connection, self, writes=False)))

    def read(self, work: Callable[[sqlite3.Connection, int], Result], *, default: Result) -> Result:
        """Run `work` with this project's row, only reading; `default` where nothing was ever told."""
        if not self.store.exists:
            return default

        def reading(connection: sqlite3.Connection) -> Result:
            row = projects.find(connection, self.stamp, self.place)
            return default if row is None else work(connection, row)

        return self.store.read(reading)


def _nobody_listens() -> None:
    pass
