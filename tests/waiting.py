"""Waiting for a condition with a deadline, in place of fixed sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE = 120.0
"""Seconds to wait for what has to come: a wait that is not in vain costs nothing, whatever else the machine does."""
_LONGEST_PAUSE = 0.05


def until(
    condition: Callable[[], object], *, deadline: float = DEADLINE, what: str | Callable[[], str] = "the condition"
) -> None:
    """Return as soon as `condition()` is true; AssertionError with `what` if it isn't within `deadline` seconds."""
    end = time.monotonic() + deadline
    pause = 0.001
    while not condition():
        left = end - time.monotonic()
        if left <= 0:
            raise AssertionError(f"waited {deadline:g} s for {what if isinstance(what, str) else what()}")
        time.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)
