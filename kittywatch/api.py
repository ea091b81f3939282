"""What other programs call: `get_emitter`, and an `emit_*` function for each event.

    from kittywatch import emit_wp_status_changed
    emit_wp_status_changed("WP01", "planned", "doing", feature_slug="001-login")

All is about the project around the directory that is current when the emitter is first asked for. No `emit_*` raises:
what goes wrong is a warning of the logger `kittywatch`, and the result is None. The first emitter brings up delivery
(`kittywatch.sync.runtime`), unless the project's configuration says `sync: auto_start: false`.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from kittywatch.emit.emitter import EventEmitter
from kittywatch.events import random_id

if TYPE_CHECKING:
    from kittywatch.project import Project
    from kittywatch.sync.status import ConnectionStatus

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_lock = threading.Lock()
_project: Project | None = None
_emitter: EventEmitter | None = None
_inherited: list[Project | None] = []


def get_emitter() -> EventEmitter:
    """The emitter of the project around the current directory, made at the first call.

    Raises ProjectError where there is no project.
    """
    global _project, _emitter
    if _emitter is None:
        with _lock:
            if _emitter is None:
                from kittywatch.project import Project
                from kittywatch.sync.runtime import get_runtime

                _project = Project.find(Path.cwd(), warn)
                _emitter = _project.emitter
                get_runtime().attach_emitter(_emitter)
                get_runtime().start(_project)
    return _emitter


def get_connection_status() -> ConnectionStatus:
    """How this process's connection to the server stands: Connected, Reconnecting, Offline, OfflineBatchMode.

    Offline where nothing was brought up: no emitter yet, no login, or `sync: auto_start: false`.
    """
    from kittywatch.sync.runtime import connection_status

    return connection_status()


def close_emitter() -> None:
    """Let go of the emitter and its database; the next call makes one for the directory that is current then.

    Ends delivery in this process, after a last try that takes two seconds at most; what is left waits in the queue.
    """
    global _project, _emitter
    if "kittywatch.sync.runtime" in sys.modules:
        from kittywatch.sync.runtime import close_runtime

        close_runtime()
    with _lock:
        if _project is not None:
            _project.store.close()
        _project = _emitter = None


def generate_causation_id() -> str:
    """A new ULID for the events of one batch to share."""
    return random_id()


def warn(message: str) -> None:
    """Say what went wrong to whoever listens to the logger `kittywatch`; by default that is stderr."""
    import logging  # only for those who are warned

    logging.getLogger("kittywatch").warning("%s", message)


def _of_the_project(
    method: Callable[Concatenate[EventEmitter, Parameters], Result],
) -> Callable[Parameters, Result | None]:
    """A method of the emitter as a function that doesn't raise where there is no project either."""

    @functools.wraps(method)
    def function(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result | None:
        try:
            emitter = get_emitter()
        except Exception as error:
            warn(f"an event was not emitted: {error}")
            return None
        return method(emitter, *args, **kwargs)

    return function


emit_wp_status_changed = _of_the_project(EventEmitter.emit_wp_status_changed)
emit_wp_created = _of_the_project(EventEmitter.emit_wp_created)
emit_wp_assigned = _of_the_project(EventEmitter.emit_wp_assigned)
emit_feature_created = _of_the_project(EventEmitter.emit_feature_created)
emit_feature_completed = _of_the_project(EventEmitter.emit_feature_completed)
emit_history_added = _of_the_project(EventEmitter.emit_history_added)
emit_error_logged = _of_the_project(EventEmitter.emit_error_logged)
emit_dependency_resolved = _of_the_project(EventEmitter.emit_dependency_resolved)


def _after_fork() -> None:
    """A connection of SQLite must not cross a fork, not even to be closed: the child starts with none."""
    global _lock, _project, _emitter
    _inherited.append(_project)
    _lock = threading.Lock()
    _project = _emitter = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(close_emitter)
