"""`sync`: delivery of what waits."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kittywatch.store import delivery, destinations
from kittywatch.sync.flusher import delivering
from tests.cli.conftest import Command
from tests.history.script import Repository
from tests.store import stores
from tests.sync.delivering import claimed, pretend_login, waiting
from tests.sync.fault_proxy import Cut, Fault, FaultProxy, Silence, answer_json
from tests.sync.terminal import at_terminal
from tests.waiting import DEADLINE, until

Decide = Callable[[list[dict[str, Any]]], Fault]


class Server:
    """Answers batches as `decide` says; takes all of them where it says nothing."""

    def __init__(self) -> None:
        self.decide: Decide = taken
        self.events: list[dict[str, Any]] = []
        self.proxy: FaultProxy | None = None

    def plan(self, path: str, number: int) -> Fault:
        assert self.proxy is not None
        events = json.loads(gzip.decompress(self.proxy.bodies[number]))["events"]
        self.events += events
        return self.decide(events)


def taken(events: list[dict[str, Any]], **statuses: str) -> Fault:
    listed = [{"event_id": e["event_id"], "status": statuses.get(e["event_id"], "success")} for e in events]
    return answer_json(200, {"results": listed}, X_RateLimit_Batch_Interval="0")


@pytest.fixture
def kitty_home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KITTYWATCH", "0")
    return own_home / ".spec-kitty"


@pytest.fixture
def told(repository: Repository, kittywatch: Command, kitty_home: Path) -> list[str]:
    """Four events that wait, as JSON."""
    return kittywatch("emit", "replay", "--json").out.splitlines()


@pytest.fixture
def server(kitty_home: Path) -> Iterator[Server]:
    """A server where mira is logged in."""
    server = Server()
    with FaultProxy(0, server.plan) as server.proxy:
        pretend_login(kitty_home, server.proxy.url)
        yield server


def ids(lines: list[str]) -> list[str]:
    return [json.loads(line)["event_id"] for line in lines]


def test_all_delivered(kittywatch: Command, told: list[str], server: Server, kitty_home: Path) -> None:
    done = kittywatch("sync", "now")
    assert (done.code, done.out, done.err) == (0, "", "4 delivered\n")
    assert [event["event_id"] for event in server.events] == ids(told)
    assert waiting(kitty_home) == []
    assert kittywatch("sync", "now").err == "0 delivered\n"
    assert kittywatch("log").out.count("✓") == 4


def test_a_dry_run_shows_exactly_what_would_leave(
    kittywatch: Command, told: list[str], server: Server, kitty_home: Path
) -> None:
    """The very bytes; nothing is sent, nothing changes, not even a claim."""
    before = (kitty_home / "queue.db").read_bytes()
    done = kittywatch("sync", "now", "--dry-run")
    assert done.code == 0
    assert "4 events would leave for cats at http://127.0.0.1" in done.err
    assert server.events == []
    assert (kitty_home / "queue.db").read_bytes() == before
    kittywatch("sync", "now")
    assert [json.loads(line) for line in done.out.splitlines()] == server.events
    assert {event["team_slug"] for event in server.events} == {"cats"}
    assert ids(told) == [event["event_id"] for event in server.events]


def test_nobody_is_logged_in(kittywatch: Command, told: list[str], kitty_home: Path) -> None:
    done = kittywatch("sync", "now")
    assert (done.code, done.out) == (4, "")
    assert "Events queued locally; run spec-kitty auth login to enable real-time sync" in done.err
    assert "auth login" in done.err
    done = kittywatch("sync", "now", "--dry-run")
    assert (done.code, done.out) == (0, "")
    assert "nothing would leave" in done.err
    assert waiting(kitty_home) == ids(told)


def test_refused_with_reasons(kittywatch: Command, told: list[str], server: Server, kitty_home: Path) -> None:
    """Five times, apart in time, then it is a dead letter; reasons are escaped on their way to a terminal."""
    bad = ids(told)[1]

    def decide(events: list[dict[str, Any]]) -> Fault:
        refused = {"event_id": bad, "status": "rejected", "error_message": "no \x1b[2J good"}
        others = [
            {"event_id": event["event_id"], "status": "duplicate"} for event in events if event["event_id"] != bad
        ]
        return answer_json(200, {"results": [*others, refused]}, X_RateLimit_Batch_Interval="0")

    server.decide = decide
    done = kittywatch("sync", "now")
    assert done.code == 1
    assert done.err.startswith("0 delivered, 3 there already, 1 refused, 1 waiting\n")
    assert f"{bad}: no \\u001b[2J good" in done.err
    assert "\x1b" not in done.err
    for _ in range(6):
        assert "1 refused" in kittywatch("sync", "now").err
    for _ in range(3):
        stores.let_pauses_pass(kitty_home)
        assert "1 refused" in kittywatch("sync", "now").err
    stores.let_pauses_pass(kitty_home)
    assert "1 event won't be tried again before `queue retry`" in kittywatch("sync", "now").err
    done = kittywatch("sync", "now")
    assert (done.code, done.err.splitlines()[0]) == (0, "0 delivered")
    assert "1 event kept: refused too often" in done.err


@pytest.mark.long  # for what it waits between attempts
def test_the_server_is_away(kittywatch: Command, told: list[str], server: Server, kitty_home: Path) -> None:
    server.decide = lambda events: Cut()
    done = kittywatch("sync", "now")
    assert (done.code, done.out) == (1, "")
    assert "0 delivered, 4 waiting" in done.err
    assert "broke" in done.err
    assert "what waits is kept" in done.err
    types = [row[0] for row in stores.rows(kitty_home, "SELECT event_type FROM queue ORDER BY id")]
    assert types[4:] == ["ErrorLogged"], "it is told that delivery gave up"
    kittywatch("sync", "now")
    assert len(waiting(kitty_home)) == 5, "once"
    server.decide = taken
    assert kittywatch("sync", "now").err == "5 delivered\n"


def test_aliases_wait_and_leave(kittywatch: Command, told: list[str], kitty_home: Path, tmp_path: Path) -> None:
    """Counted by status, shown by a dry run, delivered and told by `sync now`; a server that takes none keeps none."""
    event_id = json.loads(told[0])["event_id"]
    stores.add_alias(kitty_home, event_id, "7Z" + "A" * 24)
    named: list[str] = []

    def plan(path: str, number: int) -> Fault:
        if path == "/api/v1/":
            return answer_json(200, {"features": named})
        body = json.loads(gzip.decompress(proxy.bodies[number]))
        results = [{"event_id": one["event_id"], "status": "success"} for one in body["events"]]
        others = [{"alias": one["alias"], "status": "success"} for one in body.get("aliases", [])]
        return answer_json(200, {"results": results, "aliases": others}, X_RateLimit_Batch_Interval="0")

    with FaultProxy(0, plan) as proxy:
        pretend_login(kitty_home, proxy.url)
        assert "4 events, 1 alias waiting" in kittywatch("sync", "status").out
        assert json.loads(kittywatch("sync", "status", "--json").out)["aliases_waiting"] == 1
        rehearsed = kittywatch("sync", "now", "--dry-run")
        assert json.loads(rehearsed.out.splitlines()[-1]) == {"alias": "7Z" + "A" * 24, "event_id": event_id}
        assert "4 events and 1 alias, if it takes them, would leave" in rehearsed.err
        assert kittywatch("sync", "now").err.splitlines()[0] == "4 delivered"
        status = kittywatch("sync", "status").out
        assert "0 events, 1 alias waiting" in status
        assert "1 alias kept: the server doesn't say that it takes aliases" in status
        assert kittywatch("sync", "now", "--dry-run").out == ""
        named.append("aliases")
        stores.execute(kitty_home, "DELETE FROM delivery WHERE name LIKE 'features:%'")
        assert kittywatch("sync", "now").err.splitlines()[0] == "0 delivered, 1 alias delivered"
        assert "alias" not in kittywatch("sync", "status").out


def test_a_project_that_is_not_taken(kittywatch: Command, told: list[str], server: Server) -> None:
    server.decide = lambda events: answer_json(403, {"error": "Not yours."})
    done = kittywatch("sync", "now")
    assert done.code == 1
    assert "warning: demo is not taken: Not yours." in done.err
    assert any(
        "demo is not taken" in line for line in json.loads(kittywatch("sync", "status", "--json").out)["kept_by"]
    )


def test_opt_out_and_in(
    kittywatch: Command,
    told: list[str],
    server: Server,
    kitty_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None leaves, also when somebody delivers from another project."""
    assert kittywatch("sync", "opt-out").err == "events of demo stay on this machine\n"
    other = Repository(tmp_path / "other")
    other.commit("02-01", files={"README": "x"})
    monkeypatch.chdir(other.root)
    for _ in range(2):
        done = kittywatch("sync", "now")
        assert (done.code, server.events) == (0, [])
        assert "4 events kept: of projects that opted out" in done.err
    assert kittywatch("sync", "now", "--dry-run").out == ""
    monkeypatch.chdir(tmp_path / "demo")
    status = json.loads(kittywatch("sync", "status", "--json").out)
    assert "this project opted out; `kittywatch sync opt-in` lets its events go" in status["kept_by"]
    assert kittywatch("sync", "opt-in").err == "events of demo are delivered\n"
    assert kittywatch("sync", "now").err == "4 delivered\n"


def test_status(kittywatch: Command, told: list[str], server: Server, kitty_home: Path) -> None:
    assert server.proxy is not None
    status = json.loads(kittywatch("sync", "status", "--json").out)
    assert 0 <= status.pop("oldest_age_seconds") < 120
    assert status == {
        "queue_length": 4,
        "aliases_waiting": 0,
        "dead_letters": 0,
        "connection": "Offline",
        "last_sync_at": None,
        "next_try_at": None,
        "server": server.proxy.url,
        "team_slug": "cats",
        "username": "mira",
        "kept_by": [],
    }
    assert kittywatch("sync", "status").out.startswith(f"[Offline]  {server.proxy.url}, team cats\n4 events waiting, ")
    kittywatch("sync", "now")
    status = json.loads(kittywatch("sync", "status", "--json").out)
    assert (status["queue_length"], status["oldest_age_seconds"]) == (0, None)
    assert abs(status["last_sync_at"] - time.time()) < 60
    with delivering(kitty_home):
        assert "[Offline - Batch Mode]" in kittywatch("sync", "status").out


def test_status_says_what_keeps_it(
    kittywatch: Command, told: list[str], server: Server, kitty_home: Path, repository: Repository
) -> None:
    target = stores.emitter(kitty_home, stores.unexpected)
    target.store.transact(lambda connection: destinations.set_present(connection, "https://else", "dogs"))
    stores.note(target, "for dogs")
    target.store.transact(lambda connection: delivery.remember(connection, failure={"said": "x", "remedy": "y"}))
    target.store.close()
    config = repository.root / ".kittify" / "config.yaml"
    config.write_text(config.read_text("utf-8") + "sync:\n  auto_start: false\n", "utf-8")
    lines = kittywatch("sync", "status").out
    for part in ("x; y", "auto_start is false", "1 kept: for another server or team"):
        assert part in lines
    (kitty_home / "credentials").unlink()
    assert "run spec-kitty auth login" in kittywatch("sync", "status").out


def test_status_where_there_is_nothing(
    kittywatch: Command, kitty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of any project too; nothing is made."""
    monkeypatch.chdir(tmp_path)
    done = kittywatch("sync", "status")
    assert (done.code, done.err) == (0, "")
    assert "0 events waiting; 0 dead letters" in done.out
    assert not kitty_home.exists()


def test_a_bar_on_a_terminal(told: list[str], server: Server, kitty_home: Path, repository: Repository) -> None:
    command = [sys.executable, "-m", "kittywatch.cli.main", "sync", "now"]
    code, shown, _ = at_terminal(command, kitty_home, {}, directory=repository.root)
    assert code == 0, shown
    assert "delivering" in shown
    assert "4 delivered" in shown


def test_ctrl_c_loses_nothing(told: list[str], server: Server, kitty_home: Path, repository: Repository) -> None:
    """In the middle of a batch: exit code 130, and everything is given back."""
    server.decide = lambda events: Silence()
    process = subprocess.Popen(
        [sys.executable, "-m", "kittywatch.cli.main", "sync", "now"],
        cwd=repository.root,
        env=os.environ | {"SPEC_KITTY_HOME": str(kitty_home)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: server.events, what="the batch")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=DEADLINE)
    assert (process.returncode, said.split()) == (130, ["interrupted"])
    assert waiting(kitty_home) == ids(told)
    assert claimed(kitty_home) == 0
