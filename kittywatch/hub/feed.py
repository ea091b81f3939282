"""What was stored, handed to everybody of the team who is connected here, in the order of positions.

A signal only says that a team has news; the news are read from the database past the last position handed on. So a
signal may be lost, repeated or early, and a replica that missed some catches up at the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from kittywatch.hub.database import reading
from kittywatch.hub.schema import events

_log = logging.getLogger("kittywatch.hub.feed")
_AT_ONCE = 1000
_QUEUED_CHUNKS = 256
_RETRY_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One stored event: its position, its JSON, and the login that sent it."""

    position: int
    body: str
    session_id: str


class Subscription:
    """A connection's place in the feed; `lost` becomes True when it was too slow, and then it gets nothing more."""

    def __init__(self) -> None:
        self.lost = False
        self._chunks: asyncio.Queue[list[Stored]] = asyncio.Queue(_QUEUED_CHUNKS)

    async def next(self) -> list[Stored]:
        """The next stored events; an empty list when `lost`."""
        return [] if self.lost and self._chunks.empty() else await self._chunks.get()

    def clear(self) -> None:
        """Forget what is queued, for a reader that looks for itself."""
        while not self._chunks.empty():
            self._chunks.get_nowait()

    def offer(self, chunk: list[Stored]) -> None:
        try:
            self._chunks.put_nowait(chunk)
        except asyncio.QueueFull:
            self.lost = True


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
            self._cursors[team_id] = chunk[-1].position
            for subscription in list(self._subscribers.get(team_id, ())):
                subscription.offer(chunk)

    def _last(self, team_id: int) -> int:
        with reading(self._engine) as connection:
            return last_position(connection, team_id)

    def _read(self, team_id: int, position: int) -> list[Stored]:
        query = (
            select(events.c.position, events.c.body, events.c.session_id)
            .where(events.c.team_id == team_id, events.c.position > position)
            .order_by(events.c.position)
            .limit(_AT_ONCE)
        )
        with reading(self._engine) as connection:
            return [Stored(position=row[0], body=row[1], session_id=row[2]) for row in connection.execute(query)]


def last_position(connection: Connection, team_id: int) -> int:
    """The position of the team's latest event, 0 without one."""
    query = select(func.coalesce(func.max(events.c.position), 0)).where(events.c.team_id == team_id)
    return int(connection.execute(query).scalar_one())
