"""File system events of a project's worktrees, by watchdog: only where lanes are stated, and what git notes of HEAD.

Rules of this module:
- Handlers run under watchdog's lock, and one that raises ends its thread: they only enqueue.
- Looking at a file must not cause an event: opened and closed-without-writing are filtered out in the kernel.
- Where the kernel's watches are used up, or a file system sends no events (network file systems), there is polling.
- When the kernel's queue overflows events are lost: everything is looked at again.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch
from watchdog.observers.polling import PollingObserver

# watchdog complains of events that come while it is being stopped; without a handler, to the terminal.
logging.getLogger("watchdog").addHandler(logging.NullHandler())

POLL_SECONDS = 1.0
_EVENTS: list[type[FileSystemEvent]] = [
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
]
_SILENT = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "vboxsf", "fuse.sshfs", "drvfs", "prl_fs", "afs", "ceph")

Hear: TypeAlias = Callable[[Path, bool], None]
"""A path that something happened to, and whether that is over (closed, moved, deleted) or may go on."""


class _Handler(FileSystemEventHandler):
    def __init__(self, hear: Hear) -> None:
        self._hear = hear

    def on_any_event(self, event: FileSystemEvent) -> None:
        over = not isinstance(event, (FileModifiedEvent, FileCreatedEvent))
        for path in {event.src_path, event.dest_path} - {"", b""}:
            self._hear(Path(os.fsdecode(path)), over)


class _Overflow(logging.Handler):
    """watchdog says that events were lost in its log, and nowhere else."""

    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__()
        self._lost = lost

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._lost()


class TreeWatch:
    """Watches directories; `hear` and `lost` are called from watchdog's threads.

    `warn` is told when events can't be had and polling takes their place.
    """

    def __init__(
        self, hear: Hear, lost: Callable[[], None], warn: Callable[[str], None], *, poll: bool = False
    ) -> None:
        self._handler = _Handler(hear)
        self._warn = warn
        self._log = _Overflow(lost)
        self._watches: dict[tuple[Path, bool], ObservedWatch] = {}
        self.polling = poll
        try:
            self._observer: BaseObserver = self._poller() if poll else Observer()
        except OSError as error:
            warn(f"the file system can't be watched ({error.strerror}); polling every {POLL_SECONDS:g} s instead")
            self._observer, self.polling = self._poller(), True
        logging.getLogger("watchdog").addHandler(self._log)
        logging.getLogger("watchdog").propagate = False
        self._observer.start()

    def watch(self, directory: Path, *, below: bool) -> None:
        """Watch a directory, with all below it or alone; one that isn't there is not watched."""
        if (directory, below) in self._watches or not directory.is_dir():
            return
        if not self.polling and (kind := silent_file_system(directory)) is not None:
            self._poll_instead(f"{directory} is on {kind}, which sends no events")
        try:
            self._schedule(directory, below)
        except OSError as error:
            if not directory.is_dir():
                return
            if self.polling:
                raise
            self._poll_instead(f"{directory} can't be watched ({error.strerror}; see fs.inotify.max_user_watches)")
            self._schedule(directory, below)
        if below:
            self.check()

    def check(self) -> None:
        """Poll from now on if the kernel's watches are used up.

        For a directory below a watched one watchdog passes over that error in silence, at the start and when the
        directory appears later. So one more watch is asked for, which then fails as well.
        """
        if self.polling:
            return
        with tempfile.TemporaryDirectory(prefix="kittywatch-") as probe:
            try:
                self._observer.unschedule(self._observer.schedule(self._handler, probe, event_filter=_EVENTS))
            except OSError as error:
                self._poll_instead(
                    f"not every directory can be watched ({error.strerror}; fs.inotify.max_user_watches)"
                )

    def forget(self, directory: Path) -> None:
        """A directory is gone; when it comes back it is watched anew."""
        for key in [key for key in self._watches if key[0] == directory or directory in key[0].parents]:
            watch = self._watches.pop(key)
            try:
                self._observer.unschedule(watch)
            except (KeyError, OSError):
                continue  # watchdog has noticed by itself

    def close(self) -> None:
        """Stop, and wait for watchdog's threads."""
        logging.getLogger("watchdog").removeHandler(self._log)
        self._observer.stop()
        self._observer.join()

    def _schedule(self, directory: Path, below: bool) -> None:
        watch = self._observer.schedule(self._handler, str(directory), recursive=below, event_filter=_EVENTS)
        self._watches[directory, below] = watch

    def _poll_instead(self, why: str) -> None:
        self._warn(f"{why}; polling every {POLL_SECONDS:g} s instead")
        self._observer.stop()
        self._observer.join()
        self._observer = self._poller()
        self.polling = True
        self._observer.start()
        again, self._watches = list(self._watches), {}
        for directory, below in again:
            if directory.is_dir():
                self._schedule(directory, below)

    @staticmethod
    def _poller() -> BaseObserver:
        return PollingObserver(timeout=POLL_SECONDS)


def silent_file_system(directory: Path, mounts: Path = Path("/proc/self/mounts")) -> str | None:
    """The kind of a directory's file system if it sends no events for what other machines do, else None."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    best, found = -1, ""
    target = str(directory.resolve())
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        if len(point) > best and (target == point or target.startswith(point.rstrip("/") + "/")):
            best, found = len(point), fields[2]
    return found if found in _SILENT else None
