"""`hub …`: the self-hosted server with the live board."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from kittywatch.cli.hub_database import database_option, engine_of, reading_from, with_the_extra, writing_to
from kittywatch.cli.output import Output
from kittywatch.events.field_form import FORMAT
from kittywatch.hub.errors import UnknownNameError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kittywatch.hub.accounts import Team


@click.group()
def hub() -> None:
    """The self-hosted server with the live board.

    \b
    First steps:
      kittywatch hub serve --open        make a database, a team and a first user; show the board
      kittywatch hub user add mira       let somebody else in
    """


@hub.command()
@database_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="PEM file of the certificate chain.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="PEM file of its key.")
@click.option("--insecure-http", is_flag=True, help="Serve other machines without TLS; for a proxy in front.")
@click.option("--allow-host", "allowed_hosts", multiple=True, help="A further name that the hub is reached by.")
@click.option("--trusted-proxy", help="Addresses of proxies, or networks, whose X-Forwarded-* headers are believed.")
@click.option("--public-metrics", is_flag=True, help="Answer /metrics to other machines too.")
@click.option("--open", "open_browser", is_flag=True, help="Open the board in the browser.")
@click.pass_obj
@with_the_extra
def serve(
    output: Output,
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
    """Serve the hub and its board, until Ctrl-C.

    The first start makes its SQLite file, a team and a user with a one-time password, which it prints. Other
    addresses than this machine's own are served with TLS only, or with --insecure-http behind a proxy that has it.

    \b
    Examples:
      kittywatch hub serve --open
      kittywatch hub serve --host 0.0.0.0 --allow-host hub.example.org \\
          --tls-cert cert.pem --tls-key key.pem
      kittywatch hub serve --database postgresql://hub@db.example.org/hub
    """
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

    def listening(address: str) -> None:
        output.say(f"Board: {address}")
        if open_browser:
            webbrowser.open(address)

    with server.bind(config) as listener:  # first, so that a start that fails has made nothing
        first = server.prepare(config)
        with server.sole_server(config):
            if first is not None:
                output.say(f"Made the team {first.team_slug} and the user {first.name}.")
                _tell_one_time(output, first.password)
            server.serve(config, listener, on_listening=listening)


@hub.command()
@database_option
@click.pass_obj
@with_the_extra
def migrate(output: Output, database: str | None) -> None:
    """Bring the database to this version.

    `hub serve` does that by itself to a SQLite file; to PostgreSQL only this command does.

    \b
    Example:
      kittywatch hub migrate --database postgresql://hub@db.example.org/hub
    """
    from kittywatch.hub import migrations

    with engine_of(database, checked=False) as engine:
        applied = migrations.migrate(engine)
    output.say("\n".join(f"applied: {name}" for name in applied) or "The database is up to date.")


@hub.command()
@database_option
@click.pass_obj
@with_the_extra
def rebuild(output: Output, database: str | None) -> None:
    """Make lanes, features and counts again from the events.

    \b
    Example:
      kittywatch hub rebuild
    """
    from kittywatch.hub import accounts, projections

    with writing_to(database) as connection:
        count = sum(projections.rebuild(connection, team.id) for team in accounts.list_teams(connection))
    output.say(f"Rebuilt from {count} events.")


@hub.command()
@database_option
@click.pass_obj
@with_the_extra
def repair(output: Output, database: str | None) -> None:
    """Put right what is stored and could not come in any more.

    Clocks far ahead of all others of their team, which would freeze the work packages that they touched, get the
    place that their events had in the order of arrival. Run twice, it finds nothing more.

    \b
    Example:
      kittywatch hub repair
    """
    from kittywatch.hub import accounts, clocks

    with writing_to(database) as connection:
        count = sum(clocks.repair(connection, team.id) for team in accounts.list_teams(connection))
    output.say(f"Put right the clocks of {count} events." if count else "Nothing was wrong.")


@hub.command()
@database_option
@click.option("--team", "team_slug", help="Which team's events.  [default: the only one]")
@click.option(
    "--originals",
    is_flag=True,
    help="With arrival times, the names that features are shown under, and the older forms that events came in.",
)
@click.option(
    "--as",
    "form",
    type=click.Choice([FORMAT]),
    help="Only lane transitions, in the form of that library (its StatusTransitionPayload).",
)
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
@click.pass_obj
@with_the_extra
def export(
    output: Output, database: str | None, team_slug: str | None, originals: bool, form: str | None, file: IO[str]
) -> None:
    """Write a team's events to FILE, or stdout, one a line, in their order.

    \b
    Examples:
      kittywatch hub export | jq .event_type
      kittywatch hub export --team cats --originals cats.jsonl
      kittywatch hub export --as spec-kitty-events transitions.jsonl
    """
    from kittywatch.hub.export import lines, transitions

    if originals and form is not None:
        raise click.UsageError("--originals and --as are two forms: choose one")
    with reading_from(database) as connection:
        team_id = _team(connection, team_slug).id
        found = (
            lines(connection, team_id, with_originals=originals) if form is None else transitions(connection, team_id)
        )
        for line in found:
            file.write(line + "\n")


@hub.group()
def user() -> None:
    """People and machines that log in."""


@user.command("add")
@database_option
@click.argument("name")
@click.option("--team", "team_slug", help="The user's team.  [default: the only one]")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of making a one-time one.")
@click.option("--read-only", is_flag=True, help="May look at the board, not send events.")
@click.pass_obj
@with_the_extra
def add_user(
    output: Output, database: str | None, name: str, team_slug: str | None, password_stdin: bool, read_only: bool
) -> None:
    """Add a user; prints the one-time password, which the first sign-in changes.

    \b
    Examples:
      kittywatch hub user add mira
      kittywatch hub user add wall --read-only --password-stdin < password
    """
    from kittywatch.hub import accounts

    given = _password_from_stdin(name) if password_stdin else None
    with writing_to(database) as connection:
        team = _team(connection, team_slug)
        password = given or _one_time()
        accounts.add_user(
            connection, name, team=team, password=password, must_change=given is None, may_write=not read_only
        )
    output.say(f"Added {name} to {team.slug}.")
    if given is None:
        _tell_one_time(output, password)


@user.command("list")
@database_option
@click.pass_obj
@with_the_extra
def list_users(output: Output, database: str | None) -> None:
    """List users: name, team, state.

    \b
    Example:
      kittywatch hub user list
    """
    from kittywatch.hub import accounts

    with reading_from(database) as connection:
        users = accounts.list_users(connection)
    rows = []
    for found in users:
        states = [("disabled", found.disabled), ("one-time password", found.must_change)]
        states.append(("read-only", not found.may_write))
        rows.append((found.name, found.team_slug, ", ".join(name for name, holds in states if holds) or "active"))
    _columns(output, rows)


@user.command("disable")
@database_option
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let the user in again.")
@click.pass_obj
@with_the_extra
def disable_user(output: Output, database: str | None, name: str, undo: bool) -> None:
    """Shut a user out, at once.

    \b
    Examples:
      kittywatch hub user disable mira
      kittywatch hub user disable mira --undo
    """
    from kittywatch.hub import accounts

    with writing_to(database) as connection:
        accounts.set_disabled(connection, accounts.user_named(connection, name), disabled=not undo)
    output.say(f"{'Enabled' if undo else 'Disabled'} {name}.")


@user.command("reset")
@database_option
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of making a one-time one.")
@click.pass_obj
@with_the_extra
def reset_user(output: Output, database: str | None, name: str, password_stdin: bool) -> None:
    """Give a user a new password and end its logins; prints the one-time password.

    \b
    Examples:
      kittywatch hub user reset mira
      kittywatch hub user reset wall --password-stdin < password
    """
    from kittywatch.hub import accounts

    given = _password_from_stdin(name) if password_stdin else None
    with writing_to(database) as connection:
        password = given or _one_time()
        accounts.set_password(
            connection, accounts.user_named(connection, name), password=password, must_change=given is None
        )
    output.say(f"Reset {name}.")
    if given is None:
        _tell_one_time(output, password)


@hub.group()
def team() -> None:
    """Teams, each with its own events and board."""


@team.command("add")
@database_option
@click.argument("slug")
@click.pass_obj
@with_the_extra
def add_team(output: Output, database: str | None, slug: str) -> None:
    """Add a team.

    \b
    Example:
      kittywatch hub team add cats
    """
    from kittywatch.hub import accounts

    with writing_to(database) as connection:
        accounts.add_team(connection, slug)
    output.say(f"Added {slug}.")


@team.command("list")
@database_option
@click.pass_obj
@with_the_extra
def list_teams(output: Output, database: str | None) -> None:
    """List teams: slug, number of users.

    \b
    Example:
      kittywatch hub team list
    """
    from kittywatch.hub import accounts

    with reading_from(database) as connection:
        teams = accounts.list_teams(connection)
    _columns(output, [(found.slug, str(found.user_count)) for found in teams])


def _columns(output: Output, rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        output.data("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _team(connection: Connection, slug: str | None) -> Team:
    from kittywatch.hub import accounts

    if slug is not None:
        return accounts.team_named(connection, slug)
    teams = accounts.list_teams(connection)
    if not teams:
        raise UnknownNameError("there is no team yet", remedy="make one with `kittywatch hub team add SLUG`")
    if len(teams) > 1:
        raise UnknownNameError(f"there are {len(teams)} teams", remedy="choose one with --team")
    return teams[0]


def _password_from_stdin(name: str) -> str:
    from kittywatch.hub.passwords import problem_of

    password = sys.stdin.readline().rstrip("\r\n")
    if problem := problem_of(password, name=name):
        raise click.UsageError(f"the password on stdin can't be used: {problem}")
    return password


def _one_time() -> str:
    from kittywatch.hub.passwords import one_time

    return one_time()


def _tell_one_time(output: Output, password: str) -> None:
    """The password alone goes to stdout, for a script to take, and also with -q: it is told once."""
    output.say("One-time password:")
    output.data(password)
