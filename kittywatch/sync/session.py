"""A session of live delivery: login, WebSocket and batches by the clock, put together. The runtime brings it up.

Rules of this module:
- Who is logged in is looked at when the credentials file changed, and by the way with each batch. The same login with
  fresh tokens is no news to a connection that stands; without one, it is a reason to try now. Another login, or the
  first after a refusal, connects at once.
- A connection that came up asks for a batch: what the socket doesn't take in time, that does.
- Aliases have no message of the socket's. When one may go, because it was found or because its event was just taken,
  a batch is asked for.
- While the connection stands, and somebody calls `wake` for what other processes queue, it is the one who delivers: no
  flusher is started beside it (`deliverer.lock`).
- Stop order: WebSocket, batches, claims, store; each within what is left of the deadline.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.errors import AuthenticationError, KittywatchError, StoreError, SyncError
from kittywatch.home import node_id
from kittywatch.store import clock, delivery, destinations
from kittywatch.store.delivery import Outgoing
from kittywatch.store.destinations import Destination
from kittywatch.store.store import Store
from kittywatch.sync import features
from kittywatch.sync.auth import AuthClient
from kittywatch.sync.background import BackgroundSyncService, Flushed, Outcome
from kittywatch.sync.batch import batch_sync
from kittywatch.sync.claims import Claims
from kittywatch.sync.clock import Clock
from kittywatch.sync.credentials import Credentials
from kittywatch.sync.dialing import PING_SECONDS, PONG_SECONDS, dial
from kittywatch.sync.failure_report import report_failure
from kittywatch.sync.flusher import delivering
from kittywatch.sync.link import ACK_SECONDS
from kittywatch.sync.older_servers import KEPT, UNSAID, is_newer, older_form
from kittywatch.sync.settings import read_settings
from kittywatch.sync.status import ConnectionStatus
from kittywatch.sync.websocket import Opened, WebSocketClient

if TYPE_CHECKING:
    import sqlite3

    from kittywatch.emit.emitter import EventEmitter

ATTEMPTS = 2  # of one batch in a row; the service comes back to it by itself
NOTE_SECONDS = 5.0
_Who: TypeAlias = tuple[str, str, str]


class KeepAlive(Struct, frozen=True):
    """The keep-alive of a connection, in seconds: between pings, for a ping's answer, for an event's answer.

    `roll` is the chance in the waits between attempts, from 0 up to 1.
    """

    ping: float = PING_SECONDS
    pong: float = PONG_SECONDS
    ack: float = ACK_SECONDS
    roll: Callable[[], float] = random.random


class StoreQueueAccess(Claims):
    """The WebSocket's access to the queue and the Lamport clock of a store.

    `on_riders` is called when some may go by batch now.
    """

    _noted = 0.0
    _destination: int | None = None

    def __init__(self, store: Store, *, on_riders: Callable[[], None] = lambda: None) -> None:
        """Raises StoreError where the lock file can't be made."""
        super().__init__(store)
        self._on_riders = on_riders

    def take(
        self, destination: int, *, limit: int, after: int = 0, without: Collection[int] = (), resting: bool = False
    ) -> list[Outgoing]:
        """The same, in the form that the server takes; looks besides for aliases and renames that may go.

        Raises StoreError.
        """
        self._destination = destination
        taken: list[Outgoing] = []
        while (room := limit - len(taken)) > 0:
            some = super().take(destination, limit=room, after=after, without=without, resting=resting)
            taken += self._in_its_form(some, destination)
            if len(some) < room:
                break
            after = some[-1].key
        self._look_for_riders()
        return taken

    def _in_its_form(self, some: list[Outgoing], destination: int) -> list[Outgoing]:
        """What of claimed events the socket may send; a batch finds out what a server takes that wasn't asked yet."""
        if not any(map(is_newer, some)):
            return some
        now = time.time()
        named = self._store.read(lambda connection: features.known(connection, destination, now=now))
        if named is not None and features.NEWER_EVENTS in named:
            return some
        sendable: list[Outgoing] = []
        unsaid: list[Outgoing] = []
        kept: list[Outgoing] = []
        for event in some:
            form = (KEPT if named is None else older_form(event)) if is_newer(event) else event.data
            if isinstance(form, str):
                sendable.append(replace(event, data=form))
            else:
                (unsaid if form is UNSAID else kept).append(event)
        super().settle(
            delivered=[event.event_id for event in unsaid],
            waiting=[event.key for event in kept],
        )
        if named is None:
            self._on_riders()
        return sendable

    def settle(
        self,
        *,
        delivered: Iterable[str] = (),
        refused: Mapping[str, str] | None = None,
        waiting: Iterable[int] = (),
        sent_at: float | None = None,
    ) -> int:
        """As Claims.settle; keeps besides, every few seconds at most, that delivery works. Raises StoreError."""
        done = list(delivered)
        dead = super().settle(delivered=done, refused=refused, waiting=waiting, sent_at=sent_at)
        if done and time.monotonic() >= self._noted + NOTE_SECONDS:
            self._noted = time.monotonic()
            works = {"last_sync_at": time.time(), "failure": None, "next_try_at": None, "reported": None}
            self._store.transact(lambda connection: delivery.remember(connection, **works))
        if done:
            self._look_for_riders()
        return dead

    def _look_for_riders(self) -> None:
        to, now = self._destination, time.time()
        if to is None:
            return
        with contextlib.suppress(StoreError, OSError):  # the next look sees them, and what was claimed is sent
            if self._store.read(lambda connection: features.riders_sendable(connection, to, now=now)):
                self._on_riders()

    def move_clock(self, values: list[int]) -> None:
        """Move past values that others have seen, one after another, in one transaction. Raises StoreError."""
        store = self._store

        def work(connection: sqlite3.Connection) -> None:
            for value in values:
                clock.receive(connection, value, at_least=store.least_tick)

        store.transact(work)


class Session:
    """Live delivery for one home. `on_status` gets the connection's changes, `warn` in a sentence what is wrong."""

    def __init__(
        self,
        home: Path,
        *,
        warn: Callable[[str], None],
        on_status: Callable[[ConnectionStatus], None] = lambda status: None,
        emitter: EventEmitter | None = None,
        hears_others: bool = False,
        keep_alive: KeepAlive = KeepAlive(),  # noqa: B008 - frozen
    ) -> None:
        """`emitter` reports that delivery gave up; `hears_others`: somebody calls `wake` when another process queues.

        Raises OSError.
        """
        self._warn = warn
        self._on_status = on_status
        self._emitter = emitter
        self._hears_others = hears_others
        self._keep_alive = keep_alive
        self._store = Store(home, node_id=node_id(), warn=warn)
        self._auth = AuthClient(home)
        self._queue = StoreQueueAccess(self._store, on_riders=self.deliver_soon)
        self._settings = read_settings(home)
        self._who: _Who | None = None
        self._refresh = ""
        self._refused, self._said = False, ""
        self._deliverer, self._delivers = contextlib.ExitStack(), False
        self._lock = threading.Lock()
        self._client = WebSocketClient(
            self._connect,
            self._queue,
            on_status=self._status_changed,
            on_trouble=self._trouble,
            roll=keep_alive.roll,
            ack_seconds=keep_alive.ack,
        )
        self._background = BackgroundSyncService(self._flush, interval=self._settings.interval_seconds, look=self._look)

    @property
    def status(self) -> ConnectionStatus:
        return self._client.status

    def start(self) -> None:
        """Connect and deliver; returns at once."""
        login = self._login()
        self._who, self._refresh = _who(login), login.refresh if login is not None else ""
        with contextlib.suppress(StoreError):
            if self._store.exists:
                self._store.transact(features.forget)
        self._client.start()
        if self._who is not None:
            self._client.login()
        self._background.start()

    def wake(self) -> None:
        """Note that something was queued. Costs next to nothing."""
        self._client.wake()

    def look_at_login(self) -> None:
        """Look at the credentials soon, which may have changed; returns at once."""
        self._background.look_soon()

    def deliver_soon(self) -> None:
        """Send a batch soon, without waiting for its time."""
        self._background.flush_soon()

    def stop(self, *, within: float) -> bool:
        """End within so many seconds, and half a second more; True where all threads have ended."""
        end = time.monotonic() + within
        ended = self._client.stop(within=within / 2)
        ended = self._background.stop(within=max(end - time.monotonic(), 0.0)) and ended
        self._be_no_deliverer()
        with contextlib.suppress(StoreError):
            self._queue.close()
        self._store.close()
        return ended

    def in_forked_child(self) -> None:
        """Let go of the lock that a fork copied: it would outlive the parent here."""
        self._deliverer.close()

    # In the caller's thread of the WebSocket.

    def _connect(self) -> Opened:
        """Open a WebSocket with the login at hand; raises SyncError, StoreError."""
        token = self._auth.ws_token()
        login = self._auth.status()
        if login is None or login.url != token.url:
            raise AuthenticationError("nobody is logged in")
        to = self._store.transact(lambda connection: _destination(connection, login))
        self._queue.free_the_dead()
        connection = dial(
            token.url,
            token.token,
            authority=self._settings.ca_file,
            ping_seconds=self._keep_alive.ping,
            pong_seconds=self._keep_alive.pong,
        )
        return Opened(connection, to)

    # In the driver's thread of the WebSocket.

    def _status_changed(self, status: ConnectionStatus) -> None:
        if status is ConnectionStatus.CONNECTED:
            self._refused, self._said = False, ""
            self._background.flush_soon()
            self._be_deliverer()
        else:
            self._be_no_deliverer()
        if self._hears_others:
            self._note(status if status is ConnectionStatus.CONNECTED else None)
        self._on_status(status)

    def _note(self, status: ConnectionStatus | None) -> None:
        """Keep for `sync status` how the connection stands; it holds for as long as somebody is the deliverer."""
        with contextlib.suppress(StoreError):
            self._store.transact(lambda connection: delivery.remember(connection, connection=status and str(status)))

    def _trouble(self, error: KittywatchError) -> None:
        """Say it, once for as long as it stays the same."""
        self._refused = isinstance(error, AuthenticationError)
        if str(error) != self._said:
            self._said = str(error)
            self._warn(f"{error}; {error.remedy}")

    # In the thread of the batches.

    def _flush(self, stopping: Clock) -> Flushed:
        self._look()
        if self._who is None:
            return Flushed(Outcome.REFUSED)
        if self._client.status is ConnectionStatus.CONNECTED:
            self._be_deliverer()
        try:
            if not self._store.read(_anything_sendable):
                return Flushed(Outcome.DONE)
            summary = batch_sync(self._store, self._auth, clock=stopping, attempts=ATTEMPTS)
            if self._client.status in (ConnectionStatus.BATCH_MODE, ConnectionStatus.OFFLINE):
                report_failure(self._store, self._emitter, summary)
        except (StoreError, OSError):
            return Flushed(Outcome.FAILED)
        if summary.stopped == "auth":
            return Flushed(Outcome.REFUSED)
        if summary.stopped in ("network", "server"):
            return Flushed(Outcome.FAILED, getattr(summary.error, "wait", None))
        return Flushed(Outcome.DONE)

    def _look(self) -> None:
        """Follow the credentials file: who is logged in now?"""
        login = self._login()
        who, fresh = _who(login), login is not None and login.refresh != self._refresh
        self._refresh = login.refresh if login is not None else ""
        if who == self._who and not (self._refused and fresh):
            if fresh:
                self._client.hurry()
            return
        self._who = who
        if who is None:
            self._client.logout()
        else:
            self._refused = False
            self._client.login()
            self._background.flush_soon()

    def _login(self) -> Credentials | None:
        try:
            return self._auth.status()
        except SyncError:
            return None

    def _be_deliverer(self) -> None:
        """Take the deliverer's lock; a flusher that is just ending may have it, then the next batch tries again."""
        with self._lock, contextlib.suppress(OSError):
            if self._hears_others and not self._delivers:
                self._delivers = self._deliverer.enter_context(delivering(self._store.directory))
                if not self._delivers:
                    self._deliverer.close()

    def _be_no_deliverer(self) -> None:
        with self._lock:
            self._delivers = False
            self._deliverer.close()


def _who(login: Credentials | None) -> _Who | None:
    return None if login is None else (login.url, login.team_slug, login.username)


def _destination(connection: sqlite3.Connection, login: Credentials) -> Destination:
    present = destinations.present(connection)
    if present is not None and (present.url, present.team) == (login.url, login.team_slug):
        return present
    return destinations.set_present(connection, login.url, login.team_slug)


def _anything_sendable(connection: sqlite3.Connection) -> bool:
    to = destinations.present(connection)
    if to is None:
        return True
    now = time.time()
    return features.events_sendable(connection, to.key, now=now) or features.riders_sendable(
        connection, to.key, now=now
    )
