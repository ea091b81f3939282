"""A damaged database is set aside whole, and what can be read is carried over into a new one.

Rules of this module:
- The damaged file keeps all its bytes, under a name that says what it is.
- Its place is taken in one step, so that a process killed half-way leaves either the old file or the new one.
- One process mends; the others wait, and then find a sound database.
- What was told stays told: the ledger is rebuilt from the log where only one of the two can be read.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kittywatch.store.database import Database
from kittywatch.store.lock import locked
from kittywatch.store.schema import TABLES

_LONGEST_GAP = 1 << 40


def salvage(path: Path, least_tick: int) -> str:
    """Mend the database at `path`; returns what happened, for people. `least_tick` is the clock's copy."""
    with locked(path.with_name("salvage.lock")):
        if _sound(path):
            return f"{path} was damaged; another process has mended it"
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = path.with_name(f"{path.name}.corrupt-{stamp}")
        rebuilt = path.with_name(f"{path.name}.rebuilt")
        for leftover in (rebuilt, _journal(rebuilt)):
            leftover.unlink(missing_ok=True)
        fresh = Database(rebuilt)
        try:
            counts = _carry_over(path, fresh.connection)
            _rebuild(fresh.connection, least_tick)
        finally:
            fresh.close()
        _set_aside(path, aside)
        rebuilt.replace(path)
    kept = ", ".join(f"{counts[table]} {table}" for table in ("events", "queue", "ledger"))
    return f"{path} was damaged and is set aside as {aside.name}; carried over: {kept}"


def finish_salvage(path: Path) -> None:
    """Put a rebuilt database in its place where its maker was killed after it had set the damaged one aside."""
    rebuilt = path.with_name(f"{path.name}.rebuilt")
    if rebuilt.exists() and not path.exists():
        with locked(path.with_name("salvage.lock")):
            if rebuilt.exists() and not path.exists():
                rebuilt.replace(path)


def _sound(path: Path) -> bool:
    try:
        database = Database(path)
    except Exception:
        return False
    try:
        return database.is_sound()
    finally:
        database.close()


def _set_aside(path: Path, aside: Path) -> None:
    """Give the damaged file its other name before its own is taken; by copy where there are no hard links."""
    journal = _journal(path)
    if journal.exists() and journal.stat().st_size:
        journal.replace(_journal(aside))
    try:
        os.link(path, aside)
    except OSError:
        path.replace(aside)


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


def _carry_over(damaged: Path, into: sqlite3.Connection) -> dict[str, int]:
    counts = dict.fromkeys(TABLES, 0)
    try:
        source = sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return counts
    into.execute("BEGIN IMMEDIATE")
    with contextlib.closing(source):
        for table in TABLES:
            names = [row[1] for row in into.execute(f"PRAGMA table_info({table})")]
            insert = f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            if table == "clock":
                insert = insert.replace("IGNORE", "REPLACE")
            for row in _readable(source, table, names):
                # A damaged row may break a rule of its table; then it is as lost as one that can't be read.
                with contextlib.suppress(sqlite3.Error):
                    counts[table] += into.execute(insert, row).rowcount
    into.execute("COMMIT")
    return counts


def _readable(source: sqlite3.Connection, table: str, names: list[str]) -> Iterator[Any]:
    """Every row that can still be read: from the front up to each damaged place, and on behind it."""
    query = f"SELECT rowid, {', '.join(names)} FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid"
    last, gap = 0, 1
    while gap < _LONGEST_GAP:
        try:
            rows = source.execute(query, (last,))
            for row in rows:
                yield row[1:]
                last, gap = row[0], 1
        except sqlite3.Error:
            last, gap = last + gap, gap * 2
        else:
            return


def _rebuild(connection: sqlite3.Connection, least_tick: int) -> None:
    """Bring log, queue, ledger and clock to agree on what was told."""
    connection.execute("BEGIN IMMEDIATE")
    known = {row[0] for row in connection.execute("SELECT event_id FROM ledger WHERE event_id IS NOT NULL")}
    for project, data in connection.execute("SELECT project, data FROM events ORDER BY lamport").fetchall():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            event = json.loads(data)
            if event["event_id"] not in known:
                _relearn(connection, project, event)
    connection.execute(
        "INSERT OR IGNORE INTO queue (event_id, event_type, data, timestamp)"
        " SELECT event_id, event_type, data, CAST(told_at AS INTEGER) FROM events WHERE delivered_at IS NULL"
    )
    connection.execute(
        "UPDATE clock SET value = max(value, ?, (SELECT coalesce(max(lamport), 0) FROM events))", (least_tick,)
    )
    connection.execute("COMMIT")


def _relearn(connection: sqlite3.Connection, project: int, event: dict[str, Any]) -> None:
    payload = event["payload"]
    if event["event_type"] == "FeatureCreated":
        connection.execute("INSERT OR IGNORE INTO features VALUES (?, ?, 'told')", (project, payload["feature_slug"]))
    if event["event_type"] not in ("WPCreated", "WPStatusChanged"):
        return
    key = (project, payload["feature_slug"], payload["wp_id"])
    created = event["event_type"] == "WPCreated"
    position = "coalesce(min(position), 1) - 1" if created else "coalesce(max(position), -1) + 1"
    connection.execute(
        "INSERT INTO ledger (project, feature, wp_id, position, kind, lane, event_id)"
        f" SELECT ?1, ?2, ?3, {position}, ?4, ?5, ?6 FROM ledger WHERE project = ?1 AND feature = ?2 AND wp_id = ?3",
        (*key, "created" if created else "step", payload.get("new_status", "planned"), event["event_id"]),
    )
