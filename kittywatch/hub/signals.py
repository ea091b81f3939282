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
from kittywatch.hub.patience import CONNECT_SECONDS, STATEMENT_SECONDS

_log = logging.getLogger("kittywatch.hub.signals")
_FIRST_DELAY = 0.2
_LAST_DELAY = 5.0


class Listener:
    """Listens while `run` runs; `on_signal` gets a team's id, `on_connected` is called after each new connection.

    `is_listening` is False while there is no connection to listen on.
    """

    def __init__(self, engine: Engine, *, on_signal: Callable[[int], None], on_connected: Callable[[], None]) -> None:
        self._address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._on_signal = on_signal
        self._on_connected = on_connected
        self.is_listening = False

    async def run(self) -> None:
        delay = _FIRST_DELAY
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._address, autocommit=True, connect_timeout=CONNECT_SECONDS
                )
                async with connection:
                    async with asyncio.timeout(STATEMENT_SECONDS):
                        await connection.execute(f"LISTEN {CHANNEL}")
                    delay = _FIRST_DELAY
                    self.is_listening = True
                    self._on_connected()
                    async for notice in connection.notifies():
                        self._hear(notice.payload)
            except (psycopg.Error, TimeoutError):
                _log.warning("the connection for signals broke; trying again in %.1f s", delay)
            finally:
                self.is_listening = False
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LAST_DELAY)

    def _hear(self, payload: str) -> None:
        # Whoever may connect to the database may notify; what is no team's id is not ours.
        if payload.isascii() and payload.isdigit() and len(payload) < 16:
            self._on_signal(int(payload))
