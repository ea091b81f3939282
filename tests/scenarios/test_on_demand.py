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
    told = [json.loads(line) for line in done.stdout.splitlines()]
    moves = [one["payload"] for one in told if one["event_type"] == "WPStatusChanged"]
    assert [(one["previous_status"], one["new_status"]) for one in moves] == [("planned", "doing"), ("planned", "done")]
    assert "3 events told" in done.stderr  # and that the feature, of one work package, is completed
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


def test_a_feature_is_not_complete_without_what_cannot_be_read(make_world: Callable[[str], World]) -> None:
    """A work package whose file is broken just now stays where it was last seen."""
    world = make_world("")
    world.write("planned", wp_id="WP02")
    world.commit("two")
    world.run("emit", "scan")
    world.path("WP02").write_text("---\nlane: [\n---\n", "utf-8")
    world.move("done")
    world.run("emit", "scan")
    assert world.events("FeatureCompleted") == []
    world.move("done", wp_id="WP02")
    world.run("emit", "scan")
    assert [event["payload"]["total_wps"] for event in world.events("FeatureCompleted")] == [2]
    world.replay_adds_nothing()


def test_a_commit_that_goes_on_where_an_edit_was_and_an_edit_behind_it(world: World) -> None:
    """A note is saved, then the lane with its record is committed, and another note saved before anybody looks."""
    noted, moved, later = [
        (f"2026-01-01T10:0{minute}:00Z", to) for minute, to in enumerate(("planned", "doing", "doing"))
    ]
    world.write("planned", trail=[noted])
    world.scan()
    with world.hooks_off():
        world.move("doing", trail=[noted, moved])
    world.write("doing", trail=[noted, moved, later])
    world.scan()
    world.expect(P_D)
    world.commit("the rest")
    world.expect(P_D)
    world.replay_adds_nothing()
