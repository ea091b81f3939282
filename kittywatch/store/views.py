"""Where each view stood when it was last looked at: checkouts, their views, and edits that are not committed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from msgspec import Struct

from kittywatch.derive.changes import Key
from kittywatch.derive.ledger import PendingEdit
from kittywatch.derive.steps import LaneState
from kittywatch.store.ledger import Ledger

DETACHED = "HEAD"


class Checkout(Struct, frozen=True):
    """A worktree that was observed: the branch it was on (DETACHED without one), and its HEAD log's size then."""

    key: int
    ref: str
    log_size: int


class Views:
    """The views of one project, within a transaction."""

    def __init__(self, connection: sqlite3.Connection, project: int) -> None:
        self.connection = connection
        self.project = project

    def observed(self) -> bool:
        """Whether any checkout of the project was ever observed."""
        row = self.connection.execute("SELECT 1 FROM checkouts WHERE project = ? LIMIT 1", (self.project,)).fetchone()
        return row is not None

    def checkout(self, git_directory: str) -> Checkout | None:
        """The checkout with that git directory, None where it was never observed."""
        row = self.connection.execute(
            "SELECT id, ref, log_size FROM checkouts WHERE project = ? AND git_dir = ?",
            (self.project, git_directory),
        ).fetchone()
        return Checkout(*row) if row else None

    def save_checkout(self, git_directory: str, ref: str, log_size: int) -> int:
        """Record where a checkout is now; returns its row."""
        self.connection.execute(
            "INSERT INTO checkouts (project, git_dir, ref, log_size, version) VALUES (?1, ?2, ?3, ?4, 1)"
            " ON CONFLICT (project, git_dir) DO UPDATE SET ref = ?3, log_size = ?4, version = version + 1",
            (self.project, git_directory, ref, log_size),
        )
        row = self.connection.execute(
            "SELECT id FROM checkouts WHERE project = ? AND git_dir = ?", (self.project, git_directory)
        ).fetchone()
        return int(row[0])

    def of_checkout(self, checkout: int) -> dict[str, str | None]:
        """The views of a checkout by their names, each with the commit that it showed, None before the first one."""
        return dict(self.connection.execute("SELECT ref, tip FROM views WHERE checkout = ?", (checkout,)))

    def save_view(self, checkout: int, ref: str, tip: str | None) -> None:
        """Record the commit that a view shows."""
        self.connection.execute(
            "INSERT INTO views (checkout, ref, tip) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (checkout, ref) DO UPDATE SET tip = ?3",
            (checkout, ref, tip),
        )

    def tips(self, repository: str) -> set[str]:
        """The commits that the views of one clone show; `repository` is the git directory that its worktrees share."""
        rows = self.connection.execute(
            "SELECT DISTINCT tip FROM views JOIN checkouts ON checkouts.id = views.checkout"
            " WHERE project = ?1 AND tip IS NOT NULL"
            " AND (git_dir = ?2 OR substr(git_dir, 1, length(?2) + 11) = ?2 || '/worktrees/')",
            (self.project, repository),
        )
        return {row[0] for row in rows}

    def pending_keys(self, checkout: int) -> set[Key]:
        """The work packages that a worktree showed otherwise than its commit when it was last looked at."""
        rows = self.connection.execute("SELECT feature, wp_id FROM pending WHERE checkout = ?", (checkout,))
        return {(feature, wp_id) for feature, wp_id in rows}

    def pending(self, checkout: int, ledger: Ledger) -> dict[Key, PendingEdit]:
        """The same with what was shown and emitted; the ledger must have read their work packages."""
        rows = self.connection.execute(
            "SELECT feature, wp_id, lane, records, trail, written, entries FROM pending WHERE checkout = ?", (checkout,)
        )
        return {
            (row[0], row[1]): PendingEdit(
                LaneState(*row[2:5]),
                [ledger.entries[one] for one in json.loads(row[6]) if one in ledger.entries],
                row[5] or "",
            )
            for row in rows
        }

    def save_pending(self, checkout: int, pending: Mapping[Key, PendingEdit]) -> None:
        """Replace all pending edits of a checkout; their entries must be saved before."""
        self.connection.execute("DELETE FROM pending WHERE checkout = ?", (checkout,))
        self.connection.executemany(
            "INSERT INTO pending (checkout, feature, wp_id, lane, records, trail, written, entries)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(checkout, *key, *_columns(edit)) for key, edit in pending.items()],
        )


def _columns(edit: PendingEdit) -> tuple[object, ...]:
    state = edit.state
    return state.lane, state.records, state.trail, edit.written, json.dumps([entry.row for entry in edit.entries])
