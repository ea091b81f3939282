"""The tables, and databases that older programs made."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.errors import StoreError
from kittywatch.store import outbox
from kittywatch.store.database import NAME, Database
from kittywatch.store.schema import KEPT_BY_TRIGGERS, MIGRATIONS, TABLES
from tests.store import stores

QUEUE = [
    ("id", "INTEGER", 0, None, 1),
    ("event_id", "TEXT", 1, None, 0),
    ("event_type", "TEXT", 1, None, 0),
    ("data", "TEXT", 1, None, 0),
    ("timestamp", "INTEGER", 1, None, 0),
    ("retry_count", "INTEGER", 0, "0", 0),
]
FIELDS_OWN = """CREATE TABLE queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE NOT NULL, event_type TEXT NOT NULL,
    data TEXT NOT NULL, timestamp INTEGER NOT NULL, retry_count INTEGER DEFAULT 0)"""


def test_the_queue_begins_with_the_contracted_columns(home: Path) -> None:
    Database(home / NAME).close()
    columns = [tuple(row[1:]) for row in stores.rows(home, "PRAGMA table_info(queue)")]
    assert columns[: len(QUEUE)] == QUEUE
    ((sql,),) = stores.rows(home, "SELECT sql FROM sqlite_master WHERE name = 'queue'")
    assert "AUTOINCREMENT" in str(sql)


def test_every_table_is_carried_over_by_a_salvage(home: Path) -> None:
    Database(home / NAME).close()
    tables = stores.rows(home, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    assert {row[0] for row in tables} == {*TABLES, *KEPT_BY_TRIGGERS}
    for table in TABLES:
        stores.rows(home, f"SELECT rowid FROM {table}")  # by which a salvage goes on behind a damaged page


def test_each_migration_is_recorded(home: Path) -> None:
    Database(home / NAME).close()
    assert stores.rows(home, "PRAGMA user_version") == [(len(MIGRATIONS),)]


def test_a_database_of_the_fields_own_keeps_its_rows(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    home.mkdir()
    event = json.dumps({"event_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "event_type": "WPStatusChanged"})
    with closing(sqlite3.connect(home / NAME)) as old:
        old.execute(FIELDS_OWN)
        old.execute("CREATE INDEX idx_timestamp ON queue (timestamp)")
        old.execute(
            "INSERT INTO queue (event_id, event_type, data, timestamp, retry_count) VALUES (?, ?, ?, ?, ?)",
            ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "WPStatusChanged", event, 1_700_000_000, 2),
        )
        old.commit()
    target = emitter_at(home)
    new = stores.note(target, "ours")
    waiting = target.store.read(lambda connection: list(outbox.queued(connection)))
    assert [(row.key, row.event_id, row.data, row.retry_count) for row in waiting[:1]] == [
        (1, "01ARZ3NDEKTSV4RRFFQ69G5FAV", event, 2)
    ]
    assert [row.event_id for row in waiting[1:]] == [new]


def test_a_database_of_a_newer_kittywatch_is_refused_and_kept(home: Path) -> None:
    Database(home / NAME).close()
    stores.execute(home, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = (home / NAME).read_bytes()
    with pytest.raises(StoreError, match="written by a newer kittywatch"):
        Database(home / NAME)
    assert (home / NAME).read_bytes() == before


def test_a_migration_that_fails_leaves_the_database_as_it_was(home: Path) -> None:
    home.mkdir()
    with closing(sqlite3.connect(home / NAME)) as odd:
        odd.execute("CREATE TABLE ledger (something_else TEXT)")
        odd.commit()
    with pytest.raises(StoreError):
        Database(home / NAME)
    assert stores.rows(home, "SELECT name FROM sqlite_master") == [("ledger",)]
    assert stores.rows(home, "PRAGMA user_version") == [(0,)]
