"""The renames of features that the ledger has found, and their way to a server (scenario 58).

Rules of this module:
- A rename goes where its project's events go: to a destination that has some, beside the first of them or later.
- What a server says of a rename settles it for that server. Without a word it waits. That it goes twice does no harm,
  and so nobody claims it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from msgspec import Struct

from kittywatch.store import delivery

# As for aliases: a project that has no uuid yet goes by another key, which has a colon in it.
_FREE = "projects.opted_out = 0 AND instr(projects.key, ':') = 0"
_THERE = (
    "EXISTS (SELECT 1 FROM events WHERE events.project = renames.project AND events.delivered_at IS NOT NULL"
    " AND (events.recipient IS NULL OR events.recipient = ?))"
)


class OutgoingRename(Struct, frozen=True):
    """A rename on its way: a project's row and uuid, the first name that the feature had, and the later one.

    `commit` is the id of the commit that it was found in, None where it was found outside of all.
    """

    project: int
    project_uuid: str
    feature: str
    renamed_to: str
    commit: str | None

    @property
    def pair(self) -> tuple[str, str, str]:
        """What says which one it is, to a server too."""
        return (self.project_uuid, self.feature, self.renamed_to)


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


def settle(connection: sqlite3.Connection, destination: int, settled: Iterable[OutgoingRename]) -> None:
    """A destination's server has taken some renames, or refused them for good."""
    news = [[one.project, one.renamed_to] for one in settled]
    if news:
        delivery.remember(connection, **{_note(destination): [*_settled(connection, destination), *news]})


def _settled(connection: sqlite3.Connection, destination: int) -> list[list[int | str]]:
    found: list[list[int | str]] = delivery.notes(connection).get(_note(destination), [])
    return found


def _note(destination: int) -> str:
    return f"renames:{destination}"
