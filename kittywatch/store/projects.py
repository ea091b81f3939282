"""The projects that this machine has observed.

A project is known by its uuid. One without an identity is known by its repository's place, until it has one.
"""

from __future__ import annotations

import sqlite3


def ensure(connection: sqlite3.Connection, project_uuid: str | None, *, slug: str | None, place: str) -> int:
    """The row of a project, made where it is new; `place` is its repository's common directory."""
    local = f"place:{place}"
    if project_uuid is not None:
        row = _row(connection, project_uuid)
        if row is None and (row := _row(connection, local)) is not None:
            connection.execute("UPDATE projects SET key = ? WHERE id = ?", (project_uuid, row))
    else:
        row = _row(connection, local)
    if row is not None:
        return row
    made = connection.execute("INSERT INTO projects (key, slug) VALUES (?, ?)", (project_uuid or local, slug))
    assert made.lastrowid is not None
    return made.lastrowid


def find(connection: sqlite3.Connection, project_uuid: str | None, *, place: str) -> int | None:
    """The row of a project, None where it was never observed."""
    row = _row(connection, project_uuid) if project_uuid is not None else None
    return row if row is not None else _row(connection, f"place:{place}")


def remembered_uuid(connection: sqlite3.Connection, git_directory: str) -> str | None:
    """The uuid under which a checkout was observed last, None where it never was under one."""
    row = connection.execute(
        "SELECT key FROM projects JOIN checkouts ON checkouts.project = projects.id"
        " WHERE git_dir = ? AND key NOT LIKE 'place:%' ORDER BY checkouts.id DESC LIMIT 1",
        (git_directory,),
    ).fetchone()
    return str(row[0]) if row else None


def git_directories_of_all(connection: sqlite3.Connection) -> list[str]:
    """The git directory of every checkout of every project that was observed."""
    return [str(row[0]) for row in connection.execute("SELECT DISTINCT git_dir FROM checkouts ORDER BY git_dir")]


def git_directories(connection: sqlite3.Connection, uuid: str) -> list[str]:
    """The git directories under which the project with a uuid was observed."""
    rows = connection.execute(
        "SELECT DISTINCT git_dir FROM checkouts JOIN projects ON projects.id = checkouts.project"
        " WHERE key = ? ORDER BY git_dir",
        (uuid,),
    )
    return [str(row[0]) for row in rows]


def _row(connection: sqlite3.Connection, key: str) -> int | None:
    row = connection.execute("SELECT id FROM projects WHERE key = ?", (key,)).fetchone()
    return int(row[0]) if row else None
