"""Whom events are for: a server and a team on it. The present one is the login's; a login sets it, a logout takes it.

An event is queued for the recipient that is present then, for nobody in particular without one. It is never sent to
another than the one it was queued for, unless `redirect` says so.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct


class Recipient(Struct, frozen=True):
    """`batch_interval` is the seconds that the server wants between batches, None where it hasn't said."""

    key: int
    url: str
    team: str
    batch_interval: float | None = None


_COLUMNS = "id, url, team, batch_interval"


def present(connection: sqlite3.Connection) -> Recipient | None:
    """The recipient of what is told now."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM recipients WHERE present = 1").fetchone()
    return Recipient(*row) if row else None


def set_present(connection: sqlite3.Connection, url: str, team: str) -> Recipient:
    """Let `team` at `url` be who events are for from now on."""
    connection.execute("UPDATE recipients SET present = 0 WHERE present = 1 AND (url != ? OR team != ?)", (url, team))
    connection.execute(
        "INSERT INTO recipients (url, team, present) VALUES (?1, ?2, 1)"
        " ON CONFLICT (url, team) DO UPDATE SET present = 1",
        (url, team),
    )
    row = connection.execute(f"SELECT {_COLUMNS} FROM recipients WHERE url = ? AND team = ?", (url, team)).fetchone()
    return Recipient(*row)


def unset_present(connection: sqlite3.Connection) -> None:
    """Nobody in particular, until the next login."""
    connection.execute("UPDATE recipients SET present = 0 WHERE present = 1")


def all_of_them(connection: sqlite3.Connection) -> list[Recipient]:
    return [Recipient(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM recipients ORDER BY id")]


def batch_interval(connection: sqlite3.Connection, recipient: int) -> float | None:
    """The seconds that the server wants between batches, None where it hasn't said."""
    row = connection.execute("SELECT batch_interval FROM recipients WHERE id = ?", (recipient,)).fetchone()
    return row[0] if row else None


def set_batch_interval(connection: sqlite3.Connection, recipient: int, seconds: float) -> None:
    connection.execute("UPDATE recipients SET batch_interval = ? WHERE id = ?", (seconds, recipient))


def waiting_for_others(connection: sqlite3.Connection, recipient: int) -> dict[Recipient, int]:
    """How many events wait for each other recipient, dead letters too."""
    rows = connection.execute(
        "SELECT recipients.id, url, team, batch_interval, count(*) FROM queue"
        " JOIN recipients ON recipients.id = queue.recipient WHERE recipient != ? GROUP BY recipients.id",
        (recipient,),
    )
    return {Recipient(*row[:4]): row[4] for row in rows}


def redirect(connection: sqlite3.Connection, recipient: int) -> int:
    """Let everything that waits for others go to `recipient`; returns how many events that are."""
    connection.execute(
        "UPDATE events SET recipient = ?1 WHERE event_id IN"
        " (SELECT event_id FROM queue WHERE recipient IS NOT NULL AND recipient != ?1 AND claim IS NULL)",
        (recipient,),
    )
    return connection.execute(
        "UPDATE queue SET recipient = ?1 WHERE recipient IS NOT NULL AND recipient != ?1 AND claim IS NULL",
        (recipient,),
    ).rowcount
