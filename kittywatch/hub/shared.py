"""What is the same for many who ask at once: made once, for a moment.

When much has changed at once every page loads the board anew; without this, each would have it queried and rendered
for itself. The key names all that the value depends on, the team above all.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")

SECONDS = 1.0
MOST_KEPT = 32


class Shared(Generic[Value]):
    """Values by key, each kept for SECONDS; used on the event loop alone."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, asyncio.Future[Value]]] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Value]]) -> Value:
        """The value, made with `make` unless that is under way or done; raises what `make` raises, to all."""
        made_at, value = self._kept.get(key, (0.0, None))
        if value is None or (value.done() and self._clock() - made_at > SECONDS):
            value = asyncio.ensure_future(make())
            self._kept[key] = (self._clock(), value)
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        try:
            return await asyncio.shield(value)  # one who goes away takes nothing from the others
        except Exception:
            if self._kept.get(key, (0.0, None))[1] is value:
                del self._kept[key]
            raise
