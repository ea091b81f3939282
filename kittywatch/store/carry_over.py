"""From the ledger of positions and cursors to the one over the commit graph, within the migration's transaction.

Nothing is emitted again, nothing is forgotten. A step keeps the time of its event, so that its commit, or its copy,
finds it by identity; the commits that were known to have brought it introduce it. What was taken back is void: an entry
that no commit brought, and those that a step without a commit led back over.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Set
from datetime import datetime
from itertools import groupby
from typing import Any

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def carry_over(connection: sqlite3.Connection) -> None:
    """Fill the new tables from the old ones, which are still there."""
    connection.execute("INSERT INTO boundaries SELECT project, commit_id, kind FROM horizons")
    moments, manual = _moments(connection), _manual(connection)
    landings: dict[int, set[str]] = {}
    for commit, entry in connection.execute("SELECT commit_id, entry FROM landings"):
        landings.setdefault(entry, set()).add(commit)
    edited = {row[0] for row in connection.execute("SELECT cursor FROM edits WHERE cursor IS NOT NULL")}
    numbers: dict[int, int] = {}
    rows = connection.execute(
        "SELECT project, feature, wp_id, id, kind, lane, event_id, commit_id, agent, phase FROM ledger"
        " ORDER BY project, feature, wp_id, position"
    ).fetchall()
    for _, package in groupby(rows, key=lambda row: row[:3]):
        entries = [_Carried(row, moments, landings.get(row[3], set()), manual) for row in package]
        _void_what_was_taken_back(entries, edited)
        for entry in entries:
            numbers[entry.row] = entry.write(connection)
    _carry_edits(connection, numbers)


class _Carried:
    """One entry on its way over. It gets another number: the order of the rows is that of the positions."""

    def __init__(
        self, row: tuple[Any, ...], moments: dict[str, str], commits: set[str], manual: Set[str] = frozenset()
    ) -> None:
        self.key, self.row = row[:3], row[3]
        self.old_kind, self.lane, self.event_id, self.first, self.agent, self.phase = row[4:]
        self.commits = commits | ({self.first} if self.first else set())
        self.is_manual = self.event_id in manual and not self.commits
        self.kind = {"created": "created", "step": "step", "theirs": "step", "assigned": "assigned"}.get(
            self.old_kind, "known"
        )
        self.status = {"baseline": "baseline", "elsewhere": "remote", "theirs": "remote"}.get(self.old_kind, "emitted")
        if self.old_kind == "assigned" and self.event_id is None:
            self.status = "remote"
        moment = moments.get(self.event_id) or (_moment_of(self.event_id) if self.event_id else None)
        what = f"@{self.phase}:{self.agent}" if self.kind == "assigned" else self.lane
        has_identity = moment is not None and self.kind in ("step", "assigned") and not self.is_manual
        self.identities = [f"{moment}|{what}"] if has_identity else []

    def write(self, connection: sqlite3.Connection) -> int:
        """Write it; returns its number there."""
        row = connection.execute(
            "INSERT INTO entries (project, feature, wp_id, kind, status, lane, event_id, identities, first_commit,"
            " edited_on, agent, phase) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *self.key,
                self.kind,
                self.status,
                self.lane,
                self.event_id,
                json.dumps(self.identities),
                self.first,
                None if self.commits or self.kind == "known" or self.is_manual else "",
                self.agent,
                self.phase,
            ),
        )
        assert row.lastrowid is not None
        lane = self.lane if self.kind == "step" else ""
        connection.executemany(
            "INSERT OR IGNORE INTO links VALUES (?, ?, ?)", [(row.lastrowid, commit, lane) for commit in self.commits]
        )
        return row.lastrowid


def _void_what_was_taken_back(entries: list[_Carried], edited: set[int]) -> None:
    """Mark as void what no later commit may be taken for: discarded edits, and what a step without a commit undid."""
    steps = [entry for entry in entries if entry.kind == "step" and entry.status == "emitted"]
    last_pending = max((at for at, entry in enumerate(steps) if entry.row in edited), default=-1)
    for at, entry in enumerate(steps):
        if entry.commits or entry.is_manual or at <= last_pending:
            continue
        entry.status = "void"
        for before in reversed(steps[:at]):
            if before.lane == entry.lane:
                break
            before.status = "void"


def _moments(connection: sqlite3.Connection) -> dict[str, str]:
    """When each event was, in seconds since 1970, as identities have it."""
    found: dict[str, str] = {}
    for event_id, data in connection.execute("SELECT event_id, data FROM events"):
        try:
            moment = datetime.fromisoformat(json.loads(data)["timestamp"].upper())
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        found[event_id] = f"{moment.timestamp():.6f}"
    return found


def _manual(connection: sqlite3.Connection) -> set[str]:
    """The events that were emitted manually."""
    return {
        event_id
        for event_id, source in connection.execute("SELECT event_id, source FROM events WHERE source LIKE '%hand%'")
        if '"observer": "hand"' in source
    }


def _moment_of(event_id: str) -> str:
    """The same from a ULID's first ten characters: milliseconds, which is enough for a commit's time."""
    number = 0
    for letter in event_id[:10]:
        number = number * 32 + max(_CROCKFORD.find(letter), 0)
    return f"{number / 1000:.6f}"


def _carry_edits(connection: sqlite3.Connection, numbers: dict[int, int]) -> None:
    for checkout, feature, wp_id, lane, records, trail, cursor, written in _edits(connection):
        entries = [numbers[cursor]] if cursor in numbers else []
        connection.execute(
            "INSERT INTO pending (checkout, feature, wp_id, lane, records, trail, written, entries)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (checkout, feature, wp_id, lane, records, trail, written, json.dumps(entries)),
        )


def _edits(connection: sqlite3.Connection) -> Iterator[Any]:
    yield from connection.execute(
        "SELECT checkout, feature, wp_id, lane, records, trail, cursor, written FROM edits"
    ).fetchall()
