"""`queue`: what waits to be delivered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kittywatch.events import from_json
from tests.cli.conftest import Command
from tests.history.script import Repository
from tests.store import stores


@pytest.fixture
def told(repository: Repository, kittywatch: Command) -> list[str]:
    """Four events that wait, as JSON."""
    return kittywatch("emit", "replay", "--json").out.splitlines()


def test_list(kittywatch: Command, told: list[str]) -> None:
    """Oldest first, with the ids that `show` takes."""
    lines = kittywatch("queue", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == [json.loads(line)["event_id"] for line in told]
    assert kittywatch("queue", "list", "--json").out.splitlines() == told
    assert kittywatch("queue", "list", "--json", "-n", "2").out.splitlines() == told[:2]


def test_nothing_waits(kittywatch: Command, repository: Repository) -> None:
    done = kittywatch("queue", "list")
    assert (done.code, done.out, done.err) == (0, "", "nothing waits\n")


def test_show(kittywatch: Command, told: list[str]) -> None:
    """One event whole; the start of its id is enough, in any case."""
    event = json.loads(told[2])
    for prefix in (event["event_id"], event["event_id"].lower(), event["event_id"][:20]):
        done = kittywatch("queue", "show", prefix)
        assert done.code == 0
        assert json.loads(done.out) == event


@pytest.mark.parametrize(
    ("prefix", "what"), [("0", "more than one"), ("", "more than one"), ("7ZZ", "no event"), ("%", "no event")]
)
def test_show_what_is_not_one(kittywatch: Command, told: list[str], prefix: str, what: str) -> None:
    done = kittywatch("queue", "show", prefix)
    assert (done.code, done.out) == (1, "")
    assert what in done.err
    assert "queue list" in done.err


def test_export(kittywatch: Command, told: list[str], tmp_path: Path) -> None:
    """One line each, for the owner's eyes; they go on waiting."""
    file = tmp_path / "backup.jsonl"
    done = kittywatch("queue", "export", file)
    assert (done.code, done.out) == (0, "")
    assert "4 events written" in done.err
    assert file.read_text(encoding="utf-8").splitlines() == told
    assert file.stat().st_mode & 0o777 == 0o600
    assert [from_json(line).event_id for line in told]
    assert kittywatch("queue", "list", "--json").out.splitlines() == told


def test_export_refuses_to_overwrite(kittywatch: Command, told: list[str], tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("mine", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "dangling")
    for target in (file, tmp_path / "link"):
        done = kittywatch("queue", "export", target)
        assert (done.code, done.out) == (1, "")
        assert "is there already" in done.err
    assert file.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "dangling").exists()


def test_export_to_stdout(kittywatch: Command, told: list[str]) -> None:
    done = kittywatch("queue", "export", "-")
    assert done.out.splitlines() == told
    assert done.err == ""


def test_export_where_nothing_can_be_written(kittywatch: Command, told: list[str], tmp_path: Path) -> None:
    done = kittywatch("queue", "export", tmp_path / "none" / "file")
    assert (done.code, done.out) == (1, "")
    assert "No such file or directory" in done.err
    assert kittywatch("queue", "export", tmp_path).code == 2


@pytest.mark.parametrize("command", [["queue", "list"], ["log"], ["init"], ["emit", "replay"]])
@pytest.mark.parametrize(("limit", "warned"), [(3, True), (4, False)])
def test_a_long_queue(
    kittywatch: Command, told: list[str], own_home: Path, command: list[str], limit: int, warned: bool
) -> None:
    """Past max_queue_size every command warns; no event is ever dropped for it."""
    (own_home / ".spec-kitty" / "config.toml").write_text(f"[sync]\nmax_queue_size = {limit}\n", encoding="utf-8")
    done = kittywatch("-q", *command)
    assert done.code == 0
    assert ("warning: 4 events wait" in done.err) == warned
    assert kittywatch("-q", "queue", "list", "--json").out.splitlines() == told


@pytest.mark.parametrize(
    "text", ["[sync", "sync = 1", "[sync]\nmax_queue_size = -1", "[sync]\nmax_queue_size = 'x'", "\x00"]
)
def test_a_configuration_that_makes_no_sense(kittywatch: Command, told: list[str], own_home: Path, text: str) -> None:
    """Defaults, then."""
    (own_home / ".spec-kitty" / "config.toml").write_text(text, encoding="utf-8")
    done = kittywatch("queue", "list")
    assert (done.code, done.err) == (0, "")


@pytest.fixture
def dead(told: list[str], own_home: Path) -> list[str]:
    """The ids of two of them that are dead letters."""
    home = own_home / ".spec-kitty"
    stores.execute(home, "UPDATE queue SET died_at = 1, retry_count = 5, reason = 'no \x1b[2J' WHERE id IN (2, 3)")
    return [json.loads(line)["event_id"] for line in told[1:3]]


def test_dead_letters_are_shown(kittywatch: Command, told: list[str], dead: list[str], tmp_path: Path) -> None:
    listed = kittywatch("queue", "list").out
    assert listed.count("dead letter: no \\u001b[2J") == 2
    assert len(listed.splitlines()) == 4
    assert [line.split()[0] for line in kittywatch("queue", "list", "--dead").out.splitlines()] == dead
    assert kittywatch("queue", "list", "--dead", "--json").out.splitlines() == told[1:3]
    assert "refused 5 times, a dead letter: no" in kittywatch("queue", "show", dead[0]).err
    kittywatch("queue", "export", tmp_path / "dead", "--dead")
    assert (tmp_path / "dead").read_text("utf-8").splitlines() == told[1:3]


def test_retry(kittywatch: Command, dead: list[str]) -> None:
    assert "1 event put back" in kittywatch("queue", "retry", dead[1]).err
    assert [line.split()[0] for line in kittywatch("queue", "list", "--dead").out.splitlines()] == dead[:1]
    assert "1 event put back" in kittywatch("queue", "retry").err
    assert kittywatch("queue", "list", "--dead").out == ""
    assert kittywatch("queue", "retry").err.startswith("0 events put back")
    assert kittywatch("queue", "retry", dead[0]).code == 1


def test_retry_all_takes_what_was_refused_and_waits(kittywatch: Command, dead: list[str], own_home: Path) -> None:
    home = own_home / ".spec-kitty"
    stores.execute(home, "UPDATE queue SET retry_count = 1, retry_at = 9e9, reason = 'no' WHERE id = 1")
    assert "2 events put back" in kittywatch("queue", "retry").err
    assert "1 event put back" in kittywatch("queue", "retry", "--all").err
    assert stores.rows(home, "SELECT DISTINCT retry_count, retry_at, reason, died_at FROM queue") == [
        (0, None, None, None)
    ]


def test_purge_asks(kittywatch: Command, told: list[str], dead: list[str]) -> None:
    """Without a terminal it wants --yes; what is given up stays in the log."""
    done = kittywatch("queue", "purge")
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert "2 events won't be delivered" in kittywatch("queue", "purge", "--yes").err
    assert kittywatch("queue", "list", "--json").out.splitlines() == [told[0], told[3]]
    first = json.loads(told[0])["event_id"]
    assert "1 event won't" in kittywatch("queue", "purge", first, "--yes").err
    assert kittywatch("queue", "purge", "--yes").err == "nothing to give up\n"
    assert "1 event won't" in kittywatch("queue", "purge", "--all", "--yes").err
    assert len(kittywatch("log").out.splitlines()) == 4


def test_the_queue_is_of_all_projects(
    kittywatch: Command, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shown outside of them too."""
    monkeypatch.chdir(tmp_path)
    assert kittywatch("queue", "list", "--json").out.splitlines() == told
