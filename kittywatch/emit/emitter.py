"""The one door to the store.

Observers hand over what they derived together with the ledger's step; everything that becomes an event is stamped,
ticked and queued here, in the transaction that keeps the step (rule O8).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from kittywatch.emit.drafts import EnvelopeContext
from kittywatch.emit.manual import ManualEmitter
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.errors import KittywatchError
from kittywatch.events import Event, InvalidEventError, Payload
from kittywatch.store import projects
from kittywatch.store.store import Store

Result = TypeVar("Result")


class EventEmitter(ManualEmitter):
    """Emits for one checkout of one project. `place` is the repository's common directory, `warn` says what failed.

    `on_emitted` is called after each transaction that emitted something or found an alias; it must come back at once
    and not raise.
    """

    def __init__(self, store: Store, context: EnvelopeContext, *, place: str, warn: Callable[[str], None]) -> None:
        self.store = store
        self.context = context
        self.place = place
        self.warn = warn
        self.on_emitted: Callable[[], None] = _nobody_listens

    def emit(
        self, payload: Payload, aggregate_id: str, aggregate_type: str, *, causation_id: str | None = None
    ) -> Event | None:
        """Emit one event manually; returns it, or the earlier event that it is a duplicate of.

        Never raises: None means that nothing was emitted, and `warn` has said why.
        """
        from kittywatch.emit.deduplication import emit_once  # what only observes has no need of it

        try:
            return self.transact(
                lambda unit: emit_once(unit, self.context, payload, aggregate_id, aggregate_type, causation_id)
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

    def transact(self, work: Callable[[UnitOfWork], Result]) -> Result:
        """Decide and emit in one transaction; raises StoreError, after which nothing of it has happened."""

        def deciding(connection: sqlite3.Connection) -> tuple[Result, bool]:
            unit = self._unit(connection)
            result = work(unit)
            return result, bool(unit.events or unit.aliases.added or unit.ledger.renamed)

        result, emitted = self.store.transact(deciding)
        if emitted:
            self.on_emitted()
        return result

    def rehearse(self, work: Callable[[UnitOfWork], Result]) -> Result:
        """Dry run: `transact` on a copy in memory, so nothing is emitted. Raises StoreError."""
        return self.store.rehearse(lambda connection: work(self._unit(connection)))

    def peek(self, work: Callable[[UnitOfWork], Result]) -> Result:
        """Read the ledger without changing it; a project that was never observed has an empty one."""
        if not self.store.exists:
            return self.rehearse(work)
        return self.store.read(lambda connection: work(self._unit(connection, writes=False)))

    def find_row(self, connection: sqlite3.Connection) -> int | None:
        """The store's row of this project, None where it was never observed."""
        return projects.find(connection, self.context.project_uuid, place=self.place)

    def ensure_row(self, connection: sqlite3.Connection) -> int:
        """The store's row of this project, made where it is new."""
        return projects.ensure(connection, self.context.project_uuid, slug=self.context.project_slug, place=self.place)

    def _unit(self, connection: sqlite3.Connection, *, writes: bool = True) -> UnitOfWork:
        row = self.ensure_row(connection) if writes else self.find_row(connection) or 0
        return UnitOfWork(connection, row, self.context, warn=self.warn, least_tick=self.store.least_tick)

    def read(self, work: Callable[[sqlite3.Connection, int], Result], *, default: Result) -> Result:
        """Run `work` with this project's row, only reading; `default` if nothing was ever emitted."""
        if not self.store.exists:
            return default

        def reading(connection: sqlite3.Connection) -> Result:
            row = self.find_row(connection)
            return default if row is None else work(connection, row)

        return self.store.read(reading)


def _nobody_listens() -> None:
    pass
