"""Reading what a request brings, bounded in every way: its bytes, what they unpack to, its time, and all at once.

A body is inflated piece by piece as it comes, and each piece is taken from the budget of what may be in memory at once,
so that a small body which unpacks to gigabytes, or a hundred bodies at a time, cost no more than the limits. Past a
limit of its own a request is 413, past the budget 429, past its time 408.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import TracebackType

from starlette.concurrency import run_in_threadpool

from kittywatch.hub.errors import RequestError, ThrottledError
from kittywatch.hub.limits import Limits, too_big

_RATIO_FREE_BYTES = 1 << 20  # repetitive events do compress well; a ratio is suspicious only past this size
_PIECE = 256 << 10
_INFLATED_HERE = 4096  # bytes; more than that is inflated beside the event loop
_LATER_SECONDS = 1.0


class Budget:
    """Bytes in memory that clients brought: `most` of all, `of_login` of each login. Used on the event loop alone."""

    def __init__(self, *, most: int, of_login: int) -> None:
        self._most = most
        self._of_login = of_login
        self._taken: Counter[str] = Counter()
        self._room = asyncio.Event()

    @property
    def taken(self) -> int:
        return self._taken.total()

    def has_room(self, login: str, size: int) -> bool:
        return self.taken + size <= self._most and self._taken[login] + size <= self._of_login

    def take(self, login: str, size: int) -> None:
        """Take some; raises ThrottledError where there is no room."""
        if not self.has_room(login, size):
            raise ThrottledError("The hub has too much to do at once.", retry_after=_LATER_SECONDS)
        self._taken[login] += size

    async def take_in_time(self, login: str, size: int) -> None:
        """Take some as soon as there is room."""
        while not self.has_room(login, size):
            self._room.clear()
            await self._room.wait()
        self._taken[login] += size

    def give_back(self, login: str, size: int) -> None:
        self._taken[login] -= size
        if self._taken[login] <= 0:
            del self._taken[login]
        self._room.set()


class Share:
    """What one request has of a budget; given back when the `with` ends."""

    def __init__(self, budget: Budget, login: str) -> None:
        self._budget = budget
        self._login = login
        self._size = 0

    def __enter__(self) -> Share:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.give_back(self._login, self._size)

    def take(self, size: int) -> None:
        """Take some more; raises ThrottledError."""
        self._budget.take(self._login, size)
        self._size += size


class Inflater:
    """Unpacks one gzip member as its bytes come; raises RequestError, 400 for what is no gzip, 413 past a limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._unpacker = zlib.decompressobj(wbits=31)
        self._came = 0
        self._made = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the next bytes unpack to, in pieces."""
        self._came += len(chunk)
        allowed = min(self._limits.inflated, max(_RATIO_FREE_BYTES, self._limits.ratio * self._came))
        while chunk and not self._unpacker.eof:
            try:
                piece = self._unpacker.decompress(chunk, min(_PIECE, allowed - self._made + 1))
            except zlib.error:
                raise RequestError(
                    "The body is not gzip.", remedy="Send Content-Encoding: gzip with a gzip body."
                ) from None
            self._made += len(piece)
            if self._made > allowed:
                raise too_big("The inflated request")
            chunk = self._unpacker.unconsumed_tail
            yield piece
        if chunk or self._unpacker.unused_data:
            raise _not_one_member()

    def finish(self) -> None:
        """The body has ended."""
        if not self._unpacker.eof:
            raise _not_one_member()


async def read_body(chunks: AsyncIterable[bytes], *, limit: int, seconds: float) -> bytes:
    """The body of a request; raises RequestError as soon as it passes the limit (413) or its time (408)."""
    body = bytearray()
    async with _within(seconds):
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                raise too_big("The request")
    return bytes(body)


async def read_batch(chunks: AsyncIterable[bytes], share: Share, *, is_gzip: bool, limits: Limits) -> bytearray:
    """The body of a batch, unpacked, taken from a share; raises RequestError, ThrottledError."""
    inflater = Inflater(limits) if is_gzip else None
    came = 0
    data = bytearray()
    async with _within(limits.body_seconds):
        async for chunk in chunks:
            came += len(chunk)
            if came > limits.body:
                raise too_big("The request")
            if inflater is None:
                share.take(len(chunk))
                data += chunk
                continue
            pieces = inflater.feed(chunk)
            while piece := await _next(pieces, beside=len(chunk) > _INFLATED_HERE):
                share.take(len(piece))
                data += piece
    if inflater is not None:
        inflater.finish()
    return data


async def _next(pieces: Iterator[bytes], *, beside: bool) -> bytes:
    return await run_in_threadpool(next, pieces, b"") if beside else next(pieces, b"")


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise RequestError("The request took too long.", status=408, remedy="Send it faster.") from None


def _not_one_member() -> RequestError:
    return RequestError("The gzip body is cut off or has something after it.", remedy="Send one gzip member.")
