"""Rows 1 to 10, 18 to 20, 28, 29 and 55 to 58 of the contract's table: one branch, one checkout."""

from __future__ import annotations

import os
from itertools import pairwise

from tests.scenarios.table import D_P, D_R, P_D, P_R, R_D, same_ids, scenario
from tests.scenarios.world import FEATURE, World
from tests.waiting import until

EARLY, LATE = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"
ROUND = ["planned", *[("doing", "for_review", "planned")[number % 3] for number in range(20)]]


@scenario("1", every=[P_D])
def test_01_edit_and_commit(world: World) -> None:
    world.move("doing")


@scenario("2", every=[P_D, D_R, R_D])
def test_02_three_commits(world: World) -> None:
    for lane in ("doing", "for_review", "done"):
        world.move(lane)


@scenario("3", every=[P_D])
def test_03_body_rename_and_old_layout(world: World) -> None:
    world.move("doing")
    world.settle()
    world.write("doing", body="Do it well.")
    world.commit()
    renamed = world.path().with_name("WP01-other-name.md")
    world.git("mv", str(world.path()), str(renamed))
    world.commit()
    old_layout = world.path().parent / "doing" / "WP01-work.md"
    old_layout.parent.mkdir()
    world.git("mv", str(renamed), str(old_layout))
    world.commit()


@scenario("4", W=[P_D], H=[], WH=[P_D], elsewhere=[])
def test_04_edit_without_commit(world: World) -> None:
    world.write("doing")


@scenario("4", every=[P_D])
def test_04_committed_afterwards(world: World) -> None:
    world.write("doing")
    world.settle()
    world.commit()


@scenario("5", W=[P_D, D_P], H=[], WH=[P_D, D_P], elsewhere=[])
def test_05_edit_and_restore(world: World) -> None:
    world.write("doing")
    world.settle()
    world.git("restore", ".")


@scenario("6", W=[P_D, D_R], H=[P_R], WH=[P_D, D_R], elsewhere=[P_R])
def test_06_two_edits_one_commit(world: World) -> None:
    world.write("doing")
    world.settle()
    world.write("for_review")
    world.settle()
    world.commit()


@scenario("7", every=[P_D, D_R])
def test_07_two_records_one_commit(world: World) -> None:
    world.write("doing", trail=[(EARLY, "doing")])
    world.write("for_review", trail=[(EARLY, "doing"), (LATE, "for_review")])
    world.commit()


@scenario("8", W=[P_D, D_R], H=[P_D], WH=[P_D, D_R], elsewhere=[P_D])
def test_08_index_behind_the_worktree(world: World) -> None:
    world.write("doing")
    world.settle()
    world.git("add", "-A")
    world.write("for_review")
    world.settle()
    world.git("commit", "-q", "-m", "the index")


@scenario("9", every=[P_D])
def test_09_amend_the_message(world: World) -> None:
    world.move("doing")
    world.git("commit", "-q", "--amend", "-m", "another message")


@scenario("10", every=[P_D, D_R], elsewhere=[P_R])
def test_10_amend_the_lane(world: World) -> None:
    world.move("doing")
    world.settle()
    world.write("for_review")
    world.git("commit", "-q", "-a", "--amend", "--no-edit")


@scenario("18", every=[P_D, D_P])
def test_18_revert(world: World) -> None:
    world.move("doing")
    world.settle()
    world.git("revert", "--no-edit", "HEAD")


@scenario("19", W=[P_D, D_P, P_D], H=[P_D], WH=[P_D, D_P, P_D], elsewhere=[P_D])
def test_19_reset_hard_and_again(world: World) -> None:
    world.move("doing")
    world.settle()
    world.git("reset", "-q", "--hard", "HEAD~1")
    world.settle()
    world.move("doing")


@scenario("19b", every=[P_D, D_R], elsewhere=[P_R])
def test_19b_reset_soft_and_commit(world: World) -> None:
    world.move("doing")
    world.move("for_review")
    world.settle()
    world.git("reset", "-q", "--soft", "HEAD~2")
    world.settle()
    world.git("commit", "-q", "-m", "both at once")


@scenario("20", W=[P_D, D_P, P_D], H=[], WH=[P_D, D_P, P_D], elsewhere=[])
def test_20_stash(world: World) -> None:
    world.write("doing")
    world.settle()
    world.git("stash", "-q")
    world.settle()
    world.git("stash", "pop", "-q")


@scenario("28", every=[f"{a}>{b}" for a, b in pairwise(ROUND)])
def test_28_bisect(world: World) -> None:
    for number, lane in enumerate(ROUND[1:]):
        world.move(lane, body=f"{number}")
    world.settle()
    world.git("bisect", "start", "HEAD", "HEAD~20")
    world.git("bisect", "run", "sh", "-c", f"! grep -q 'lane: done' '{os.path.relpath(world.path(), world.root)}'")
    world.git("bisect", "reset")


@scenario("29", every=[P_D, D_R])
def test_29_rewritten_history(world: World) -> None:
    world.move("doing")
    world.move("for_review")
    world.settle()
    world.git("filter-branch", "-f", "--msg-filter", "sed s/^/x/", "HEAD", FILTER_BRANCH_SQUELCH_WARNING="1")


@scenario("29", every=[P_D, D_R, R_D])
def test_29_rewritten_and_gone_on(world: World) -> None:
    world.move("doing")
    world.move("for_review")
    world.settle()
    world.git("filter-branch", "-f", "--msg-filter", "sed s/^/x/", "HEAD", FILTER_BRANCH_SQUELCH_WARNING="1")
    world.settle()
    world.move("done")


@scenario("55", H=[P_D, D_R, R_D], WH=[P_D, D_R, R_D], elsewhere=["planned>done"])
def test_55_three_commits_and_a_soft_reset_without_a_pause(world: World) -> None:
    """A watcher beside hooks makes nothing coarser than they are."""
    for lane in ("doing", "for_review", "done"):
        world.move(lane)
    world.git("reset", "-q", "--soft", "HEAD~3")
    world.git("commit", "-q", "-m", "all at once")


def _two_saves(world: World, *saves: tuple[str, list[tuple[str, str]]]) -> None:
    """A work package that has a record for its last move is moved by a tool that saves twice."""
    world.watch_patiently()
    world.move("doing", trail=[(EARLY, "doing")])
    world.settle()
    for lane, trail in saves:
        world.write(lane, trail=trail)
        world.after_a_moment()
    until(lambda: len(world.steps()) > 1, what="the move to be told")
    world.settle()
    assert world.events("HistoryAdded") == [], "the record of a move is no note"
    move = world.events()[-1]
    assert (move["payload"]["changed_by"], move["timestamp"]) == ("agent", LATE), "by its record"
    world.commit()


BEFORE, AFTER = [(EARLY, "doing")], [(EARLY, "doing"), (LATE, "for_review")]


@scenario("56", W=[P_D, D_R], WH=[P_D, D_R])
def test_56_the_lane_is_saved_before_its_record(world: World) -> None:
    """D3b: the edit waits for it."""
    _two_saves(world, ("for_review", BEFORE), ("for_review", AFTER))


@scenario("56", W=[P_D, D_R], WH=[P_D, D_R])
def test_56_the_record_is_saved_before_its_lane(world: World) -> None:
    _two_saves(world, ("doing", AFTER), ("for_review", AFTER))


@scenario("57", every=[P_D, D_P, P_D])
def test_57_the_same_lane_twice_in_one_second(world: World) -> None:
    with world.clock_held():
        for number, lane in enumerate(("doing", "planned", "doing")):
            world.move(lane, body=f"{number}")
            world.settle()


@scenario("57", H=[P_D, D_P, P_D])
def test_57_with_the_same_ids_everywhere(world: World) -> None:
    """D8: without records they are steps of one moment, and of one lane twice."""
    with world.clock_held():
        for number, lane in enumerate(("doing", "planned", "doing")):
            world.move(lane, body=f"{number}")
    same_ids(world)


@scenario("58", every=[P_D])
def test_58_renamed_feature(world: World) -> None:
    world.move("doing")
    world.settle()
    world.git("mv", f"kitty-specs/{FEATURE}", "kitty-specs/001-sign-in")
    world.commit("renamed")


@scenario("58", every=[P_D, D_R])
def test_58_renamed_and_gone_on(world: World) -> None:
    world.move("doing")
    world.settle()
    world.git("mv", f"kitty-specs/{FEATURE}", "kitty-specs/001-sign-in")
    world.commit("renamed")
    world.settle()
    world.move("for_review", feature="001-sign-in")
    until(lambda: len(world.ids()) > 1, what="the move under the new name")
    assert [event["payload"]["feature_slug"] for event in world.events()] == [FEATURE, "001-sign-in"]
