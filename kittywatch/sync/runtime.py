"""Delivery inside a process: one runtime, brought up by the first emitter, for as long as the process runs.

Rules of this module:
- Light: importing and starting it loads nothing of the network. What does is loaded by a thread of its own, after
  `patience` seconds, so that a script which is over by then never pays for it.
- Without a login there is no thread at all; the next emission after a login, or a change of the credentials file that
  somebody reports, starts one.
- `sync.auto_start: false` in the project's configuration: nothing is started, here and at the end.
- Every thread is a daemon, and every wait at the end has a deadline: STOP_SECONDS, and half a second for threads that
  were told to end. What is not delivered by then waits in the queue, and is handed over to the flusher.
- A forked child has no runtime until it asks for one.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kittywatch.home import home
from kittywatch.sync.status import ConnectionStatus

if TYPE_CHECKING:
    from kittywatch.emit.emitter import EventEmitter
    from kittywatch.project import Project
    from kittywatch.sync.session import Session

PATIENCE = 1.0
STOP_SECONDS = 2.0
_CREDENTIALS = "credentials"

_lock = threading.Lock()
_runtime: SyncRuntime | None = None
_inherited: list[SyncRuntime | None] = []


class SyncRuntime:
    """Delivery for a home; threads may share it. No method raises or waits, but for `stop`, which is bounded."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._quit = threading.Event()
        self._starter: threading.Thread | None = None
        self._session: Session | None = None
        self._project: Project | None = None
        self._patience = PATIENCE
        self._hears_others = False
        self._seen: object = None
        self._listeners: list[Callable[[ConnectionStatus], None]] = []

    @property
    def status(self) -> ConnectionStatus:
        session = self._session
        return ConnectionStatus.OFFLINE if session is None else session.status

    @property
    def started(self) -> bool:
        return self._project is not None

    def start(self, project: Project, *, patience: float | None = None, hears_others: bool = False) -> bool:
        """Deliver from now on; False where the project's configuration says not to. A second call changes nothing.

        `hears_others`: somebody calls `wake` also when another process queues something.
        """
        from kittywatch.sync.flusher import auto_start

        with self._lock:
            if self._project is not None:
                return True
            if self._quit.is_set() or not auto_start(project):
                return False
            self._project, self._hears_others = project, hears_others
            self._patience = PATIENCE if patience is None else patience
        self.look_at_login()
        return True

    def attach_emitter(self, emitter: EventEmitter) -> None:
        """Send what this emitter emits at once."""
        emitter.on_emitted = self.wake

    def on_status(self, listener: Callable[[ConnectionStatus], None]) -> None:
        """Call `listener` at each change of the connection, in a thread of the runtime."""
        self._listeners.append(listener)

    def off_status(self, listener: Callable[[ConnectionStatus], None]) -> None:
        """Call `listener` no more."""
        self._listeners.remove(listener)

    def wake(self) -> None:
        """Note that something was queued; returns at once."""
        session = self._session
        if session is not None:
            session.wake()
        self.look_at_login()

    def look_at_login(self) -> None:
        """Follow a login or a logout since the last look."""
        if self._project is None:
            return
        seen = _state_of(self._directory / _CREDENTIALS)
        with self._lock:
            if seen == self._seen or self._quit.is_set():
                return
            self._seen = seen
            session = self._session
            if session is None and self._starter is None and seen is not None:
                self._starter = threading.Thread(target=self._bring_up, name="kittywatch-runtime", daemon=True)
                self._starter.start()
        if session is not None:
            session.look_at_login()

    def stop(self, *, within: float = STOP_SECONDS) -> bool:
        """Send what can be sent in that time, end everything, hand over the rest; True where all threads have ended."""
        self._quit.set()
        with self._lock:
            session, self._session, starter = self._session, None, self._starter
        ended = True
        if session is not None:
            ended = session.stop(within=within)
        if starter is not None:
            starter.join(within)
            ended = not starter.is_alive() and ended
        if self._project is not None:
            from kittywatch.sync.flusher import hand_over

            hand_over(self._project)
        return ended

    def in_forked_child(self) -> None:
        """Let go of the lock that a fork copied; the parent's threads are not here."""
        if self._session is not None:
            self._session.in_forked_child()

    def _bring_up(self) -> None:
        """Load what delivery takes, and start it; the root of a thread."""
        project = self._project
        if self._quit.wait(self._patience) or project is None:
            return
        try:
            from kittywatch.sync.session import Session

            session = Session(
                self._directory,
                warn=project.warn,
                on_status=self._status_changed,
                emitter=project.emitter,
                hears_others=self._hears_others,
            )
        except Exception as error:
            project.warn(f"events wait in the queue, delivery could not be started: {error}")
            return
        with self._lock:
            if not self._quit.is_set():
                session.start()
                self._session = session
                return
        session.stop(within=0.0)

    def _status_changed(self, status: ConnectionStatus) -> None:
        for listener in list(self._listeners):
            listener(status)


def get_runtime() -> SyncRuntime:
    """The runtime of this process, made at the first call."""
    global _runtime
    with _lock:
        if _runtime is None:
            _runtime = SyncRuntime(home())
        return _runtime


def connection_status() -> ConnectionStatus:
    """The status of this process's connection; Offline where there is no runtime."""
    runtime = _runtime
    return ConnectionStatus.OFFLINE if runtime is None else runtime.status


def close_runtime(*, within: float = STOP_SECONDS) -> None:
    """End the runtime, if there is one; `get_runtime` makes a new one then."""
    global _runtime
    with _lock:
        runtime, _runtime = _runtime, None
    if runtime is not None:
        runtime.stop(within=within)


def _state_of(path: Path) -> object:
    """A value that changes when a file is replaced, None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _after_fork() -> None:
    """Threads don't cross a fork: the child starts with no runtime, and with none of its parent's locks."""
    global _lock, _runtime
    _inherited.append(_runtime)
    if _runtime is not None:
        _runtime.in_forked_child()
    _lock = threading.Lock()
    _runtime = None


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows can't fork
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(close_runtime)
