"""`explain`: where an event came from."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders import record, work_package_text
from tests.cli.conftest import WP01, Command
from tests.history.script import Repository
from tests.store import stores


@pytest.fixture
def told(repository: Repository, kittywatch: Command) -> list[dict[str, Any]]:
    """A replayed history whose last step is told by the trail, and an edit that a scan saw."""
    trail = [record("2026-02-04T10:00:00Z", "done")]
    repository.commit("02-05", files={WP01: work_package_text(lane="done", trail=trail)})
    kittywatch("init")
    kittywatch("emit", "replay")
    repository.write(WP01, work_package_text(lane="planned", trail=trail))
    kittywatch("emit", "scan")
    events = [json.loads(line) for line in kittywatch("log", "--json").out.splitlines()]
    return [event for event in events if event["event_type"] != "FeatureCompleted"]


def fields(out: str) -> dict[str, str]:
    return {line[:10].strip(): line[11:] for line in out.splitlines()}


def test_from_a_commit(kittywatch: Command, told: list[dict[str, Any]], repository: Repository) -> None:
    event = told[2]
    done = kittywatch("explain", event["event_id"])
    assert (done.code, done.err) == (0, "")
    found = fields(done.out)
    assert found["event"] == f"{event['event_id']}  WPStatusChanged"
    assert "planned → doing" in found["says"]
    assert found["project"] == "demo"
    assert found["observer"] == "a replay of the history"
    assert found["commit"] == repository.git("rev-list", "--reverse", "HEAD").splitlines()[1]
    assert found["file"] == WP01
    assert "commit's author time" in found["time"]
    assert "tick 3" in found["queued"]
    assert found["delivery"] == "waits in the queue"


def test_from_the_trail_and_from_a_worktree(kittywatch: Command, told: list[dict[str, Any]]) -> None:
    assert "the trail record's" in fields(kittywatch("explain", told[4]["event_id"]).out)["time"]
    found = fields(kittywatch("explain", told[5]["event_id"]).out)
    assert found["observer"] == "a scan of the worktrees saw the file"
    assert found["commit"].startswith("none")
    assert found["time"] == "its time is when it was seen"


def test_by_hand(kittywatch: Command, repository: Repository) -> None:
    """By a program of its own, which calls what other programs call."""
    kittywatch("init")
    emit = "emit_wp_status_changed('WP07', 'planned', 'doing', feature_slug='001-login')"
    program = f"from kittywatch import emit_wp_status_changed; {emit}"
    subprocess.run([sys.executable, "-c", program], cwd=repository.root, check=True)
    event = json.loads(kittywatch("log", "--json").out)
    found = fields(kittywatch("explain", event["event_id"]).out)
    assert "told by hand" in found["observer"]
    assert "stated" in found["time"]


def test_prefix_in_any_case(kittywatch: Command, told: list[dict[str, Any]]) -> None:
    whole = kittywatch("explain", told[0]["event_id"]).out
    assert kittywatch("explain", told[0]["event_id"][:20].lower()).out == whole


def test_by_an_alias(kittywatch: Command, told: list[dict[str, Any]]) -> None:
    """The id that another machine has for it: the event is shown, with all its aliases and where they stand."""
    home, event_id = Path(os.environ["SPEC_KITTY_HOME"]), told[2]["event_id"]
    first, second, third = "7Z" + "A" * 24, "7Z" + "B" * 24, "7Z" + "C" * 24
    for alias in (first, second, third):
        stores.add_alias(home, event_id, alias)
    stores.execute(
        home,
        f"UPDATE aliases SET delivered_at = 1771000000 WHERE alias = '{first}'",
        f"UPDATE aliases SET refused_at = 1771000000, reason = 'no' WHERE alias = '{second}'",
    )
    by_id = kittywatch("explain", event_id)
    lines = [line[11:] for line in by_id.out.splitlines() if line.startswith("alias")]
    assert [line[:26] for line in lines] == [first, second, third]
    assert "a server knows since 2026-02-13" in lines[0]
    assert lines[1].endswith(": no")
    assert lines[2].endswith("not sent to a server yet")
    for prefix in (first, "7zb", "7Z"):
        assert kittywatch("explain", prefix).out == by_id.out
    value = json.loads(kittywatch("explain", first, "--json").out)
    assert value["event_id"] == event_id
    assert [one["alias"] for one in value["aliases"]] == [first, second, third]
    assert value["aliases"][0]["delivered_at"] == "2026-02-13T16:26:40.000Z"
    stores.add_alias(home, told[1]["event_id"], "7Z" + "D" * 24)
    assert "more than one event" in kittywatch("explain", "7Z").err
    assert kittywatch("explain", "7ZD").out == kittywatch("explain", told[1]["event_id"]).out
    log = kittywatch("log", "--json").out
    assert first not in log


@pytest.mark.parametrize(
    ("prefix", "what"), [("0", "more than one"), ("", "more than one"), ("7ZZ", "no event"), ("%", "no event")]
)
def test_what_is_not_one(kittywatch: Command, told: list[dict[str, Any]], prefix: str, what: str) -> None:
    done = kittywatch("explain", prefix)
    assert (done.code, done.out) == (1, "")
    assert what in done.err
    assert "log --json" in done.err


def test_from_anywhere(
    kittywatch: Command, told: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No project is needed, and nothing is made where there is no home."""
    monkeypatch.chdir(tmp_path)
    assert kittywatch("explain", told[0]["event_id"]).code == 0
    monkeypatch.setenv("SPEC_KITTY_HOME", str(tmp_path / "nowhere"))
    assert kittywatch("explain", told[0]["event_id"]).code == 1
    assert not (tmp_path / "nowhere").exists()


def test_taken_and_refused(kittywatch: Command, told: list[dict[str, Any]]) -> None:
    path = Path(os.environ["SPEC_KITTY_HOME"]) / "queue.db"
    first, second = ((event["event_id"],) for event in told[:2])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE queue SET retry_count = 3, reason = 'no \x1b' WHERE event_id = ?", first)
        connection.execute("DELETE FROM queue WHERE event_id = ?", second)
        connection.execute(
            "UPDATE events SET delivered_at = 1771000000, sent_at = 1770999999 WHERE event_id = ?", second
        )
    delivery = fields(kittywatch("explain", *first).out)["delivery"]
    assert "refused it 3 times, last because: no \\u001b" in delivery
    taken = kittywatch("explain", told[1]["event_id"])
    assert fields(taken.out)["delivery"].startswith("sent at 2026-02-13")
    assert ", taken by a server at 2026-02-13" in fields(taken.out)["delivery"]
    value = json.loads(kittywatch("explain", told[1]["event_id"], "--json").out)
    assert value["delivered_at"] == "2026-02-13T16:26:40.000Z"
    assert (value["waits"], value["observer"], value["event"]) == (False, "replay", told[1])
