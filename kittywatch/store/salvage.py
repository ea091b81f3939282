"""A damaged database is set aside whole, and what can be read is carried over into a new one.

Rules of this module:
- The damaged file keeps all its bytes, under a name that says what it is.
- Its place is taken in one step, so that a process killed half-way leaves either the old file or the new one.
- One process mends; the others wait, and then find a sound database. While it mends it keeps writers out of the
  damaged file where SQLite still can, and whoever has that file open sees in its next transaction that it has moved.
- What was emitted stays emitted: the ledger is rebuilt from the log where only one of the two can be read.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from kittywatch.derive.ledger import Entry, LedgerState, identity, stated_identities
from kittywatch.events import (
    Event,
    FeatureCreated,
    InvalidEventError,
    WPAssigned,
    WPCreated,
    WPStatusChanged,
    from_json,
)
from kittywatch.store.database import WAIT_SECONDS, Database
from kittywatch.store.ledger import Ledger
from kittywatch.store.lock import locked
from kittywatch.store.outbox import append
from kittywatch.store.schema import TABLES

_PATIENCE = 10_000  # rows that can't be read, one after the other, before whole ranges are given up
_LONGEST_GAP = 1 << 40
_Package: TypeAlias = tuple[int, str, str]  # project, feature, work package


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
        with contextlib.closing(_source(path)) as source:
            fresh = Database(rebuilt)
            try:
                counts = _carry_over(source, fresh.connection)
                _rebuild(fresh.connection, least_tick)
            finally:
                fresh.close()
            _set_aside(path, aside)
            if os.name == "nt":  # pragma: no cover - an open file can't be replaced on Windows
                source.close()
            rebuilt.replace(path)
        _journal(rebuilt).unlink(missing_ok=True)
    kept = ", ".join(f"{counts[table]} {table}" for table in ("events", "queue", "entries"))
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


def _source(damaged: Path) -> sqlite3.Connection:
    """The damaged database, with writers kept out for as long as it is open, where it is sound enough for a lock."""
    source = sqlite3.connect(damaged, timeout=WAIT_SECONDS, isolation_level=None)
    with contextlib.suppress(sqlite3.Error):
        source.execute("BEGIN EXCLUSIVE")
    return source


def _carry_over(source: sqlite3.Connection, into: sqlite3.Connection) -> dict[str, int]:
    counts = dict.fromkeys(TABLES, 0)
    into.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        names = _common_columns(source, into, table)
        insert = f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        if table == "clock":
            insert = insert.replace("IGNORE", "REPLACE")
        for row in _readable(source, table, names):
            # A damaged row may break a rule of its table; then it is as lost as one that can't be read.
            with contextlib.suppress(sqlite3.Error):
                counts[table] += into.execute(insert, row).rowcount
    into.execute("COMMIT")
    return counts


def _common_columns(source: sqlite3.Connection, into: sqlite3.Connection, table: str) -> list[str]:
    """The columns that both have; the damaged database may be of an older version."""
    query = "SELECT group_concat(name) FROM pragma_table_info(?)"
    names = set(into.execute(query, (table,)).fetchone()[0].split(","))
    with contextlib.suppress(sqlite3.Error, AttributeError):  # what can't be read says nothing about its columns
        return sorted(names.intersection(source.execute(query, (table,)).fetchone()[0].split(",")))
    return sorted(names)


def _readable(source: sqlite3.Connection, table: str, names: list[str]) -> Iterator[Any]:
    """Every row that can still be read: from the front up to each damaged place, and on behind it."""
    query = f"SELECT rowid, {', '.join(names)} FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid"
    last, missed, gap = 0, 0, 1
    while gap < _LONGEST_GAP:
        try:
            for row in source.execute(query, (last,)):
                yield row[1:]
                last, missed, gap = row[0], 0, 1
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
                return  # nothing of it can be read, or an older version had no such table
            last, missed = last + gap, missed + 1
            gap = gap * 2 if missed > _PATIENCE else 1
        else:
            return


def _rebuild(connection: sqlite3.Connection, least_tick: int) -> None:
    """Bring projects, log, queue, ledger and clock to agree on what was emitted."""
    connection.execute("BEGIN IMMEDIATE")
    _relearn_projects(connection)
    _relearn_log(connection)
    _relearn_ledger(connection)
    connection.execute(
        "INSERT OR IGNORE INTO queue (event_id, event_type, data, timestamp, project, recipient)"
        " SELECT event_id, event_type, data, CAST(told_at AS INTEGER), project, recipient"
        " FROM events WHERE delivered_at IS NULL AND purged_at IS NULL"
    )
    connection.execute(
        "UPDATE clock SET value = max(value, ?, (SELECT coalesce(max(lamport), 0) FROM events))", (least_tick,)
    )
    connection.execute("COMMIT")


def _relearn_projects(connection: sqlite3.Connection) -> None:
    """Give projects whose row is lost their row back, so that no other project takes their number.

    Whether they had opted out is lost, too: they have, until somebody says otherwise. What left can't be taken back.
    """
    lost = "SELECT project, max(data) FROM events WHERE project NOT IN (SELECT id FROM projects) GROUP BY project"
    for project, data in connection.execute(lost).fetchall():
        event = _parsed(data)
        key = (event.project_uuid if event else None) or f"lost:{project}"
        slug = event.project_slug if event else None
        connection.execute(
            "INSERT OR IGNORE INTO projects (id, key, slug, opted_out) VALUES (?, ?, ?, 1)", (project, key, slug)
        )


def _relearn_log(connection: sqlite3.Connection) -> None:
    """Put what waits in the queue back into the log, where the log has lost it."""
    projects: dict[str, int] = dict(connection.execute("SELECT key, id FROM projects"))
    lost = "SELECT data FROM queue WHERE event_id NOT IN (SELECT event_id FROM events)"
    for (data,) in connection.execute(lost).fetchall():
        event = _parsed(data)
        if event is not None and event.project_uuid in projects:
            append(connection, projects[event.project_uuid], [(event, "{}")])


def _relearn_ledger(connection: sqlite3.Connection) -> None:
    """Put the log's events back into the ledger, each entry behind the last one that was emitted before it."""
    connection.execute("DELETE FROM links WHERE entry NOT IN (SELECT id FROM entries)")
    order: dict[_Package, list[tuple[int, str | None]]] = {}
    rows = connection.execute("SELECT project, feature, wp_id, id, event_id, kind FROM entries ORDER BY id").fetchall()
    for project, feature, wp_id, row, event_id, _ in rows:
        order.setdefault((project, feature, wp_id), []).append((row, event_id))
    known, baselines = {row[4] for row in rows}, {row[:3] for row in rows if row[5] == "known"}
    log = connection.execute("SELECT project, event_id, data, source, lamport FROM events ORDER BY lamport").fetchall()
    ticks: dict[str | None, int] = {event_id: lamport for _, event_id, _, _, lamport in log}
    for project, event_id, data, source, tick in log:
        event = _parsed(data) if event_id not in known else None
        if isinstance(event, FeatureCreated):
            connection.execute(
                "INSERT OR IGNORE INTO features VALUES (?, ?, 'told')", (project, event.payload.feature_slug)
            )
        elif isinstance(event, (WPCreated, WPStatusChanged, WPAssigned)) and event.payload.feature_slug is not None:
            origin = _origin(source)
            key = (project, origin.home or event.payload.feature_slug, event.payload.wp_id)
            entry, state = _relearned(event, origin, was_before=key in baselines), LedgerState()
            state.add(key[1:], entry)
            Ledger(connection, project).save(state)
            there = order.setdefault(key, [])
            before = [at for at, (_, other) in enumerate(there) if ticks.get(other, tick) < tick]
            there.insert(before[-1] + 1 if before else int(key in baselines), (entry.row or 0, event_id))
    _renumber(connection, [row for package in order.values() for row, _ in package])


class _Origin(msgspec.Struct, frozen=True):
    """The observer of an event, the commit that it came from, and the home of its work package."""

    observer: str = ""
    commit: str | None = None
    home: str | None = None


def _relearned(event: WPCreated | WPStatusChanged | WPAssigned, origin: _Origin, *, was_before: bool) -> Entry:
    """The entry of an event. Its commit is the one that the event came from, its identity the event's time.

    Without a commit it was an edit, or emitted manually. What a replay emitted was before the baseline, if there is
    one: `was_before`.
    """
    observer, commit = origin.observer, origin.commit
    entry = Entry("step", "emitted", "planned", None, event.event_id, first=commit)
    if isinstance(event, WPStatusChanged):
        entry.lane, entry.previous = event.payload.new_status, event.payload.previous_status
    elif isinstance(event, WPAssigned):
        entry.kind, entry.agent, entry.phase = "assigned", event.payload.agent_id, event.payload.phase
        entry.lane = "doing" if entry.phase == "implementation" else "for_review"
    else:
        entry.kind = "created"
    if observer == "replay" and was_before and entry.kind != "assigned":
        entry.status = "baseline"
    if observer != "hand" and entry.kind != "created":
        moment = datetime.fromisoformat(event.timestamp.upper())
        what = entry.lane if entry.kind == "step" else f"@{entry.phase}:{entry.agent}"
        # A step that its source states with an id has that one's, where the id is the event's.
        stated = entry.kind == "step" and event.source == "event-log"
        entry.know_as(stated_identities(event.event_id, moment) if stated else {identity(moment, what)})
    if commit is not None:
        entry.links = {(commit, entry.lane)}
    elif observer != "hand":
        entry.edited_on = ""
    return entry


def _renumber(connection: sqlite3.Connection, rows: list[int]) -> None:
    """Give entries their numbers in this order, wherever they are mentioned; pending edits forget lost ones."""
    numbers = {row: number for number, row in enumerate(rows, start=1)}
    for table, column in (("entries", "id"), ("links", "entry")):
        change = f"UPDATE {table} SET {column} = ? WHERE {column} = ?"
        connection.executemany(change, [(-number, row) for row, number in numbers.items()])
        connection.execute(f"UPDATE {table} SET {column} = -{column}")
    for row, stated in connection.execute("SELECT id, entries FROM pending").fetchall():
        kept = [numbers[one] for one in json.loads(stated) if one in numbers]
        connection.execute("UPDATE pending SET entries = ? WHERE id = ?", (json.dumps(kept), row))


def _origin(source: str) -> _Origin:
    """Where an event came from; whoever lost that saw an edit."""
    try:
        return msgspec.json.decode(source, type=_Origin)
    except (msgspec.MsgspecError, UnicodeError):
        return _Origin()


def _parsed(data: str) -> Event | None:
    try:
        return from_json(data)
    except (InvalidEventError, TypeError):
        return None
