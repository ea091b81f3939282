"""One hub process's parts, put together once and reached from every request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from kittywatch.hub.bodies import Budget
from kittywatch.hub.config import Config
from kittywatch.hub.database import is_postgresql, open_engine, reading, writing
from kittywatch.hub.feed import Feed
from kittywatch.hub.limits import Pace
from kittywatch.hub.metrics import Metrics
from kittywatch.hub.parts import Parts
from kittywatch.hub.readiness import Readiness
from kittywatch.hub.shared import Shared
from kittywatch.hub.signals import Listener
from kittywatch.hub.tokens import signing_key
from kittywatch.hub.viewers import Viewers
from kittywatch.hub.writer import Writer

Found = TypeVar("Found")
_log = logging.getLogger("kittywatch.hub.service")
_RESTART_SECONDS = 1.0
# Reads that run at once. Each other thread that computes is one more that the event loop waits for whenever it wants to
# go on; what waits for PostgreSQL computes nothing, and more of those may be on their way.
READERS_OF_SQLITE = 6
READERS_OF_POSTGRESQL = 12


class Reader:
    """Runs queries in threads, each in a transaction, only so many at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._places = asyncio.Semaphore(READERS_OF_POSTGRESQL if is_postgresql(engine) else READERS_OF_SQLITE)

    async def __call__(self, query: Callable[[Connection], Found], /) -> Found:
        def work() -> Found:
            with reading(self._engine) as connection:
                return query(connection)

        async with self._places:
            return await run_in_threadpool(work)


@dataclass(frozen=True, kw_only=True)
class Service:
    """`hashing` bounds how many passwords are checked at once, since each takes 64 MiB; `reader` runs queries."""

    config: Config
    engine: Engine
    reader: Reader
    key: bytes
    metrics: Metrics
    feed: Feed
    viewers: Viewers
    parts: Shared[Parts]
    writer: Writer
    batches: Pace
    messages: Pace
    hashing: asyncio.Semaphore
    readiness: Readiness
    budget: Budget

    async def read(self, query: Callable[[Connection], Found]) -> Found:
        """What `query` finds in one transaction, off the event loop."""
        return await self.reader(query)

    async def write(self, change: Callable[[Connection], Found]) -> Found:
        """What `change` returns, committed, off the event loop."""

        def work() -> Found:
            with writing(self.engine) as connection:
                return change(connection)

        return await run_in_threadpool(work)


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Service]:
    """A service with its tasks: the writer, the feed, and with PostgreSQL the signals. Stops them in that order."""
    engine = open_engine(config.database, serves=True)
    with reading(engine) as connection:
        key = signing_key(connection)
    feed = Feed(engine)

    def stored(team_ids: set[int]) -> None:
        for team_id in team_ids:
            feed.signal(team_id)

    reader = Reader(engine)
    viewers = Viewers(feed, reader)
    writer = Writer(engine, on_stored=stored)
    listener = Listener(engine, on_signal=feed.signal, on_connected=feed.signal_all) if is_postgresql(engine) else None
    works = [writer.run, feed.run, viewers.run, *([listener.run] if listener else [])]
    limits = config.limits
    service = Service(
        config=config,
        engine=engine,
        reader=reader,
        key=key,
        metrics=Metrics(),
        feed=feed,
        viewers=viewers,
        parts=Shared(),
        writer=writer,
        batches=Pace(per_second=limits.batches_per_second, burst=limits.batch_burst),
        messages=Pace(per_second=limits.messages_per_second, burst=limits.message_burst),
        hashing=asyncio.Semaphore(2),
        budget=Budget(most=limits.in_memory, of_login=limits.in_memory_of_login),
        readiness=Readiness(engine, is_up=lambda: listener is None or listener.is_listening),
    )
    tasks = [asyncio.create_task(_kept_up(work)) for work in works]
    try:
        yield service
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        engine.dispose()


async def _kept_up(work: Callable[[], Awaitable[None]]) -> None:
    """Run a task without end; whatever ends it is a bug, which must not cost everybody the rest of the day."""
    while True:
        try:
            await work()
        except Exception as error:
            _log.exception("a task ended; it starts again", exc_info=error)
        await asyncio.sleep(_RESTART_SECONDS)


def service_of(connection: HTTPConnection) -> Service:
    service: Service = connection.app.state.service
    return service
