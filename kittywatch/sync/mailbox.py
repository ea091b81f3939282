"""A thread's mailbox: it waits for notes from others, or a time, whichever comes first; no polling."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

Note = TypeVar("Note")


class Mailbox(Generic[Note]):
    """Notes for one reader. `put` waits while `capacity` notes are unread, `signal` never does."""

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._notes: deque[Note] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, note: Note) -> bool:
        """Leave a note as soon as there is room; False if the reader has gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._notes) < self._capacity)
            return self._leave(note)

    def signal(self, note: Note) -> bool:
        """Leave a note at once, unless the same is there unread."""
        with self._changed:
            return True if not self._closed and note in self._notes else self._leave(note)

    def take(self, until: float | None) -> list[Note]:
        """Wait for notes and take all; [] at `until`, in seconds of the monotonic clock, None for never."""
        with self._changed:
            timeout = None if until is None else max(until - time.monotonic(), 0)
            self._changed.wait_for(lambda: self._notes, timeout)
            notes = list(self._notes)
            self._notes.clear()
            self._changed.notify_all()
            return notes

    def close(self) -> list[Note]:
        """Close the mailbox, as its reader; returns the unread notes."""
        with self._changed:
            self._closed = True
            notes = list(self._notes)
            self._notes.clear()
            self._changed.notify_all()
            return notes

    def _leave(self, note: Note) -> bool:
        if self._closed:
            return False
        self._notes.append(note)
        self._changed.notify_all()
        return True
