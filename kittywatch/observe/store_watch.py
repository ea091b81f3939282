"""Waiting for something to be told: file system events of the database, in place of asking it again and again."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from kittywatch.observe.tree_watch import TreeWatch
from kittywatch.observe.waits import seconds_until


class StoreWatch:
    """Says when a database's file, or its journal, has been written to; a context.

    What other processes write counts as well, and a database that is not there yet. `warn` is told where the file
    system sends no events and polling takes their place.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        self._heard: queue.SimpleQueue[None] = queue.SimpleQueue()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._watch = TreeWatch(self._hear, lambda: self._heard.put(None), warn)
        self._watch.watch(path.parent, below=False)

    def __enter__(self) -> StoreWatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.close()

    def wait(self) -> None:
        """Sleep until something is written after the last wait; may wake without anything new to read."""
        with contextlib.suppress(queue.Empty):
            self._heard.get(timeout=seconds_until(None))
            while True:
                self._heard.get_nowait()

    def _hear(self, path: Path, over: bool) -> None:
        if path.name.startswith(self._path.name):
            self._heard.put(None)
