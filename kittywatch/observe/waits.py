"""How long a program that a signal may end waits at a time.

A signal that comes just before a wait doesn't end it, and Python hears of it afterwards: no wait is without an end.
"""

from __future__ import annotations

import time

LONGEST = 0.5  # seconds


def seconds_until(moment: float | None) -> float:
    """Seconds to wait now for a moment of the monotonic clock, which may be infinite, or None for no moment at all."""
    return LONGEST if moment is None else min(max(moment - time.monotonic(), 0.0), LONGEST)
