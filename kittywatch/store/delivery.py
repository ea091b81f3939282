"""The way out of the queue: claims, settlements, dead letters, and what is kept back and why.

Rules of this module:
- A row that is claimed is sent by its claimant alone. A claim holds for as long as its claimant lives; how one knows
  that is the caller's business (`kittywatch.sync.claims`).
- Kept back are the events of projects that opted out or have no identity, those queued for another destination, and
  dead letters.
- Delivered: the row leaves the queue and stays in the log. Refused: it is left alone for a while, longer each time, and
  after the fifth refusal it stays as a dead letter. A refusal in between counts for nothing: a server that is out of
  order for an hour refuses everything as often as it is asked.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from kittywatch.store import aliases, destinations

MAX_REFUSALS = 5
PAUSES = (60.0, 300.0, 1800.0, 7200.0)  # seconds after the first refusal, the second, …: two hours and a half in all
UNREADABLE = "it is not JSON"
# A project that has no uuid yet goes by another key, which has a colon in it.
_FREE = "queue.died_at IS NULL AND projects.opted_out = 0 AND instr(projects.key, ':') = 0"
_OURS = "(queue.recipient IS NULL OR queue.recipient = ?)"
# What lies further ahead than any pause was kept before somebody set the clock back.
_RESTING = "coalesce(queue.retry_at, 0) - ? BETWEEN 0.001 AND 7200"
_JOINED = "queue JOIN projects ON projects.id = queue.project"


class Outgoing(Struct, frozen=True):
    """A queued event on its way: its row, its JSON as it was queued, and its project's identity."""

    key: int
    event_id: str
    data: str
    project: int
    project_uuid: str
    project_slug: str | None


class Waiting(Struct, frozen=True):
    """Counts of the queue: what may be sent, and what is kept back why.

    `oldest_emitted_at` is in seconds since 1970, None where nothing waits.
    """

    sendable: int
    opted_out: int
    without_identity: int
    for_others: int
    dead: int
    oldest_emitted_at: float | None

    @property
    def length(self) -> int:
        """The number of events that wait, dead letters not among them."""
        return self.sendable + self.opted_out + self.without_identity + self.for_others


def adopt(connection: sqlite3.Connection) -> None:
    """Find the project of rows that another program queued; what is not JSON becomes a dead letter."""
    rows = connection.execute(
        "SELECT queue.id, queue.data, events.project FROM queue LEFT JOIN events ON events.event_id = queue.event_id"
        " WHERE queue.project IS NULL AND died_at IS NULL"
    ).fetchall()
    for key, data, project in rows:
        if project is None:
            try:
                project = _project_of(connection, json.loads(data))
            except (ValueError, RecursionError):
                _bury(connection, key, UNREADABLE)
                continue
        if project is not None:
            connection.execute("UPDATE queue SET project = ? WHERE id = ?", (project, key))


def claim(
    connection: sqlite3.Connection,
    claimant: str,
    destination: int,
    *,
    limit: int,
    after: int = 0,
    without: Collection[int] = (),
    resting: bool = False,
) -> list[Outgoing]:
    """Claim up to `limit` events for a destination (its row), oldest first.

    Only rows after the row `after` count, and none of the projects (rows) in `without`. `resting` takes those too that
    were refused a while ago and are to be left alone as yet.
    """
    awake, now = ("", ()) if resting else (f" AND NOT {_RESTING}", (time.time(),))
    rows = connection.execute(
        f"SELECT queue.id, queue.event_id, data, projects.id, projects.key, projects.slug FROM {_JOINED}"
        f" WHERE queue.id > ? AND claim IS NULL AND {_FREE} AND {_OURS}{_not_of(without)}{awake}"
        " ORDER BY queue.id LIMIT ?",
        (after, destination, *without, *now, limit),
    ).fetchall()
    connection.executemany(
        "UPDATE queue SET claim = ?, recipient = ? WHERE id = ?", [(claimant, destination, row[0]) for row in rows]
    )
    return [Outgoing(*row) for row in rows]


def preview(connection: sqlite3.Connection, destination: int | None) -> list[Outgoing]:
    """The events that would be sent to a destination (its row) now, oldest first; none is claimed."""
    rows = connection.execute(
        f"SELECT queue.id, queue.event_id, data, projects.id, projects.key, projects.slug FROM {_JOINED}"
        f" WHERE {_FREE} AND {_OURS} ORDER BY queue.id",
        (destination,),
    )
    return [Outgoing(*row) for row in rows]


def any_sendable(connection: sqlite3.Connection, destination: int) -> bool:
    """Tell whether anything may be sent to a destination (its row) that nobody has claimed and that isn't resting."""
    row = connection.execute(
        f"SELECT 1 FROM {_JOINED} WHERE claim IS NULL AND {_FREE} AND {_OURS} AND NOT {_RESTING} LIMIT 1",
        (destination, time.time()),
    ).fetchone()
    return row is not None


def sendable(connection: sqlite3.Connection, destination: int) -> Iterator[Outgoing]:
    """The events that `any_sendable` looks for, oldest first; the connection must stay open meanwhile."""
    rows = connection.execute(
        f"SELECT queue.id, queue.event_id, data, projects.id, projects.key, projects.slug FROM {_JOINED}"
        f" WHERE claim IS NULL AND {_FREE} AND {_OURS} AND NOT {_RESTING} ORDER BY queue.id",
        (destination, time.time()),
    )
    return (Outgoing(*row) for row in rows)


def claimants(connection: sqlite3.Connection) -> set[str]:
    """The names of all who have claimed events or aliases."""
    rows = connection.execute(
        "SELECT claim FROM queue WHERE claim IS NOT NULL UNION SELECT claim FROM aliases WHERE claim IS NOT NULL"
    )
    return {str(row[0]) for row in rows}


def release(connection: sqlite3.Connection, claimant: str, keys: Iterable[int] | None = None) -> None:
    """Give claimed events back; where `keys` is None all of a claimant's, its aliases too."""
    if keys is None:
        connection.execute("UPDATE queue SET claim = NULL WHERE claim = ?", (claimant,))
        aliases.release(connection, claimant)
        return
    connection.executemany(
        "UPDATE queue SET claim = NULL WHERE id = ? AND claim = ?", [(key, claimant) for key in keys]
    )


def release_all(connection: sqlite3.Connection, claimants: Iterable[str]) -> None:
    """Give back everything that some claimants have."""
    for claimant in claimants:
        release(connection, claimant)


def delivered(connection: sqlite3.Connection, event_ids: Iterable[str], *, sent_at: float | None = None) -> int:
    """Take events that a server has out of the queue; returns how many were still in it.

    `sent_at` is in seconds since 1970, None where it isn't known.
    """
    now = time.time()
    ids = [(event_id,) for event_id in event_ids]
    # Its aliases go where it went, also where it was emitted before there was a login.
    connection.executemany(
        "UPDATE events SET delivered_at = ?, sent_at = ?, recipient = coalesce("
        " (SELECT queue.recipient FROM queue WHERE queue.event_id = events.event_id), recipient)"
        " WHERE event_id = ? AND delivered_at IS NULL",
        [(now, sent_at, *event_id) for event_id in ids],
    )
    return connection.executemany("DELETE FROM queue WHERE event_id = ?", ids).rowcount


def refused(connection: sqlite3.Connection, reasons: Mapping[str, str], *, now: float | None = None) -> int:
    """Count a refusal for events, by id with the reason; returns how many of them are dead letters now.

    It counts where the pause after the last refusal that counted is over; `now` is in seconds since 1970, None for now.
    """
    now = time.time() if now is None else now
    pauses = " ".join(f"WHEN {count} THEN {seconds}" for count, seconds in enumerate(PAUSES))
    for event_id, reason in reasons.items():
        connection.execute(
            "UPDATE queue SET reason = ?, claim = NULL WHERE event_id = ? AND died_at IS NULL", (reason, event_id)
        )
        connection.execute(
            "UPDATE queue SET retry_count = coalesce(retry_count, 0) + 1,"
            f" retry_at = ?1 + CASE coalesce(retry_count, 0) {pauses} ELSE 0 END,"
            " died_at = CASE WHEN coalesce(retry_count, 0) + 1 >= ?2 THEN ?1 END"
            f" WHERE event_id = ?3 AND died_at IS NULL AND NOT {_RESTING.replace('?', '?1')}",
            (now, MAX_REFUSALS, event_id),
        )
    return sum(1 for event_id in reasons if _is_dead(connection, event_id))


def revive(connection: sqlite3.Connection, keys: Iterable[int] | None = None) -> int:
    """Put what was refused back into the queue, as if it never had been: all where `keys` is None; returns how many."""
    change = (
        "UPDATE queue SET retry_count = 0, retry_at = NULL, died_at = NULL, reason = NULL"
        " WHERE (died_at IS NOT NULL OR retry_count > 0)"
    )
    if keys is None:
        return connection.execute(change).rowcount
    return connection.executemany(f"{change} AND id = ?", [(key,) for key in keys]).rowcount


def purge(connection: sqlite3.Connection, keys: Iterable[int]) -> int:
    """Give up on queued events for good; they stay in the log. Returns how many."""
    rows = [(key,) for key in keys]
    connection.executemany(
        "UPDATE events SET purged_at = ? WHERE event_id = (SELECT event_id FROM queue WHERE id = ? AND claim IS NULL)",
        [(time.time(), *row) for row in rows],
    )
    return connection.executemany("DELETE FROM queue WHERE id = ? AND claim IS NULL", rows).rowcount


def waiting(connection: sqlite3.Connection, destination: int | None) -> Waiting:
    """Count the queue from the view of a destination (its row); None counts nothing as for others."""
    rows = connection.execute(
        "SELECT state = 'dead', coalesce(opted_out, 0), key IS NULL OR instr(key, ':') > 0,"
        " ?1 IS NOT NULL AND recipient NOT IN (0, ?1), sum(number)"
        " FROM tallies LEFT JOIN projects ON projects.id = tallies.project GROUP BY 1, 2, 3, 4",
        (destination,),
    )
    counts: Counter[str] = Counter()
    for dead, opted_out, nameless, for_others, number in rows:
        held = {"dead": dead, "opted_out": opted_out, "without_identity": nameless, "for_others": for_others}
        counts[next((kind for kind, is_so in held.items() if is_so), "sendable")] += number
    return Waiting(
        counts["sendable"],
        counts["opted_out"],
        counts["without_identity"],
        counts["for_others"],
        counts["dead"],
        oldest(connection),
    )


def oldest(connection: sqlite3.Connection) -> float | None:
    """When the event was emitted that waits longest, in seconds since 1970; None where none waits."""
    row = connection.execute(
        "SELECT coalesce(told_at, queue.timestamp) FROM queue LEFT JOIN events ON events.event_id = queue.event_id"
        " WHERE died_at IS NULL ORDER BY queue.id LIMIT 1"
    ).fetchone()
    return row[0] if row else None


def opt(connection: sqlite3.Connection, project: int, *, out: bool) -> None:
    """Keep a project's events on this machine from now on, or let them go."""
    connection.execute("UPDATE projects SET opted_out = ? WHERE id = ?", (int(out), project))


def opted_out(connection: sqlite3.Connection, project: int) -> bool:
    """Tell whether a project (its row) keeps its events on this machine."""
    row = connection.execute("SELECT opted_out FROM projects WHERE id = ?", (project,)).fetchone()
    return bool(row and row[0])


def notes(connection: sqlite3.Connection) -> dict[str, Any]:
    """The values that delivery keeps from one process to the next, by name; see `remember`."""
    rows = connection.execute("SELECT name, value FROM delivery").fetchall()
    return {name: json.loads(value) for name, value in rows}


def remember(connection: sqlite3.Connection, /, **changes: Any) -> None:
    """Keep values (JSON) by name for other processes; None forgets one."""
    for name, value in changes.items():
        if value is None:
            connection.execute("DELETE FROM delivery WHERE name = ?", (name,))
        else:
            connection.execute("INSERT OR REPLACE INTO delivery VALUES (?, ?)", (name, json.dumps(value)))


def hint_is_due(connection: sqlite3.Connection) -> bool:
    """Tell whether to hint at a login: something waits, and nobody is logged in. True once, which is noted."""
    if destinations.present(connection) is not None or notes(connection).get("hinted"):
        return False
    if not connection.execute("SELECT 1 FROM queue WHERE died_at IS NULL LIMIT 1").fetchone():
        return False
    remember(connection, hinted=True)
    return True


def _not_of(projects: Collection[int]) -> str:
    return f" AND projects.id NOT IN ({', '.join('?' * len(projects))})" if projects else ""


def _is_dead(connection: sqlite3.Connection, event_id: str) -> bool:
    row = connection.execute("SELECT died_at FROM queue WHERE event_id = ?", (event_id,)).fetchone()
    return row is not None and row[0] is not None


def _bury(connection: sqlite3.Connection, key: int, reason: str) -> None:
    connection.execute("UPDATE queue SET died_at = ?, reason = ? WHERE id = ?", (time.time(), reason, key))


def _project_of(connection: sqlite3.Connection, event: Any) -> int | None:
    """The row of the project that an event names, made where it is new; None where it names none."""
    unique = event.get("project_uuid") if isinstance(event, dict) else None
    if not isinstance(unique, str) or not unique or ":" in unique:
        return None
    slug = event.get("project_slug")
    connection.execute(
        "INSERT OR IGNORE INTO projects (key, slug) VALUES (?, ?)", (unique, slug if isinstance(slug, str) else None)
    )
    row = connection.execute("SELECT id FROM projects WHERE key = ?", (unique,)).fetchone()
    return int(row[0])
