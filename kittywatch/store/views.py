"""Where each view stood when it was last looked at: checkouts, their views, and edits that are not committed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from msgspec import Struct

from kittywatch.derive.settle import Known
from kittywatch.derive.snapshot import Key
from kittywatch.derive.steps import Shown
from kittywatch.store.ledger import Ledger

DETACHED = "HEAD"


class Checkout(Struct, frozen=True):
    """A worktree that was observed: the branch it was on (DETACHED without one), and its HEAD log's size then."""

    key: int
    ref: str
    log_size: int
    version: int


class View(Struct, frozen=True):
    """A branch in a checkout: the commit it showed when it was last looked at, None before the first commit."""

    key: int
    tip: str | None


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
        row = self.connection.execute(
            "SELECT id, ref, log_size, version FROM checkouts WHERE project = ? AND git_dir = ?",
            (self.project, git_directory),
        ).fetchone()
        return Checkout(*row) if row else None

    def save_checkout(self, git_directory: str, ref: str, log_size: int) -> int:
        """Note where a checkout is now; raises its version, so that whoever planned on the old one plans again."""
        self.connection.execute(
            "INSERT INTO checkouts (project, git_dir, ref, log_size, version) VALUES (?1, ?2, ?3, ?4, 1)"
            " ON CONFLICT (project, git_dir) DO UPDATE SET ref = ?3, log_size = ?4, version = version + 1",
            (self.project, git_directory, ref, log_size),
        )
        row = self.connection.execute(
            "SELECT id FROM checkouts WHERE project = ? AND git_dir = ?", (self.project, git_directory)
        ).fetchone()
        return int(row[0])

    def view(self, checkout: int, ref: str) -> View | None:
        row = self.connection.execute(
            "SELECT id, tip FROM views WHERE checkout = ? AND ref = ?", (checkout, ref)
        ).fetchone()
        return View(*row) if row else None

    def of_checkout(self, checkout: int) -> dict[str, View]:
        """The views of a checkout by their names."""
        rows = self.connection.execute("SELECT ref, id, tip FROM views WHERE checkout = ?", (checkout,))
        return {ref: View(key, tip) for ref, key, tip in rows}

    def save_view(self, checkout: int, ref: str, tip: str | None) -> int:
        self.connection.execute(
            "INSERT INTO views (checkout, ref, tip) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (checkout, ref) DO UPDATE SET tip = ?3",
            (checkout, ref, tip),
        )
        view = self.view(checkout, ref)
        assert view is not None
        return view.key

    def tips(self) -> list[View]:
        """Every view of the project that shows a commit, the latest observed first."""
        rows = self.connection.execute(
            "SELECT views.id, tip FROM views JOIN checkouts ON checkouts.id = views.checkout"
            " WHERE project = ? AND tip IS NOT NULL ORDER BY views.id DESC",
            (self.project,),
        )
        return [View(*row) for row in rows]

    def copy(self, source: int, target: int) -> None:
        """Let one view stand where another one stands, and nowhere else."""
        self.connection.execute("DELETE FROM lanes WHERE view = ?", (target,))
        self.connection.execute(
            "INSERT OR REPLACE INTO lanes (view, feature, wp_id, lane, records, trail, cursor)"
            " SELECT ?, feature, wp_id, lane, records, trail, cursor FROM lanes WHERE view = ?",
            (target, source),
        )

    def edit_keys(self, checkout: int) -> set[Key]:
        """The work packages that a worktree showed otherwise than its commit when it was last looked at."""
        rows = self.connection.execute("SELECT feature, wp_id FROM edits WHERE checkout = ?", (checkout,))
        return {(feature, wp_id) for feature, wp_id in rows}

    def edits(self, checkout: int, ledger: Ledger) -> dict[Key, Known]:
        """The same with what was shown; the ledger must have read their work packages."""
        rows = self.connection.execute(
            "SELECT feature, wp_id, lane, records, trail, cursor FROM edits WHERE checkout = ?", (checkout,)
        )
        return {(row[0], row[1]): Known(Shown(row[2], row[3], row[4]), ledger.entry(row[5])) for row in rows}

    def written(self, checkout: int) -> dict[Key, str]:
        """Fingerprints of the files that these edits were seen in, as far as they are known."""
        rows = self.connection.execute(
            "SELECT feature, wp_id, written FROM edits WHERE checkout = ? AND written IS NOT NULL", (checkout,)
        )
        return {(feature, wp_id): written for feature, wp_id, written in rows}

    def save_edits(self, checkout: int, edits: Mapping[Key, Known], written: Mapping[Key, str]) -> None:
        """Replace all edits of a checkout, and the fingerprints of their files."""
        self.connection.execute("DELETE FROM edits WHERE checkout = ?", (checkout,))
        rows = [
            (*key, one.shown.lane, one.shown.records, one.shown.trail, one.cursor and one.cursor.key, written.get(key))
            for key, one in edits.items()
        ]
        self.connection.executemany(
            "INSERT INTO edits (checkout, feature, wp_id, lane, records, trail, cursor, written)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(checkout, *row) for row in rows],
        )
