"""Versions of the database: what a later version brings to a file that is in use."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, inspect, select, text

from kittywatch.hub import migrations
from kittywatch.hub.database import open_engine, reading, writing
from kittywatch.hub.errors import ConfigurationError
from kittywatch.hub.schema import schema_versions
from tests.hub.conftest import Run
from tests.hub.hubs import populate

FIRST = migrations.MIGRATIONS[:1]


def _notes(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE users ADD COLUMN note TEXT NOT NULL DEFAULT 'none'"))
    connection.execute(text("UPDATE users SET note = 'was here before' WHERE name = 'mira'"))


def _half_done(connection: Connection) -> None:
    _notes(connection)
    raise RuntimeError("the machine stops here")


@pytest.fixture
def first_version(sqlite_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file that a hub of the first version made and used."""
    monkeypatch.setattr(migrations, "MIGRATIONS", FIRST)
    populate(sqlite_database, teams={"cats": ["mira", "tom"]})
    return sqlite_database


def _versions(engine: Engine) -> list[tuple[int, str]]:
    query = select(schema_versions.c.version, schema_versions.c.name).order_by(schema_versions.c.version)
    with reading(engine) as connection:
        return [(row.version, row.name) for row in connection.execute(query)]


def test_a_second_migration_reaches_a_first_database(first_version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*FIRST, ("notes", _notes)))
    engine = open_engine(first_version)
    try:
        with pytest.raises(ConfigurationError, match="at version 1, this hub needs 2"):
            migrations.check(engine)
        assert not migrations.is_current(engine)
        assert migrations.migrate(engine) == ["notes"]
        assert migrations.migrate(engine) == []
        migrations.check(engine)
        assert migrations.is_current(engine)
        assert _versions(engine) == [(1, FIRST[0][0]), (2, "notes")]
        with reading(engine) as connection:
            notes = connection.execute(text("SELECT name, note FROM users ORDER BY name")).all()
        assert [tuple(row) for row in notes] == [("mira", "was here before"), ("tom", "none")]
    finally:
        engine.dispose()


def test_a_migration_that_fails_leaves_the_version_before(first_version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine(first_version)
    try:
        monkeypatch.setattr(migrations, "MIGRATIONS", (*FIRST, ("notes", _half_done)))
        with pytest.raises(RuntimeError, match="stops here"):
            migrations.migrate(engine)
        assert _versions(engine) == [(1, FIRST[0][0])]
        with writing(engine) as connection:
            assert "note" not in {column["name"] for column in inspect(connection).get_columns("users")}
        monkeypatch.setattr(migrations, "MIGRATIONS", (*FIRST, ("notes", _notes)))
        assert migrations.migrate(engine) == ["notes"]
    finally:
        engine.dispose()


def test_the_command_names_what_it_applied(run: Run, first_version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("migrate").err == "The database is up to date.\n"
    monkeypatch.setattr(migrations, "MIGRATIONS", (*FIRST, ("notes", _notes)))
    assert run("migrate").err == "applied: notes\n"
    assert run("user", "list").out == "mira  cats  active\ntom   cats  active\n"
