"""One file, one transaction."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kittywatch.errors import StoreCorruptError, StoreError
from kittywatch.store.database import NAME, Database, MovedError


def _database(home: Path) -> Database:
    return Database(home / NAME, wait_seconds=0.05)


def test_files_are_their_owners_alone(home: Path) -> None:
    with closing(_database(home)) as database, database.transaction() as connection:
        connection.execute("INSERT INTO features VALUES (1, 'a', 'told')")
        assert {path.name: oct(path.stat().st_mode & 0o777) for path in home.iterdir()} == {
            NAME: "0o600",
            f"{NAME}-journal": "0o600",
        }
    assert oct(home.stat().st_mode & 0o777) == "0o700"


def test_a_journal_is_written_through(home: Path) -> None:
    with closing(_database(home)) as database:
        assert database.connection.execute("PRAGMA journal_mode").fetchone() == ("truncate",)
        assert database.connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_transaction_is_all_or_nothing(home: Path) -> None:
    with closing(_database(home)) as database:

        def half() -> None:
            with database.transaction() as connection:
                connection.execute("INSERT INTO features VALUES (1, 'a', 'told')")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            half()
        with database.reading() as connection:
            assert connection.execute("SELECT count(*) FROM features").fetchone() == (0,)
        assert not database.connection.in_transaction


def test_reading_sees_one_state(home: Path) -> None:
    """A writer waits for a reader that holds on to what it saw, and the reader for nobody."""
    with closing(_database(home)) as one, closing(_database(home)) as other:
        with one.reading() as connection:
            assert connection.execute("SELECT count(*) FROM features").fetchone() == (0,)
            with pytest.raises(StoreError, match="locked by another process"), other.transaction() as writing:
                writing.execute("INSERT INTO features VALUES (1, 'a', 'told')")
        with one.reading() as connection:
            assert connection.execute("SELECT count(*) FROM features").fetchone() == (0,)


def test_what_is_no_database_is_corrupt(home: Path) -> None:
    home.mkdir()
    (home / NAME).write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreCorruptError) as caught:
        _database(home)
    assert str(caught.value) == f"{home / NAME} is damaged"
    assert caught.value.remedy


def test_a_directory_in_its_place(home: Path) -> None:
    (home / NAME).mkdir(parents=True)
    with pytest.raises(StoreError) as caught:
        _database(home)
    assert str(home) in caught.value.remedy


def test_a_statement_that_is_wrong_is_the_stores_error(home: Path) -> None:
    with closing(_database(home)) as database:
        with pytest.raises(StoreError) as caught, database.transaction() as connection:
            connection.execute("SELECT nothing")
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


def test_soundness(home: Path) -> None:
    with closing(_database(home)) as database:
        assert database.is_sound()
        ((page,),) = database.connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'links_of_commit'")
    with (home / NAME).open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    with closing(_database(home)) as database:
        assert not database.is_sound()
        (home / NAME).write_bytes(b"garbage" * 1000)
        assert not database.is_sound(), "what can't be read at all"


def test_another_file_at_the_path_is_noticed(home: Path) -> None:
    with closing(_database(home)) as database:
        (home / NAME).rename(home / "elsewhere.db")
        with pytest.raises(MovedError), database.transaction():
            pass
        with closing(_database(home)), pytest.raises(MovedError), database.reading():
            pass


def test_one_in_memory_has_all_tables() -> None:
    with closing(Database.in_memory()) as database, database.transaction() as connection:
        assert connection.execute("SELECT value FROM clock").fetchone() == (0,)
