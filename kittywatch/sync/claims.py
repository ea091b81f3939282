"""Claims on queued events, by which one sender sends each: they lapse when their claimant is gone, however it went.

A claimant holds a lock file for as long as it lives; the kernel lets go of it when the process ends. That needs no
clock and no process numbers: a claim whose file can be locked is a dead process's. Two claimants in one process have
two files, and so keep out of each other's way too.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import weakref
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from kittywatch.errors import StoreError
from kittywatch.store import aliases, delivery
from kittywatch.store.aliases import OutgoingAlias
from kittywatch.store.delivery import Outgoing
from kittywatch.store.lock import locked
from kittywatch.store.store import Store

if TYPE_CHECKING:
    import sqlite3

DIRECTORY = "claims"


_alive: weakref.WeakSet[Claims] = weakref.WeakSet()


class Claims:
    """The claims of one sender; threads may share it. Close it to give everything back."""

    def __init__(self, store: Store) -> None:
        """Raises StoreError where the lock file can't be made."""
        self._store = store
        self._directory = store.directory / DIRECTORY
        self._lock = threading.Lock()
        self._name = ""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            while not self._name:
                self._name = self._begin(os.urandom(8).hex())
        except OSError as error:
            raise StoreError(
                f"{self._directory}: {error.strerror}", remedy="make it writable, or set SPEC_KITTY_HOME"
            ) from error
        _alive.add(self)

    def __enter__(self) -> Claims:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def take(
        self, destination: int, *, limit: int, after: int = 0, without: Collection[int] = (), resting: bool = False
    ) -> list[Outgoing]:
        """Claim up to `limit` events for a destination, oldest first; see `store.delivery.claim`. Raises StoreError."""
        return self._store.transact(
            lambda connection: delivery.claim(
                connection, self._name, destination, limit=limit, after=after, without=without, resting=resting
            )
        )

    def settle(
        self,
        *,
        delivered: Iterable[str] = (),
        refused: Mapping[str, str] | None = None,
        waiting: Iterable[int] = (),
        sent_at: float | None = None,
    ) -> int:
        """Settle events: ids that a server has, ids with why it refused them, rows that it didn't take yet.

        Returns how many of the refused are dead letters now. Raises StoreError.
        """
        done, back = list(delivered), list(waiting)

        def work(connection: sqlite3.Connection) -> int:
            delivery.delivered(connection, done, sent_at=sent_at)
            delivery.release(connection, self._name, back)
            return delivery.refused(connection, refused) if refused else 0

        return self._store.transact(work)

    def take_aliases(
        self, destination: int, *, limit: int, beside: Collection[str], without: Collection[int] = ()
    ) -> list[OutgoingAlias]:
        """Claim aliases of events that a destination has or is about to get; see `store.aliases.claim`.

        Raises StoreError.
        """
        return self._store.transact(
            lambda connection: aliases.claim(
                connection, self._name, destination, limit=limit, beside=beside, without=without
            )
        )

    def settle_aliases(
        self, *, delivered: Iterable[int] = (), refused: Mapping[int, str] | None = None, waiting: Iterable[int] = ()
    ) -> None:
        """What became of aliases: rows that a server has, rows with why it refused them, rows that wait on.

        Raises StoreError.
        """

        def work(connection: sqlite3.Connection) -> None:
            aliases.settle(connection, delivered, refused or {})
            aliases.release(connection, self._name, waiting)

        self._store.transact(work)

    def release(self) -> None:
        """Give all that is claimed back. Raises StoreError."""
        if self._store.exists:
            self._store.transact(lambda connection: delivery.release(connection, self._name))

    def free_the_dead(self) -> None:
        """End the claims of senders that are gone. Raises StoreError."""
        left = {path.stem for path in self._directory.glob("*.lock")} | self._store.read(delivery.claimants)
        gone = [name for name in left - {self._name} if self._is_dead(name)]
        if gone:
            self._store.transact(functools.partial(delivery.release_all, claimants=gone))

    def close(self) -> None:
        """Give everything back, and the lock file up."""
        with self._lock, contextlib.suppress(OSError):
            try:
                self.release()
            finally:
                self._file(self._name).unlink(missing_ok=True)
                self._held.close()

    def forget(self) -> None:
        """Release, in a forked child, the lock file, which is the parent's and would outlive it here."""
        self._held.close()

    def _begin(self, name: str) -> str:
        """Hold a lock file of this name; nothing where somebody who tidied up took it away in between."""
        self._held = contextlib.ExitStack()
        path = self._file(name)
        if self._held.enter_context(locked(path, wait=False)) and path.exists():
            return name
        self._held.close()
        return ""

    def _is_dead(self, name: str) -> bool:
        """Tell whether a claimant is gone; takes its file away then."""
        path = self._file(name)
        if not name.isalnum() or not path.exists():
            return True
        try:
            with locked(path, wait=False) as free:
                if free:
                    path.unlink(missing_ok=True)
                return free
        except OSError:
            return False

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.lock"


def _after_fork() -> None:
    for claims in list(_alive):
        claims.forget()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows can't fork
    os.register_at_fork(after_in_child=_after_fork)
