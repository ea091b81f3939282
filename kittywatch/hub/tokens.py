"""Access tokens: short-lived JWTs that name a login. Whether the login still stands is asked at each use."""

from __future__ import annotations

import time

import jwt
from sqlalchemy import Connection, select

from kittywatch.hub.errors import CredentialError
from kittywatch.hub.schema import settings
from kittywatch.hub.sessions import ACCESS_SECONDS, Login

_ISSUER = "kittywatch-hub"
_ALGORITHM = "HS256"


def signing_key(connection: Connection) -> bytes:
    """The key that all replicas of a database sign with."""
    query = select(settings.c.value).where(settings.c.name == "signing_key")
    return bytes(connection.execute(query).scalar_one())


def issue(key: bytes, login: Login, *, lifetime: int = ACCESS_SECONDS) -> str:
    """An access token for a login, good for `lifetime` seconds."""
    now = int(time.time())
    claims = {"iss": _ISSUER, "sub": str(login.user_id), "sid": login.session_id, "iat": now, "exp": now + lifetime}
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def session_of(key: bytes, token: str) -> str:
    """The session id that a token names; raises CredentialError unless the token is ours and not expired."""
    try:
        claims = jwt.decode(
            token, key, algorithms=[_ALGORITHM], issuer=_ISSUER, options={"require": ["exp", "sid", "sub", "iss"]}
        )
    except jwt.ExpiredSignatureError:
        raise CredentialError("The access token has expired.", remedy="Refresh it.") from None
    except jwt.InvalidTokenError:
        raise CredentialError("The access token is not valid.", remedy="Log in again.") from None
    return str(claims["sid"])
