"""Delivery beside an observation: the runtime of a watcher, and its states as people read them."""

from __future__ import annotations

from kittywatch.cli.output import Output
from kittywatch.errors import SyncError
from kittywatch.project import Project
from kittywatch.sync.status import HINT, SHOWN, ConnectionStatus

_MEANING = {
    ConnectionStatus.CONNECTED: "events go out as they happen",
    ConnectionStatus.RECONNECTING: "events wait in the queue meanwhile",
    ConnectionStatus.OFFLINE: "events wait in the queue",
    ConnectionStatus.BATCH_MODE: "events go out in batches; every five minutes the connection is tried again",
}
_QUEUE = frozenset({"queue.db", "queue.db-journal"})
_CREDENTIALS = "credentials"


class LiveConnection:
    """The runtime of a watcher, which says when the connection changes, and once how to log in without a login."""

    def __init__(self, project: Project, output: Output) -> None:
        from kittywatch.sync.runtime import get_runtime

        self._project = project
        self._output = output
        self._runtime = get_runtime()
        self._runtime.on_status(self._changed)
        self._hinted = False

    @property
    def label(self) -> str:
        return f"[{SHOWN[self._runtime.status]}]"

    def start(self) -> None:
        if not self._runtime.start(self._project, patience=0.0, hears_others=True):
            self._output.say("sync: auto_start is off in .kittify/config.yaml: events wait in the queue")
            return
        self._hint()

    def wake(self) -> None:
        """Note that something was queued by this process."""
        self._runtime.wake()

    def home_changed(self, name: str) -> None:
        """Note that a file in the store's directory changed: another process queued something, or logged in."""
        if name in _QUEUE:
            self._runtime.wake()
        elif name == _CREDENTIALS:
            self._runtime.look_at_login()

    def stop(self) -> None:
        from kittywatch.sync.runtime import close_runtime

        self._runtime.off_status(self._changed)
        close_runtime()

    def _changed(self, status: ConnectionStatus) -> None:
        self._output.say(f"[{SHOWN[status]}]  {_MEANING[status]}")

    def _hint(self) -> None:
        """Once, and only where nobody is logged in."""
        from kittywatch.sync.credentials import CredentialsFile

        try:
            login = CredentialsFile(self._project.store.directory).read()
        except SyncError as error:
            self._output.warn(f"{error}; {error.remedy}")
            return
        if login is None and not self._hinted:
            self._hinted = True
            self._output.say(HINT)
