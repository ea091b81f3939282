"""Periodic batches: at once, then every five minutes, at once when a connection comes back, sooner after a failure.

Rules of this module:
- One thread, a daemon, which waits for a time or for somebody's wish and does nothing else meanwhile.
- A batch that failed is tried again after the backoff; one that nobody can send before a login waits for the login.
- Stop order: the batch under way may end, then one last one goes out if the last one went well, both within the
  deadline; past it waits are cut short, and a question that is on its way to a server ends by itself, soon.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from kittywatch.sync.backoff import Backoff
from kittywatch.sync.clock import Clock
from kittywatch.sync.mailbox import Mailbox

STOP_SECONDS = 2.0
_CUT_SHORT = 0.5


class Outcome(StrEnum):
    """The end of a flush: nothing is left to do, a failure that time may mend, or one that needs a login."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


class Flushed(Struct, frozen=True):
    """The outcome, and the seconds that the server asked for."""

    outcome: Outcome
    wait: float | None = None


class Plan:
    """The schedule of batches. Pure; times are seconds of one monotonic clock."""

    def __init__(self, interval: float, *, roll: Callable[[], float]) -> None:
        self._interval = interval
        self._roll = roll
        self._backoff = Backoff()
        self.due: float | None = None
        self.went_well = True

    def ask(self, now: float) -> None:
        """Request a batch now, because a connection came back or a login was made."""
        self.due = now

    def ended(self, result: Flushed, now: float) -> None:
        """Plan the next batch after one that ended at `now`."""
        self.went_well = result.outcome is Outcome.DONE
        if result.outcome is Outcome.FAILED:
            delay = self._backoff.failed(chance=self._roll(), stated=result.wait)
            self.due = now + min(delay, self._interval) if result.wait is None else now + delay
            return
        self._backoff.succeeded()
        self.due = None if result.outcome is Outcome.REFUSED else now + self._interval


class BackgroundSyncService:
    """Service that runs `flush` by its plan, and `look` in the same thread when `look_soon` asks for it."""

    def __init__(
        self,
        flush: Callable[[Clock], Flushed],
        *,
        interval: float,
        look: Callable[[], None] = lambda: None,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._flush = flush
        self._look = look
        self._plan = Plan(interval, roll=roll)
        self._clock = Clock()
        self._mailbox: Mailbox[str] = Mailbox(capacity=1)
        self._deadline = 0.0
        self._thread = threading.Thread(target=self._run, name="kittywatch-background", daemon=True)

    def start(self) -> None:
        """Start the thread, which sends a first batch at once; returns without waiting for it."""
        self._mailbox.signal("flush")
        self._thread.start()

    def flush_soon(self) -> None:
        """Ask for a batch; returns at once."""
        self._mailbox.signal("flush")

    def look_soon(self) -> None:
        """Ask for a call of `look`; returns at once."""
        self._mailbox.signal("look")

    def stop(self, *, within: float = STOP_SECONDS) -> bool:
        """End the thread after a last batch; True if it ended within so many seconds."""
        self._deadline = time.monotonic() + within
        self._mailbox.signal("stop")
        if self._thread.ident is None:
            return True
        self._thread.join(within)
        self._clock.stop()
        self._thread.join(_CUT_SHORT)
        return not self._thread.is_alive()

    def _run(self) -> None:
        stopped = False
        while not stopped:
            notes = self._mailbox.take(self._plan.due)
            stopped = "stop" in notes
            if "look" in notes:
                self._look()
            now = time.monotonic()
            if "flush" in notes:
                self._plan.ask(now)
            due = self._plan.due is not None and self._plan.due <= now
            if (self._plan.went_well and now < self._deadline) if stopped else due:
                self._plan.ended(self._flush(self._clock), time.monotonic())
        self._mailbox.close()
