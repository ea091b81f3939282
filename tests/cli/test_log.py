"""`log`: the events told here."""

from __future__ import annotations

import json

import pytest

from tests.builders import work_package_text
from tests.cli.conftest import WP01, Command
from tests.history.script import Repository

HOSTILE = "\\e]0;owned\\a\\e[2J\\x9b31m\\u202egnp\\u2028\\U000E0041"


@pytest.fixture
def told(repository: Repository, kittywatch: Command) -> Repository:
    """The repository with a second feature, replayed."""
    other = WP01.replace("001-login", "002-other").replace("WP01", "WP02")
    repository.commit("02-04", files={other: work_package_text(lane="doing", wp_id="WP02")})
    assert kittywatch("emit", "replay").code == 0
    return repository


def what(out: str) -> list[str]:
    """Each line without its time."""
    parts = [[part.strip() for part in line.split("  ") if part.strip()] for line in out.splitlines()]
    return ["  ".join(part[1:]) for part in parts]


def test_in_the_order_of_telling(kittywatch: Command, told: Repository) -> None:
    done = kittywatch("log")
    assert (done.code, done.err) == (0, "")
    assert what(done.out) == [
        "001-login  -  feature created, 1 work package",
        "001-login  WP01  created: Build it",
        "001-login  WP01  planned → doing  by user",
        "001-login  WP01  doing → for_review  by user",
        "002-other  -  feature created, 1 work package",
        "002-other  WP02  created: Build it",
        "002-other  WP02  planned → doing  by user",
    ]


def test_json(kittywatch: Command, told: Repository) -> None:
    """One event a line."""
    events = [json.loads(line) for line in kittywatch("log", "--json").out.splitlines()]
    assert [event["lamport_clock"] for event in events] == list(range(1, 8))


def test_in_the_form_of_the_fields_library(kittywatch: Command, told: Repository) -> None:
    """Lane transitions alone; -n counts events, whatever is printed of them."""
    lines = [json.loads(line) for line in kittywatch("log", "--as", "spec-kitty-events").out.splitlines()]
    assert [(one["mission_slug"], one["wp_id"], one["from_lane"], one["to_lane"]) for one in lines] == [
        ("001-login", "WP01", "planned", "in_progress"),
        ("001-login", "WP01", "in_progress", "for_review"),
        ("002-other", "WP02", "planned", "in_progress"),
    ]
    assert kittywatch("log", "--as", "spec-kitty-events", "--json").code == 2


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--feature", "001-login"], 4),
        (["--wp", "WP02"], 2),
        (["--wp", "WP02", "--feature", "001-login"], 0),
        (["-n", "1"], 1),
        (["-n", "99"], 7),
        (["--feature", "001-login", "-n", "2"], 2),
    ],
)
def test_a_part(kittywatch: Command, told: Repository, options: list[str], count: int) -> None:
    """-n keeps the newest."""
    whole = kittywatch("log").out.splitlines()
    part = kittywatch("log", *options).out.splitlines()
    assert len(part) == count
    assert [line for line in whole if line in part] == part
    if options == ["-n", "1"]:
        assert part == whole[-1:]


def test_nothing_told(kittywatch: Command, repository: Repository) -> None:
    """Said to people, not as data."""
    done = kittywatch("log")
    assert (done.code, done.out) == (0, "")
    assert "nothing has been told here yet" in done.err


def test_another_project_in_the_same_home(
    kittywatch: Command, told: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository(told.root.parent / "other")
    monkeypatch.chdir(other.root)
    assert kittywatch("log").out == ""


@pytest.mark.parametrize(
    "command",
    [["log"], ["log", "--json"], ["queue", "list"], ["queue", "list", "--json"], ["emit", "replay", "--dry-run"]],
)
def test_hostile_text_never_reaches_a_terminal(kittywatch: Command, repository: Repository, command: list[str]) -> None:
    """Escape sequences of a title, an agent or a name are shown, not acted on; as JSON they keep their meaning."""
    evil = f'---\nlane: doing\ntitle: "{HOSTILE}"\nagent: "{HOSTILE}"\n---\n'
    repository.commit("02-04", files={WP01.replace("001-login", "003-\x1b[2J\u202e"): evil, WP01: "\x1b[2J"})
    if "--dry-run" not in command:
        kittywatch("-v", "emit", "replay")
    done = kittywatch(*command)
    for text in (done.out, done.err):
        assert not set(text) & set("\x07\x1b\x9b\u202e\u2028\U000e0041")
    assert "\\u001b[2J" in done.out
    assert "\\u202e" in done.out
    if "--json" in command:
        titles = [json.loads(line)["payload"].get("title") for line in done.out.splitlines()]
        assert "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp\u2028\U000e0041" in titles
