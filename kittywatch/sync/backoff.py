"""Pauses after failures: 0.5 s, doubling to 30 s, with jitter; a server's own figure takes precedence. Pure."""

from __future__ import annotations

FIRST = 0.5
LONGEST = 30.0


class Backoff:
    """One series of failures."""

    def __init__(self) -> None:
        self.failures = 0

    def failed(self, *, chance: float, stated: float | None = None) -> float:
        """Seconds to wait after one more failure.

        `chance` is from 0 to 1; half of the wait is left to it, so that clients which failed together don't come back
        together. `stated` is what the server asked for: no less, and as much more as the jitter adds to it.
        """
        whole = min(FIRST * 2.0**self.failures, LONGEST)
        self.failures = min(self.failures + 1, 32)
        if stated is not None:
            return stated + min(whole, FIRST) * chance / 2
        return whole * (0.5 + chance / 2)

    def succeeded(self) -> None:
        self.failures = 0
