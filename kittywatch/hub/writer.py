"""One writer a process: batches that wait together are stored in one transaction.

A commit waits for the disk; with a hundred clients that send event by event, one commit for what has piled up
meanwhile is what keeps up. If a shared transaction fails, nobody in it is answered with success, and everybody sends
again, which is safe. Rejected is only what the database refuses for its values, past everything that parsing looks at;
it is found by storing one by one, so that it costs its neighbours nothing. Where our own code fails at an event, that
event is `pending`: the client keeps it, and its neighbours go on. Any other failure is the database's, and is raised.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from kittywatch.hub.database import is_fault_of_values, writing
from kittywatch.hub.ingest import Outcome, Result, store
from kittywatch.hub.offers import Offered, OfferedRename
from kittywatch.hub.parsing import Accepted, BatchItem
from kittywatch.hub.renaming import RenameResult
from kittywatch.hub.sessions import Login
from kittywatch.hub.supersession import AliasResult

_log = logging.getLogger("kittywatch.hub.writer")
_NOT_STORABLE = "The hub's database cannot hold a value of this; its log says more."
_NOT_YET = "The hub failed at this; its log says why."
_ITEMS_AT_ONCE = 4000
_WAITING_BATCHES = 1000


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    login: Login
    items: Sequence[BatchItem]
    results: asyncio.Future[list[Outcome]]


class Writer:
    """Takes batches in `store`; `run` is its one task. `on_stored` hears the teams that have news, after the commit."""

    def __init__(self, engine: Engine, *, on_stored: Callable[[set[int]], None]) -> None:
        self._engine = engine
        self._on_stored = on_stored
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(_WAITING_BATCHES)

    async def store(self, login: Login, items: Sequence[BatchItem]) -> list[Outcome]:
        """Store a batch; returns when it is durable, raises what the database raised when it is not."""
        results: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        await self._waiting.put(_Waiting(login=login, items=items, results=results))
        return await results

    async def run(self) -> None:
        while True:
            batches = [await self._waiting.get()]
            while not self._waiting.empty() and sum(len(batch.items) for batch in batches) < _ITEMS_AT_ONCE:
                batches.append(self._waiting.get_nowait())
            # Always in the same order of teams, so that two replicas never wait for each other's locks.
            batches.sort(key=lambda batch: batch.login.team_id)
            try:
                results = await run_in_threadpool(self._store_all, batches)
            except Exception as error:  # the root of a task: whoever waits hears of it, the writer goes on
                for batch in batches:
                    if not batch.results.done():
                        batch.results.set_exception(error)
                continue
            for batch, answer in zip(batches, results, strict=True):
                if not batch.results.done():
                    batch.results.set_result(answer)
            self._on_stored({batch.login.team_id for batch in batches})

    def _store_all(self, batches: list[_Waiting]) -> list[list[Outcome]]:
        try:
            with writing(self._engine) as connection:
                return [store(connection, batch.login, batch.items) for batch in batches]
        except Exception as error:
            if isinstance(error, SQLAlchemyError) and not is_fault_of_values(error):
                raise  # the database cannot be written to: nothing is wrong with the events
            _log.exception("a batch could not be stored; trying its events one by one", exc_info=error)
            return [[self._store_one(batch.login, item) for item in batch.items] for batch in batches]

    def _store_one(self, login: Login, item: BatchItem) -> Outcome:
        try:
            with writing(self._engine) as connection:
                return store(connection, login, [item])[0]
        except Exception as error:
            if isinstance(error, SQLAlchemyError) and not is_fault_of_values(error):
                raise
            _log.error("%s of team %s was not stored: %s", _named(item), login.team_slug, type(error).__name__)
            return _not_stored(item, is_refused=isinstance(error, SQLAlchemyError))


def _named(item: BatchItem) -> str:
    if isinstance(item, Offered):
        return f"alias {item.alias}"
    if isinstance(item, OfferedRename):
        return "a rename"
    return f"event {item.event.event_id if isinstance(item, Accepted) else item.event_id}"


def _not_stored(item: BatchItem, *, is_refused: bool) -> Outcome:
    status, said = ("rejected", _NOT_STORABLE) if is_refused else ("pending", _NOT_YET)
    if isinstance(item, Offered):
        return AliasResult(alias=item.alias, status=status, error_message=said)
    if isinstance(item, OfferedRename):
        return RenameResult(offered=item, status=status, error_message=said)
    event_id = item.event.event_id if isinstance(item, Accepted) else item.event_id
    return Result(event_id=event_id, status=status, error_message=said)
