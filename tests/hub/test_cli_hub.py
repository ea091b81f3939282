"""`hub …`: the first start, users and teams, refusals in one line."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from kittywatch.cli.hub import hub as hub_group
from tests.hub.conftest import Run
from tests.hub.hubs import PASSWORD, Hub, Machine, created, moved
from tests.waiting import DEADLINE

ONE_TIME = re.compile(r"([a-z2-9]{5}-){3}[a-z2-9]{5}\n")


def test_the_first_start_needs_nothing(own_home: Path, tmp_path: Path) -> None:
    database = own_home / ".spec-kitty" / "hub.db"
    hub = Hub(database=f"sqlite:///{database}", log=tmp_path / "log")
    hub.start()
    try:
        password = re.search(r"One-time password:\n(\S+)\n", hub.output())
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


def test_users_and_teams(run: Run, sqlite_database: str, start_hub: Callable[..., Hub]) -> None:
    assert run("team", "add", "cats").code == 0
    added = run("user", "add", "mira")
    assert ONE_TIME.fullmatch(added.out)
    assert added.err == "Added mira to cats.\nOne-time password:\n"
    assert run("user", "add", "bot", "--password-stdin", "--read-only", given=f"{PASSWORD}\n").code == 0
    assert run("team", "list").out == "cats  2\n"
    assert run("user", "list").out == "bot   cats  read-only\nmira  cats  one-time password\n"
    assert run("user", "reset", "mira", "--password-stdin", given=f"{PASSWORD}\n").code == 0
    reset = run("user", "reset", "bot", quiet=True)
    assert ONE_TIME.fullmatch(reset.out)
    assert reset.err == ""
    hub = start_hub(sqlite_database, new=False)
    with Machine(hub.url) as machine:
        assert machine.log_in("mira").status_code == 200
        assert run("user", "disable", "mira").code == 0
        assert machine.send([]).status_code == 401
        assert machine.log_in("mira").status_code == 401
        assert run("user", "disable", "--undo", "mira").code == 0
        assert machine.log_in("mira").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--host", "0.0.0.0"], "give --tls-cert and --tls-key, or --insecure-http"),
        (["serve", "--host", "192.0.2.1"], "without TLS would send passwords in the clear"),
        (["serve", "--tls-cert", "x.pem"], "give --tls-cert and --tls-key"),
        (["serve", "--tls-cert", "x.pem", "--tls-key", "y.pem"], "cannot be read"),
        (["serve", "--host", "192.0.2.1", "--insecure-http", "--port", "0"], "cannot be had"),
        (["serve", "--database", "mysql://x/y"], "neither a SQLite file nor PostgreSQL"),
        (["serve", "--database", "nonsense"], "cannot be read"),
        (["serve", "--database", "sqlite:////proc/nowhere/hub.db"], "give another with --database"),
        (
            ["user", "list", "--database", "postgresql://tests@127.0.0.1:1/x"],
            "the database cannot be used: connection failed",
        ),
        (["user", "add", "mira"], "there is no team yet"),
        (["user", "reset", "nobody"], "there is no user nobody\n"),
        (["team", "add", "No Slug"], "lower-case"),
        (["user", "add", "x", "--team", "dogs"], "hub team add dogs"),
        (["export", "--team", "dogs"], "there is no team dogs\n"),
    ],
)
def test_an_expected_failure_is_said_with_one_remedy(run: Run, arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.code == 1, result
    assert result.out == ""
    assert said in result.err
    assert re.fullmatch(r"error: .+\n  .+\n", result.err)


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (["serve", "--port", "65536"], "", "65536"),
        (["user", "add"], "", "NAME"),
        (["user", "add", "mira", "--password-stdin"], "short\n", "at least 10 characters"),
    ],
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: list[str], given: str, said: str) -> None:
    result = run(*arguments, given=given)
    assert result.code == 2
    assert said in result.err


def test_a_file_that_is_no_database_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_bytes(b"not a database, but long enough to be taken for one" * 40)
    result = run("user", "list")
    assert result.code == 1
    assert result.err.startswith("error: the database cannot be used: file is not a database\n")


def test_a_certificate_that_is_none_is_said(sqlite_database: str, tmp_path: Path) -> None:
    pem = tmp_path / "nothing.pem"
    pem.write_text("nothing")
    command = [sys.executable, "-m", "kittywatch.cli.main", "hub", "serve", "--port", "0"]
    command += ["--database", sqlite_database, "--tls-cert", str(pem), "--tls-key", str(pem)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 1, done.stderr
    assert f"error: the certificate {pem} and the key {pem} cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["sqlalchemy", "starlette", "argon2"])
def test_a_missing_extra_is_said(module: str) -> None:
    program = f"""
import sys
sys.modules[{module!r}] = None  # as if it were not installed
from kittywatch.cli.main import main
main(["hub", "serve"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"error: the hub needs {module}, which is not installed\n  install it with `pip install 'kittywatch[hub]'`\n"
    )


def _commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, *names, name)
        else:
            yield (*names, name)


@pytest.mark.parametrize("names", list(_commands(hub_group)), ids=" ".join)
def test_every_command_has_examples(run: Run, names: tuple[str, ...]) -> None:
    result = run(*names, "--help")
    assert result.code == 0
    assert re.search(r"Examples?:\n +kittywatch hub " + " ".join(names), result.out)


def test_the_help_loads_nothing_of_the_extra() -> None:
    program = """
import sys
from kittywatch.cli.main import main
try:
    main(["hub", "--help"])
finally:
    heavy = {"sqlalchemy", "starlette", "uvicorn", "argon2", "jinja2", "psycopg", "jwt"} & set(sys.modules)
    assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "serve" in done.stdout


def test_ctrl_c_ends_the_server_and_its_file_is_free(sqlite_database: str, start_hub: Callable[..., Hub]) -> None:
    hub = start_hub(sqlite_database)
    hub.stop(signal.SIGINT)
    assert hub.process is not None
    assert hub.process.returncode == 130
    assert hub.output().endswith("\ninterrupted\n")
    assert "Traceback" not in hub.output()
    hub.start()


def test_a_port_that_is_taken_is_said(run: Run, start_hub: Callable[..., Hub], tmp_path: Path) -> None:
    hub = start_hub(f"sqlite:///{tmp_path / 'other.db'}")
    run("team", "add", "cats")
    result = run("serve", "--port", str(hub.port))
    assert result.code == 1
    assert f"port {hub.port} of 127.0.0.1 cannot be had" in result.err


def test_a_file_is_served_by_one_process(run: Run, sqlite_database: str, start_hub: Callable[..., Hub]) -> None:
    start_hub(sqlite_database)
    result = run("serve", "--port", "0")
    assert result.code == 1
    assert "another hub serves" in result.err


def test_rebuild_and_export(run: Run, sqlite_database: str, start_hub: Callable[..., Hub]) -> None:
    hub = start_hub(sqlite_database)
    told = [created("WP01", lamport=1), moved("WP01", "planned", "doing", lamport=2)]
    with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
        machine.statuses(told[::-1])
    assert run("rebuild").err == "Rebuilt from 2 events.\n"
    assert run("export").err == "error: there are 2 teams\n  choose one with --team\n"
    exported = [json.loads(line) for line in run("export", "--team", "cats").out.splitlines()]
    assert exported == [event | {"team_slug": "cats"} for event in told]
    line = json.loads(run("export", "--team", "cats", "--originals").out.splitlines()[0])
    assert line.keys() == {"event", "received_at", "feature", "original"}
    (line,) = map(json.loads, run("export", "--team", "cats", "--as", "spec-kitty-events").out.splitlines())
    assert (line["wp_id"], line["from_lane"], line["to_lane"]) == ("WP01", "planned", "in_progress")
    assert run("export", "--team", "cats", "--as", "spec-kitty-events", "--originals").code == 2


def test_the_example_tells_a_hub(sqlite_database: str, start_hub: Callable[..., Hub]) -> None:
    hub = start_hub(sqlite_database)
    example = Path(__file__).parents[2] / "examples" / "tell_hub.py"
    command = [sys.executable, str(example), hub.url, "mira", "001-purr", "WP01", "half way"]
    done = subprocess.run(command, input=f"{PASSWORD}\n", capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.stdout, done.stderr) == ("success\n", "")


def test_a_database_of_a_newer_hub_is_left_alone(run: Run, sqlite_database: str) -> None:
    from sqlalchemy import insert

    from kittywatch.hub.database import open_engine, writing
    from kittywatch.hub.schema import schema_versions

    run("migrate")
    engine = open_engine(sqlite_database)
    with writing(engine) as connection:
        connection.execute(insert(schema_versions).values(version=99, name="later", applied_at=0.0))
    engine.dispose()
    result = run("serve")
    assert result.code == 1
    assert result.err.endswith("\n  upgrade kittywatch here\n")
