"""The connection to the server as a state machine: what came and what time it is go in, what is to be done comes out.

    phase      what ends it                  status
    IDLE       start, login                  Offline
    OPENING    opened, lost, halt            Offline the first time; Reconnecting; OfflineBatchMode after ten attempts
    OPEN       lost, login, halt             Connected
    WAITING    its time, hurry, login, halt  Reconnecting; OfflineBatchMode after ten attempts

Rules of this module:
- No socket, no file, no clock: times are seconds of one monotonic clock, and chance comes in as `roll`.
- Whatever a server sends, nothing here raises. What is no message of the protocol is counted and otherwise ignored.
- An answer counts only for an event that was sent on this connection: a server can't take others out of the queue.
- What was sent is not sent again on the same connection. It is given back when the connection is lost, or when no
  answer came in time, and then the next connection or the next batch sends it.
- A number of a Lamport clock past LARGEST_CLOCK is ignored. Our hub never passes one on; a server that lies could
  otherwise push this machine's clock so far that no event of it is ever taken again.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from kittywatch.events import LARGEST_CLOCK
from kittywatch.sync.backoff import Backoff
from kittywatch.sync.status import ConnectionStatus
from kittywatch.sync.verdicts import Fate, result_of

ATTEMPTS = 10
BATCH_MODE_RETRY = 300.0
OPENING_SECONDS = 60.0
ACK_SECONDS = 10.0
STEADY_SECONDS = 30.0
WINDOW = 256
MOST_REMEMBERED = 10_000
LONGEST_MESSAGE = 2 << 20  # characters or bytes; a hub's snapshot has less than half of it


class Phase(Enum):
    """The phase of a connection."""

    IDLE = "idle"
    OPENING = "opening"
    OPEN = "open"
    WAITING = "waiting"


class Open(Struct, frozen=True):
    """Open a new connection; its outcome comes back as `opened`, `lost` or `halt`."""


class Close(Struct, frozen=True):
    """Let go of the connection or of the attempt; nothing of it counts any more."""


class Send(Struct, frozen=True):
    """Send a message."""

    text: str


class Answer(Struct, frozen=True):
    """The fate of an event that was sent; `reason` is for one that was refused."""

    event_id: str
    fate: Fate
    reason: str


class MoveClock(Struct, frozen=True):
    """Move the Lamport clock past a value that another node has shown."""

    value: int


class GiveBack(Struct, frozen=True):
    """Give back what was sent and not answered: the next connection or batch may send it."""

    event_ids: tuple[str, ...]


Action: TypeAlias = Open | Close | Send | Answer | MoveClock | GiveBack


class Link:
    """One client's connection over its whole life.

    `roll` returns a number from 0 up to 1; `ack_seconds` is how long an answer may take.
    """

    def __init__(self, *, roll: Callable[[], float], ack_seconds: float = ACK_SECONDS) -> None:
        self.phase = Phase.IDLE
        self.ignored = 0
        self._roll = roll
        self._ack_seconds = ack_seconds
        self._backoff = Backoff()
        self._batch_mode = False
        self._due = 0.0
        self._opened_at = 0.0
        self._progress = False
        self._answers, self._answered = True, False
        self._unanswered: dict[str, float] = {}
        self._given_back: dict[str, None] = {}

    @property
    def status(self) -> ConnectionStatus:
        if self.phase is Phase.OPEN:
            return ConnectionStatus.CONNECTED
        if self.phase is Phase.IDLE:
            return ConnectionStatus.OFFLINE
        if self._batch_mode:
            return ConnectionStatus.BATCH_MODE
        return ConnectionStatus.RECONNECTING if self._backoff.failures else ConnectionStatus.OFFLINE

    @property
    def room(self) -> int:
        """The number of events that may be sent now."""
        return max(WINDOW - len(self._unanswered), 0) if self.phase is Phase.OPEN else 0

    @property
    def unanswered(self) -> int:
        """The number of events that were sent and wait for their answer."""
        return len(self._unanswered)

    @property
    def deadline(self) -> float | None:
        """The time at which `tick` has something to do, None where only news can change anything."""
        if self.phase in (Phase.OPENING, Phase.WAITING):
            return self._due
        return next(iter(self._unanswered.values()), None)

    # What the outside world does.

    def start(self, now: float) -> list[Action]:
        """Connect, unless that is going on already."""
        return self._open(now) if self.phase is Phase.IDLE else []

    def login(self, now: float) -> list[Action]:
        """Connect with new credentials now, whatever was going on."""
        before = self._let_go()
        self._begin_anew()
        return before + self._open(now)

    def hurry(self, now: float) -> list[Action]:
        """Attempt now instead of waiting: there may be a reason why it works. Counts stay as they are."""
        return self._open(now) if self.phase is Phase.WAITING else []

    def halt(self) -> list[Action]:
        """Stay offline until `start` or `login`: nobody is logged in, the server refuses us, or it is over."""
        before = self._let_go()
        self._begin_anew()
        return before

    def opened(self, now: float) -> list[Action]:
        """Note that the connection is there."""
        if self.phase is Phase.OPENING:
            self.phase = Phase.OPEN
            self._opened_at = now
            self._progress = False
            self._answers, self._answered = True, False
        return []

    def lost(self, now: float, *, wait: float = 0.0) -> list[Action]:
        """Note that the connection broke or could not be opened; `wait` is the seconds that the server asked for."""
        if self.phase not in (Phase.OPENING, Phase.OPEN):
            return []
        if self.phase is Phase.OPEN and (self._progress or now - self._opened_at >= STEADY_SECONDS):
            self._begin_anew()
        actions = self._let_go()
        self.phase = Phase.WAITING
        if self._backoff.failures >= ATTEMPTS:
            self._batch_mode = True
            delay = BATCH_MODE_RETRY
        else:
            delay = self._backoff.failed(chance=self._roll())
        self._due = now + max(delay, wait)
        return actions

    def sent(self, event_id: str, now: float) -> list[Action]:
        """Note that an event went out; its answer is due within `ack_seconds`."""
        if not self._answers:  # a server without answers: the next batch asks it
            self._remember(event_id)
            return [GiveBack((event_id,))]
        self._unanswered[event_id] = now + self._ack_seconds
        return []

    def tick(self, now: float) -> list[Action]:
        """Note the time: attempts that are due are made, answers that are overdue given up."""
        if self.phase is Phase.WAITING and now >= self._due:
            return self._open(now)
        if self.phase is Phase.OPENING and now >= self._due:
            return self.lost(now)
        late = tuple(event_id for event_id, due in self._unanswered.items() if due <= now)
        if not late:
            return []
        for event_id in late:
            del self._unanswered[event_id]
            self._remember(event_id)
        self._answers = self._answered
        return [GiveBack(late)]

    def received(self, data: str | bytes, now: float) -> list[Action]:
        """Take a message of the server; [] for whatever is none of the protocol's."""
        if self.phase is not Phase.OPEN:
            return []
        message = _object(data)
        handle = self._HANDLERS.get(str(message.get("type")))
        actions = handle(self, message) if handle is not None else None
        if actions is None:
            self.ignored += 1
            return []
        return actions

    # What the server says; None for what makes no sense.

    def _snapshot(self, message: dict[str, Any]) -> list[Action] | None:
        packages = message.get("work_packages")
        if not isinstance(packages, list):
            return None
        shown = [message, *(one for one in packages if isinstance(one, dict))]
        values = [value for one in shown if (value := _clock_in(one)) is not None]
        return [MoveClock(max(values))] if values else []

    def _event(self, message: dict[str, Any]) -> list[Action] | None:
        event = message.get("event")
        value = _clock_in(event) if isinstance(event, dict) else None
        return None if value is None else [MoveClock(value)]

    def _ack(self, message: dict[str, Any]) -> list[Action] | None:
        event_id = message.get("event_id")
        fate, reason = result_of(message.get("status"), message.get("error_message"))
        if fate is None or not isinstance(event_id, str):
            return None
        if event_id in self._unanswered:
            del self._unanswered[event_id]
        elif event_id in self._given_back:
            del self._given_back[event_id]
        else:
            return None
        self._answers = self._answered = True
        self._progress = self._progress or fate in ("delivered", "duplicate")
        return [Answer(event_id, fate, reason)]

    def _ping(self, message: dict[str, Any]) -> list[Action] | None:
        timestamp = message.get("timestamp")
        known = isinstance(timestamp, (int, float)) or (isinstance(timestamp, str) and len(timestamp) <= 64)
        pong = {"type": "pong", "timestamp": timestamp if known else None}
        return [Send(msgspec.json.encode(pong).decode())]

    _HANDLERS: dict[str, Callable[[Link, dict[str, Any]], list[Action] | None]] = {  # noqa: RUF012
        "snapshot": _snapshot,
        "event": _event,
        "ack": _ack,
        "ping": _ping,
    }

    # Steps of the machine.

    def _open(self, now: float) -> list[Action]:
        self.phase = Phase.OPENING
        self._due = now + OPENING_SECONDS
        return [Open()]

    def _begin_anew(self) -> None:
        self._backoff.succeeded()
        self._batch_mode = False

    def _let_go(self) -> list[Action]:
        actions: list[Action] = [Close()] if self.phase in (Phase.OPENING, Phase.OPEN) else []
        if self._unanswered:
            actions.append(GiveBack(tuple(self._unanswered)))
        self._unanswered.clear()
        self._given_back.clear()
        self.phase = Phase.IDLE
        return actions

    def _remember(self, event_id: str) -> None:
        """Its answer may still come, and is as good as one in time."""
        self._given_back[event_id] = None
        while len(self._given_back) > MOST_REMEMBERED:
            del self._given_back[next(iter(self._given_back))]


def _object(data: str | bytes) -> dict[str, Any]:
    if len(data) > LONGEST_MESSAGE:
        return {}
    try:
        message = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return {}
    return message if isinstance(message, dict) else {}


def _clock_in(fields: dict[str, Any]) -> int | None:
    value = fields.get("lamport_clock")
    plausible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_CLOCK
    return value if plausible else None
