"""What the log says of a database that went away: a line each time, and a stack only of what is a fault."""

from __future__ import annotations

import gc
import io
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from kittywatch.hub.database import open_engine, reading
from kittywatch.hub.logs import log_to_stderr


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What goes to standard error, as a server logs it; the root logger is as it was afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    log_to_stderr()
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def engine(postgresql_database: str) -> Iterator[Engine]:
    made = open_engine(postgresql_database)
    yield made
    made.dispose()


def test_a_connection_that_breaks_while_rows_stream_is_a_line(logged: io.StringIO, engine: Engine) -> None:
    with engine.connect().execution_options(stream_results=True) as connection:
        rows = connection.execute(text("SELECT generate_series(1, 100000), pg_backend_pid()"))
        process = rows.fetchone()
        assert process is not None
        with reading(engine) as other:
            other.execute(text("SELECT pg_terminate_backend(:process, 9000)"), {"process": process[1]})
        rows.close()
        connection.invalidate()
    with warnings.catch_warnings():  # psycopg counts the cursor as one that nobody closed
        warnings.simplefilter("ignore", ResourceWarning)
        del rows
        gc.collect()
    said = logged.getvalue()
    assert "the connection to the database broke: " in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == said.count("the connection to the database broke: ")


def test_what_is_no_outage_keeps_its_stack(logged: io.StringIO, engine: Engine) -> None:
    log = logging.getLogger("sqlalchemy.pool.impl.QueuePool")
    for statement in ("SELECT no_such_thing", "SELECT 1/0"):
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        except Exception:
            log.exception("Error closing cursor")
    said = logged.getvalue()
    assert said.count("Traceback") >= 2
    assert said.count("Error closing cursor") == 2
    assert "broke" not in said
