"""Failure reports: one ErrorLogged once delivery gave up, until it works again. It waits in the queue like others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kittywatch.store import delivery
from kittywatch.store.store import Store
from kittywatch.sync.summary import Summary

if TYPE_CHECKING:
    import sqlite3

    from kittywatch.emit.emitter import EventEmitter


def report_failure(store: Store, emitter: EventEmitter | None, summary: Summary) -> bool:
    """Emit, once, that delivery gave up, as an event of the emitter's project; returns whether it was emitted.

    Nothing is without an emitter, or where the summary has nothing to report. Raises StoreError.
    """
    kind = summary.gave_up
    if kind is None or emitter is None:
        return False
    if not store.transact(lambda connection: _first(connection, kind)):
        return False
    text = f"delivery gave up: {summary.error or summary.stopped}"
    return emitter.emit_error_logged(None, kind, text) is not None


def _first(connection: sqlite3.Connection, kind: str) -> bool:
    """Tell whether this is the first time since delivery worked last; notes that it was."""
    if delivery.notes(connection).get("reported") == kind:
        return False
    delivery.remember(connection, reported=kind)
    return True
