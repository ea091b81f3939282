"""Scenarios 1 to 10, 18 to 20 and 26 to 29 of the contract's table: one branch, one checkout."""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.scenarios.world import World

P_D, D_R, R_D, P_R = "planned>doing", "doing>for_review", "for_review>done", "planned>for_review"
D_P = "doing>planned"
EARLY, LATE = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"


def test_01_edit_and_commit(world: World) -> None:
    world.move("doing")
    world.expect(P_D)
    world.replay_adds_nothing()


def test_02_three_commits(world: World) -> None:
    for lane in ("doing", "for_review", "done"):
        world.move(lane)
    world.expect(P_D, D_R, R_D)
    world.replay_adds_nothing()


def test_03_body_rename_and_old_layout(world: World) -> None:
    world.move("doing")
    world.expect(P_D)
    world.write("doing", body="Do it well.")
    world.commit()
    renamed = world.path().with_name("WP01-other-name.md")
    world.git("mv", str(world.path()), str(renamed))
    world.commit()
    old_layout = world.path().parent / "doing" / "WP01-work.md"
    old_layout.parent.mkdir()
    world.git("mv", str(renamed), str(old_layout))
    world.commit()
    world.settle()
    world.expect(P_D)
    world.replay_adds_nothing()


def test_04_edit_without_commit(world: World) -> None:
    world.write("doing")
    world.settle()
    world.expect(*([P_D] if world.watched else []))
    world.commit()
    world.settle()
    world.expect(P_D)
    world.replay_adds_nothing()


def test_05_edit_and_restore(world: World) -> None:
    world.write("doing")
    if world.watched:
        world.expect(P_D)
    world.git("restore", ".")
    world.settle()
    world.expect(*([P_D, D_P] if world.watched else []))
    world.replay_adds_nothing()


def test_06_two_edits_one_commit(world: World) -> None:
    world.write("doing")
    if world.watched:
        world.expect(P_D)
    world.write("for_review")
    if world.watched:
        world.expect(P_D, D_R)
    world.commit()
    world.settle()
    world.expect(*([P_D, D_R] if world.watched else [P_R]))
    world.replay_adds_nothing()


def test_07_two_records_one_commit(world: World) -> None:
    world.write("doing", trail=[(EARLY, "doing")])
    world.write("for_review", trail=[(EARLY, "doing"), (LATE, "for_review")])
    world.commit()
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_08_index_behind_the_worktree(world: World) -> None:
    world.write("doing")
    if world.watched:
        world.expect(P_D)
    world.git("add", "-A")
    world.write("for_review")
    if world.watched:
        world.expect(P_D, D_R)
    world.git("commit", "-q", "-m", "the index")
    world.settle()
    world.expect(*([P_D, D_R] if world.watched else [P_D]))
    world.replay_adds_nothing()


def test_09_amend_the_message(world: World) -> None:
    world.move("doing")
    world.git("commit", "-q", "--amend", "-m", "another message")
    world.settle()
    world.expect(P_D)
    world.replay_adds_nothing()


def test_10_amend_the_lane(world: World) -> None:
    world.move("doing")
    world.expect(P_D)
    world.write("for_review")
    world.git("commit", "-q", "-a", "--amend", "--no-edit")
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_18_revert(world: World) -> None:
    world.move("doing")
    world.expect(P_D)
    world.git("revert", "--no-edit", "HEAD")
    world.expect(P_D, D_P)
    world.replay_adds_nothing()


def test_19_reset_hard_and_again(world: World) -> None:
    world.move("doing")
    world.expect(P_D)
    world.git("reset", "-q", "--hard", "HEAD~1")
    if world.watched:
        world.expect(P_D, D_P)
    world.move("doing")
    world.settle()
    world.expect(*([P_D, D_P, P_D] if world.watched else [P_D]))
    world.replay_adds_nothing()


def test_19b_reset_soft_and_commit(world: World) -> None:
    world.move("doing")
    world.move("for_review")
    world.expect(P_D, D_R)
    world.git("reset", "-q", "--soft", "HEAD~2")
    world.settle()
    world.git("commit", "-q", "-m", "both at once")
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_20_stash(world: World) -> None:
    world.write("doing")
    if world.watched:
        world.expect(P_D)
    world.git("stash", "-q")
    if world.watched:
        world.expect(P_D, D_P)
    world.git("stash", "pop", "-q")
    world.settle()
    world.expect(*([P_D, D_P, P_D] if world.watched else []))
    world.replay_adds_nothing()


def test_26_missed_commits(world: World) -> None:
    world.stop()
    for lane in ("doing", "for_review"):
        world.write(lane)
        world.git("add", "-A")
        world.git("commit", "-q", "-m", lane, KITTYWATCH="0")
    assert world.steps() == []
    if world.watched:
        world.observe()
    else:
        (world.root / "README").write_text("hello")
        world.commit("touches no work package")
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_26b_missed_and_pushed(world: World) -> None:
    world.clone("mate")
    world.stop()
    for lane in ("doing", "for_review"):
        world.write(lane)
        world.git("add", "-A")
        world.git("commit", "-q", "-m", lane, KITTYWATCH="0")
    world.git("push", "-q", KITTYWATCH="0")
    assert world.steps() == []
    if world.watched:
        world.observe()
    else:
        world.git("checkout", "-q", "-b", "next")
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_28_bisect(world: World) -> None:
    for number in range(20):
        world.move(("doing", "for_review", "planned")[number % 3], body=f"{number}")
    world.settle()
    told = world.steps()
    assert len(told) == 20
    world.git("bisect", "start", "HEAD", "HEAD~20")
    world.git("bisect", "run", "sh", "-c", f"! grep -q 'lane: done' '{os.path.relpath(world.path(), world.root)}'")
    world.git("bisect", "reset")
    world.settle()
    world.expect(*told)
    world.replay_adds_nothing()


def test_29_rewritten_history(world: World) -> None:
    world.move("doing")
    world.move("for_review")
    world.expect(P_D, D_R)
    world.git("filter-branch", "-f", "--msg-filter", "sed s/^/x/", "HEAD", FILTER_BRANCH_SQUELCH_WARNING="1")
    world.settle()
    world.move("done")
    world.expect(P_D, D_R, R_D)
    world.replay_adds_nothing()


def test_26_away_and_back_over_a_told_edit(make_world: Callable[[str], World]) -> None:
    """O7: commits that nobody saw and that end where an edit was told are told, if somebody has written the file."""
    world = make_world("")
    world.write("doing")
    world.run("emit", "scan")
    world.expect(P_D)
    world.move("for_review", body="Away.")
    world.move("doing", body="And back.")
    world.run("emit", "scan")
    world.expect(P_D, D_R, "for_review>doing")
    world.replay_adds_nothing()


def test_08_staged_before_the_edit_was_seen(make_world: Callable[[str], World]) -> None:
    """O1: an index that nobody saw is contained in what the edit after it told."""
    world = make_world("")
    world.write("doing")
    world.git("add", "-A")
    world.write("for_review")
    world.run("emit", "scan")
    world.expect(P_R)
    world.git("commit", "-q", "-m", "the index")
    world.commit("the rest")
    world.run("emit", "scan")
    world.expect(P_R)
    world.replay_adds_nothing()
