"""The store as the rest sees it: open, transact, and mend what broke."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kittywatch.errors import StoreCorruptError, StoreError
from kittywatch.store import clock
from kittywatch.store.database import NAME, WAIT_SECONDS, Database, MovedError
from kittywatch.store.forks import inside

Result = TypeVar("Result")
_ATTEMPTS = 10


class Store:
    """queue.db and clock.json in one directory.

    `warn` is told, in a sentence, of what was wrong and has been mended. Opening is put off until the first use, so
    that a command that needs no store doesn't fail for its sake. Threads may share a store; they take turns.
    """

    def __init__(
        self, directory: Path, *, node_id: str, warn: Callable[[str], None], wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self.directory = directory
        self.node_id = node_id
        self._warn = warn
        self._wait_seconds = wait_seconds
        self._database: Database | None = None
        self._turn = threading.RLock()
        self.least_tick = 0

    @property
    def path(self) -> Path:
        """The path of queue.db."""
        return self.directory / NAME

    @property
    def exists(self) -> bool:
        """True if there is a database already; nothing is opened for it."""
        return self.path.exists()

    def close(self) -> None:
        """Close the database, if it is open; the next use opens it again."""
        with inside(), self._turn:
            if self._database is not None:
                self._database.close()
                self._database = None

    def transact(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` in one transaction, a second time after a damaged database was mended; raises StoreError."""
        with inside():
            result = self._mending(lambda database: _in_transaction(database, work))
            self._copy_clock()
        return result

    def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work`, which only reads, on one state of the database; raises StoreError."""
        return self._mending(lambda database: _in_reading(database, work))

    def rehearse(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Dry run: `work` in a transaction on a copy in memory, of which nothing stays; raises StoreError."""
        copy = Database.in_memory()
        if self.exists:
            self._mending(lambda database: database.connection.backup(copy.connection))
        try:
            return _in_transaction(copy, work)
        finally:
            copy.close()

    def _mending(self, work: Callable[[Database], Result]) -> Result:
        with inside(), self._turn:
            try:
                return self._on_current(work)
            except StoreCorruptError:
                from kittywatch.store.salvage import salvage  # hardly ever needed

                self.close()
                self._warn(salvage(self.path, clock.read_copy(self._clock_path)))
                return self._on_current(work)

    def _on_current(self, work: Callable[[Database], Result]) -> Result:
        """Run `work` on the file that is at the path now; a process that mends may put another one there."""
        for _ in range(_ATTEMPTS):
            try:
                return work(self._open())
            except MovedError:
                self.close()
        raise StoreError(f"{self.path} is replaced again and again", remedy="find out by whom, then run it again")

    def _open(self) -> Database:
        if self._database is None:
            if not self.exists:
                from kittywatch.store.salvage import finish_salvage

                finish_salvage(self.path)
            self._database = Database(self.path, wait_seconds=self._wait_seconds)
            self.least_tick = clock.read_copy(self._clock_path)
        return self._database

    @property
    def _clock_path(self) -> Path:
        return self.directory / "clock.json"

    def _copy_clock(self) -> None:
        """Copy the clock, for people and for the day the database is lost; a failure must not undo what was emitted."""
        try:
            clock.write_copy(self._clock_path, self.read(clock.value), self.node_id)
        except (OSError, StoreError) as error:
            self._warn(f"{self._clock_path} could not be brought up to date: {error}")


def _in_transaction(database: Database, work: Callable[[sqlite3.Connection], Result]) -> Result:
    with database.transaction() as connection:
        return work(connection)


def _in_reading(database: Database, work: Callable[[sqlite3.Connection], Result]) -> Result:
    with database.reading() as connection:
        return work(connection)
