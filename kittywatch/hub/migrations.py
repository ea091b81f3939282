"""Versions of the database, applied in order; a migration and its record commit together.

A migration is never edited once it was released: the next change of a table is the next function in MIGRATIONS.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, bindparam, func, insert, inspect, select, text, update

from kittywatch.hub import schema
from kittywatch.hub.database import is_postgresql, reading, writing
from kittywatch.hub.errors import ConfigurationError
from kittywatch.natural import LONGEST, natural
from kittywatch.workpackages.schemes import SPEC_KITTY_2

_MIGRATION_LOCK = 0x6B697474_00000000


def _first_tables(connection: Connection) -> None:
    tables = (
        schema.settings,
        schema.teams,
        schema.users,
        schema.sessions,
        schema.refresh_tokens,
        schema.ws_tokens,
        schema.login_failures,
        schema.events,
        *schema.PROJECTIONS,
    )
    schema.metadata.create_all(connection, tables=list(tables))
    # Every replica signs with the same key; it lives where the password hashes live.
    connection.execute(insert(schema.settings).values(name="signing_key", value=secrets.token_bytes(32)))


def _aliases(connection: Connection) -> None:
    # The first tables are made as they are by now, so a new database has the column already.
    if "superseded_by" not in {column["name"] for column in inspect(connection).get_columns("events")}:
        connection.execute(text("ALTER TABLE events ADD COLUMN superseded_by VARCHAR(26)"))
    schema.metadata.create_all(connection, tables=[schema.aliases, schema.supersessions])


def _renames(connection: Connection) -> None:
    schema.metadata.create_all(connection, tables=[schema.renames])


def _lane_schemes(connection: Connection) -> None:
    """Lanes of any scheme, and ids of any source: what there was before was spec-kitty 2's."""
    there = {column["name"] for column in inspect(connection).get_columns("work_packages")}
    if "category" not in there:
        connection.execute(text("ALTER TABLE work_packages ADD COLUMN category VARCHAR(16) NOT NULL DEFAULT 'backlog'"))
        connection.execute(text("ALTER TABLE work_packages ADD COLUMN released BOOLEAN NOT NULL DEFAULT false"))
        for lane, category in SPEC_KITTY_2.lanes.items():
            values = {"lane": lane, "category": category, "released": SPEC_KITTY_2.releases(lane)}
            changed = "UPDATE work_packages SET category = :category, released = :released WHERE lane = :lane"
            connection.execute(text(changed), values)
    if is_postgresql(connection):  # SQLite keeps no lengths
        for table, column in _WIDENED:
            connection.execute(text(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE VARCHAR(40)"))


_WIDENED = (
    ("events", "wp_id"),
    ("supersessions", "wp_id"),
    ("work_packages", "wp_id"),
    ("work_packages", "lane"),
    ("dependencies", "wp_id"),
    ("dependencies", "needs"),
)


def _places(connection: Connection) -> None:
    """Ids in the order in which people read them."""
    table = schema.work_packages
    if "place" in {column["name"] for column in inspect(connection).get_columns(table.name)}:
        return
    kind = f"VARCHAR({LONGEST})" + (' COLLATE "C"' if is_postgresql(connection) else "")
    connection.execute(text(f"ALTER TABLE work_packages ADD COLUMN place {kind} NOT NULL DEFAULT ''"))
    key = ("team_id", "project", "feature", "wp_id")
    rows = connection.execute(select(*(table.c[name] for name in key))).all()
    here = [table.c[name] == bindparam(f"this_{name}") for name in key]
    values = [
        {f"this_{name}": value for name, value in zip(key, row, strict=True)} | {"place": natural(row.wp_id)}
        for row in rows
    ]
    if values:
        connection.execute(update(table).where(*here).values(place=bindparam("place")), values)


def _lane_sources(connection: Connection) -> None:
    """Which source a card's lanes come from; up to now there were two, of which the event log says so."""
    if "source" in {column["name"] for column in inspect(connection).get_columns("work_packages")}:
        return
    connection.execute(text("ALTER TABLE work_packages ADD COLUMN source VARCHAR(40) NOT NULL DEFAULT ''"))
    told = (
        "SELECT 1 FROM events WHERE events.team_id = work_packages.team_id AND events.project = work_packages.project"
        " AND events.feature = work_packages.feature AND events.wp_id = work_packages.wp_id"
        " AND events.superseded_by IS NULL AND events.body LIKE :said"
    )
    moved = f"{told} AND events.event_type = 'WPStatusChanged'"
    for source, which, said in (
        ("frontmatter", moved, '"schema_version":"1.0.0"'),
        ("frontmatter", told, '"source":"frontmatter"'),
        ("event-log", told, '"source":"event-log"'),
    ):
        changed = text(f"UPDATE work_packages SET source = :source WHERE EXISTS ({which})")
        connection.execute(changed, {"source": source, "said": f"%{said}%"})


def _moves(connection: Connection) -> None:
    schema.metadata.create_all(connection, tables=[schema.moves])


def _ids_of_a_project(connection: Connection) -> None:
    """Dependencies that lead out of their feature."""
    for index in schema.work_packages.indexes:
        if index.name == "work_packages_by_id":
            index.create(connection, checkfirst=True)


MIGRATIONS: tuple[tuple[str, Callable[[Connection], None]], ...] = (
    ("first tables", _first_tables),
    ("aliases", _aliases),
    ("renames", _renames),
    ("lane schemes", _lane_schemes),
    ("order of ids", _places),
    ("lane sources", _lane_sources),
    ("moves", _moves),
    ("ids of a project", _ids_of_a_project),
)


def migrate(engine: Engine) -> list[str]:
    """Bring the database to this version; the names of what was applied. Safe to run from several processes."""
    applied = []
    with writing(engine) as connection:
        if is_postgresql(connection):
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        schema.metadata.create_all(connection, tables=[schema.schema_versions])
        for version, (name, apply) in list(enumerate(MIGRATIONS, start=1))[_current(connection) :]:
            apply(connection)
            connection.execute(
                insert(schema.schema_versions).values(version=version, name=name, applied_at=time.time())
            )
            applied.append(name)
    return applied


def check(engine: Engine) -> None:
    """Raise ConfigurationError unless the database has exactly this program's version."""
    with reading(engine) as connection:
        version = _current(connection) if inspect(connection).has_table("schema_versions") else 0
    if version < len(MIGRATIONS):
        raise ConfigurationError(
            f"the database is at version {version}, this hub needs {len(MIGRATIONS)}",
            remedy="run `kittywatch hub migrate`",
        )


def _current(connection: Connection) -> int:
    version = connection.execute(select(func.max(schema.schema_versions.c.version))).scalar() or 0
    if version > len(MIGRATIONS):
        raise ConfigurationError(
            f"the database is at version {version}, newer than this hub knows ({len(MIGRATIONS)})",
            remedy="upgrade kittywatch here",
        )
    return int(version)


def is_current(engine: Engine) -> bool:
    """Whether the database answers and has this program's version."""
    with reading(engine) as connection:
        count = connection.execute(text("SELECT count(*) FROM schema_versions")).scalar()
    return count == len(MIGRATIONS)
