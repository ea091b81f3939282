"""Destinations of events: a server and a team on it. A login makes one present, a logout none.

The tables call a destination a recipient.

An event is queued for the destination that is present then, for nobody in particular without one. It is never sent to
another than the one it was queued for, unless `redirect` says so.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct


class Destination(Struct, frozen=True):
    """A server's `url` and a team there; `key` is its row.

    `batch_interval` is the seconds that the server wants between batches, None where it hasn't said.
    """

    key: int
    url: str
    team: str
    batch_interval: float | None = None


_COLUMNS = "id, url, team, batch_interval"


def present(connection: sqlite3.Connection) -> Destination | None:
    """The destination of what is emitted now, None without a login."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM recipients WHERE present = 1").fetchone()
    return Destination(*row) if row else None


def set_present(connection: sqlite3.Connection, url: str, team: str) -> Destination:
    """Make `team` at `url` the destination of what is emitted from now on; returns it."""
    connection.execute("UPDATE recipients SET present = 0 WHERE present = 1 AND (url != ? OR team != ?)", (url, team))
    connection.execute(
        "INSERT INTO recipients (url, team, present) VALUES (?1, ?2, 1)"
        " ON CONFLICT (url, team) DO UPDATE SET present = 1",
        (url, team),
    )
    row = connection.execute(f"SELECT {_COLUMNS} FROM recipients WHERE url = ? AND team = ?", (url, team)).fetchone()
    return Destination(*row)


def unset_present(connection: sqlite3.Connection) -> None:
    """Leave no destination present, until the next login."""
    connection.execute("UPDATE recipients SET present = 0 WHERE present = 1")


def all_of_them(connection: sqlite3.Connection) -> list[Destination]:
    """Every destination that there ever was, oldest first."""
    return [Destination(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM recipients ORDER BY id")]


def batch_interval(connection: sqlite3.Connection, destination: int) -> float | None:
    """The seconds that the server wants between batches, None where it hasn't said."""
    row = connection.execute("SELECT batch_interval FROM recipients WHERE id = ?", (destination,)).fetchone()
    return row[0] if row else None


def set_batch_interval(connection: sqlite3.Connection, destination: int, seconds: float) -> None:
    """Keep the seconds between batches that a destination's server asks for."""
    connection.execute("UPDATE recipients SET batch_interval = ? WHERE id = ?", (seconds, destination))


def waiting_for_others(connection: sqlite3.Connection, destination: int) -> dict[Destination, int]:
    """The number of events that wait for each destination but this one (its row), dead letters too."""
    rows = connection.execute(
        "SELECT recipients.id, url, team, batch_interval, sum(number) AS waiting FROM tallies"
        " JOIN recipients ON recipients.id = recipient WHERE recipient != ? GROUP BY recipients.id HAVING waiting > 0",
        (destination,),
    )
    return {Destination(*row[:4]): row[4] for row in rows}


def redirect(connection: sqlite3.Connection, destination: int) -> int:
    """Give what waits for others, but what is claimed, to `destination` (its row); returns how many events."""
    connection.execute(
        "UPDATE events SET recipient = ?1 WHERE event_id IN"
        " (SELECT event_id FROM queue WHERE recipient IS NOT NULL AND recipient != ?1 AND claim IS NULL)",
        (destination,),
    )
    return connection.execute(
        "UPDATE queue SET recipient = ?1 WHERE recipient IS NOT NULL AND recipient != ?1 AND claim IS NULL",
        (destination,),
    ).rowcount
