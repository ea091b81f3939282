"""A fork waits until no other thread is in the store.

A child has the locks of all threads and none of the threads: SQLite's own, Python's, and lock files that were open.
Where one was held it is held for ever in the child, whose first emission would wait for it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 5.0  # seconds that a fork waits at most, while another process keeps the store, say


class _Gate:
    """Lets threads in, and a fork through when nobody else is inside."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.inside: Counter[int] = Counter()
        self.forks = 0

    def enter(self) -> None:
        """Get in, when no fork waits: a fork behind a stream of short visits would never have its moment."""
        with self.changed:
            self.changed.wait_for(lambda: not self.forks or threading.get_ident() in self.inside)
            self.inside[threading.get_ident()] += 1

    def leave(self) -> None:
        with self.changed:
            self.inside[threading.get_ident()] -= 1
            self.inside += Counter()
            self.changed.notify_all()

    def close(self) -> None:
        """Wait until the others have left, and let nobody in. Who is inside itself doesn't wait."""
        self.changed.acquire()
        self.forks += 1
        end = time.monotonic() + PATIENCE
        while self.inside and threading.get_ident() not in self.inside and time.monotonic() < end:
            self.changed.wait(end - time.monotonic())

    def open(self) -> None:
        self.forks -= 1
        self.changed.notify_all()
        self.changed.release()


_gate = _Gate()


@contextmanager
def inside() -> Iterator[None]:
    """Be in the store: another thread's fork waits."""
    _gate.enter()
    try:
        yield
    finally:
        _gate.leave()


def waiting() -> bool:
    """Tell whether a fork waits, or is just being made."""
    return _gate.forks > 0


def _after_fork() -> None:
    global _gate
    _gate = _Gate()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows can't fork
    os.register_at_fork(before=lambda: _gate.close(), after_in_parent=lambda: _gate.open(), after_in_child=_after_fork)
