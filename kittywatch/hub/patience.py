"""PostgreSQL connections that wait only so long for an answer.

A server that is frozen (a stopped process, a hung disk, a machine that went) acknowledges every packet or none, runs no
statement_timeout, and would keep a thread for ever. psycopg comes back to the waiting now and then; past the time, the
connection is closed, and SQLAlchemy takes it for the broken one that it is.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg
from sqlalchemy import Engine, event

CONNECT_SECONDS = 3
PING_SECONDS = 3.0
STATEMENT_SECONDS = 10.0
_GONE = ("08", "57P")  # connection exceptions; shut down, crashed, not yet up
_SERVERS_SECONDS = 9  # the server gives up first, where it can


class PatientConnection(psycopg.Connection[Any]):
    """Raises OperationalError, closed, for what takes longer than `patience` seconds; None waits for ever."""

    patience: float | None = None

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        if self.patience is None:
            return super().wait(gen, *arguments, **options)
        try:
            return super().wait(_bounded(gen, self.patience), *arguments, **options)
        except _TooLongError:
            self.pgconn.finish()
            raise psycopg.OperationalError("the database did not answer in time") from None


class _TooLongError(Exception):
    pass


def _bounded(steps: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """The same steps, ended by _TooLongError at the first that nothing came for after so many seconds."""
    end = time.monotonic() + seconds
    try:
        state = next(steps)
        while True:
            ready = yield state
            if not ready and time.monotonic() > end:
                raise _TooLongError
            state = steps.send(ready)
    except StopIteration as done:
        return done.value


def broken_connection(error: BaseException | None) -> psycopg.Error | None:
    """What the driver raised, where an exception of its or of SQLAlchemy's says that a connection broke; else None."""
    raised = getattr(error, "orig", None) or error
    if not isinstance(raised, psycopg.OperationalError):
        return None
    # What the server says has a code; what the driver says, for want of a server, has none.
    return raised if raised.sqlstate is None or raised.sqlstate.startswith(_GONE) else None


def be_patient(engine: Engine, *, for_ever: bool) -> None:
    """Make an engine's connections PatientConnections; `for_ever` sets no limit but the one of connecting."""

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        return PatientConnection.connect(*arguments, **{"connect_timeout": CONNECT_SECONDS} | options)

    if for_ever:
        return

    @event.listens_for(engine, "connect")
    def _connected(connection: PatientConnection, _record: object) -> None:
        connection.patience = STATEMENT_SECONDS
        connection.execute(f"SET statement_timeout TO '{_SERVERS_SECONDS}s'".encode())
        connection.commit()

    @event.listens_for(engine, "checkout")
    def _checked_out(connection: PatientConnection, _record: object, _proxy: object) -> None:
        connection.patience = STATEMENT_SECONDS

    @event.listens_for(engine, "checkin")
    def _checked_in(connection: PatientConnection | None, _record: object) -> None:
        if connection is not None:
            connection.patience = PING_SECONDS  # the next that is asked of it is whether it still is one
