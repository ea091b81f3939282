"""Signals between replicas: PostgreSQL's LISTEN, for the NOTIFY that ingest puts into its transaction.

While the connection is down signals are missed; whoever listens is told that anything may have happened as soon as
it is up again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import psycopg
from sqlalchemy import Engine

from kittywatch.hub.ingest import CHANNEL

_log = logging.getLogger("kittywatch.hub.signals")
_FIRST_DELAY = 0.2
_LAST_DELAY = 5.0


async def listen(engine: Engine, *, on_signal: Callable[[int], None], on_connected: Callable[[], None]) -> None:
    """Listen for ever; `on_signal` gets a team's id, `on_connected` is called after each new connection."""
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    delay = _FIRST_DELAY
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(address, autocommit=True)
            async with connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                delay = _FIRST_DELAY
                on_connected()
                async for notice in connection.notifies():
                    on_signal(int(notice.payload))
        except psycopg.Error:
            _log.warning("the connection for signals broke; trying again in %.1f s", delay)
        await asyncio.sleep(delay)
        delay = min(delay * 2, _LAST_DELAY)
