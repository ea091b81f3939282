"""Logins: a machine's, with refresh tokens that rotate, and a browser's, with a cookie.

A machine's login is a family of refresh tokens of which one is unused. Using it makes the next one. A token that
comes a second time was copied, by whom nobody knows, so the whole family ends and both holders must log in again.
The login is also who an event came from: what it sent is not sent back to it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, delete, insert, select, update

from kittywatch.hub.accounts import User
from kittywatch.hub.errors import CredentialError
from kittywatch.hub.schema import refresh_tokens, sessions, teams, users, ws_tokens

ACCESS_SECONDS = 15 * 60
REFRESH_SECONDS = 7 * 24 * 3600
BROWSER_SECONDS = 14 * 24 * 3600
WS_SECONDS = 60
_CHUNK = 400
_NEW_LOGIN = "Log in again."

Kind = Literal["machine", "browser"]


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who is at the other end: a user, the team it belongs to, and which of its logins."""

    session_id: str
    user_id: int
    user_name: str
    team_id: int
    team_slug: str
    may_write: bool
    must_change: bool


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A login just made or renewed; `secret` is the refresh token or the cookie, known only here and to the caller."""

    login: Login
    secret: str


def open_session(connection: Connection, user: User, *, kind: Kind) -> Opened:
    """Log a user in; the password was checked before."""
    now = time.time()
    session_id, secret = secrets.token_hex(16), secrets.token_urlsafe(32)
    lifetime = REFRESH_SECONDS if kind == "machine" else BROWSER_SECONDS
    connection.execute(
        insert(sessions).values(
            id=session_id,
            user_id=user.id,
            kind=kind,
            secret_hash=hash_of(secret) if kind == "browser" else None,
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    if kind == "machine":
        _add_refresh(connection, session_id, secret)
    return Opened(login=login_of(connection, session_id), secret=secret)


def refresh(connection: Connection, token: str) -> Opened | None:
    """The next refresh token for this one; None, and the login ended, if it was used before.

    Returns None instead of raising on reuse, because the end of the family must be committed. Raises CredentialError
    for a token that is unknown or expired, or whose login has ended.
    """
    now = time.time()
    used = connection.execute(
        update(refresh_tokens)
        .where(refresh_tokens.c.token_hash == hash_of(token), refresh_tokens.c.used_at.is_(None))
        .values(used_at=now)
        .returning(refresh_tokens.c.session_id, refresh_tokens.c.expires_at)
    ).first()
    if used is None:
        query = select(refresh_tokens.c.session_id).where(refresh_tokens.c.token_hash == hash_of(token))
        family = connection.execute(query).scalar()
        if family is None:
            raise CredentialError("The refresh token is not known.", remedy=_NEW_LOGIN)
        revoke(connection, family)
        return None
    login = login_of(connection, used.session_id)
    if used.expires_at <= now:
        raise CredentialError("The refresh token has expired.", remedy=_NEW_LOGIN)
    secret = secrets.token_urlsafe(32)
    connection.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_at < now))
    _add_refresh(connection, login.session_id, secret)
    connection.execute(
        update(sessions).where(sessions.c.id == login.session_id).values(expires_at=now + REFRESH_SECONDS)
    )
    return Opened(login=login, secret=secret)


def login_of(connection: Connection, session_id: str, *, kind: Kind | None = None) -> Login:
    """The login of an id; raises CredentialError unless it is still good."""
    wanted = [sessions.c.id == session_id] + ([sessions.c.kind == kind] if kind else [])
    return _find(connection, *wanted)


def good_among(connection: Connection, session_ids: Collection[str]) -> set[str]:
    """Those of some logins that have not ended."""
    wanted = sorted(session_ids)
    good: set[str] = set()
    for start in range(0, len(wanted), _CHUNK):
        query = _good(select(sessions.c.id)).where(sessions.c.id.in_(wanted[start : start + _CHUNK]))
        good |= set(connection.execute(query).scalars())
    return good


def login_of_cookie(connection: Connection, cookie: str) -> Login:
    """The login of a browser's cookie; raises CredentialError unless it is still good."""
    return _find(connection, sessions.c.secret_hash == hash_of(cookie), sessions.c.kind == "browser")


def issue_ws_token(connection: Connection, login: Login) -> str:
    """A token that opens one WebSocket, within WS_SECONDS."""
    token = secrets.token_urlsafe(32)
    now = time.time()
    connection.execute(delete(ws_tokens).where(ws_tokens.c.expires_at < now))
    connection.execute(
        insert(ws_tokens).values(token_hash=hash_of(token), session_id=login.session_id, expires_at=now + WS_SECONDS)
    )
    return token


def take_ws_token(connection: Connection, token: str) -> Login:
    """The login that a WebSocket token is for; it is good once. Raises CredentialError."""
    taken = connection.execute(
        delete(ws_tokens)
        .where(ws_tokens.c.token_hash == hash_of(token))
        .returning(ws_tokens.c.session_id, ws_tokens.c.expires_at)
    ).first()
    if taken is None or taken.expires_at <= time.time():
        raise CredentialError("The WebSocket token is not known, used or expired.", remedy="Ask for a new one.")
    return login_of(connection, taken.session_id)


def revoke(connection: Connection, session_id: str) -> None:
    """End a login at once."""
    connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.revoked_at.is_(None))
        .values(revoked_at=time.time())
    )


def revoke_cookie(connection: Connection, cookie: str) -> None:
    """End the login of a browser's cookie, if it is one."""
    connection.execute(
        update(sessions)
        .where(sessions.c.secret_hash == hash_of(cookie), sessions.c.revoked_at.is_(None))
        .values(revoked_at=time.time())
    )


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _add_refresh(connection: Connection, session_id: str, secret: str) -> None:
    expires_at = time.time() + REFRESH_SECONDS
    connection.execute(
        insert(refresh_tokens).values(token_hash=hash_of(secret), session_id=session_id, expires_at=expires_at)
    )


def _find(connection: Connection, *wanted: ColumnElement[bool]) -> Login:
    query = select(
        sessions.c.id,
        users.c.id.label("user_id"),
        users.c.name,
        users.c.team_id,
        teams.c.slug,
        users.c.may_write,
        users.c.must_change,
    )
    row = connection.execute(_good(query).join(teams, users.c.team_id == teams.c.id).where(*wanted)).first()
    if row is None:
        raise CredentialError("This login has ended.", remedy=_NEW_LOGIN)
    return Login(
        session_id=row.id,
        user_id=row.user_id,
        user_name=row.name,
        team_id=row.team_id,
        team_slug=row.slug,
        may_write=row.may_write,
        must_change=row.must_change,
    )


def _good(query: Select[Any]) -> Select[Any]:
    """Of a query for sessions, those that have not ended, with their users."""
    joined = query.join(users, sessions.c.user_id == users.c.id)
    return joined.where(
        sessions.c.revoked_at.is_(None), sessions.c.expires_at > time.time(), users.c.disabled.is_(False)
    )
