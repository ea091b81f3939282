"""The one detached process that delivers for short-lived ones: hooks and commands hand over to it and end.

Rules of this module:
- Whoever delivers without end holds `deliverer.lock`: the flusher, or the runtime of a watcher. Nobody starts a
  flusher beside one, and a second flusher ends at once.
- It has no terminal, no pipe and no directory of whoever started it: a `git commit` in a pipe doesn't wait for it.
- It ends when the queue is empty, or when delivery has to wait; when to try again is kept for the next start. What is
  queued while it ends is seen: it looks once more after it has given up the lock.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kittywatch.errors import KittywatchError
from kittywatch.store import delivery, destinations
from kittywatch.store.lock import locked
from kittywatch.store.store import Store
from kittywatch.sync import features
from kittywatch.sync.clock import SYSTEM, Clock

if TYPE_CHECKING:
    import sqlite3

    from kittywatch.project import Project
    from kittywatch.sync.summary import Summary

LOCK = "deliverer.lock"
ATTEMPTS = 3
PATIENCE = 10.0
_OFF = ("false", "no", "off")
_LONGEST_WAIT = 3600.0  # what lies further ahead was kept before somebody set the clock back


@contextlib.contextmanager
def delivering(home: Path) -> Iterator[bool]:
    """Deliver for all processes of a home within this context; yields False at once if somebody does already."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(home / LOCK, wait=False) as held:
        yield held


def hand_over(project: Project) -> bool:
    """Start the flusher where it has something to do; returns whether it was started. Never raises, never waits."""
    try:
        return start(project.store, project.git.root, allowed=lambda: auto_start(project))
    except (KittywatchError, OSError) as error:
        project.warn(f"delivery was not started: {error}")
        return False


def start(store: Store, root: Path | None = None, *, allowed: Callable[[], bool] = lambda: True) -> bool:
    """Start the flusher where it has something to do and nobody delivers; `root` is a checkout for it to report in.

    `allowed` is asked last: it may have to read a file. Raises StoreError, OSError.
    """
    if not store.exists or not is_due(store) or not allowed():
        return False
    with delivering(store.directory) as free:
        pass
    if free:
        _start(store.directory, root)
    return free


def auto_start(project: Project) -> bool:
    """Tell whether the project's configuration leaves delivery to run by itself, as it does by default."""
    section = project.config.get("sync")
    return not (isinstance(section, dict) and str(section.get("auto_start", "")).lower() in _OFF)


def is_due(store: Store, *, clock: Clock = SYSTEM) -> bool:
    """Tell whether anything may be sent now, as far as this machine knows without asking. Raises StoreError."""
    now = clock.now()

    def look(connection: sqlite3.Connection) -> bool:
        to = destinations.present(connection)
        if to is None:
            return False
        notes = delivery.notes(connection)
        if (notes.get("failure") or {}).get("kind") == "auth":
            return False
        if 0 < notes.get("next_try_at", 0) - now < _LONGEST_WAIT:
            return False
        if features.events_sendable(connection, to.key, now=now):
            return True
        return features.riders_sendable(connection, to.key, now=now)

    return store.read(look)


def _start(home: Path, root: Path | None) -> None:
    import subprocess  # a hook has it anyway, whoever has nothing to start needn't load it

    # -E -P as the hooks have it: neither PYTHONPATH nor the working directory may bring modules.
    command = [sys.executable, "-E", "-P", "-m", "kittywatch.sync.flusher", *([os.fspath(root)] if root else [])]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["SPEC_KITTY_HOME"] = os.fspath(home.absolute())
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=nothing, stdout=nothing, stderr=nothing, cwd=home, env=environment, start_new_session=True
    )
    process.returncode = 0  # nobody waits for it: without this, Python complains that nobody did


def flush(home: Path, root: Path | None, *, clock: Clock = SYSTEM) -> None:
    """Deliver until the queue is empty or delivery has to wait; nothing at once where somebody delivers already.

    `root` is a checkout of the project that reports that delivery gave up, None where nobody does. Raises StoreError,
    OSError.
    """
    from kittywatch.home import node_id
    from kittywatch.sync.auth import AuthClient
    from kittywatch.sync.batch import batch_sync

    store = Store(home, node_id=node_id(), warn=lambda message: None)
    with contextlib.closing(store):
        while store.exists and is_due(store, clock=clock):
            with delivering(home) as held:
                if not held:
                    return
                auth = AuthClient(home, clock=clock)
                summary = batch_sync(store, auth, clock=clock, attempts=ATTEMPTS, patience=PATIENCE)
                if summary.gave_up is not None and root is not None:
                    _report(store, root, summary)
            if summary.stopped is not None or not summary.has_delivered:
                return


def _report(store: Store, root: Path, summary: Summary) -> None:
    """Report for the project of a checkout that delivery gave up; nothing where there is no project any more."""
    from kittywatch.project import Project
    from kittywatch.sync.failure_report import report_failure

    try:
        project = Project.find(root, lambda message: None, writes=False)
        emitter = project.emitter
    except (KittywatchError, OSError):
        return
    with contextlib.closing(project.store):
        report_failure(store, emitter, summary)


def main() -> None:
    """Deliver for this machine's user, in a process of its own; its argument is the checkout that reports."""
    from kittywatch.home import home

    with contextlib.suppress(OSError, AttributeError):
        os.nice(5)  # whoever started it goes first
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    # What goes wrong is kept for `sync status`; there is nobody to tell it to.
    with contextlib.suppress(KittywatchError, OSError):
        flush(home(), root)


if __name__ == "__main__":
    main()
