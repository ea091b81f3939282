"""Connections and transactions, for SQLite and PostgreSQL alike.

SQLite: one process, write-ahead log, synchronous=FULL, so that a commit is on disk before anybody hears of it; a
write transaction takes the lock at once, since a read that turns into a write cannot wait for another writer.
PostgreSQL: any number of processes; a team's batches are stored one after another under an advisory lock, which makes
positions visible in their order (schema.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError

from kittywatch.hub.errors import ConfigurationError
from kittywatch.hub.patience import be_patient

_TEAM_LOCKS = 0x6B697474  # the first key of our advisory locks, so that they meet nobody else's
BUSY_SECONDS = 30
_READ_ONLY = "25006"  # what a standby answers to a write
# How a constraint is broken by what stands in the database already, not by the values themselves.
_BY_OTHER_ROWS = {"23503", "23505", "SQLITE_CONSTRAINT_FOREIGNKEY", "SQLITE_CONSTRAINT_PRIMARYKEY"}
_BY_OTHER_ROWS |= {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_ROWID"}


def open_engine(url: str, *, serves: bool = False) -> Engine:
    """An engine for `sqlite:///PATH` or `postgresql://…`; a missing SQLite file is made, mode 0600.

    `serves`: somebody waits for each answer, so that what takes long is given up. Raises ConfigurationError for any
    other URL or an unusable file.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    return _open_postgresql(parsed, serves=serves)


def _open_postgresql(url: URL, *, serves: bool) -> Engine:
    engine = create_engine(url, pool_size=8, max_overflow=24, pool_pre_ping=True, pool_timeout=10, hide_parameters=True)
    be_patient(engine, for_ever=not serves)

    @event.listens_for(engine, "handle_error")
    def _failed(context: ExceptionContext) -> None:
        # After a failover the connections at hand lead to what is a standby now; new ones find the new primary.
        if _code_of(context.original_exception) == _READ_ONLY:
            context.is_disconnect = True

    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "the database URL cannot be read", remedy="give sqlite:///PATH or postgresql://USER@HOST/NAME"
        ) from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite+pysqlite")
    raise ConfigurationError(
        "the database URL names neither a SQLite file nor PostgreSQL",
        remedy="give sqlite:///PATH or postgresql://USER@HOST/NAME",
    )


def _open_sqlite(url: URL) -> Engine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made here, since SQLite would make it readable by all; its journal files take their mode from it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise ConfigurationError(
            f"the database file {path} cannot be used: {error.strerror}", remedy="give another with --database"
        ) from error
    engine = create_engine(
        url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN would come too late; ours is below
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-32000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writing = connection.get_execution_options().get("kittywatch_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent look at the database."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction; commits at the end, rolls back if the block raises."""
    with engine.execution_options(kittywatch_write=True).begin() as connection:
        yield connection


def lock_team(connection: Connection, team_id: int) -> None:
    """Let one transaction at a time store events of a team; SQLite has one writer anyway."""
    if is_postgresql(connection):
        connection.execute(select(func.pg_advisory_xact_lock(_TEAM_LOCKS, team_id)))


def is_postgresql(bound: Connection | Engine) -> bool:
    return bound.dialect.name == "postgresql"


def upsert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, or replace those that have the same primary key."""
    if not rows:
        return
    insert = postgresql.insert if is_postgresql(connection) else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changes = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), rows)


def is_fault_of_values(error: Exception) -> bool:
    """Whether a database refused values for what they are, so that it would never take them.

    Everything else (read-only, no such table, a full disk, a broken page, a key that is taken) may pass, and says
    nothing of the values.
    """
    if isinstance(error, IntegrityError):
        return _code_of(error.orig) not in _BY_OTHER_ROWS
    return isinstance(error, DataError)


def _code_of(error: BaseException | None) -> str | None:
    """PostgreSQL's SQLSTATE, or the name of SQLite's error."""
    return getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
