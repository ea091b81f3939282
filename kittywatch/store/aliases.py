"""Aliases: ids under which another machine emits what was emitted here, and their way to a server (rule O11).

Rules of this module:
- An alias names an event that was emitted here, or the id that somebody else's step has by itself. Chains are followed
  when one is added, so that every row names the event itself, and none names itself.
- It is added in the transaction that finds it, and goes where its event goes: to the destination that has the event,
  with the event or after it, never before. One whose event is never taken stays here, for then the other machine's
  event is the only one that a server has. Others deliver their events: an alias of one waits for nothing.
- What a server says of an alias settles it: taken, or refused for good. Without a word it waits.
- Claims are those of events (`delivery.py`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

_WAITS = "aliases.delivered_at IS NULL AND aliases.refused_at IS NULL"
_JOINED = (
    "aliases LEFT JOIN events ON events.event_id = aliases.event_id AND events.project = aliases.project"
    " JOIN projects ON projects.id = aliases.project"
)
# As for events: a project that has no uuid yet goes by another key, which has a colon in it.
_FREE = f"{_WAITS} AND projects.opted_out = 0 AND instr(projects.key, ':') = 0"
_THERE = (
    "(events.seq IS NULL OR events.delivered_at IS NOT NULL AND (events.recipient IS NULL OR events.recipient = ?))"
)
_FEW = 500  # bound parameters in one statement


class Alias(Struct, frozen=True):
    """One alias as it stands; moments are seconds since 1970, None where that has not happened."""

    alias: str
    event_id: str
    created_at: float
    delivered_at: float | None
    refused_at: float | None
    reason: str | None


class OutgoingAlias(Struct, frozen=True):
    """An alias on its way: its row, and the event that it is another id of."""

    key: int
    alias: str
    event_id: str


class Aliases:
    """The aliases of one project, within a transaction. `added` counts those that were new in it."""

    def __init__(self, connection: sqlite3.Connection, project: int) -> None:
        self.connection = connection
        self.project = project
        self.added = 0

    def add(self, alias: str, event_id: str) -> bool:
        """Note that `alias` is the same transition as the event `event_id`; returns whether that is news.

        `event_id` may be an alias itself. What would lead back to `alias` is left out, and an alias keeps the event
        that it was found to be first.
        """
        root = self.resolve(event_id) or event_id
        if root == alias:
            return False
        made = self.connection.execute(
            "INSERT OR IGNORE INTO aliases (project, alias, event_id, created_at) VALUES (?, ?, ?, ?)",
            (self.project, alias, root, time.time()),
        ).rowcount
        if not made:
            return False
        # What was known as an alias of this one is one of the event now; a server that has it already draws the same
        # conclusion.
        self.connection.execute(
            "UPDATE aliases SET event_id = ? WHERE project = ? AND event_id = ?", (root, self.project, alias)
        )
        self.added += 1
        return True

    def of(self, event_id: str) -> list[str]:
        """The aliases of an event, in the order in which they were found."""
        rows = self.connection.execute(
            "SELECT alias FROM aliases WHERE project = ? AND event_id = ? ORDER BY id", (self.project, event_id)
        )
        return [str(row[0]) for row in rows]

    def resolve(self, alias: str) -> str | None:
        """The emitted event that an alias names, None where it is no alias."""
        row = self.connection.execute(
            "SELECT event_id FROM aliases WHERE project = ? AND alias = ?", (self.project, alias)
        ).fetchone()
        return str(row[0]) if row else None


def claim(
    connection: sqlite3.Connection,
    claimant: str,
    destination: int,
    *,
    limit: int,
    beside: Collection[str] = (),
    without: Collection[int] = (),
) -> list[OutgoingAlias]:
    """Take up to `limit` aliases to send to a destination, oldest first, but for some projects'.

    Of events that it has, of those `beside`, which are about to be sent to it, and of events that others deliver.
    """
    found: dict[int, OutgoingAlias] = {}
    columns = f"SELECT aliases.id, alias, aliases.event_id FROM {_JOINED} WHERE aliases.claim IS NULL AND {_FREE}"
    others = f" AND projects.id NOT IN ({_marks(without)})" if without else ""
    end = f"{others} ORDER BY aliases.id LIMIT ?"
    chosen = list(beside)
    for start in range(0, len(chosen), _FEW):
        some = chosen[start : start + _FEW]
        rows = connection.execute(
            f"{columns} AND aliases.event_id IN ({_marks(some)}){end}", (*some, *without, limit - len(found))
        )
        found |= {row[0]: OutgoingAlias(*row) for row in rows}
    if len(found) < limit:
        rows = connection.execute(f"{columns} AND {_THERE}{end}", (destination, *without, limit - len(found)))
        found |= {row[0]: OutgoingAlias(*row) for row in rows}
    connection.executemany("UPDATE aliases SET claim = ? WHERE id = ?", [(claimant, key) for key in found])
    return [found[key] for key in sorted(found)]


def any_sendable(connection: sqlite3.Connection, destination: int) -> bool:
    """Whether an alias that nobody sends right now may leave for a destination."""
    row = connection.execute(
        f"SELECT 1 FROM {_JOINED} WHERE aliases.claim IS NULL AND {_FREE} AND {_THERE} LIMIT 1", (destination,)
    ).fetchone()
    return row is not None


def preview(connection: sqlite3.Connection, destination: int | None) -> list[OutgoingAlias]:
    """All that would leave for a destination now, with the events that would; it stays where it is."""
    rows = connection.execute(
        f"SELECT aliases.id, alias, aliases.event_id FROM {_JOINED}"
        " LEFT JOIN queue ON queue.event_id = aliases.event_id"
        f" WHERE {_FREE} AND ({_THERE} OR (queue.id IS NOT NULL AND queue.died_at IS NULL"
        " AND (queue.recipient IS NULL OR queue.recipient = ?))) ORDER BY aliases.id",
        (destination, destination),
    )
    return [OutgoingAlias(*row) for row in rows]


def settle(connection: sqlite3.Connection, delivered: Iterable[int], refused: Mapping[int, str]) -> None:
    """A server has some aliases (rows), and refused others for good (row: reason)."""
    now = time.time()
    connection.executemany(
        "UPDATE aliases SET delivered_at = ?, claim = NULL WHERE id = ?", [(now, key) for key in delivered]
    )
    connection.executemany(
        "UPDATE aliases SET refused_at = ?, reason = ?, claim = NULL WHERE id = ?",
        [(now, reason, key) for key, reason in refused.items()],
    )


def send_again(connection: sqlite3.Connection, project: int, aliases: Iterable[str]) -> None:
    """Let aliases wait again, whatever a server has said of them."""
    connection.executemany(
        "UPDATE aliases SET delivered_at = NULL, refused_at = NULL, reason = NULL WHERE project = ? AND alias = ?",
        [(project, alias) for alias in aliases],
    )


def release(connection: sqlite3.Connection, claimant: str, keys: Iterable[int] | None = None) -> None:
    """Give claimed aliases back, all of a claimant's where `keys` is None."""
    if keys is None:
        connection.execute("UPDATE aliases SET claim = NULL WHERE claim = ?", (claimant,))
        return
    connection.executemany(
        "UPDATE aliases SET claim = NULL WHERE id = ? AND claim = ?", [(key, claimant) for key in keys]
    )


def waiting(connection: sqlite3.Connection) -> int:
    """How many aliases wait: for a server, or for their events to be taken by one."""
    row = connection.execute(f"SELECT count(*) FROM {_JOINED} WHERE {_WAITS} AND events.purged_at IS NULL").fetchone()
    return int(row[0])


def of_event(connection: sqlite3.Connection, event_id: str) -> list[Alias]:
    """The aliases of an event of any project, in the order in which they were found."""
    return _read(connection, "event_id = ? ORDER BY id", (event_id,))


def of_project(connection: sqlite3.Connection, project: int) -> list[Alias]:
    """All aliases of a project, in the order in which they were found."""
    return _read(connection, "project = ? ORDER BY id", (project,))


def beginning_with(connection: sqlite3.Connection, prefix: str, *, limit: int) -> list[Alias]:
    """The aliases of every project that begin with `prefix`, in their order."""
    return _read(connection, "alias >= ?1 AND alias < ?1 || '~' ORDER BY alias LIMIT ?2", (prefix, limit))


def _read(connection: sqlite3.Connection, condition: str, bound: tuple[object, ...]) -> list[Alias]:
    columns = "alias, event_id, created_at, delivered_at, refused_at, reason"
    return [Alias(*row) for row in connection.execute(f"SELECT {columns} FROM aliases WHERE {condition}", bound)]


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
