"""One file, one transaction an observation.

Rules of this module:
- A rollback journal with synchronous=FULL. SQLite before 3.51.3 can damage a WAL that two connections reset at once,
  and Python ships older ones; `python -m tests.benchmarks` has what it costs.
- Every transaction is BEGIN IMMEDIATE: the busy timeout doesn't cover a read lock that is upgraded.
- No file, network or git work inside a transaction.
- Third-party errors become ours here: busy, damaged, or the file system's fault.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kittywatch.errors import StoreBusyError, StoreCorruptError, StoreError
from kittywatch.store.schema import MIGRATIONS

NAME = "queue.db"
WAIT_SECONDS = 30.0
_opening = threading.Lock()
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class MovedError(Exception):
    """The open file is no longer the one at its path: it was damaged and set aside, or somebody deleted it."""


class Database:
    """An open queue.db. Not for use by two threads at once."""

    def __init__(self, path: Path, *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Open or make the database at `path`; raises StoreError."""
        self.path = path
        self.wait_seconds = wait_seconds
        with self._errors():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _opening:
                _make(path)
                self._file = _file_at(path)
                self.connection = sqlite3.connect(
                    path, timeout=wait_seconds, isolation_level=None, check_same_thread=False
                )
        try:
            with self._errors():
                self.connection.execute("PRAGMA journal_mode = TRUNCATE")
                self.connection.execute("PRAGMA synchronous = FULL")
                self._migrate()
        except BaseException:
            self.connection.close()
            raise

    @classmethod
    def in_memory(cls) -> Database:
        """Make an empty database in memory, with all tables, that no other connection sees."""
        database = cls.__new__(cls)
        database.path, database.wait_seconds, database._file = Path(":memory:"), 0.0, None
        database.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        database._migrate()
        return database

    def close(self) -> None:
        """Close the file; the database is of no use afterwards."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Begin a transaction, all or nothing; raises StoreError, after which nothing of it has happened.

        Raises MovedError where another file is at the path by now: this one is not read by anybody any more.
        """
        with self._errors():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                self._still_there()
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold one state of the database, unchanging until it is let go; raises StoreError, MovedError."""
        with self._errors():
            self.connection.execute("BEGIN")
            try:
                self._still_there()
                yield self.connection
            finally:
                self.connection.execute("ROLLBACK")

    def is_sound(self) -> bool:
        """Tell whether SQLite finds nothing wrong with the whole file; reads all of it."""
        try:
            return bool(self.connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
        except sqlite3.DatabaseError:
            return False

    def _still_there(self) -> None:
        if self._file is not None and _file_at(self.path) != self._file:
            raise MovedError

    def _migrate(self) -> None:
        version = self._version()
        if version == len(MIGRATIONS):
            return
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{self.path} was written by a newer kittywatch",
                remedy="install the newer kittywatch again; it keeps what is there",
            )
        with self.transaction() as connection:
            for number, statements in enumerate(MIGRATIONS[self._version() :], start=self._version() + 1):
                for statement in statements:
                    if callable(statement):
                        statement(connection)
                    else:
                        connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")

    def _version(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._ours(error) from error
        except OSError as error:
            raise StoreError(
                f"{self.path}: {error.strerror}", remedy=f"make {self.path.parent} writable, or set SPEC_KITTY_HOME"
            ) from error

    def _ours(self, error: sqlite3.DatabaseError) -> StoreError:
        # The low byte is the kind of error, the others say more of the same.
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in _CORRUPT:
            return StoreCorruptError(self.path)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreBusyError(self.path, self.wait_seconds)
        remedies = {
            sqlite3.SQLITE_FULL: "make room on the disk, then run the command again",
            sqlite3.SQLITE_READONLY: f"make {self.path.parent} writable, or set SPEC_KITTY_HOME",
            sqlite3.SQLITE_CANTOPEN: f"make {self.path.parent} writable, or set SPEC_KITTY_HOME",
            sqlite3.SQLITE_IOERR: "check the disk, then run the command again",
        }
        return StoreError(f"{self.path}: {error}", remedy=remedies.get(code, "run `kittywatch doctor`"))


def _make(path: Path) -> None:
    """Make an empty file where there is none: SQLite would take the umask's mode, and its journal the file's.

    One that is there is never opened here. To close a file drops all locks that the process has on it, also those
    of SQLite in another thread.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600))


def _file_at(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file at a path, None where none is."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
