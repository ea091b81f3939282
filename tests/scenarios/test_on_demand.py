"""B3, and the commands that look once: reconcile and scan."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.scenarios.world import World

P_D, D_R = "planned>doing", "doing>for_review"


@pytest.fixture
def world(make_world: Callable[[str], World]) -> World:
    return make_world("H")


def test_reconcile_tells_where_another_branch_differs(world: World) -> None:
    """B3: it never happens by itself, and once told it is told."""
    world.git("branch", "old")
    world.move("doing")
    world.move("for_review")
    world.git("checkout", "-q", "old")
    world.expect(P_D, D_R)
    dry = world.run("emit", "reconcile", "--dry-run", "--json")
    assert [json.loads(line)["payload"]["new_status"] for line in dry.stdout.splitlines()] == ["planned"]
    world.expect(P_D, D_R)
    done = world.run("emit", "reconcile")
    assert "for_review → planned" in done.stdout
    assert "1 event told" in done.stderr
    world.expect(P_D, D_R, "for_review>planned")
    assert "0 events told" in world.run("emit", "reconcile").stderr
    world.replay_adds_nothing()
    world.replay_adds_nothing("main")


def test_work_goes_on_after_a_reconcile(world: World) -> None:
    world.git("branch", "old")
    world.move("doing")
    world.git("checkout", "-q", "old")
    world.run("emit", "reconcile")
    world.move("doing")
    world.expect(P_D, "doing>planned", P_D)
    world.replay_adds_nothing()


def test_reconcile_in_the_middle_of_something(world: World) -> None:
    world.git("bisect", "start")
    done = world.run("emit", "reconcile", check=False)
    assert done.returncode == 1
    assert "bisect" in done.stderr
    assert "finish it" in done.stderr


def test_scan_sees_every_worktree(make_world: Callable[[str], World]) -> None:
    world = make_world("")
    world.git("worktree", "add", "-q", "-b", "topic", str(world.directory / "linked"))
    world.write("doing")
    linked = world.directory / "linked" / world.path().relative_to(world.root)
    linked.write_text(linked.read_text("utf-8").replace("planned", "done"), "utf-8")
    done = world.run("emit", "scan", "--json")
    moves = [json.loads(line)["payload"] for line in done.stdout.splitlines()]
    assert [(one["previous_status"], one["new_status"]) for one in moves] == [("planned", "doing"), ("planned", "done")]
    assert "2 events told" in done.stderr
    assert world.run("emit", "scan").stdout == ""


def test_an_edit_that_was_told_committed_and_reset_before_anybody_looked(make_world: Callable[[str], World]) -> None:
    """Scenario 19b, where the commit of an edit that was told and the reset come between two looks."""
    world = make_world("")
    world.move("doing")
    world.run("emit", "scan")
    world.write("for_review")
    world.run("emit", "scan")
    world.commit("for review")
    world.git("reset", "-q", "--soft", "HEAD~2")
    world.run("emit", "scan")
    world.commit("both at once")
    world.run("emit", "scan")
    world.expect(P_D, D_R)
    world.replay_adds_nothing()
