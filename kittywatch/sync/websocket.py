"""The WebSocket to the server: events go out as they are queued, answers take them off the queue.

Rules of this module:
- Two threads, both daemons. The driver owns the machine (link.py), the access to the queue and all that is sent; a
  caller opens one connection, reads it until it ends, and leaves what it reads for the driver. Neither needs an event
  loop.
- Sending is on top of queueing: what is sent here was claimed in the queue first and stays in it until the server has
  it. Claims keep batches from sending the same at the same time; they are given back when no answer came, and end
  with the process.
- On one connection the queue is gone through once, from its oldest row on. What a batch has in hand then, and what the
  server refused, is left to the next batch or connection.
- Nothing that fails here is more than a warning: the events stay, and batches deliver them.
- Stop order: send what waits, wait for answers until the deadline, close the connection, give claims back, end.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeAlias

from msgspec import Struct
from websockets.exceptions import WebSocketException

from kittywatch.errors import AuthenticationError, KittywatchError, StoreError, SyncError, UnreachableError
from kittywatch.store.delivery import Outgoing
from kittywatch.store.destinations import Destination
from kittywatch.sync.envelopes import sent_form
from kittywatch.sync.link import (
    ACK_SECONDS,
    Action,
    Answer,
    Close,
    GiveBack,
    Link,
    MoveClock,
    Open,
    Phase,
    Send,
)
from kittywatch.sync.mailbox import Mailbox
from kittywatch.sync.status import ConnectionStatus

UNREAD = 64
STORE_RETRY = 1.0
STOP_SECONDS = 2.0


class Connection(Protocol):
    """A WebSocket connection, as far as it is used here."""

    def send(self, message: str) -> None: ...
    def recv(self) -> str | bytes: ...
    def close(self) -> None: ...


class Opened(Struct, frozen=True):
    """A connection, and the destination that it leads to."""

    connection: Connection
    destination: Destination


class QueueAccess(Protocol):
    """The access to the queue that is used here; raises StoreError."""

    def take(self, destination: int, *, limit: int, after: int) -> list[Outgoing]: ...
    def settle(
        self, *, delivered: list[str], refused: dict[str, str], waiting: list[int], sent_at: float | None
    ) -> int: ...
    def move_clock(self, values: list[int]) -> None: ...


class _Heard(Struct, frozen=True):
    """A caller's note: about the connection with a number, a message or how it went."""

    number: int
    news: Opened | str | bytes | KittywatchError | None


class _Asked(Struct, frozen=True):
    """A request to the driver: `wake`, `login`, `hurry`, `halt` or `stop`."""

    what: str


_Note: TypeAlias = _Heard | _Asked


class _Sent(Struct, frozen=True):
    """An event's row, and when it went out, in seconds since 1970."""

    key: int
    at: float


class _Results:
    """Results until the store has them; `sent_at` is when the first of those delivered went out."""

    def __init__(self) -> None:
        self.sent_at: float | None = None
        self.delivered: list[str] = []
        self.refused: dict[str, str] = {}
        self.waiting: list[int] = []
        self.clocks: list[int] = []

    def __bool__(self) -> bool:
        return bool(self.delivered or self.refused or self.waiting or self.clocks)


class WebSocketClient:
    """One client. `connect` opens a connection or raises SyncError; it is called in a thread of its own.

    `on_status` hears each change of the status; `on_trouble` what people should know of, not that a server is away:
    that it doesn't want us (AuthenticationError), or answers strangely. Both are called by the driver.
    """

    def __init__(
        self,
        connect: Callable[[], Opened],
        queue: QueueAccess,
        *,
        on_status: Callable[[ConnectionStatus], None] = lambda status: None,
        on_trouble: Callable[[KittywatchError], None] = lambda error: None,
        roll: Callable[[], float] = random.random,
        ack_seconds: float = ACK_SECONDS,
    ) -> None:
        self._connect = connect
        self._queue = queue
        self._on_status = on_status
        self._on_trouble = on_trouble
        self._link = Link(roll=roll, ack_seconds=ack_seconds)
        self._mailbox: Mailbox[_Note] = Mailbox(capacity=UNREAD)
        self._driver = threading.Thread(target=self._drive, name="kittywatch-websocket", daemon=True)
        self._number = 0
        self._caller: threading.Thread | None = None
        self._opened: Opened | None = None
        self._cursor = 0
        self._behind = False
        self._on_way: dict[str, _Sent] = {}
        self._results = _Results()
        self._store_due = 0.0
        self._stop_at: float | None = None
        self._stop_deadline = 0.0
        self.status = ConnectionStatus.OFFLINE

    def start(self) -> None:
        """Be there until `stop`, offline until the first `login`; returns at once."""
        self._driver.start()

    def wake(self) -> None:
        """Note that something was queued. Costs next to nothing."""
        self._mailbox.signal(_Asked("wake"))

    def login(self) -> None:
        """Connect with a new login at once."""
        self._mailbox.signal(_Asked("login"))

    def hurry(self) -> None:
        """Attempt now, without waiting for the next attempt's time."""
        self._mailbox.signal(_Asked("hurry"))

    def logout(self) -> None:
        """Stay offline until `login`: nobody is logged in."""
        self._mailbox.signal(_Asked("halt"))

    def stop(self, *, within: float = STOP_SECONDS) -> bool:
        """Send what waits, wait for its answers, close; True where all of that ended within so many seconds.

        Threads that are still waiting for a server then end by themselves, soon, and hold up no exit.
        """
        deadline = time.monotonic() + within
        self._stop_deadline = deadline
        self._mailbox.signal(_Asked("stop"))
        if self._driver.ident is None:
            return True
        self._driver.join(max(deadline - time.monotonic(), 0) + 0.5)
        caller = self._caller
        if caller is not None:
            caller.join(max(deadline - time.monotonic(), 0) + 0.5)
        return not self._driver.is_alive() and (caller is None or not caller.is_alive())

    # The driver.

    def _drive(self) -> None:
        try:
            while self._stop_at is None or self._goes_on():
                self._turn()
            self._carry_out(self._link.halt())
            self._settle()
        except Exception as error:  # the root of a thread: batches go on without it
            self._on_trouble(
                SyncError(
                    f"a bug ({type(error).__name__}) ended the real-time connection", remedy="batches deliver meanwhile"
                )
            )
            self._hang_up()
        finally:
            for note in self._mailbox.close():
                _close_unheard(note)
            self._stop_at = self._stop_at or time.monotonic()
            self._show()

    def _turn(self) -> None:
        notes = self._mailbox.take(self._deadline())
        now = time.monotonic()
        for note in notes:  # one by one: an action may end the connection that the next note is about
            self._carry_out(self._asked(note.what, now) if isinstance(note, _Asked) else self._heard(note, now))
        self._carry_out(self._link.tick(time.monotonic()))
        if time.monotonic() >= self._store_due or self._stop_at is not None:
            self._store_due = 0.0
            self._send_what_waits()
            self._settle()
        self._show()

    def _deadline(self) -> float | None:
        times = [self._link.deadline, self._stop_at, self._store_due or None]
        return min((one for one in times if one is not None), default=None)

    def _goes_on(self) -> bool:
        """Tell whether stopping still has something to wait for."""
        waits = self._link.unanswered > 0 or self._behind
        return self._link.phase is Phase.OPEN and waits and time.monotonic() < (self._stop_at or 0.0)

    def _asked(self, what: str, now: float) -> list[Action]:
        if what == "login":
            return self._link.login(now)
        if what == "hurry":
            return self._link.hurry(now)
        if what == "halt":
            return self._link.halt()
        self._behind = True
        if what == "stop":
            self._stop_at = self._stop_deadline
        return []

    def _heard(self, note: _Heard, now: float) -> list[Action]:
        if note.number != self._number:
            _close_unheard(note)
            return []
        match note.news:
            case Opened() as opened:
                self._opened = opened
                self._cursor, self._behind = 0, True
                return self._link.opened(now)
            case str() | bytes() as data:
                return self._link.received(data, now)
            case AuthenticationError() as error:
                self._on_trouble(error)
                return self._link.halt()
            case UnreachableError() as error:
                return self._link.lost(now, wait=error.wait or 0.0)
            case KittywatchError() as error:
                self._on_trouble(error)
        return self._link.lost(now)

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Open():
                    self._call()
                case Close():
                    self._hang_up()
                case Send(text):
                    self._send(text)
                case MoveClock(value):
                    self._results.clocks.append(value)
                case Answer():
                    self._note(action)
                case GiveBack(event_ids):
                    self._results.waiting += [self._on_way.pop(event_id).key for event_id in event_ids]

    def _note(self, answer: Answer) -> None:
        sent = self._on_way.pop(answer.event_id, None)
        if answer.fate in ("delivered", "duplicate"):
            self._results.delivered.append(answer.event_id)
            self._results.sent_at = self._results.sent_at or (sent.at if sent else None)
        elif answer.fate == "refused":
            self._results.refused[answer.event_id] = answer.reason
        elif sent is not None:
            self._results.waiting.append(sent.key)

    def _settle(self) -> None:
        """Hand the results to the store; where it can't take them now, again in a moment."""
        results = self._results
        if not results:
            return
        try:
            if results.delivered or results.refused or results.waiting:
                self._queue.settle(
                    delivered=results.delivered,
                    refused=results.refused,
                    waiting=results.waiting,
                    sent_at=results.sent_at,
                )
                results.delivered, results.refused, results.waiting = [], {}, []
            if results.clocks:
                self._queue.move_clock(results.clocks)
        except (StoreError, OSError):
            self._store_due = time.monotonic() + STORE_RETRY
            return
        self._results = _Results()

    # Sending.

    def _send_what_waits(self) -> None:
        while self._behind and (room := self._link.room) and self._opened is not None:
            destination = self._opened.destination
            try:
                taken = self._queue.take(destination.key, limit=room, after=self._cursor)
            except (StoreError, OSError):
                self._store_due = time.monotonic() + STORE_RETRY
                return
            self._behind = len(taken) == room
            for outgoing in taken:
                self._cursor = outgoing.key
                if not self._send(_text(outgoing, destination)):
                    self._results.waiting.append(outgoing.key)
                    continue
                self._on_way[outgoing.event_id] = _Sent(outgoing.key, time.time())
                self._carry_out(self._link.sent(outgoing.event_id, time.monotonic()))

    def _send(self, text: str) -> bool:
        if self._opened is None:
            return False
        try:
            self._opened.connection.send(text)
        except (OSError, WebSocketException, EOFError):
            self._carry_out(self._link.lost(time.monotonic()))
            return False
        return True

    def _show(self) -> None:
        status = ConnectionStatus.OFFLINE if self._stop_at is not None else self._link.status
        if status is not self.status:
            self.status = status
            self._on_status(status)

    # Connections.

    def _call(self) -> None:
        self._number += 1
        self._caller = threading.Thread(
            target=_call, args=(self._connect, self._number, self._mailbox), name="kittywatch-caller", daemon=True
        )
        self._caller.start()

    def _hang_up(self) -> None:
        """Let go of the connection, or of the attempt; its caller finds nobody who listens."""
        self._number += 1
        opened, self._opened = self._opened, None
        if opened is not None:
            _close(opened.connection)


def _call(connect: Callable[[], Opened], number: int, mailbox: Mailbox[_Note]) -> None:
    """Open a connection and read it until it ends; the root of a thread."""
    try:
        opened = connect()
        if not mailbox.put(_Heard(number, opened)):
            _close(opened.connection)
            return
        while mailbox.put(_Heard(number, opened.connection.recv())):
            pass
    except KittywatchError as error:
        mailbox.put(_Heard(number, error))
    except Exception:  # whatever a server or the network made of it, it is no connection, or none any more
        mailbox.put(_Heard(number, None))


def _close(connection: Connection) -> None:
    with contextlib.suppress(OSError, WebSocketException, EOFError):
        connection.close()


def _close_unheard(note: _Note) -> None:
    if isinstance(note, _Heard) and isinstance(note.news, Opened):
        _close(note.news.connection)


def _text(outgoing: Outgoing, destination: Destination) -> str:
    return sent_form(outgoing, destination.team).decode()
