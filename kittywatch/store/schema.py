"""The tables of queue.db, as migrations. Each runs in one transaction with the record that it ran.

`queue` is the field's own table, with its columns first; everything else is ours. `events` is the log: every event
that was ever told here. `queue` holds those that no server has taken yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeAlias

Migration: TypeAlias = "tuple[str | Callable[[sqlite3.Connection], None], ...]"


def _carry_over(connection: sqlite3.Connection) -> None:
    from kittywatch.store.carry_over import carry_over  # imported lazily: once in a database's life

    carry_over(connection)


def _counted(row: str) -> str:
    """The project, recipient and state by which a row of the queue is counted."""
    return (
        f"coalesce({row}.project, 0), coalesce({row}.recipient, 0), CASE WHEN {row}.died_at IS NOT NULL THEN 'dead'"
        f" WHEN coalesce({row}.retry_count, 0) > 0 THEN 'refused' ELSE 'waiting' END"
    )


# Not by ON CONFLICT: within a trigger the clause of the statement that fired it would count instead.
_COUNT = (
    f"INSERT INTO tallies SELECT {_counted('new')}, 0"
    f" WHERE NOT EXISTS (SELECT 1 FROM tallies WHERE (project, recipient, state) = ({_counted('new')}));"
    f" UPDATE tallies SET number = number + 1 WHERE (project, recipient, state) = ({_counted('new')});"
)
_DISCOUNT = f"UPDATE tallies SET number = number - 1 WHERE (project, recipient, state) = ({_counted('old')});"


MIGRATIONS: tuple[Migration, ...] = (
    (
        """CREATE TABLE IF NOT EXISTS queue (
            id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE NOT NULL, event_type TEXT NOT NULL,
            data TEXT NOT NULL, timestamp INTEGER NOT NULL, retry_count INTEGER DEFAULT 0)""",
        """CREATE TABLE projects (
            id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, slug TEXT)""",
        """CREATE TABLE clock (
            id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL, updated_at TEXT NOT NULL)""",
        "INSERT INTO clock VALUES (1, 0, '1970-01-01T00:00:00Z')",
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE NOT NULL, project INTEGER NOT NULL,
            event_type TEXT NOT NULL, feature TEXT, wp_id TEXT, lamport INTEGER NOT NULL, data TEXT NOT NULL,
            source TEXT NOT NULL, told_at REAL NOT NULL, delivered_at REAL)""",
        "CREATE INDEX events_of_project ON events (project, feature, wp_id)",
        """CREATE TABLE ledger (
            id INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER NOT NULL, feature TEXT NOT NULL,
            wp_id TEXT NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL, lane TEXT NOT NULL,
            event_id TEXT, commit_id TEXT)""",
        "CREATE INDEX ledger_of_package ON ledger (project, feature, wp_id, position)",
        """CREATE TABLE landings (
            project INTEGER NOT NULL, commit_id TEXT NOT NULL, entry INTEGER NOT NULL,
            UNIQUE (project, commit_id, entry))""",
        "CREATE INDEX landings_of_entry ON landings (entry)",
        """CREATE TABLE horizons (
            project INTEGER NOT NULL, commit_id TEXT NOT NULL, kind TEXT NOT NULL,
            UNIQUE (project, commit_id, kind))""",
        """CREATE TABLE features (
            project INTEGER NOT NULL, feature TEXT NOT NULL, kind TEXT NOT NULL, UNIQUE (project, feature))""",
        """CREATE TABLE broken (
            project INTEGER NOT NULL, content TEXT NOT NULL, kind TEXT NOT NULL, UNIQUE (project, content))""",
        """CREATE TABLE checkouts (
            id INTEGER PRIMARY KEY, project INTEGER NOT NULL, git_dir TEXT NOT NULL, ref TEXT NOT NULL,
            log_size INTEGER NOT NULL, version INTEGER NOT NULL, UNIQUE (project, git_dir))""",
        """CREATE TABLE views (
            id INTEGER PRIMARY KEY, checkout INTEGER NOT NULL, ref TEXT NOT NULL, tip TEXT,
            UNIQUE (checkout, ref))""",
        """CREATE TABLE lanes (
            id INTEGER PRIMARY KEY, view INTEGER NOT NULL, feature TEXT NOT NULL, wp_id TEXT NOT NULL,
            lane TEXT NOT NULL, records INTEGER NOT NULL, trail TEXT NOT NULL, cursor INTEGER,
            UNIQUE (view, feature, wp_id))""",
        """CREATE TABLE edits (
            id INTEGER PRIMARY KEY, checkout INTEGER NOT NULL, feature TEXT NOT NULL, wp_id TEXT NOT NULL,
            lane TEXT NOT NULL, records INTEGER NOT NULL, trail TEXT NOT NULL, cursor INTEGER,
            UNIQUE (checkout, feature, wp_id))""",
    ),
    # Delivery. A recipient is a server and a team; `present` is the one of the login at hand. An event's recipient is
    # the one it was queued for, NULL before the first login. `claim` is who sends it right now, `died_at` set where it
    # was refused too often.
    (
        """CREATE TABLE recipients (
            id INTEGER PRIMARY KEY, url TEXT NOT NULL, team TEXT NOT NULL, present INTEGER NOT NULL DEFAULT 0,
            batch_interval REAL, UNIQUE (url, team))""",
        "ALTER TABLE queue ADD COLUMN project INTEGER",
        "ALTER TABLE queue ADD COLUMN recipient INTEGER",
        "ALTER TABLE queue ADD COLUMN claim TEXT",
        "ALTER TABLE queue ADD COLUMN reason TEXT",
        "ALTER TABLE queue ADD COLUMN died_at REAL",
        "CREATE INDEX queue_claimed ON queue (claim) WHERE claim IS NOT NULL",
        "ALTER TABLE events ADD COLUMN recipient INTEGER",
        "ALTER TABLE events ADD COLUMN sent_at REAL",
        "ALTER TABLE events ADD COLUMN purged_at REAL",
        "UPDATE queue SET project = (SELECT project FROM events WHERE events.event_id = queue.event_id)",
        "ALTER TABLE projects ADD COLUMN opted_out INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE delivery (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ),
    # What is known of a work package besides its lane, or of a feature (then wp_id is ''): the marks, as JSON.
    (
        """CREATE TABLE marks (
            project INTEGER NOT NULL, feature TEXT NOT NULL, wp_id TEXT NOT NULL, marks TEXT NOT NULL,
            UNIQUE (project, feature, wp_id))""",
        "ALTER TABLE ledger ADD COLUMN agent TEXT",
        "ALTER TABLE ledger ADD COLUMN phase TEXT",
    ),
    # Whether an edit's file was written since it was seen: its fingerprint then, NULL where that isn't known.
    ("ALTER TABLE edits ADD COLUMN written TEXT",),
    # Until when a refused event is left alone, seconds since 1970.
    ("ALTER TABLE queue ADD COLUMN retry_at REAL",),
    # Further ids of emitted events, each settled by what the server that has its event says of it (aliases.py). An
    # event that left before a login was seen went to the only recipient there was, as far as there was one.
    (
        """CREATE TABLE aliases (
            id INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER NOT NULL, alias TEXT NOT NULL,
            event_id TEXT NOT NULL, created_at REAL NOT NULL, claim TEXT, delivered_at REAL, refused_at REAL,
            reason TEXT, UNIQUE (project, alias))""",
        "CREATE INDEX aliases_of_event ON aliases (event_id)",
        "CREATE INDEX aliases_waiting ON aliases (id) WHERE delivered_at IS NULL AND refused_at IS NULL",
        "CREATE INDEX aliases_claimed ON aliases (claim) WHERE claim IS NOT NULL",
        "UPDATE events SET recipient = (SELECT id FROM recipients) WHERE delivered_at IS NOT NULL"
        " AND recipient IS NULL AND (SELECT count(*) FROM recipients) = 1",
    ),
    # The ledger over the commit graph. An entry has no position: `links` has the commits that introduced it, each with
    # the lane of the commit's own step, '' where the commit only has it in its past. `identities` and the entries of
    # pending edits are JSON. `version` is raised by every change of a project's ledger.
    (
        """CREATE TABLE entries (
            id INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER NOT NULL, feature TEXT NOT NULL,
            wp_id TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, lane TEXT NOT NULL, previous TEXT,
            event_id TEXT, identities TEXT NOT NULL, first_commit TEXT, edited_on TEXT, taken_back_in TEXT,
            agent TEXT, phase TEXT)""",
        "CREATE INDEX entries_of_package ON entries (project, feature, wp_id)",
        """CREATE TABLE links (
            entry INTEGER NOT NULL, commit_id TEXT NOT NULL, lane TEXT NOT NULL,
            UNIQUE (entry, commit_id, lane))""",
        "CREATE INDEX links_of_commit ON links (commit_id)",
        """CREATE TABLE boundaries (
            project INTEGER NOT NULL, commit_id TEXT NOT NULL, kind TEXT NOT NULL,
            UNIQUE (project, commit_id, kind))""",
        """CREATE TABLE pending (
            id INTEGER PRIMARY KEY, checkout INTEGER NOT NULL, feature TEXT NOT NULL, wp_id TEXT NOT NULL,
            lane TEXT NOT NULL, records INTEGER NOT NULL, trail TEXT NOT NULL, written TEXT, entries TEXT NOT NULL,
            UNIQUE (checkout, feature, wp_id))""",
        """CREATE TABLE renames (
            project INTEGER NOT NULL, feature TEXT NOT NULL, kept_as TEXT NOT NULL, commit_id TEXT,
            UNIQUE (project, feature))""",
        "ALTER TABLE projects ADD COLUMN version INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE marks RENAME TO seen",
        "ALTER TABLE seen RENAME COLUMN marks TO keys",
        _carry_over,
        "DROP TABLE ledger",
        "DROP TABLE landings",
        "DROP TABLE horizons",
        "DROP TABLE lanes",
        "DROP TABLE edits",
    ),
    # Whether a step has no record. Of those that were known before, nobody noted it.
    ("ALTER TABLE entries ADD COLUMN unrecorded INTEGER NOT NULL DEFAULT 0",),
    # Steps that their sources state with an id are found by it, under whichever work package they are kept.
    ("CREATE INDEX entries_stated ON entries (project, identities) WHERE identities LIKE '[\"#%'",),
    # Work packages that moved from one feature to another, in the order in which that was found (renames.py), and which
    # recipient's server has settled which.
    (
        """CREATE TABLE moves (
            id INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER NOT NULL, feature TEXT NOT NULL,
            wp_id TEXT NOT NULL, moved_to TEXT NOT NULL, commit_id TEXT,
            UNIQUE (project, feature, wp_id, moved_to, commit_id))""",
        """CREATE TABLE settled_moves (
            recipient INTEGER NOT NULL, move INTEGER NOT NULL, UNIQUE (recipient, move))""",
    ),
    # How many events wait, so that nobody counts them: kept by triggers, for other clients write to `queue` as well.
    # 0 stands for no project and no recipient. The oldest are those with the lowest ids.
    (
        """CREATE TABLE tallies (
            project INTEGER NOT NULL, recipient INTEGER NOT NULL, state TEXT NOT NULL, number INTEGER NOT NULL,
            UNIQUE (project, recipient, state))""",
        f"INSERT INTO tallies SELECT {_counted('queue')}, count(*) FROM queue GROUP BY 1, 2, 3",
        f"CREATE TRIGGER queue_joined AFTER INSERT ON queue BEGIN {_COUNT} END",
        f"CREATE TRIGGER queue_left AFTER DELETE ON queue BEGIN {_DISCOUNT} END",
        f"""CREATE TRIGGER queue_changed AFTER UPDATE OF project, recipient, retry_count, died_at ON queue
            BEGIN {_DISCOUNT} {_COUNT} END""",
        "CREATE INDEX queue_alive ON queue (id) WHERE died_at IS NULL",
        "CREATE INDEX events_by_tick ON events (lamport)",
        "CREATE INDEX events_in_order ON events (project)",  # and by seq, as every index of SQLite's
    ),
)

KEPT_BY_TRIGGERS = ("tallies",)

TABLES = (
    "queue",
    "recipients",
    "delivery",
    "projects",
    "clock",
    "events",
    "entries",
    "links",
    "boundaries",
    "features",
    "broken",
    "checkouts",
    "views",
    "pending",
    "seen",
    "renames",
    "moves",
    "settled_moves",
    "aliases",
)
