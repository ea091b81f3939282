"""`hub …`: the self-hosted server with the live board."""

from __future__ import annotations

import functools
import importlib
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, ParamSpec

import click

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from kittywatch.hub.accounts import Team
    from kittywatch.hub.config import Config
    from kittywatch.hub.serve import FirstUser

Given = ParamSpec("Given")
_EXPECTED_FAILURE = 1


def _one_line_errors(command: Callable[Given, None]) -> Callable[Given, None]:
    """Say an expected failure and its remedy in one line, and exit with 1."""

    @functools.wraps(command)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            from sqlalchemy.exc import DBAPIError

            importlib.import_module("kittywatch.hub.serve")  # everything that the extra brings, at once
            from kittywatch.hub.errors import HubError
        except ModuleNotFoundError as error:
            click.echo(f"The hub needs {error.name}. Install it with: pip install 'kittywatch[hub]'", err=True)
            sys.exit(_EXPECTED_FAILURE)
        try:
            command(*args, **kwargs)
        except HubError as error:
            click.echo(str(error), err=True)
            sys.exit(_EXPECTED_FAILURE)
        except DBAPIError as error:
            cause = type(error.orig).__name__
            click.echo(f"The database cannot be used ({cause}). Check --database and run: hub migrate", err=True)
            sys.exit(_EXPECTED_FAILURE)

    return run


def _database_option(command: Callable[Given, None]) -> Callable[Given, None]:
    return click.option(
        "--database",
        envvar="KITTYWATCH_HUB_DATABASE",
        metavar="URL",
        help="sqlite:///PATH or postgresql://USER@HOST/NAME  [default: hub.db in ~/.spec-kitty]",
    )(command)


@contextmanager
def _engine(database: str | None, *, checked: bool = True) -> Iterator[Engine]:
    from kittywatch.hub import migrations
    from kittywatch.hub.config import default_database
    from kittywatch.hub.database import is_postgresql, open_engine

    engine = open_engine(database or default_database())
    try:
        if checked and is_postgresql(engine):
            migrations.check(engine)
        elif checked:
            migrations.migrate(engine)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _writing(database: str | None) -> Iterator[Connection]:
    from kittywatch.hub.database import writing

    with _engine(database) as engine, writing(engine) as connection:
        yield connection


@click.group()
def hub() -> None:
    """The self-hosted server with the live board."""


@hub.command()
@_database_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="PEM file of the certificate chain.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="PEM file of its key.")
@click.option("--insecure-http", is_flag=True, help="Serve other machines without TLS; for a proxy in front.")
@click.option("--allow-host", "allowed_hosts", multiple=True, help="A further name that the hub is reached by.")
@click.option("--trusted-proxy", help="Address of the proxy whose X-Forwarded-* headers are believed.")
@click.option("--public-metrics", is_flag=True, help="Answer /metrics to other machines too.")
@click.option("--open", "open_browser", is_flag=True, help="Open the board in the browser.")
@_one_line_errors
def serve(
    database: str | None,
    host: str,
    port: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    insecure_http: bool,
    allowed_hosts: tuple[str, ...],
    trusted_proxy: str | None,
    public_metrics: bool,
    open_browser: bool,
) -> None:
    """Serve the hub and its board."""
    from kittywatch.hub import serve as server
    from kittywatch.hub.config import Config, default_database

    config = Config(
        database=database or default_database(),
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        insecure_http=insecure_http,
        allowed_hosts=allowed_hosts,
        trusted_proxy=trusted_proxy,
        public_metrics=public_metrics,
    )
    listener = server.bind(config)  # first, so that a start that fails has made nothing
    with listener:
        _serve(config, listener, open_browser=open_browser)


def _serve(config: Config, listener: socket.socket, *, open_browser: bool) -> None:
    from kittywatch.hub import serve as server

    first = server.prepare(config)
    with server.sole_server(config):
        _run(config, listener, first, open_browser=open_browser)


def _run(config: Config, listener: socket.socket, first: FirstUser | None, *, open_browser: bool) -> None:
    from kittywatch.hub import serve as server

    if first is not None:
        click.echo(f"Made the team {first.team_slug} and the user {first.name}.", err=True)
        click.echo(f"One-time password: {first.password}", err=True)

    def listening(address: str) -> None:
        click.echo(f"Board: {address}", err=True)
        if open_browser:
            webbrowser.open(address)

    server.serve(config, listener, on_listening=listening)


@hub.command()
@_database_option
@_one_line_errors
def migrate(database: str | None) -> None:
    """Bring the database to this version."""
    from kittywatch.hub import migrations

    with _engine(database, checked=False) as engine:
        applied = migrations.migrate(engine)
    click.echo("\n".join(f"applied: {name}" for name in applied) or "The database is up to date.", err=True)


@hub.command()
@_database_option
@_one_line_errors
def rebuild(database: str | None) -> None:
    """Make lanes, features and counts again from the events."""
    from kittywatch.hub import accounts, projections

    with _writing(database) as connection:
        count = sum(projections.rebuild(connection, team.id) for team in accounts.list_teams(connection))
    click.echo(f"Rebuilt from {count} events.", err=True)


@hub.command()
@_database_option
@click.option("--team", "team_slug", help="Which team's events.  [default: the only one]")
@click.option("--originals", is_flag=True, help="With arrival times and the older forms that events came in.")
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
@_one_line_errors
def export(database: str | None, team_slug: str | None, originals: bool, file: IO[str]) -> None:
    """Write a team's events to FILE, one a line."""
    from kittywatch.hub.database import reading
    from kittywatch.hub.export import lines

    with _engine(database) as engine, reading(engine) as connection:
        for line in lines(connection, _team(connection, team_slug).id, with_originals=originals):
            file.write(line + "\n")


@hub.group()
def user() -> None:
    """People and machines that log in."""


@user.command("add")
@_database_option
@click.argument("name")
@click.option("--team", "team_slug", help="The user's team.  [default: the only one]")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of making a one-time one.")
@click.option("--read-only", is_flag=True, help="May look at the board, not send events.")
@_one_line_errors
def add_user(database: str | None, name: str, team_slug: str | None, password_stdin: bool, read_only: bool) -> None:
    """Add a user."""
    from kittywatch.hub import accounts

    given = _password_from_stdin() if password_stdin else None
    with _writing(database) as connection:
        team = _team(connection, team_slug)
        password = given or _one_time()
        accounts.add_user(
            connection, name, team=team, password=password, must_change=given is None, may_write=not read_only
        )
    click.echo(f"Added {name} to {team.slug}.", err=True)
    _say_one_time(None if given else password)


@user.command("list")
@_database_option
@_one_line_errors
def list_users(database: str | None) -> None:
    """List users: name, team, state."""
    from kittywatch.hub import accounts

    with _writing(database) as connection:
        for found in accounts.list_users(connection):
            states = [("disabled", found.disabled), ("one-time password", found.must_change)]
            states.append(("read-only", not found.may_write))
            said = ", ".join(name for name, holds in states if holds) or "active"
            click.echo(f"{found.name}\t{found.team_slug}\t{said}")


@user.command("disable")
@_database_option
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let the user in again.")
@_one_line_errors
def disable_user(database: str | None, name: str, undo: bool) -> None:
    """Shut a user out, at once."""
    from kittywatch.hub import accounts

    with _writing(database) as connection:
        accounts.set_disabled(connection, accounts.user_named(connection, name), disabled=not undo)
    click.echo(f"{'Enabled' if undo else 'Disabled'} {name}.", err=True)


@user.command("reset")
@_database_option
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of making a one-time one.")
@_one_line_errors
def reset_user(database: str | None, name: str, password_stdin: bool) -> None:
    """Give a user a new password and end its logins."""
    from kittywatch.hub import accounts

    given = _password_from_stdin() if password_stdin else None
    with _writing(database) as connection:
        password = given or _one_time()
        accounts.set_password(
            connection, accounts.user_named(connection, name), password=password, must_change=given is None
        )
    click.echo(f"Reset {name}.", err=True)
    _say_one_time(None if given else password)


@hub.group()
def team() -> None:
    """Teams, each with its own events and board."""


@team.command("add")
@_database_option
@click.argument("slug")
@_one_line_errors
def add_team(database: str | None, slug: str) -> None:
    """Add a team."""
    from kittywatch.hub import accounts

    with _writing(database) as connection:
        accounts.add_team(connection, slug)
    click.echo(f"Added {slug}.", err=True)


@team.command("list")
@_database_option
@_one_line_errors
def list_teams(database: str | None) -> None:
    """List teams: slug, number of users."""
    from kittywatch.hub import accounts

    with _writing(database) as connection:
        for found in accounts.list_teams(connection):
            click.echo(f"{found.slug}\t{found.user_count}")


def _team(connection: Connection, slug: str | None) -> Team:
    from kittywatch.hub import accounts
    from kittywatch.hub.errors import UnknownNameError

    if slug is not None:
        return accounts.team_named(connection, slug)
    teams = accounts.list_teams(connection)
    if len(teams) != 1:
        remedy = "Choose with --team." if teams else "Make one with: hub team add"
        raise UnknownNameError(f"There are {len(teams)} teams.", remedy=remedy)
    return teams[0]


def _password_from_stdin() -> str:
    from kittywatch.hub.errors import UnknownNameError
    from kittywatch.hub.passwords import MIN_LENGTH

    password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < MIN_LENGTH:
        raise UnknownNameError("The password is too short.", remedy=f"Give at least {MIN_LENGTH} characters.")
    return password


def _one_time() -> str:
    from kittywatch.hub.passwords import one_time

    return one_time()


def _say_one_time(password: str | None) -> None:
    if password is not None:
        click.echo(f"One-time password: {password}", err=True)


if __name__ == "__main__":
    hub()
