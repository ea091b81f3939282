"""Whether this process can do its work: events can be stored, and its tasks go on.

Asked of the database by doing it: each table is read, an event's row is written and taken back, a note is written and
committed. A database that only answers, a standby or one with a full disk, isn't ready. However many ask, it is done
once at a time and at most once a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from sqlalchemy import Connection, Engine, insert, literal, select
from sqlalchemy.exc import SQLAlchemyError

from kittywatch.hub import schema
from kittywatch.hub.database import upsert, writing
from kittywatch.hub.migrations import is_current

FRESH_SECONDS = 1.0
LONGEST_SECONDS = 5.0
_log = logging.getLogger("kittywatch.hub.readiness")
_NOTE = "asked_whether_ready"
_NOWHERE = -1  # a position that no event has


class Readiness:
    """Ask with `is_ready`, on the event loop; `is_up` says whether the process's own tasks go on."""

    def __init__(self, engine: Engine, *, is_up: Callable[[], bool]) -> None:
        self._engine = engine
        self._is_up = is_up
        self._probe: asyncio.Future[bool] | None = None
        self._fresh_until = 0.0

    async def is_ready(self) -> bool:
        if not self._is_up():
            return False
        now = time.monotonic()
        if self._probe is None or (self._probe.done() and now >= self._fresh_until):
            # A thread of its own: those for requests may all be waiting for the database.
            self._probe = asyncio.ensure_future(
                to_thread.run_sync(probe, self._engine, abandon_on_cancel=True, limiter=CapacityLimiter(1))
            )
            self._fresh_until = now + FRESH_SECONDS
        try:
            return await asyncio.wait_for(asyncio.shield(self._probe), LONGEST_SECONDS)
        except TimeoutError:
            return False


def probe(engine: Engine) -> bool:
    """Whether a database has this program's version and takes an event."""
    try:
        if not is_current(engine):
            return False
        with writing(engine) as connection:
            _write(connection)
    except SQLAlchemyError as error:
        _log.warning("not ready: %s", type(getattr(error, "orig", None) or error).__name__)
        return False
    return True


def _write(connection: Connection) -> None:
    for table in schema.metadata.sorted_tables:
        connection.execute(select(literal(1)).select_from(table).limit(1))
    team_id = connection.execute(select(schema.teams.c.id).limit(1)).scalar()
    if team_id is not None:
        undone = connection.begin_nested()
        connection.execute(insert(schema.events).values(**_row(team_id)))
        undone.rollback()
    upsert(connection, schema.settings, [{"name": _NOTE, "value": str(int(time.time())).encode()}])


def _row(team_id: int) -> dict[str, object]:
    texts = ("event_id", "event_type", "project", "feature", "wp_id", "node_id", "timestamp", "session_id", "body")
    numbers = {"position": _NOWHERE, "team_id": team_id, "lamport_clock": 0, "received_at": 0.0}
    return {**numbers, **dict.fromkeys(texts, ""), "content_hash": b"", "original": None}
