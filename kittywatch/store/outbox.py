"""The log of everything told, and the queue of what no server has taken yet.

An event enters both in the transaction that puts its step into the ledger. It leaves the queue when a server has it;
it never leaves the log.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from kittywatch.events import Event, to_json

_LOG = (
    "INSERT OR IGNORE INTO events"
    " (event_id, project, event_type, feature, wp_id, lamport, data, source, told_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_QUEUE = "INSERT OR IGNORE INTO queue (event_id, event_type, data, timestamp) VALUES (?, ?, ?, ?)"


class LogRow(Struct, frozen=True):
    """One event as it stands in the log; `data` is its JSON, `told_at` and `delivered_at` seconds since 1970."""

    sequence: int
    event_id: str
    event_type: str
    data: str
    source: str
    told_at: float
    delivered_at: float | None

    @property
    def seen_by(self) -> str:
        """The observer that the source names."""
        return str(json.loads(self.source).get("observer", ""))


class QueueRow(Struct, frozen=True):
    """One event that waits; `retry_count` counts the times that a server refused it."""

    key: int
    event_id: str
    event_type: str
    data: str
    retry_count: int


class Traced(Struct, frozen=True):
    """All that is kept of one event; `source` is where it came from, `waits` whether it is in the queue."""

    event_id: str
    event_type: str
    data: str
    source: dict[str, object]
    told_at: float
    delivered_at: float | None
    project: str
    waits: bool
    retry_count: int


def append(connection: sqlite3.Connection, project: int, events: Iterable[tuple[Event, str]]) -> None:
    """Put events with their sources (JSON) into the log and the queue."""
    now = time.time()
    log, queue = [], []
    for event, source in events:
        data, kind = to_json(event), type(event).__name__
        feature = getattr(event.payload, "feature_slug", None)
        wp_id = getattr(event.payload, "wp_id", None)
        log.append((event.event_id, project, kind, feature, wp_id, event.lamport_clock, data, source, now))
        queue.append((event.event_id, kind, data, int(datetime.fromisoformat(event.timestamp).timestamp())))
    connection.executemany(_LOG, log)
    connection.executemany(_QUEUE, queue)


def told(connection: sqlite3.Connection, event_id: str) -> str | None:
    """The JSON of an event that is in the log, None where it isn't."""
    row = connection.execute("SELECT data FROM events WHERE event_id = ?", (event_id,)).fetchone()
    return str(row[0]) if row else None


def first_of_feature(connection: sqlite3.Connection, project: int, event_type: str, feature: str) -> str | None:
    """The JSON of a feature's first event of a type, None where there is none."""
    row = connection.execute(
        "SELECT data FROM events WHERE project = ? AND feature = ? AND event_type = ? ORDER BY seq LIMIT 1",
        (project, feature, event_type),
    ).fetchone()
    return str(row[0]) if row else None


def queue_length(connection: sqlite3.Connection) -> int:
    """How many events wait."""
    return int(connection.execute("SELECT count(*) FROM queue").fetchone()[0])


def queued(connection: sqlite3.Connection, *, prefix: str = "", limit: int | None = None) -> Iterator[QueueRow]:
    """Events that wait, oldest first; `prefix` is the start of an event id."""
    rows = connection.execute(
        "SELECT id, event_id, event_type, data, retry_count FROM queue"
        " WHERE event_id >= ? AND event_id < ? ORDER BY id LIMIT ?",
        (prefix, prefix + "~", -1 if limit is None else limit),
    )
    return (QueueRow(*row) for row in rows)


def logged(
    connection: sqlite3.Connection,
    project: int,
    *,
    feature: str | None = None,
    wp_id: str | None = None,
    newest: int | None = None,
    after: int = 0,
) -> list[LogRow]:
    """A project's events in the order in which they were told; `newest` keeps the last so many."""
    rows = connection.execute(
        "SELECT seq, event_id, event_type, data, source, told_at, delivered_at FROM events"
        " WHERE project = ? AND seq > ? AND (?3 IS NULL OR feature = ?3) AND (?4 IS NULL OR wp_id = ?4)"
        " ORDER BY seq DESC LIMIT ?5",
        (project, after, feature, wp_id, -1 if newest is None else newest),
    ).fetchall()
    return [LogRow(*row) for row in reversed(rows)]


def newest_sequence(connection: sqlite3.Connection) -> int:
    """The number of the newest event in the log, 0 where there is none."""
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def traced(connection: sqlite3.Connection, prefix: str, *, limit: int) -> list[Traced]:
    """The events of every project whose ids begin with `prefix`, in their ids' order."""
    rows = connection.execute(
        "SELECT events.event_id, events.event_type, events.data, source, told_at, delivered_at,"
        " coalesce(slug, key, ''), queue.id IS NOT NULL, coalesce(retry_count, 0) FROM events"
        " LEFT JOIN projects ON projects.id = events.project LEFT JOIN queue ON queue.event_id = events.event_id"
        " WHERE events.event_id >= ?1 AND events.event_id < ?1 || '~' ORDER BY events.event_id LIMIT ?2",
        (prefix, limit),
    )
    return [
        Traced(event_id, kind, data, json.loads(source), told_at, delivered_at, project, bool(waits), refused)
        for event_id, kind, data, source, told_at, delivered_at, project, waits, refused in rows
    ]
