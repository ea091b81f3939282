"""Connected pages: those of one team with one filter show the same, so each update is read and rendered once for all.

Such pages are a room. Its one task looks at the database when the team has news, and offers what it rendered to every
page. A page enters before it catches up on its own: whatever the room renders from then on begins at or before what
the page has caught up to, so nothing is missed, and what comes twice is passed over by its position.

Whether logins are still good is asked once for all pages of the process, as often as they are pinged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from kittywatch.hub import sessions
from kittywatch.hub.board import Filter
from kittywatch.hub.feed import Feed, last_position
from kittywatch.hub.sessions import Login
from kittywatch.hub.updates import Update, update_of

_log = logging.getLogger("kittywatch.hub.viewers")
PING = '{"type":"ping"}'
_PING_SECONDS = 3.0  # pages take a connection for lost that is silent for 8 s (live.js)
_CHECK_PATIENCE = 6.0  # past it nobody knows who may look, or what is new, and no page is called live
_MOST_WAITING = 32
_REST_SECONDS = 0.0003  # for each page, so that many events in a row are sent together where many look on
_Found = TypeVar("_Found")


class Read(Protocol):
    """Runs a query in a transaction, off the event loop."""

    async def __call__(self, query: Callable[[Connection], _Found], /) -> _Found: ...


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Nothing more comes for a page; `code` and `reason` of the WebSocket's close."""

    code: int
    reason: str


LOGIN_ENDED = Ended(code=1008, reason="This login has ended.")
TOO_SLOW = Ended(code=1013, reason="Too slow; connect again.")
NO_DATABASE = Ended(code=1013, reason="The database does not answer.")


class Viewer:
    """A connected page. What is offered waits for `next`; a page that lets too much wait is ended."""

    def __init__(self, login: Login, *, position: int) -> None:
        self.login = login
        self._position = position
        self._first: str | None = None
        self._waiting: asyncio.Queue[Update | Ended | None] = asyncio.Queue(_MOST_WAITING)
        self._ended: Ended | None = None

    def begin(self, caught_up: Update | None) -> None:
        """What comes first, whatever was offered meanwhile; None where nothing was missed."""
        self._first = PING if caught_up is None else caught_up.text
        self._position = self._position if caught_up is None else caught_up.position

    async def next(self) -> str | Ended:
        """The next message, or why there is none."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        while self._ended is None:
            found = await self._waiting.get()
            if found is None:
                return PING
            if isinstance(found, Update) and found.position > self._position:
                self._position = found.position
                return found.text
        return self._ended

    def offer(self, update: Update | None) -> None:
        """Something to send, None for a ping."""
        try:
            self._waiting.put_nowait(update)
        except asyncio.QueueFull:
            self.end(TOO_SLOW)

    def end(self, why: Ended) -> None:
        self._ended = self._ended or why
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(self._ended)


class _Room:
    """Pages that show the same; `run` is its one task, `ready` is set as soon as no update escapes it."""

    def __init__(self, team_id: int, wanted: Filter) -> None:
        self.viewers: set[Viewer] = set()
        self.ready = asyncio.Event()
        self._team_id = team_id
        self._wanted = wanted
        self._position = 0

    async def run(self, feed: Feed, read: Read) -> None:
        """Until the database fails; then every page is ended and tries again by itself."""
        try:
            subscription = await feed.subscribe(self._team_id)
            try:
                self._position = await read(lambda database: last_position(database, self._team_id))
                self.ready.set()
                while not subscription.lost:
                    await subscription.next()
                    subscription.clear()  # one look at the database tells them all
                    await self._look(read)
            finally:
                feed.unsubscribe(self._team_id, subscription)
        except Exception as error:  # the root of a task: its pages are ended, and connect anew
            _log.error("pages were closed: the database failed: %s", type(error).__name__)
        finally:
            self.ready.set()
            for viewer in self.viewers:
                viewer.end(NO_DATABASE)

    async def _look(self, read: Read) -> None:
        after = self._position
        update = await read(lambda database: update_of(database, self._team_id, self._wanted, after=after))
        if update is None:
            return
        self._position = update.position
        for viewer in self.viewers:
            viewer.offer(update)
        await asyncio.sleep(_REST_SECONDS * len(self.viewers))


class Viewers:
    """All connected pages of this process; `run` is the task that pings them."""

    def __init__(self, feed: Feed, read: Read) -> None:
        self._feed = feed
        self._read = read
        self._rooms: dict[tuple[int, Filter], _Room] = {}
        self._tasks: dict[_Room, asyncio.Task[None]] = {}
        self._checked_at = time.monotonic()

    @property
    def beside_rooms(self) -> int:
        """How many connected pages there are more than subscriptions to the feed."""
        return sum(len(room.viewers) - 1 for room in self._rooms.values())

    @asynccontextmanager
    async def joined(self, login: Login, wanted: Filter, *, position: int) -> AsyncIterator[Viewer]:
        """A page that shows `position`; its first message is what it missed since. Raises SQLAlchemyError."""
        viewer = Viewer(login, position=position)
        key = (login.team_id, wanted)
        room = self._rooms.get(key) or self._open(key)
        room.viewers.add(viewer)
        try:
            await room.ready.wait()
            viewer.begin(await self._read(lambda database: update_of(database, *key, after=position)))
            yield viewer
        finally:
            room.viewers.discard(viewer)
            if not room.viewers and (task := self._tasks.get(room)) is not None:
                self._forget(key, room)
                task.cancel()

    def _open(self, key: tuple[int, Filter]) -> _Room:
        room = self._rooms[key] = _Room(*key)
        self._tasks[room] = task = asyncio.create_task(room.run(self._feed, self._read))
        task.add_done_callback(lambda _: self._forget(key, room))
        return room

    def _forget(self, key: tuple[int, Filter], room: _Room) -> None:
        self._tasks.pop(room, None)
        if self._rooms.get(key) is room:
            del self._rooms[key]

    async def run(self) -> None:
        """Ping every page, and end those whose login has ended."""
        await asyncio.gather(self._ping(), self._check())

    async def _ping(self) -> None:
        # Not after each check: a database that is slow for a moment is no reason for every page to connect anew.
        while True:
            await asyncio.sleep(_PING_SECONDS)
            if time.monotonic() - self._checked_at <= _CHECK_PATIENCE:
                for viewer in self._all():
                    viewer.offer(None)

    async def _check(self) -> None:
        while True:
            viewers = self._all()
            logins = {viewer.login.session_id for viewer in viewers}
            try:
                good = await self._read(partial(sessions.good_among, session_ids=logins)) if logins else set()
            except Exception as error:  # the root of a task: without it no page would hear that it is signed out
                _log.error("pages were closed: the database failed: %s", type(error).__name__)
                for viewer in viewers:
                    viewer.end(NO_DATABASE)
            else:
                self._checked_at = time.monotonic()
                for viewer in viewers:
                    if viewer.login.session_id not in good:
                        viewer.end(LOGIN_ENDED)
            await asyncio.sleep(_PING_SECONDS)

    def _all(self) -> list[Viewer]:
        return [viewer for room in self._rooms.values() for viewer in room.viewers]
