"""Ids of any source on the command line: by hand, in filters, in lists, and before a server that can't take them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from kittywatch.project import Project
from kittywatch.sync import features
from tests.builders import work_package_text
from tests.cli.conftest import WP01, Command
from tests.history.script import Repository
from tests.store import stores
from tests.sync.delivering import pretend_login, waiting
from tests.sync.fault_proxy import Fault, FaultProxy, answer_json

IDS = ["BACK-222", "BACK-1.2", "T001", "1.1", "12", "1-2-user-login", "WP100"]


@pytest.fixture
def kitty_home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KITTYWATCH", "0")
    return own_home / ".spec-kitty"


@pytest.mark.parametrize("wp_id", IDS)
def test_by_hand_and_asked_for(kittywatch: Command, repository: Repository, wp_id: str) -> None:
    for command in (
        ("history", wp_id, "Half of it", "--feature", "m-1"),
        ("assign", wp_id, "ada", "--feature", "m-1"),
        ("error", "the build fails", "--wp", wp_id, "--feature", "m-1"),
        ("history", "WP09", "Another one", "--feature", "m-1"),
    ):
        done = kittywatch("emit", *command, "--json")
        assert done.code == 0, done.err
    listed = [json.loads(line) for line in kittywatch("log", "--json", "--wp", wp_id).out.splitlines()]
    assert [one["event_type"] for one in listed] == ["HistoryAdded", "WPAssigned", "ErrorLogged"]
    # What an error is of may be anything in either version.
    assert [one["schema_version"] for one in listed] == ["1.1.0", "1.1.0", "1.0.0"]
    assert {one["payload"]["wp_id"] for one in listed} == {wp_id}
    assert all(f"  {wp_id}" in line for line in kittywatch("log", "--wp", wp_id).out.splitlines())
    assert f"  {wp_id}" in kittywatch("explain", listed[0]["event_id"]).out
    assert kittywatch("queue", "list").out.count(f"  {wp_id}") == 3


@pytest.mark.parametrize("wp_id", ["", "-1", "a b", "../x", "x" * 41, "é1"])
def test_what_is_no_id(kittywatch: Command, repository: Repository, wp_id: str) -> None:
    done = kittywatch("emit", "history", "--feature", "m-1", "--", wp_id, "text")
    assert done.code == 1
    assert "wp_id" in done.err


def test_the_board_has_the_order_of_numbers(kittywatch: Command, repository: Repository) -> None:
    ids = ["WP2", "WP99", "WP100", "WP101"]
    for wp_id in ids[1:]:
        repository.write(WP01.replace("WP01", wp_id), work_package_text(lane="doing", wp_id=wp_id))
    shown = [line.split("\t")[1] for line in kittywatch("board").out.splitlines()]
    assert shown == ["WP01", "WP99", "WP100", "WP101"]
    (feature,) = json.loads(kittywatch("board", "--json").out)["features"]
    assert [one["wp_id"] for one in feature["work_packages"]] == shown


def test_the_workflow_is_for_work_packages_of_kitty_specs(kittywatch: Command, repository: Repository) -> None:
    repository.write(WP01.replace("WP01", "WP100"), work_package_text(lane="planned", wp_id="WP100"))
    done = kittywatch("implement", "wp100", "--agent", "ada")
    assert (done.code, done.out) == (0, "WP100  planned → doing\n")
    done = kittywatch("implement", "BACK-2")
    assert done.code == 2
    assert "'BACK-2' is no work package of kitty-specs/" in done.err


def test_a_server_that_cannot_take_them_is_said_to_be_one(
    kittywatch: Command, repository: Repository, kitty_home: Path
) -> None:
    """They wait, are counted with the reason, and are none of the events that leave."""

    def plan(path: str, number: int) -> Fault:
        if path == features.PATH:
            return answer_json(404, {})
        events = json.loads(gzip.decompress(proxy.bodies[number]))["events"]
        results = [{"event_id": one["event_id"], "status": "success"} for one in events]
        return answer_json(200, {"results": results}, X_RateLimit_Batch_Interval="0")

    with FaultProxy(0, plan) as proxy:
        pretend_login(kitty_home, proxy.url)
        for wp_id in ("BACK-2", "BACK-10", "WP01"):
            kittywatch("emit", "history", wp_id, "text", "--feature", "m-1")
        done = kittywatch("sync", "now")
        assert done.code == 0
        kept = [line for line in done.err.splitlines() if "2 kept: the server takes ids like WP01 alone" in line]
        assert len(kept) == 1
        assert "1 delivered" in done.err
        assert kept[0] in kittywatch("sync", "status").out
        rehearsed = kittywatch("sync", "now", "--dry-run")
        assert rehearsed.out == ""
        assert "0 events would leave" in rehearsed.err
        assert kept[0] in rehearsed.err
    assert len(waiting(kitty_home)) == 2
    assert stores.rows(kitty_home, "SELECT count(*) FROM queue WHERE died_at IS NOT NULL") == [(0,)]


def test_a_move_to_another_feature_is_rehearsed_and_told(
    kittywatch: Command, repository: Repository, kitty_home: Path
) -> None:
    def plan(path: str, number: int) -> Fault:
        if path == features.PATH:
            return answer_json(200, {"features": [features.NEWER_EVENTS, features.MOVES]})
        batch = json.loads(gzip.decompress(proxy.bodies[number]))
        results = [{"event_id": one["event_id"], "status": "success"} for one in batch["events"]]
        told = [one | {"status": "success"} for one in batch.get("renames", [])]
        return answer_json(200, {"results": results, "renames": told}, X_RateLimit_Batch_Interval="0")

    with FaultProxy(0, plan) as proxy:
        pretend_login(kitty_home, proxy.url)
        kittywatch("emit", "history", "BACK-2", "text", "--feature", "m-1")
        project = Project.find(repository.root, print)
        project.emitter.transact(lambda unit: unit.ledger.record_move("m-1", "m-2", "BACK-2", "c" * 40))
        project.store.close()
        rehearsed = [json.loads(line) for line in kittywatch("sync", "now", "--dry-run").out.splitlines()]
        assert (rehearsed[1]["wp_id"], rehearsed[1]["renamed_to"]) == ("BACK-2", "m-2")
        assert "1 delivered, 1 moved work package told" in kittywatch("sync", "now").err
        assert kittywatch("sync", "now", "--dry-run").out == ""
