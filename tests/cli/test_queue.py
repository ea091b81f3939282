"""`queue`: what waits to be delivered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kittywatch.events import from_json
from tests.cli.conftest import Command
from tests.history.script import Repository


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
