"""The ledger in rows: fills a book for one observation, and saves what the observation wrote into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from kittywatch.derive.book import Book
from kittywatch.derive.log import Entry, Log
from kittywatch.derive.settle import Known
from kittywatch.derive.snapshot import Key
from kittywatch.derive.steps import Shown

_FEW = 200  # up to here one query a work package is cheaper than reading all of them


class Ledger:
    """One project's part of the ledger, within the transaction of `connection`."""

    def __init__(self, connection: sqlite3.Connection, project: int) -> None:
        self.connection = connection
        self.project = project
        self._entries: dict[int, tuple[Key, Entry]] = {}

    def read(self, keys: Iterable[Key] | None = None, *, view: int | None = None, landings: bool = True) -> Book:
        """A book of the work packages `keys`, None for all, as the view with that row stands."""
        book = Book()
        wanted = None if keys is None else set(keys)
        if wanted is not None and len(wanted) > _FEW:
            wanted = None
        columns = "SELECT feature, wp_id, id, kind, lane, event_id, commit_id, agent, phase FROM ledger"
        for row in self._select(columns, wanted):
            key = (row[0], row[1])
            entry = Entry(row[3], row[4], row[5], row[6], row[2], row[7], row[8])
            self._entries[row[2]] = (key, entry)
            book.log(key).entries.append(entry)
        if view is not None:
            self._read_known(book, view, wanted)
        if landings:
            self._read_landings(book, wanted)
        pages = None if wanted is None else wanted | {(feature, "") for feature, _ in wanted}
        for feature, wp_id, marks in self._select("SELECT feature, wp_id, marks FROM marks", pages, order=""):
            book.marks[feature, wp_id] = msgspec.json.decode(marks, type=dict[str, str])
        run = self.connection.execute
        book.features = dict(run("SELECT feature, kind FROM features WHERE project = ?", (self.project,)))
        book.broken = dict(run("SELECT content, kind FROM broken WHERE project = ?", (self.project,)))
        return book

    def save(self, book: Book, *, view: int | None = None) -> None:
        """Write what an observation changed."""
        for key, log in book.logs.items():
            if log.added:
                self._save_log(key, log)
        run = self.connection.executemany
        run(
            "INSERT OR IGNORE INTO landings VALUES (?, ?, ?)",
            [(self.project, commit, entry.key) for commit, _, entry in book.landings],
        )
        for table, new in (("features", book.new_features), ("broken", book.new_broken)):
            run(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)", [(self.project, *item) for item in new.items()])
        run(
            "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)",
            [(self.project, *key, msgspec.json.encode(book.marks[key]).decode()) for key in book.changed_marks],
        )
        if view is not None:
            self.save_known(view, {key: book.known[key] for key in book.changed})

    def save_known(self, view: int, known: dict[Key, Known]) -> None:
        """Write where a view stands with some work packages."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO lanes (view, feature, wp_id, lane, records, trail, cursor)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(view, *key, *_columns(one)) for key, one in known.items()],
        )

    def rebound(self, known: Known) -> Known:
        """The same standing, with the cursor among the entries that were read last."""
        return Known(known.shown, self.entry(known.cursor.key) if known.cursor else None)

    def landing_commits(self, keys: Iterable[Key]) -> set[str]:
        """The commits that are known to have brought entries of some work packages."""
        sql = (
            "SELECT landings.commit_id FROM ledger JOIN landings ON landings.entry = ledger.id"
            " WHERE ledger.project = ? AND feature = ? AND wp_id = ?"
        )
        return {row[0] for key in keys for row in self.connection.execute(sql, (self.project, *key))}

    def ahead(self, view: int, keys: Iterable[Key]) -> set[str]:
        """The commits that are known to have brought entries of some work packages ahead of where a view stands."""
        sql = (
            "SELECT landings.commit_id FROM ledger JOIN landings ON landings.entry = ledger.id"
            " WHERE ledger.project = ?1 AND feature = ?3 AND wp_id = ?4 AND position > coalesce((SELECT at.position"
            " FROM lanes JOIN ledger AS at ON at.id = lanes.cursor"
            " WHERE lanes.view = ?2 AND lanes.feature = ?3 AND lanes.wp_id = ?4), -1)"
        )
        run = self.connection.execute
        return {row[0] for feature, wp_id in keys for row in run(sql, (self.project, view, feature, wp_id))}

    def standing(self, view: int, key: Key) -> list[Known]:
        """Where the project's other views stand with a work package, which must have been read."""
        sql = (
            "SELECT lanes.lane, records, trail, cursor FROM checkouts JOIN views ON views.checkout = checkouts.id"
            " JOIN lanes ON lanes.view = views.id WHERE project = ? AND feature = ? AND wp_id = ? AND view != ?"
        )
        rows = self.connection.execute(sql, (self.project, *key, view))
        return [Known(Shown(*row[:3]), self.entry(row[3])) for row in rows]

    def landed(self, commits: Iterable[str]) -> set[str]:
        """Those of some commits that are known to have brought an entry."""
        sql = "SELECT commit_id FROM landings WHERE project = ? AND commit_id = ?"
        return {commit for commit in commits if self.connection.execute(sql, (self.project, commit)).fetchone()}

    def horizons(self) -> dict[str, list[str]]:
        """The commits up to which all was there before the project was observed, and up to which others told."""
        found: dict[str, list[str]] = {"baseline": [], "elsewhere": []}
        rows = self.connection.execute("SELECT kind, commit_id FROM horizons WHERE project = ?", (self.project,))
        for kind, commit in rows:
            found[kind].append(commit)
        return found

    def add_horizon(self, commit: str, kind: str) -> None:
        self.connection.execute("INSERT OR IGNORE INTO horizons VALUES (?, ?, ?)", (self.project, commit, kind))

    def only_feature(self, wp_id: str) -> str | None:
        """The one feature that is known to have a work package of this id, None where there are none or several."""
        rows = self.connection.execute(
            "SELECT DISTINCT feature FROM ledger WHERE project = ? AND wp_id = ? LIMIT 2", (self.project, wp_id)
        ).fetchall()
        return str(rows[0][0]) if len(rows) == 1 else None

    def entry(self, key: int | None) -> Entry | None:
        """The entry with that row among those read, None where there is none any more."""
        found = self._entries.get(key) if key is not None else None
        return found[1] if found else None

    def known(self, view: int, keys: Iterable[Key]) -> dict[Key, Known]:
        """Where a view stands with some work packages, which must have been read."""
        book = Book()
        wanted = set(keys)
        self._read_known(book, view, wanted if len(wanted) <= _FEW else None)
        return book.known

    def forget(self, view: int, keys: Iterable[Key]) -> None:
        """Let a view not know some work packages."""
        self.connection.executemany(
            "DELETE FROM lanes WHERE view = ? AND feature = ? AND wp_id = ?", [(view, *key) for key in keys]
        )

    def _read_known(self, book: Book, view: int, wanted: set[Key] | None) -> None:
        columns = "SELECT feature, wp_id, lane, records, trail, cursor FROM lanes"
        for row in self._select(columns, wanted, owner=("view", view), order=""):
            book.known[row[0], row[1]] = Known(Shown(row[2], row[3], row[4]), self.entry(row[5]))

    def _read_landings(self, book: Book, wanted: set[Key] | None) -> None:
        if wanted is None:
            rows: Iterable[Any] = self.connection.execute(
                "SELECT commit_id, entry FROM landings WHERE project = ?", (self.project,)
            )
        else:
            rows = (
                row
                for key in self._entries
                for row in self.connection.execute("SELECT commit_id, entry FROM landings WHERE entry = ?", (key,))
            )
        for commit, entry in rows:
            if entry in self._entries:
                book.landed.setdefault(commit, []).append(self._entries[entry])

    def _select(
        self,
        columns: str,
        wanted: set[Key] | None,
        *,
        owner: tuple[str, int] | None = None,
        order: str = " ORDER BY position",
    ) -> Iterator[Any]:
        column, value = owner or ("project", self.project)
        if wanted is None:
            yield from self.connection.execute(f"{columns} WHERE {column} = ?{order}", (value,))
            return
        for key in wanted:
            sql = f"{columns} WHERE {column} = ? AND feature = ? AND wp_id = ?{order}"
            yield from self.connection.execute(sql, (value, *key))

    def _save_log(self, key: Key, log: Log) -> None:
        new = {id(entry) for entry in log.added}
        moved = False
        for position, entry in enumerate(log.entries):
            if id(entry) in new and entry.key is not None:
                self.connection.execute(
                    "UPDATE ledger SET position = ?, kind = ?, event_id = ? WHERE id = ?",
                    (position, entry.kind, entry.event_id, entry.key),
                )
            elif id(entry) in new:
                row = self.connection.execute(
                    "INSERT INTO ledger"
                    " (project, feature, wp_id, position, kind, lane, event_id, commit_id, agent, phase)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (self.project, *key, position, *_entry_columns(entry)),
                )
                assert row.lastrowid is not None
                entry.key = row.lastrowid
                self._entries[entry.key] = (key, entry)  # the next view may stand there already
                moved = True
            elif moved:
                self.connection.execute("UPDATE ledger SET position = ? WHERE id = ?", (position, entry.key))
        log.added.clear()


def _entry_columns(entry: Entry) -> tuple[object, ...]:
    return entry.kind, entry.lane, entry.event_id, entry.commit, entry.agent, entry.phase


def _columns(known: Known) -> tuple[object, ...]:
    shown = known.shown
    return shown.lane, shown.records, shown.trail, known.cursor.key if known.cursor else None
