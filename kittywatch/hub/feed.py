"""What was stored, handed to everybody of the team who is connected here, in the order of positions.

An event that is shown by another one is not handed on; that one is shown no more is news without a body.
A signal only says that a team has news; the news are read from the database past the last position handed on. So a
signal may be lost, repeated or early, and a replica that missed some catches up at the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from websockets.frames import Frame, Opcode

from kittywatch.hub.database import reading
from kittywatch.hub.schema import SHOWN, events, moves, renames, supersessions

_log = logging.getLogger("kittywatch.hub.feed")
_AT_ONCE = 1000
_FETCHED_AT_ONCE = 20
_QUEUED_BYTES = 2 << 20  # of a connection that doesn't keep up, besides one chunk
_CHUNK_BYTES = 1 << 20
_WOKEN_AT_ONCE = 100
_RETRY_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One stored event: its position, the message that tells of it, and the login that sent it.

    `text` is empty for the news that an event from before is shown no more, or again, which no message tells.
    """

    position: int
    text: str
    session_id: str


class Chunk:
    """Stored events that are handed on together; their WebSocket frames are made once for all who get them."""

    def __init__(self, stored: Sequence[Stored]) -> None:
        self._stored = stored
        self._frames = [
            Frame(Opcode.TEXT, one.text.encode()).serialize(mask=False) if one.text else b"" for one in stored
        ]
        self._whole = b"".join(self._frames)
        self._senders = {one.session_id for one in stored}

    def __iter__(self) -> Iterator[Stored]:
        return iter(self._stored)

    def __bool__(self) -> bool:
        return bool(self._stored)

    @property
    def size(self) -> int:
        return len(self._whole)

    @property
    def position(self) -> int:
        """The last one's."""
        return self._stored[-1].position

    def texts_for(self, session_id: str) -> list[str]:
        """The messages for a login, which are those of others."""
        return [one.text for one in self._stored if one.text and one.session_id != session_id]

    def frames_for(self, session_id: str) -> bytes:
        """The same as frames, uncompressed."""
        if session_id not in self._senders:
            return self._whole
        pairs = zip(self._stored, self._frames, strict=True)
        return b"".join(frame for one, frame in pairs if one.session_id != session_id)


class Subscription:
    """A connection's place in the feed; `lost` becomes True when it was too slow, and then it gets nothing more."""

    def __init__(self) -> None:
        self.lost = False
        self._chunks: asyncio.Queue[Chunk] = asyncio.Queue()
        self._size = 0

    async def next(self) -> Chunk:
        """The next stored events; an empty chunk when `lost`."""
        if self.lost:
            return Chunk([])
        chunk = await self._chunks.get()
        self._size -= chunk.size
        return chunk

    def clear(self) -> None:
        """Forget what is queued, for a reader that looks for itself."""
        while not self._chunks.empty():
            self._size -= self._chunks.get_nowait().size

    def offer(self, chunk: Chunk) -> None:
        if self._size > _QUEUED_BYTES and not self.lost:
            self.lost = True
            self.clear()
            self._chunks.put_nowait(Chunk([]))
        if not self.lost:
            self._size += chunk.size
            self._chunks.put_nowait(chunk)


class Feed:
    """The subscriptions of this process. `signal` may be called for any team at any time, on the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._subscribers: dict[int, set[Subscription]] = defaultdict(set)
        self._cursors: dict[int, int] = {}
        self._signals: asyncio.Queue[int] = asyncio.Queue()
        self._signalled: set[int] = set()

    @property
    def connections(self) -> int:
        return sum(len(subscribers) for subscribers in self._subscribers.values())

    async def subscribe(self, team_id: int) -> Subscription:
        """Hear what is stored from now on."""
        if team_id not in self._cursors:
            self._cursors.setdefault(team_id, await run_in_threadpool(self._last, team_id))
        subscription = Subscription()
        self._subscribers[team_id].add(subscription)
        self.signal(team_id)  # for what was stored while the position was read
        return subscription

    def unsubscribe(self, team_id: int, subscription: Subscription) -> None:
        self._subscribers[team_id].discard(subscription)
        if not self._subscribers[team_id]:
            del self._subscribers[team_id], self._cursors[team_id]

    def signal(self, team_id: int) -> None:
        """A team has news."""
        if team_id in self._subscribers and team_id not in self._signalled:
            self._signalled.add(team_id)
            self._signals.put_nowait(team_id)

    def signal_all(self) -> None:
        for team_id in list(self._subscribers):
            self.signal(team_id)

    async def run(self) -> None:
        """Hand on what signals announce; the one task that moves the cursors."""
        while True:
            team_id = await self._signals.get()
            self._signalled.discard(team_id)
            try:
                await self._hand_on(team_id)
            except SQLAlchemyError:  # nobody else would notice that the feed has ended
                _log.warning("the database did not answer; the feed tries again in %.1f s", _RETRY_SECONDS)
                await asyncio.sleep(_RETRY_SECONDS)
                self.signal(team_id)

    async def _hand_on(self, team_id: int) -> None:
        while team_id in self._cursors:
            chunk = await run_in_threadpool(self._read, team_id, self._cursors[team_id])
            if not chunk or team_id not in self._cursors:
                break
            self._cursors[team_id] = chunk.position
            for number, subscription in enumerate(list(self._subscribers.get(team_id, ())), start=1):
                subscription.offer(chunk)
                if number % _WOKEN_AT_ONCE == 0:
                    await asyncio.sleep(0)  # those who were woken send first, and everybody else has a turn

    def _last(self, team_id: int) -> int:
        with reading(self._engine) as connection:
            return last_position(connection, team_id)

    def _read(self, team_id: int, position: int) -> Chunk:
        told = (
            select(events.c.position, events.c.body, events.c.session_id)
            .where(events.c.team_id == team_id, events.c.position > position, SHOWN)
            .order_by(events.c.position)
            .limit(_AT_ONCE)
        )
        beside = [
            select(table.c.position)
            .where(table.c.team_id == team_id, table.c.position > position)
            .order_by(table.c.position)
            .limit(_AT_ONCE)
            for table in (supersessions, renames, moves)
        ]
        found: list[Stored] = []
        size = 0
        with reading(self._engine) as connection:
            # Row by row: a thousand of the biggest events would be a quarter of a gigabyte.
            rows = connection.execution_options(yield_per=_FETCHED_AT_ONCE).execute(told)
            for row in rows:
                text = f'{{"type":"event","event":{row.body}}}'
                found.append(Stored(position=row.position, text=text, session_id=row.session_id))
                size += len(text)
                if size > _CHUNK_BYTES:
                    break
            rows.close()
            changed = [
                [Stored(position=place, text="", session_id="") for place in connection.execute(query).scalars()]
                for query in beside
            ]
        # What comes after the last of a full list belongs to the next chunk: another list may be longer than this.
        ends = [part[-1].position for part in (found, *changed) if len(part) == _AT_ONCE]
        ends += [found[-1].position] if size > _CHUNK_BYTES else []
        everything = sorted(chain(found, *changed), key=lambda stored: stored.position)
        return Chunk([stored for stored in everything if not ends or stored.position <= min(ends)])


def last_position(connection: Connection, team_id: int) -> int:
    """The position of the team's latest event, supersession, rename or move, 0 without one."""
    last = []
    for table in (events, supersessions, renames, moves):
        query = select(func.coalesce(func.max(table.c.position), 0)).where(table.c.team_id == team_id)
        last.append(int(connection.execute(query).scalar_one()))
    return max(last)
