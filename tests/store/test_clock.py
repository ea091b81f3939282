"""The Lamport clock and its copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kittywatch.events import LARGEST_CLOCK
from kittywatch.store import clock
from kittywatch.store.clock import read_copy, write_copy
from kittywatch.store.database import Database
from tests.store import stores


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(Database.in_memory()) as made:
        yield made


def test_values_are_taken_in_a_row(database: Database) -> None:
    with database.transaction() as connection:
        assert clock.value(connection) == 0
        assert clock.ticks(connection, 3) == 3
        assert clock.ticks(connection, 1) == 4
        assert clock.value(connection) == 4


def test_a_copy_that_is_ahead_wins(database: Database) -> None:
    with database.transaction() as connection:
        assert clock.ticks(connection, 2, at_least=40) == 42
        assert clock.ticks(connection, 1, at_least=40) == 43


@pytest.mark.parametrize(
    ("local", "remote", "expected"), [(5, 9, 10), (9, 5, 10), (5, 5, 6), (5, 1 << 62, 6), (5, -7, 6)]
)
def test_a_remote_value_moves_it(database: Database, local: int, remote: int, expected: int) -> None:
    with database.transaction() as connection:
        clock.ticks(connection, local)
        assert clock.receive(connection, remote) == expected


def test_the_copy_is_as_contracted(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    write_copy(path, 7, stores.NODE)
    fields = json.loads(path.read_bytes())
    assert set(fields) == {"value", "node_id", "updated_at"}
    assert (fields["value"], fields["node_id"]) == (7, stores.NODE)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields["updated_at"])
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_file()) == ["clock.json", "clock.lock"]


def test_the_copy_is_never_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    write_copy(path, 7, stores.NODE)
    write_copy(path, 6, stores.NODE)
    assert read_copy(path) == 7
    write_copy(path, 8, stores.NODE)
    assert read_copy(path) == 8


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"value": null}',
        '{"value": 1.5}',
        '{"value": -1}',
        '{"value": "3"}',
        f'{{"value": {LARGEST_CLOCK + 1}}}',
        "[" * 100_000,
    ],
)
def test_a_copy_without_sense_counts_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "clock.json"
    path.write_text(content)
    assert read_copy(path) == 0
    write_copy(path, 1, stores.NODE)
    assert read_copy(path) == 1


def test_a_copy_that_is_not_there(tmp_path: Path) -> None:
    assert read_copy(tmp_path / "clock.json") == 0
