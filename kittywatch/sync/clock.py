"""Time as delivery needs it, and a way to stop waiting."""

from __future__ import annotations

import threading
import time


class Clock:
    """The machine's clocks. `stop` ends every wait at once, and asks whoever waits to end."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def now(self) -> float:
        """Seconds since 1970; may jump."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards, the same for all processes until the machine starts again."""
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Wait so many seconds; True if stopped meanwhile."""
        return self._stopped.wait(max(seconds, 0.0))

    def stop(self) -> None:
        """End every wait, now and from now on."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """True once `stop` was called."""
        return self._stopped.is_set()


SYSTEM = Clock()  # that nobody stops
