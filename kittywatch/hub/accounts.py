"""Teams and users. A user belongs to one team; everything a user sends or sees is that team's."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from kittywatch.hub import passwords
from kittywatch.hub.errors import UnknownNameError
from kittywatch.hub.schema import refresh_tokens, sessions, teams, users

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,148}\Z")


@dataclass(frozen=True, kw_only=True)
class Team:
    id: int
    slug: str
    user_count: int = 0


@dataclass(frozen=True, kw_only=True)
class User:
    """`must_change`: the password is a one-time one. `may_write` is False for a user that only looks."""

    id: int
    name: str
    team_id: int
    team_slug: str
    may_write: bool
    must_change: bool
    disabled: bool


def add_team(connection: Connection, slug: str) -> Team:
    """Make a team; raises UnknownNameError if the slug is taken or no slug."""
    if not _SLUG.match(slug):
        raise UnknownNameError("a team slug has lower-case letters, digits and hyphens", remedy="choose another")
    if connection.execute(select(teams.c.id).where(teams.c.slug == slug)).first():
        raise UnknownNameError(f"there is a team {slug} already", remedy="see them with `kittywatch hub team list`")
    result = connection.execute(insert(teams).values(slug=slug, created_at=time.time()))
    return Team(id=_new_id(result.inserted_primary_key), slug=slug)


def list_teams(connection: Connection) -> list[Team]:
    count = func.count(users.c.id)
    query = select(teams.c.id, teams.c.slug, count).outerjoin(users).group_by(teams.c.id, teams.c.slug)
    return [Team(id=row[0], slug=row[1], user_count=row[2]) for row in connection.execute(query.order_by(teams.c.slug))]


def team_named(connection: Connection, slug: str) -> Team:
    """The team; raises UnknownNameError."""
    row = connection.execute(select(teams.c.id, teams.c.slug).where(teams.c.slug == slug)).first()
    if row is None:
        raise UnknownNameError(f"there is no team {slug}", remedy=f"make it with `kittywatch hub team add {slug}`")
    return Team(id=row.id, slug=row.slug)


def add_user(
    connection: Connection, name: str, *, team: Team, password: str, must_change: bool, may_write: bool = True
) -> User:
    """Make a user; raises UnknownNameError if the name is taken or unusable."""
    if not _NAME.match(name):
        raise UnknownNameError("a user name has letters, digits and any of . _ @ + -", remedy="choose another")
    if connection.execute(select(users.c.id).where(users.c.name == name)).first():
        raise UnknownNameError(
            f"there is a user {name} already", remedy=f"give a new password with `kittywatch hub user reset {name}`"
        )
    result = connection.execute(
        insert(users).values(
            name=name,
            team_id=team.id,
            password_hash=passwords.hashed(password),
            must_change=must_change,
            may_write=may_write,
            disabled=False,
            created_at=time.time(),
        )
    )
    return User(
        id=_new_id(result.inserted_primary_key),
        name=name,
        team_id=team.id,
        team_slug=team.slug,
        may_write=may_write,
        must_change=must_change,
        disabled=False,
    )


def list_users(connection: Connection) -> list[User]:
    return [_user(row) for row in connection.execute(_joined().order_by(users.c.name))]


def user_named(connection: Connection, name: str) -> User:
    """The user; raises UnknownNameError."""
    row = connection.execute(_joined().where(users.c.name == name)).first()
    if row is None:
        raise UnknownNameError(f"there is no user {name}", remedy="see them with `kittywatch hub user list`")
    return _user(row)


def password_hash_of(connection: Connection, name: str) -> str | None:
    """None for an unknown and for a disabled user."""
    query = select(users.c.password_hash).where(users.c.name == name, users.c.disabled.is_(False))
    return connection.execute(query).scalar()


def set_password(connection: Connection, user: User, *, password: str, must_change: bool) -> None:
    """Give a user a new password and end every login made with the old one."""
    changes = {"password_hash": passwords.hashed(password), "must_change": must_change}
    connection.execute(update(users).where(users.c.id == user.id).values(**changes))
    end_logins(connection, user)


def set_disabled(connection: Connection, user: User, *, disabled: bool) -> None:
    """Shut a user out, logins and all, or let it in again."""
    connection.execute(update(users).where(users.c.id == user.id).values(disabled=disabled))
    if disabled:
        end_logins(connection, user)


def end_logins(connection: Connection, user: User) -> None:
    now = time.time()
    mine = select(sessions.c.id).where(sessions.c.user_id == user.id)
    connection.execute(
        update(refresh_tokens)
        .where(refresh_tokens.c.session_id.in_(mine), refresh_tokens.c.used_at.is_(None))
        .values(used_at=now)
    )
    connection.execute(
        update(sessions).where(sessions.c.user_id == user.id, sessions.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def _joined() -> Select[Any]:
    columns = (users.c.id, users.c.name, users.c.team_id, teams.c.slug)
    return select(*columns, users.c.may_write, users.c.must_change, users.c.disabled).join(teams)


def _user(row: Any) -> User:
    return User(
        id=row[0],
        name=row[1],
        team_id=row[2],
        team_slug=row[3],
        may_write=row[4],
        must_change=row[5],
        disabled=row[6],
    )


def _new_id(key: object) -> int:
    return int(key[0])  # type: ignore[index]
