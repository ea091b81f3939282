"""How much a caller may ask for, each limit with the protocol's answer.

A request that is too big is 413, so that the client halves its batch; one that comes too soon is 429.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from kittywatch.hub.errors import RequestError, ThrottledError

# Possessive, and without needing the closing quote: a string that never ends is scanned once, not once for each quote.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.S)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bytes unless the name says otherwise; `in_memory` and `in_memory_of_login` are of unpacked requests at once."""

    body: int = 8 << 20
    body_seconds: float = 60.0
    inflated: int = 16 << 20
    in_memory: int = 32 << 20
    in_memory_of_login: int = 16 << 20
    ratio: int = 100
    small_body: int = 64 << 10
    small_body_seconds: float = 15.0
    items: int = 1000
    nesting: int = 32
    event: int = 256 << 10
    message: int = 1 << 20
    batches_per_second: float = 10.0
    batch_burst: int = 50
    messages_per_second: float = 500.0
    message_burst: int = 2000
    connections: int = 4096
    strangers: int = 1024
    strangers_at_address: int = 128
    connections_of_login: int = 512


def too_big(what: str) -> RequestError:
    return RequestError(f"{what} is too big.", status=413, remedy="Send less at once.")


def is_deeper(data: bytes, depth: int) -> bool:
    """Whether a JSON text nests deeper than `depth`, in linear time; False or True for what is no JSON."""
    if data.count(b"[") + data.count(b"{") <= depth:
        return False
    brackets = _STRINGS.sub(b"", data).translate(None, _NOT_BRACKETS)
    return any(level > depth for level in accumulate(map(_STEPS.__getitem__, brackets)))


class Pace:
    """Token buckets, one a caller; in memory, so each replica counts for itself."""

    def __init__(self, *, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str) -> float:
        """Take a token; the seconds until there is one, 0 if it was taken."""
        now = self._clock()
        tokens, then = self._buckets.pop(caller, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - then) * self._per_second)
        taken = tokens >= 1
        self._buckets[caller] = (tokens - taken, now)
        while len(self._buckets) > 10_000:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1 - tokens) / self._per_second

    def take(self, caller: str) -> None:
        """Take a token or raise ThrottledError."""
        seconds = self.wait(caller)
        if seconds:
            raise ThrottledError("Too many requests.", retry_after=seconds)
