"""How much a caller may ask for, each limit with the protocol's answer.

A request that is too big is 413, so that the client halves its batch; one that comes too soon is 429. The body is
inflated piece by piece, so that a small body that unpacks to gigabytes costs no more than the limit.
"""

from __future__ import annotations

import re
import time
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from itertools import accumulate

from kittywatch.hub.errors import RequestError, ThrottledError

# Possessive, and without needing the closing quote: a string that never ends is scanned once, not once for each quote.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.S)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_RATIO_FREE_BYTES = 1 << 20  # repetitive events do compress well; a ratio is suspicious only past this size


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bytes unless the name says otherwise."""

    body: int = 8 << 20
    inflated: int = 32 << 20
    ratio: int = 100
    small_body: int = 64 << 10
    items: int = 1000
    nesting: int = 32
    event: int = 256 << 10
    message: int = 1 << 20
    batches_per_second: float = 10.0
    batch_burst: int = 50
    messages_per_second: float = 500.0
    message_burst: int = 2000


def too_big(what: str) -> RequestError:
    return RequestError(f"{what} is too big.", status=413, remedy="Send less at once.")


async def read_body(chunks: AsyncIterable[bytes], *, limit: int) -> bytes:
    """The body of a request; raises RequestError (413) as soon as it passes the limit."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise too_big("The request")
    return bytes(body)


def inflate(body: bytes, limits: Limits) -> bytes:
    """A gzip body, unpacked; raises RequestError: 400 for what is no gzip, 413 past the size or the ratio."""
    unpacker = zlib.decompressobj(wbits=31)
    allowed = min(limits.inflated, max(_RATIO_FREE_BYTES, limits.ratio * len(body)))
    try:
        data = unpacker.decompress(body, allowed + 1)
    except zlib.error:
        raise RequestError("The body is not gzip.", remedy="Send Content-Encoding: gzip with a gzip body.") from None
    if len(data) > allowed:
        raise too_big("The inflated request")
    if not unpacker.eof or unpacker.unused_data:
        raise RequestError("The gzip body is cut off or has something after it.", remedy="Send one gzip member.")
    return data


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
