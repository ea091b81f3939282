"""Databases that are there and cannot be written to, each way a context."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import text

from kittywatch.hub.database import open_engine, writing
from tests.hub.hubs import Hub


@contextmanager
def changed(hub: Hub, there: str, back: str) -> Iterator[None]:
    engine = open_engine(hub.database)
    with writing(engine) as connection:
        connection.execute(text(there))
    yield
    with writing(engine) as connection:
        connection.execute(text(back))
    engine.dispose()


@contextmanager
def a_table_missing(hub: Hub) -> Iterator[None]:
    with changed(hub, "ALTER TABLE work_packages RENAME TO away", "ALTER TABLE away RENAME TO work_packages"):
        yield


@contextmanager
def no_events_table(hub: Hub) -> Iterator[None]:
    with changed(hub, "ALTER TABLE events RENAME TO away", "ALTER TABLE away RENAME TO events"):
        yield


@contextmanager
def read_only(hub: Hub) -> Iterator[None]:
    """What a standby is after a failover; its connections stay."""
    name = hub.database.rsplit("/", 1)[1]

    def switch(state: str) -> None:
        with psycopg.connect(f"{hub.database.rsplit('/', 1)[0]}/postgres", autocommit=True) as admin:
            admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {state}'.encode())
            admin.execute("SELECT pg_terminate_backend(pid, 9000) FROM pg_stat_activity WHERE datname = %s", [name])

    switch("on")
    yield
    switch("off")


@contextmanager
def full_disk(hub: Hub) -> Iterator[None]:
    """SQLite: no file of the server may grow. PostgreSQL: what it says when its disk is full."""
    if hub.database.startswith("sqlite"):
        assert hub.process is not None
        size = Path(hub.database.removeprefix("sqlite:///") + "-wal").stat().st_size
        before = resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        yield
        resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, before)
        return
    raises = "BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END"
    with changed(
        hub,
        f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS '{raises.replace(chr(39), chr(39) * 2)}';"
        "CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION full_disk()",
        "DROP FUNCTION full_disk CASCADE",
    ):
        yield


OUTAGES: list[Callable[[Hub], AbstractContextManager[None]]] = [a_table_missing, no_events_table, read_only, full_disk]
