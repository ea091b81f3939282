"""The renames of features, and the moves of work packages, that were found, and their way to a server (scenario 58).

Rules of this module:
- They go where their project's events go: to a destination that has some, beside the first of them or later.
- What a server says of one settles it for that server. Without a word it waits. That it goes twice does no harm, and so
  nobody claims it.
- Moves go in the order in which they were found: a work package may have gone back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from msgspec import Struct

from kittywatch.store import delivery

# As for aliases: a project that has no uuid yet goes by another key, which has a colon in it.
_FREE = "projects.opted_out = 0 AND instr(projects.key, ':') = 0"
_THERE = (
    "EXISTS (SELECT 1 FROM events WHERE events.project = projects.id AND events.delivered_at IS NOT NULL"
    " AND (events.recipient IS NULL OR events.recipient = ?))"
)


class OutgoingRename(Struct, frozen=True):
    """A rename on its way: a project's row and uuid, the first name that the feature had, and the later one.

    `commit` is the id of the commit that it was found in, None where it was found outside of all. With `wp_id` it is a
    move: that work package went from the feature to the other; `move` is its row.
    """

    project: int
    project_uuid: str
    feature: str
    renamed_to: str
    commit: str | None
    wp_id: str | None = None
    move: int | None = None

    @property
    def name(self) -> tuple[str, ...]:
        """What says which one it is, to a server too."""
        names = (self.project_uuid, self.feature, self.renamed_to)
        return names if self.wp_id is None else (*names, self.wp_id, self.commit or "")

    def __str__(self) -> str:
        return (
            f"{self.feature} to {self.renamed_to}"
            if self.wp_id is None
            else (f"{self.wp_id} from {self.feature} to {self.renamed_to}")
        )


def sendable(
    connection: sqlite3.Connection,
    destination: int,
    *,
    beside: Collection[int] = (),
    without: Collection[int] = (),
) -> list[OutgoingRename]:
    """The renames that a destination (its row) has not settled, in the order in which they were found.

    Of projects (rows) that it has events of, or that are `beside`, whose events are about to go; of none `without`.
    """
    if connection.execute("SELECT 1 FROM renames LIMIT 1").fetchone() is None:
        return []
    settled = {(one[0], one[1]) for one in _settled(connection, destination)}
    marks = ", ".join("?" * len(beside))
    rows = connection.execute(
        "SELECT renames.project, projects.key, kept_as, feature, commit_id FROM renames"
        f" JOIN projects ON projects.id = renames.project WHERE {_FREE} AND (projects.id IN ({marks}) OR {_THERE})"
        " ORDER BY renames.rowid",
        (*beside, destination),
    )
    found = [OutgoingRename(*row) for row in rows]
    return [one for one in found if (one.project, one.renamed_to) not in settled and one.project not in without]


def sendable_moves(
    connection: sqlite3.Connection,
    destination: int,
    *,
    beside: Collection[int] = (),
    without: Collection[int] = (),
) -> list[OutgoingRename]:
    """The moves of work packages that a destination has not settled, as `sendable` has the renames."""
    if connection.execute("SELECT 1 FROM moves LIMIT 1").fetchone() is None:
        return []
    marks = ", ".join("?" * len(beside))
    rows = connection.execute(
        "SELECT moves.project, projects.key, feature, moved_to, commit_id, wp_id, moves.id FROM moves"
        f" JOIN projects ON projects.id = moves.project WHERE {_FREE} AND (projects.id IN ({marks}) OR {_THERE})"
        " AND moves.id NOT IN (SELECT move FROM settled_moves WHERE recipient = ?) ORDER BY moves.id",
        (*beside, destination, destination),
    )
    return [one for one in (OutgoingRename(*row) for row in rows) if one.project not in without]


def settle(connection: sqlite3.Connection, destination: int, settled: Collection[OutgoingRename]) -> None:
    """A destination's server has taken some renames and moves, or refused them for good."""
    moved = [(destination, one.move) for one in settled if one.move is not None]
    connection.executemany("INSERT OR IGNORE INTO settled_moves VALUES (?, ?)", moved)
    news = [[one.project, one.renamed_to] for one in settled if one.move is None]
    if news:
        delivery.remember(connection, **{_note(destination): [*_settled(connection, destination), *news]})


def _settled(connection: sqlite3.Connection, destination: int) -> list[list[int | str]]:
    found: list[list[int | str]] = delivery.notes(connection).get(_note(destination), [])
    return found


def _note(destination: int) -> str:
    return f"renames:{destination}"
