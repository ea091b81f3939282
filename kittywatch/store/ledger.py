"""The ledger in rows: reads what one observation needs of it, and saves what the observation changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from kittywatch.derive.changes import Key
from kittywatch.derive.ledger import Entry, LedgerState

_FEW = 200  # up to here one query a work package is cheaper than reading all of them
_COLUMNS = (
    "entries.feature, entries.wp_id, entries.id, kind, status, entries.lane, previous, event_id, identities,"
    " first_commit, edited_on, taken_back_in, agent, phase, unrecorded"
)

BoundaryKind = Literal["baseline", "elsewhere"]


class Ledger:
    """One project's part of the ledger, within the transaction of `connection`."""

    def __init__(self, connection: sqlite3.Connection, project: int) -> None:
        self.connection = connection
        self.project = project
        self.entries: dict[int, Entry] = {}
        self.renamed = False  # whether a rename or a move was saved, which leaves for a server like an event

    # Reading.

    def read(self, keys: Iterable[Key] | None = None) -> LedgerState:
        """The state of some work packages, of all for None; features and broken contents whole."""
        state = LedgerState()
        wanted = None if keys is None else set(keys)
        if wanted is not None and len(wanted) > _FEW:
            wanted = None
        for row in self._select(f"SELECT {_COLUMNS} FROM entries", wanted, order=" ORDER BY id"):
            entry = _entry(row[2:])
            self.entries[row[2]] = entry
            state.history((row[0], row[1])).entries.append(entry)
            state.know_stated(entry)
        links = "SELECT links.entry, links.commit_id, links.lane FROM entries JOIN links ON links.entry = entries.id"
        for row, commit, lane in self._select(links, wanted):
            self.entries[row].links.add((commit, lane))
        pages = None if wanted is None else wanted | {(feature, "") for feature, _ in wanted}
        for feature, wp_id, keys_seen in self._select("SELECT feature, wp_id, keys FROM seen", pages):
            state.pages[feature, wp_id] = msgspec.json.decode(keys_seen, type=dict[str, str])
        run = self.connection.execute
        state.features = dict(run("SELECT feature, kind FROM features WHERE project = ?", (self.project,)))
        state.broken = dict(run("SELECT content, kind FROM broken WHERE project = ?", (self.project,)))
        state.renames = self.renames()
        return state

    def renames(self) -> dict[str, str]:
        """The later names of renamed features, each with the one that it is kept under."""
        sql = "SELECT feature, kept_as FROM renames WHERE project = ?"
        return dict(self.connection.execute(sql, (self.project,)))

    def version(self) -> int:
        """A number that every change of the project's ledger raises; 0 for a project that isn't known yet."""
        row = self.connection.execute("SELECT version FROM projects WHERE id = ?", (self.project,)).fetchone()
        return int(row[0]) if row else 0

    def introduced(self, commits: Iterable[str]) -> set[str]:
        """Those of some commits that are known to have introduced an entry."""
        sql = (
            "SELECT 1 FROM links JOIN entries ON entries.id = links.entry"
            " WHERE links.commit_id = ? AND entries.project = ? LIMIT 1"
        )
        return {one for one in commits if self.connection.execute(sql, (one, self.project)).fetchone()}

    def boundaries(self) -> dict[BoundaryKind, list[str]]:
        """The commits up to which all was there before the project was observed, and up to which others emitted."""
        found: dict[BoundaryKind, list[str]] = {"baseline": [], "elsewhere": []}
        rows = self.connection.execute("SELECT kind, commit_id FROM boundaries WHERE project = ?", (self.project,))
        for kind, commit in rows:
            found[kind].append(commit)
        return found

    def knows(self, key: Key) -> bool:
        """Whether a work package has an entry."""
        sql = "SELECT 1 FROM entries WHERE project = ? AND feature = ? AND wp_id = ? LIMIT 1"
        return self.connection.execute(sql, (self.project, *key)).fetchone() is not None

    def stated(self, names: Iterable[str]) -> set[Key]:
        """The work packages that steps are kept under, by the ids that their sources gave them (rule E2)."""
        sql = (
            "SELECT feature, wp_id FROM entries"
            " WHERE project = ? AND identities >= ? AND identities < ? AND identities LIKE '[\"#%' LIMIT 1"
        )
        found: set[Key] = set()
        for name in names:
            first = json.dumps([f"#{name}"])[:-1]
            row = self.connection.execute(sql, (self.project, first, first + "~")).fetchone()
            if row is not None:
                found.add((row[0], row[1]))
        return found

    def resolving(self, feature: str) -> set[Key]:
        """The work packages of a feature with a step that was emitted manually, from which others are to follow."""
        sql = "SELECT feature, wp_id FROM seen WHERE project = ? AND feature = ? AND keys LIKE '%\"p%'"
        return {(row[0], row[1]) for row in self.connection.execute(sql, (self.project, feature))}

    def features_of(self, wp_id: str) -> list[str]:
        """The features that are known to have a work package of this id, in their names' order."""
        sql = "SELECT DISTINCT feature FROM entries WHERE project = ? AND wp_id = ? ORDER BY feature"
        return [str(row[0]) for row in self.connection.execute(sql, (self.project, wp_id))]

    # Writing.

    def save(self, state: LedgerState) -> None:
        """Write what changed, and raise the version if anything did."""
        self.renamed = self.renamed or bool(state.new_renames)
        run = self.connection.executemany
        for entry, key in state.changed.items():
            self._save_entry(key, entry)
        for table, new in (("features", state.new_features), ("broken", state.new_broken)):
            run(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)", [(self.project, *item) for item in new.items()])
        run(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)",
            [(self.project, *key, msgspec.json.encode(state.pages[key]).decode()) for key in state.changed_pages],
        )
        run(
            "INSERT OR IGNORE INTO renames VALUES (?, ?, ?, ?)",
            [(self.project, new, kept, commit) for new, (kept, commit) in state.new_renames.items()],
        )
        for move in state.moves:
            self.record_move(move.old, move.new, move.wp_id, move.commit)
        self.raise_version()

    def record_move(self, old: str, new: str, wp_id: str, commit: str | None) -> None:
        """Record that a work package moved from one feature to another, for servers to show it there.

        `commit` is the id of the commit that it was found in, None where it was found outside of all. Said twice of one
        commit it is one move. The ledger itself keeps the work package where it was kept.
        """
        if old != new:
            sql = "INSERT OR IGNORE INTO moves (project, feature, wp_id, moved_to, commit_id) VALUES (?, ?, ?, ?, ?)"
            found = self.connection.execute(sql, (self.project, old, wp_id, new, commit))
            self.renamed = self.renamed or found.rowcount > 0

    def raise_version(self) -> None:
        """Let whoever planned on what was there before plan again."""
        self.connection.execute("UPDATE projects SET version = version + 1 WHERE id = ?", (self.project,))

    def add_boundary(self, commit: str, kind: BoundaryKind) -> None:
        self.connection.execute("INSERT OR IGNORE INTO boundaries VALUES (?, ?, ?)", (self.project, commit, kind))

    def _save_entry(self, key: Key, entry: Entry) -> None:
        columns = (
            entry.kind,
            entry.status,
            entry.lane,
            entry.previous,
            entry.event_id,
            json.dumps(sorted(entry.identities)),
            entry.first,
            entry.edited_on,
            entry.taken_back_in,
            entry.agent,
            entry.phase,
            entry.unrecorded,
        )
        if entry.row is None:
            row = self.connection.execute(
                "INSERT INTO entries (project, feature, wp_id, kind, status, lane, previous, event_id, identities,"
                " first_commit, edited_on, taken_back_in, agent, phase, unrecorded)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (self.project, *key, *columns),
            )
            assert row.lastrowid is not None
            entry.row = row.lastrowid
            self.entries[entry.row] = entry
        else:
            self.connection.execute(
                "UPDATE entries SET kind = ?, status = ?, lane = ?, previous = ?, event_id = ?, identities = ?,"
                " first_commit = ?, edited_on = ?, taken_back_in = ?, agent = ?, phase = ?, unrecorded = ?"
                " WHERE id = ?",
                (*columns, entry.row),
            )
        self.connection.executemany(
            "INSERT OR IGNORE INTO links VALUES (?, ?, ?)", [(entry.row, *link) for link in entry.links]
        )

    def _select(self, query: str, wanted: set[Key] | None, *, order: str = "") -> Iterator[Any]:
        if wanted is None:
            yield from self.connection.execute(f"{query} WHERE project = ?{order}", (self.project,))
            return
        for key in wanted:
            sql = f"{query} WHERE project = ? AND feature = ? AND wp_id = ?{order}"
            yield from self.connection.execute(sql, (self.project, *key))


def _entry(row: tuple[Any, ...]) -> Entry:
    number, kind, status, lane, previous, event_id, identities, first, edited_on, taken_back_in, *rest = row
    agent, phase, unrecorded = rest
    return Entry(
        kind,
        status,
        lane,
        previous,
        event_id,
        set(json.loads(identities)),
        set(),
        first,
        edited_on,
        taken_back_in,
        agent,
        phase,
        bool(unrecorded),
        number,
    )
