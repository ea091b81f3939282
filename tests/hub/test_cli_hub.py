"""`hub …`: the first start, users and teams, refusals in one line."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kittywatch.cli.hub import hub as command
from tests.hub.hubs import PASSWORD, Hub, Machine, created, moved


@pytest.fixture
def run(sqlite_database: str) -> Callable[..., Result]:
    """Runs `hub …` on a SQLite file."""
    runner = CliRunner(env={"KITTYWATCH_HUB_DATABASE": sqlite_database})
    return lambda *arguments, **options: runner.invoke(command, arguments, **options)


def test_the_first_start_needs_nothing(own_home: Path, tmp_path: Path) -> None:
    database = own_home / ".spec-kitty" / "hub.db"
    hub = Hub(database=f"sqlite:///{database}", log=tmp_path / "log")
    hub.start()
    try:
        password = re.search(r"One-time password: (\S+)", hub.output())
        name = re.search(r"the user (\S+)\.", hub.output())
        assert password is not None
        assert name is not None
        assert stat.S_IMODE(database.stat().st_mode) == 0o600
        assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700
        with Machine(hub.url) as machine:
            assert machine.log_in(name[1], password[1]).status_code == 200
            assert machine.statuses([created("WP01", lamport=1)]) == ["success"]
        for path in database.parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        hub.stop()
        hub.start()
        assert hub.output().count("One-time password") == 1
    finally:
        hub.stop()


def test_users_and_teams(run: Callable[..., Result], sqlite_database: str, start_hub: Callable[..., Hub]) -> None:
    assert run("team", "add", "cats").exit_code == 0
    added = run("user", "add", "mira")
    assert re.search(r"One-time password: ([a-z2-9]{5}-){3}[a-z2-9]{5}", added.output)
    assert run("user", "add", "bot", "--password-stdin", "--read-only", input=f"{PASSWORD}\n").exit_code == 0
    assert run("team", "list").output == "cats\t2\n"
    assert run("user", "list").output == "bot\tcats\tread-only\nmira\tcats\tone-time password\n"
    assert run("user", "reset", "mira", "--password-stdin", input=f"{PASSWORD}\n").exit_code == 0
    hub = start_hub(sqlite_database, new=False)
    with Machine(hub.url) as machine:
        assert machine.log_in("mira").status_code == 200
        assert run("user", "disable", "mira").exit_code == 0
        assert machine.send([]).status_code == 401
        assert machine.log_in("mira").status_code == 401
        assert run("user", "disable", "--undo", "mira").exit_code == 0
        assert machine.log_in("mira").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--host", "0.0.0.0"], "Give --tls-cert and --tls-key, or --insecure-http"),
        (["serve", "--host", "192.0.2.1"], "without TLS would send passwords in the clear"),
        (["serve", "--tls-cert", "x.pem"], "Give --tls-cert and --tls-key"),
        (["serve", "--tls-cert", "x.pem", "--tls-key", "y.pem"], "cannot be read"),
        (["serve", "--host", "192.0.2.1", "--insecure-http", "--port", "0"], "cannot be had"),
        (["serve", "--database", "mysql://x/y"], "neither a SQLite file nor PostgreSQL"),
        (["serve", "--database", "nonsense"], "cannot be read"),
        (["serve", "--database", "sqlite:////proc/nowhere/hub.db"], "Give another with --database"),
        (["user", "list", "--database", "postgresql://tests@127.0.0.1:1/x"], "The database cannot be used"),
        (["user", "add", "mira"], "There are 0 teams."),
        (["user", "reset", "nobody"], "There is no user nobody."),
        (["team", "add", "No Slug"], "lower-case"),
        (["user", "add", "x", "--team", "dogs"], "hub team add dogs"),
        (["export", "--team", "dogs"], "There is no team dogs."),
    ],
)
def test_an_expected_failure_is_one_line_and_exit_code_1(
    run: Callable[..., Result], arguments: list[str], said: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert said in result.output
    assert result.output.count("\n") == 1
    assert "Traceback" not in result.output


def test_a_port_that_is_taken_is_said(
    run: Callable[..., Result], start_hub: Callable[..., Hub], tmp_path: Path
) -> None:
    hub = start_hub(f"sqlite:///{tmp_path / 'other.db'}")
    run("team", "add", "cats")
    result = run("serve", "--port", str(hub.port))
    assert result.exit_code == 1
    assert f"Port {hub.port} of 127.0.0.1 cannot be had" in result.output


def test_a_file_is_served_by_one_process(
    run: Callable[..., Result], sqlite_database: str, start_hub: Callable[..., Hub]
) -> None:
    start_hub(sqlite_database)
    result = run("serve", "--port", "0")
    assert result.exit_code == 1
    assert "Another hub serves" in result.output


def test_rebuild_and_export(run: Callable[..., Result], sqlite_database: str, start_hub: Callable[..., Hub]) -> None:
    hub = start_hub(sqlite_database)
    told = [created("WP01", lamport=1), moved("WP01", "planned", "doing", lamport=2)]
    with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
        machine.statuses(told[::-1])
    assert run("rebuild").output == "Rebuilt from 2 events.\n"
    assert run("export").output.startswith("There are 2 teams.")
    exported = [json.loads(line) for line in run("export", "--team", "cats").output.splitlines()]
    assert exported == [event | {"team_slug": "cats"} for event in told]
    line = json.loads(run("export", "--team", "cats", "--originals").output.splitlines()[0])
    assert line.keys() == {"event", "received_at", "original"}


def test_the_example_tells_a_hub(sqlite_database: str, start_hub: Callable[..., Hub]) -> None:
    hub = start_hub(sqlite_database)
    example = Path(__file__).parents[2] / "examples" / "tell_hub.py"
    command = [sys.executable, str(example), hub.url, "mira", "001-purr", "WP01", "half way"]
    done = subprocess.run(command, input=f"{PASSWORD}\n", capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("success\n", "")


def test_a_database_of_a_newer_hub_is_left_alone(run: Callable[..., Result], sqlite_database: str) -> None:
    from sqlalchemy import insert

    from kittywatch.hub.database import open_engine, writing
    from kittywatch.hub.schema import schema_versions

    run("migrate")
    engine = open_engine(sqlite_database)
    with writing(engine) as connection:
        connection.execute(insert(schema_versions).values(version=99, name="later", applied_at=0.0))
    engine.dispose()
    result = run("serve")
    assert result.exit_code == 1
    assert "Upgrade kittywatch here." in result.output
