"""The log of every event emitted, and the queue of those that no server has yet.

An event enters both in the transaction that puts its step into the ledger. It leaves the queue when a server has it;
it never leaves the log.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from kittywatch.events import Event, to_json

_LOG = (
    "INSERT OR IGNORE INTO events"
    " (event_id, project, event_type, feature, wp_id, lamport, data, source, told_at, recipient)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_QUEUE = (
    "INSERT OR IGNORE INTO queue (event_id, event_type, data, timestamp, project, recipient) VALUES (?, ?, ?, ?, ?, ?)"
)


class LogRow(Struct, frozen=True):
    """One event as it stands in the log; `data` is its JSON, `emitted_at` and `delivered_at` seconds since 1970."""

    sequence: int
    event_id: str
    event_type: str
    data: str
    source: str
    emitted_at: float
    delivered_at: float | None

    @property
    def seen_by(self) -> str:
        """The observer that the source names."""
        return str(json.loads(self.source).get("observer", ""))


class QueueRow(Struct, frozen=True):
    """One event that waits; `retry_count` counts the times that a server refused it, `reason` says why the last time.

    `died_at`, seconds since 1970, is set where it is a dead letter.
    """

    key: int
    event_id: str
    event_type: str
    data: str
    retry_count: int
    reason: str | None = None
    died_at: float | None = None


class Traced(Struct, frozen=True):
    """All that is kept of one event; `source` is where it came from, `waits` whether it is in the queue.

    `destination` is the team and server that it is for. `reason` is why it was refused last.
    """

    event_id: str
    event_type: str
    data: str
    source: dict[str, object]
    emitted_at: float
    sent_at: float | None
    delivered_at: float | None
    purged_at: float | None
    project: str
    destination: str | None
    waits: bool
    retry_count: int
    reason: str | None
    died_at: float | None


def append(
    connection: sqlite3.Connection,
    project: int,
    events: Iterable[tuple[Event, str]],
    *,
    destination: int | None = None,
) -> None:
    """Put events with their sources (JSON) into the log and the queue, for a destination."""
    now = time.time()
    log, queue = [], []
    for event, source in events:
        data, kind = to_json(event), type(event).__name__
        feature = getattr(event.payload, "feature_slug", None)
        wp_id = getattr(event.payload, "wp_id", None)
        seconds = int(datetime.fromisoformat(event.timestamp).timestamp())
        log.append((event.event_id, project, kind, feature, wp_id, event.lamport_clock, data, source, now, destination))
        queue.append((event.event_id, kind, data, seconds, project, destination))
    connection.executemany(_LOG, log)
    connection.executemany(_QUEUE, queue)


def find(connection: sqlite3.Connection, event_id: str) -> str | None:
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


def first_moment(connection: sqlite3.Connection, project: int, feature: str, event_type: str | None) -> str | None:
    """The earliest timestamp of a feature's events (of a type, unless it is None), None where there are none."""
    row = connection.execute(
        "SELECT min(json_extract(data, '$.timestamp')) FROM events"
        " WHERE project = ? AND feature = ? AND (?3 IS NULL OR event_type = ?3)",
        (project, feature, event_type),
    ).fetchone()
    return str(row[0]) if row[0] is not None else None


def queue_length(connection: sqlite3.Connection) -> int:
    """The number of events that wait, dead letters not among them."""
    return sum(number for state, number in tallies(connection) if state != "dead")


def tallies(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """How many events of the queue are `waiting`, were `refused` and will be sent again, or are `dead`."""
    return connection.execute("SELECT state, sum(number) FROM tallies GROUP BY state").fetchall()


def queued(
    connection: sqlite3.Connection, *, prefix: str = "", limit: int | None = None, dead: bool | None = None
) -> Iterator[QueueRow]:
    """Events that wait, oldest first; `prefix` is the start of an event id, `dead` for dead letters alone, or none."""
    named = (
        "event_id >= ?1 AND event_id < ?1 || '~' AND" if prefix else ""
    )  # of all of them none is looked up by its id
    rows = connection.execute(
        "SELECT id, event_id, event_type, data, retry_count, reason, died_at FROM queue"
        f" WHERE {named} (?2 IS NULL OR (died_at IS NOT NULL) = ?2) ORDER BY id LIMIT ?3",
        (prefix, dead, -1 if limit is None else limit),
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
    """A project's events in the order in which they were emitted; `newest` keeps the last so many, None all."""
    wanted = {"project": project, "feature": feature, "wp_id": wp_id}
    named = " AND ".join(f"{name} = :{name}" for name, value in wanted.items() if value is not None)
    rows = connection.execute(
        "SELECT seq, event_id, event_type, data, source, told_at, delivered_at FROM events"
        f" WHERE {named} AND seq > :after ORDER BY seq DESC LIMIT :newest",
        {**wanted, "after": after, "newest": -1 if newest is None else newest},
    ).fetchall()
    return [LogRow(*row) for row in reversed(rows)]


def newest_sequence(connection: sqlite3.Connection) -> int:
    """The number of the newest event in the log, 0 where there is none."""
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def traced(connection: sqlite3.Connection, prefix: str, *, limit: int) -> list[Traced]:
    """The events of every project whose ids begin with `prefix`, in their ids' order."""
    rows = connection.execute(
        "SELECT events.event_id, events.event_type, events.data, source, told_at, sent_at, delivered_at, purged_at,"
        " coalesce(slug, key, ''), team || ' at ' || url, queue.id IS NOT NULL, coalesce(retry_count, 0), reason,"
        " died_at FROM events LEFT JOIN projects ON projects.id = events.project"
        " LEFT JOIN queue ON queue.event_id = events.event_id"
        " LEFT JOIN recipients ON recipients.id = events.recipient"
        " WHERE events.event_id >= ?1 AND events.event_id < ?1 || '~' ORDER BY events.event_id LIMIT ?2",
        (prefix, limit),
    ).fetchall()
    return [Traced(**dict(zip(Traced.__struct_fields__, row, strict=True))) for row in map(_loaded, rows)]


def _loaded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of the query with what SQLite keeps as text and number as what it is."""
    return (*row[:3], json.loads(row[3]), *row[4:10], bool(row[10]), *row[11:])
