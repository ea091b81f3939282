"""Running the hub: the first start, the address, the server."""

from __future__ import annotations

import getpass
import os
import re
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from sqlalchemy import Engine, make_url

from kittywatch.hub import accounts, migrations, passwords
from kittywatch.hub.app import build
from kittywatch.hub.config import Config, is_loopback
from kittywatch.hub.database import is_postgresql, lock_team, open_engine, writing
from kittywatch.hub.errors import ConfigurationError
from kittywatch.hub.logs import log_to_stderr
from kittywatch.hub.server import Server

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

FIRST_TEAM = "team"
_SWITCH_SECONDS = 0.0005  # Python's own 5 ms are what the event loop would wait for each thread that computes


@dataclass(frozen=True, kw_only=True)
class FirstUser:
    """The user that the first start made, with its one-time password."""

    name: str
    password: str
    team_slug: str


def prepare(config: Config) -> FirstUser | None:
    """Make the database fit to serve; the first user if there was none.

    A SQLite file is brought to this version; PostgreSQL is left to `hub migrate`, since other replicas may still run
    the version before. Raises ConfigurationError.
    """
    engine = open_engine(config.database, serves=True)
    try:
        if is_postgresql(engine):
            migrations.check(engine)
        else:
            migrations.migrate(engine)
        return first_user(engine)
    finally:
        engine.dispose()


@contextmanager
def sole_server(config: Config) -> Iterator[None]:
    """Keep a SQLite file to one serving process; raises ConfigurationError if another one has it.

    Two would not hear of each other's events. Commands beside a server are fine.
    """
    path = make_url(config.database).database
    if fcntl is None or path is None or not config.database.startswith("sqlite"):
        yield
        return
    with open(os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another hub serves {path} already", remedy="use PostgreSQL for more than one process"
            ) from None
        yield


def first_user(engine: Engine) -> FirstUser | None:
    """Make a team and a user where there is none; None where there is."""
    with writing(engine) as connection:
        lock_team(connection, 0)  # of two replicas that start at once, one makes the user
        if accounts.list_users(connection):
            return None
        teams = accounts.list_teams(connection)
        team = teams[0] if teams else accounts.add_team(connection, FIRST_TEAM)
        name = _own_name()
        password = passwords.one_time()
        accounts.add_user(connection, name, team=team, password=password, must_change=True)
    return FirstUser(name=name, password=password, team_slug=team.slug)


def _own_name() -> str:
    """This machine's user, as far as its name can be a user's name here."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        name = ""
    return re.sub(r"[^A-Za-z0-9._@+-]", "", name).lstrip("._@+-") or "admin"


def serve(config: Config, listener: socket.socket, *, on_listening: Callable[[str], None]) -> None:
    """Serve on a bound socket until interrupted; `on_listening` gets the board's address.

    Raises ConfigurationError for a certificate that cannot be used.
    """
    host, port = listener.getsockname()[:2]
    shown = config.host if is_loopback(config.host) or config.host not in ("0.0.0.0", "::") else socket.gethostname()
    address = f"{config.scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}/"
    settings = _settings(config, host=host, port=port)
    try:
        settings.load()
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"the certificate {config.tls_cert} and the key {config.tls_key} cannot be used: {error.reason or error}",
            remedy="give the PEM files of one certificate and its unencrypted key",
        ) from error
    log_to_stderr()
    sys.setswitchinterval(_SWITCH_SECONDS)
    server = Server(settings, config, on_started=lambda: on_listening(address))
    server.run(sockets=[listener])


def _settings(config: Config, *, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        build(config),
        host=host,
        port=port,
        loop="asyncio",
        http="h11",
        ws="websockets-sansio",
        ws_max_size=config.limits.message,
        ws_per_message_deflate=True,
        lifespan="on",
        log_config=None,
        access_log=False,  # ours leaves queries out
        server_header=False,
        proxy_headers=config.trusted_proxy is not None,
        forwarded_allow_ips=config.trusted_proxy,
        ssl_certfile=config.tls_cert,
        ssl_keyfile=config.tls_key,
        timeout_graceful_shutdown=5,
    )


def bind(config: Config) -> socket.socket:
    """The socket to serve on; raises ConfigurationError if it cannot be had."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"port {config.port} of {config.host} cannot be had: {error.strerror}", remedy="give another with --port"
        ) from error
    return listener
