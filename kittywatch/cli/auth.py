"""`auth`: the login at a server."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kittywatch.cli.context import open_store, project_here
from kittywatch.cli.lines import counted
from kittywatch.cli.output import Output
from kittywatch.errors import AuthenticationError
from kittywatch.home import home
from kittywatch.store import delivery, destinations
from kittywatch.store.store import Store

if TYPE_CHECKING:
    import sqlite3

    from kittywatch.sync.auth import AuthClient
    from kittywatch.sync.credentials import Credentials

MAX_PASSWORD = 1024


@click.group()
def auth() -> None:
    """The login at a server that takes the events. Without one they wait in the queue."""


@auth.command()
@click.option("--server", metavar="URL", help="The server's address; else config.toml's, or the last login's.")
@click.option("--username", metavar="U", help="Who you are there; asked for where it is missing.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, one line.")
@click.option(
    "--queued",
    type=click.Choice(["send", "keep"]),
    help="What was queued for another server or team: send it to this one too, or keep it for that.",
)
@click.pass_context
def login(
    ctx: click.Context, server: str | None, username: str | None, password_stdin: bool, queued: str | None
) -> None:
    """Log in; the password is asked for without showing it, and kept nowhere.

    \b
    Examples:
      kittywatch auth login --server https://hub.example.org
      kittywatch auth login --username mira
      pass show hub | kittywatch auth login --username mira --password-stdin
    """
    from kittywatch.sync.address import server_url

    output: Output = ctx.obj
    client = _client()
    last = client.remembered()
    url = server_url(server or _configured() or last.url or _asked("Server", "--server", hidden=False))
    name = username or _asked("User name", "--username", hidden=False, default=last.username)
    password = _password_from_stdin() if password_stdin else _asked("Password", "--password-stdin", hidden=True)
    made = client.login(url, name, password)
    output.say(f"logged in at {made.url} as {made.username}, team {made.team_slug}")
    store = open_store(ctx)
    _begin(store, made)
    _redirect(store, made, output, queued)
    _deliver(store, output)


@auth.command()
@click.pass_context
def logout(ctx: click.Context) -> None:
    """Forget the login on this machine; what waits goes on waiting.

    \b
    Example:
      kittywatch auth logout
    """
    output: Output = ctx.obj
    ended = _client().logout()
    store = open_store(ctx)
    if store.exists:
        store.transact(_end)
    output.say(f"logged out at {ended.url}" if ended else "nobody was logged in")


@auth.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Who is logged in where; exit code 4 where nobody is. The server is not asked.

    \b
    Examples:
      kittywatch auth status
      kittywatch auth status --json
    """
    output: Output = ctx.obj
    found = _client().status()
    if as_json:
        output.data(json.dumps(_fields(found)))
    if found is None:
        raise AuthenticationError("nobody is logged in")
    if not as_json:
        output.data(f"{found.username} at {found.url}, team {found.team_slug}")
        configured = _configured()
        if configured is not None and configured.rstrip("/") != found.url:
            output.say("config.toml names another server; `kittywatch auth login` goes there")


def _fields(found: Credentials | None) -> dict[str, str | bool | None]:
    if found is None:
        return {"logged_in": False, "server": None, "username": None, "team_slug": "local", "access_expires_at": None}
    return {
        "logged_in": True,
        "server": found.url,
        "username": found.username,
        "team_slug": found.team_slug,
        "access_expires_at": datetime.fromtimestamp(found.access_expires_at, UTC).isoformat(timespec="seconds"),
    }


def _client() -> AuthClient:
    from kittywatch.sync.auth import AuthClient

    return AuthClient(Path(home()))


def _configured() -> str | None:
    from kittywatch.sync.settings import read_settings

    return read_settings(home()).server_url


def _asked(what: str, option: str, *, hidden: bool, default: str | None = None) -> str:
    """Ask at the terminal; a usage error where there is none."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what.lower()} is missing, and there is no terminal to ask at: give {option}")
    answer: str = click.prompt(what, default=default, hide_input=hidden, err=True)
    return answer


def _password_from_stdin() -> str:
    password = sys.stdin.readline(MAX_PASSWORD + 2).rstrip("\r\n")
    if not password or len(password) > MAX_PASSWORD:
        raise click.UsageError(f"there is no password on stdin, or one of more than {MAX_PASSWORD} characters")
    return password


def _begin(store: Store, made: Credentials) -> None:
    """From now on events are for this server and team, and what went wrong before is over."""
    from kittywatch.sync import features

    def begin(connection: sqlite3.Connection) -> None:
        features.forget(connection)
        destinations.set_present(connection, made.url, made.team_slug)
        delivery.remember(connection, failure=None, next_try_at=None, reported=None, hinted=None, login_at=time.time())

    store.transact(begin)


def _end(connection: sqlite3.Connection) -> None:
    destinations.unset_present(connection)
    delivery.remember(connection, failure=None, next_try_at=None, reported=None, hinted=None)


def _redirect(store: Store, made: Credentials, output: Output, queued: str | None) -> None:
    """What was queued for another server or team goes here only if somebody says so."""

    def elsewhere(connection: sqlite3.Connection) -> tuple[int, dict[destinations.Destination, int]]:
        to = destinations.set_present(connection, made.url, made.team_slug)
        return to.key, destinations.waiting_for_others(connection, to.key)

    key, others = store.transact(elsewhere)
    for other, count in others.items():
        output.say(
            f"{counted(count, 'event')} in the queue {'is' if count == 1 else 'are'} for {other.team} at {other.url}"
        )
    if not others:
        return
    if queued is None and sys.stdin.isatty():
        question = f"Send {'it' if sum(others.values()) == 1 else 'them'} to {made.team_slug} at {made.url}?"
        queued = "send" if click.confirm(question, default=False, err=True) else "keep"
    if queued == "send":
        moved = store.transact(lambda connection: destinations.redirect(connection, key))
        output.say(f"{counted(moved, 'event')} will go to {made.team_slug} at {made.url}")
    else:
        output.say("kept for there; `kittywatch auth login --queued send` sends them here")


def _deliver(store: Store, output: Output) -> None:
    """Let what waits go, unless the project at hand leaves that to `sync now`."""
    from kittywatch.sync.flusher import auto_start, start

    project = project_here(output)
    if os.environ.get("KITTYWATCH") != "0" and (project is None or auto_start(project)):
        start(store, project.git.root if project else None)
