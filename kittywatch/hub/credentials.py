"""Who is asking: the bearer token of a machine, the cookie of a browser, or a name and a password."""

from __future__ import annotations

import logging
from functools import cache

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from kittywatch.hub import accounts, passwords, sessions, throttle, tokens
from kittywatch.hub.addresses import is_near, network_of
from kittywatch.hub.errors import CredentialError, ThrottledError
from kittywatch.hub.service import Service, service_of
from kittywatch.hub.sessions import Kind, Login, Opened
from kittywatch.hub.transports import ENTRY, PEER

_log = logging.getLogger("kittywatch.hub.credentials")
_LATER_SECONDS = 5.0


async def of_machine(connection: HTTPConnection) -> Login:
    """The login of a request's access token; raises CredentialError."""
    service = service_of(connection)
    session_id = tokens.session_of(service.key, bearer_of(connection))
    login = await service.read(lambda database: sessions.login_of(database, session_id, kind="machine"))
    show(connection, login)
    return login


async def of_browser(connection: HTTPConnection) -> Login:
    """The login of a request's cookie; raises CredentialError."""
    cookie = cookie_of(connection)
    if not cookie:
        raise CredentialError("Nobody is signed in.", remedy="Sign in.")
    login = await service_of(connection).read(lambda database: sessions.login_of_cookie(database, cookie))
    show(connection, login)
    return login


def show(connection: HTTPConnection, login: Login) -> None:
    """Say whose a connection is, to what counts connections and to the access log; raises ThrottledError."""
    connection.scope.setdefault("state", {})["user"] = login.user_name
    show_login = connection.scope.get(ENTRY)
    if show_login is not None and not show_login(login.session_id):
        raise ThrottledError("This login has too many connections.", retry_after=_LATER_SECONDS)


async def sign_in(service: Service, *, name: str, password: str, address: str, kind: Kind) -> Opened:
    """Log in with a password; raises CredentialError, or ThrottledError before the password is even looked at."""

    name = name.replace("\0", "")  # which PostgreSQL takes in no text

    def attempt(database: Connection) -> str | None:
        throttle.begin(database, user=name, address=address)
        return accounts.password_hash_of(database, name)

    def admit(database: Connection) -> Opened:
        throttle.succeeded(database, user=name, address=address)
        return sessions.open_session(database, accounts.user_named(database, name), kind=kind)

    password_hash = await service.write(attempt)
    async with service.hashing:
        right = await run_in_threadpool(passwords.matches, password, password_hash)
    if not right:
        raise CredentialError("User name or password is wrong.", remedy="Try again, or ask for: hub user reset")
    return await service.write(admit)


def bearer_of(connection: HTTPConnection) -> str:
    """The token in the Authorization header; raises CredentialError."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise CredentialError("A bearer token is missing.", remedy="Log in.")
    return token.strip()


def cookie_of(connection: HTTPConnection) -> str:
    """The value of our cookie, empty where there is none.

    Not by http.cookies: undoing the quotes of others' cookies takes quadratic time before Python 3.11.10.
    """
    name = cookie_name(connection)
    for header in connection.headers.getlist("cookie"):
        for pair in header.split(";"):
            key, _, value = pair.partition("=")
            if key.strip() == name:
                return value.strip()
    return ""


def cookie_name(connection: HTTPConnection) -> str:
    """With TLS a name that browsers let only this host set, and only over TLS."""
    return "__Host-kittywatch" if is_secure(connection) else "kittywatch"


def is_secure(connection: HTTPConnection) -> bool:
    return connection.scope["scheme"] in ("https", "wss")


def network_of_stranger(connection: HTTPConnection) -> str:
    """Where somebody who guesses passwords is: what is counted, and slowed down.

    Behind a proxy that nobody told us of, everybody has its address, and one stranger would lock all of them out. If it
    is on this machine or in a private network, as such proxies are, what it says of the other side counts instead.
    """
    address = address_of(connection)
    said = connection.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    if not said or connection.scope.get(PEER, "") != address or not is_near(address):
        return network_of(address)
    _warn_of_proxy(address)
    return network_of(said[:64])


@cache
def _warn_of_proxy(address: str) -> None:
    _log.warning("a proxy at %s forwards requests: serve with --trusted-proxy %s", address, address)


def address_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "unknown"
