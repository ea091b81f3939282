"""Failure reports: one ErrorLogged once delivery gave up, until it works again. It waits in the queue like others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kittywatch.errors import KittywatchError
from kittywatch.store import delivery
from kittywatch.store.store import Store
from kittywatch.sync.summary import Summary

if TYPE_CHECKING:
    import sqlite3

    from kittywatch.emit.emitter import EventEmitter


def report_failure(store: Store, where: Path | EventEmitter | None, summary: Summary) -> bool:
    """Emit that delivery gave up, once; `where` is a checkout of the project that emits it, or its emitter.

    Returns whether it was emitted: not without a `where`. Raises StoreError.
    """
    kind = summary.gave_up
    if kind is None or where is None:
        return False
    if not store.transact(lambda connection: _first(connection, kind)):
        return False
    text = f"delivery gave up: {summary.error or summary.stopped}"
    if not isinstance(where, Path):
        return where.emit_error_logged(None, kind, text) is not None
    emitter = _emitter(where)
    if emitter is None:
        return False
    try:
        return emitter.emit_error_logged(None, kind, text) is not None
    finally:
        emitter.store.close()


def _first(connection: sqlite3.Connection, kind: str) -> bool:
    """Tell whether this is the first time since delivery worked last; notes that it was."""
    if delivery.notes(connection).get("reported") == kind:
        return False
    delivery.remember(connection, reported=kind)
    return True


def _emitter(root: Path) -> EventEmitter | None:
    from kittywatch.project import Project

    try:
        return Project.find(root, lambda message: None, writes=False).emitter
    except (KittywatchError, OSError):
        return None
