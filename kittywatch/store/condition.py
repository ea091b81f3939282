"""The condition of queue.db, read without changing it: `doctor` must not mend while it looks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from kittywatch.errors import StoreBusyError, StoreError
from kittywatch.store import delivery, destinations, outbox
from kittywatch.store.database import NAME, Database
from kittywatch.store.schema import MIGRATIONS

WAIT_SECONDS = 3.0
JOURNAL_MODES = frozenset({"delete", "truncate"})  # what a file can't tell apart: the mode is each connection's own


class Condition(Struct, frozen=True):
    """A sound database: journal mode, the clock, what waits, whether for a login, what delivery noted.

    `refused` counts what a server refused and will be asked for again, `dead` what it won't.

    Times are seconds since 1970, None where nothing is."""

    journal_mode: str
    newer: bool
    clock: int = 0
    highest_tick: int = 0
    last_emitted: float | None = None
    waiting: int = 0
    waiting_since: float | None = None
    dead: int = 0
    refused: int = 0
    destination: bool = False
    notes: dict[str, Any] = {}


def condition(home: Path) -> Condition | None:
    """The condition of a home's database, None where there is none or where it is damaged; raises StoreError."""
    path = home / NAME
    if not path.exists():
        return None
    try:
        with closing(_open(path)) as connection:
            return _read(connection)
    except sqlite3.DatabaseError as error:
        if _is_damaged(error):
            return None
        raise _ours(path, error) from error


def is_sound(home: Path) -> bool:
    """Tell whether SQLite finds nothing wrong with the whole file; raises StoreError where it can't read it."""
    path = home / NAME
    if not path.exists():
        return True
    try:
        with closing(_open(path)) as connection:
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError as error:
        if _is_damaged(error):
            return False
        raise _ours(path, error) from error


def leave_wal(home: Path) -> None:
    """Bring a database that somebody switched to WAL back to a rollback journal; raises StoreError."""
    Database(home / NAME, wait_seconds=WAIT_SECONDS).close()


def _open(path: Path) -> sqlite3.Connection:
    # Not read-only: a journal that a crash left behind is played back, as by whoever opens the file next.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=WAIT_SECONDS, isolation_level=None)


def _read(connection: sqlite3.Connection) -> Condition:
    mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 0 < version <= len(MIGRATIONS):
        return Condition(mode, version > len(MIGRATIONS))

    whole = version == len(MIGRATIONS)

    def value(sql: str) -> int | float | None:
        row = connection.execute(sql).fetchone()
        found: int | float | None = row[0] if row else None
        return found

    # In an older one, which nothing delivers from, nobody kept count.
    counts = dict(outbox.tallies(connection)) if whole else {"waiting": int(value("SELECT count(*) FROM queue") or 0)}
    return Condition(
        mode,
        newer=False,
        clock=int(value("SELECT value FROM clock WHERE id = 1") or 0),
        highest_tick=int(value("SELECT max(lamport) FROM events") or 0),
        last_emitted=value("SELECT told_at FROM events ORDER BY seq DESC LIMIT 1"),
        waiting=counts.get("waiting", 0) + counts.get("refused", 0),
        waiting_since=delivery.oldest(connection) if whole else value("SELECT min(timestamp) FROM queue"),
        dead=counts.get("dead", 0),
        refused=counts.get("refused", 0),
        destination=whole and destinations.present(connection) is not None,
        notes=delivery.notes(connection) if whole else {},
    )


def _is_damaged(error: sqlite3.DatabaseError) -> bool:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _ours(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(path, WAIT_SECONDS)
    return StoreError(f"{path}: {error}", remedy=f"make {path} readable and writable for this user")
