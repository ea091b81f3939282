"""What histories have done beside the scenarios: others' merges, copies, dropped commits, steps that nobody saw."""

from __future__ import annotations

import pytest

from tests.derive.packages import moved, package
from tests.derive.test_scenarios import PLANNED_DOING, PLANNED_REVIEW, trail
from tests.derive.world import Mode, World

DOING, DONE, PLANNED, REVIEW = ({"WP01": package(lane)} for lane in ("doing", "done", "planned", "for_review"))


@pytest.fixture(params=["W", "H", "WH"])
def world(request: pytest.FixtureRequest) -> World:
    mode: Mode = request.param
    return World(mode)


def check(world: World, *steps: str) -> None:
    """Assert what was emitted, and that a replay of the branch adds no step."""
    assert world.steps == list(steps)
    world.replay()
    assert world.steps == list(steps), "a replay adds steps"



def test_others_merge_within_a_merge(world: World) -> None:
    main = world.tip
    theirs = world.theirs(DOING, main)
    world.checkout("topic")
    world.commit(world.shown())
    world.merge(theirs, DOING)
    world.checkout_name = "other-worktree"
    world.checkout("detached", main)
    world.merge("topic", DOING)
    check(world)


def test_rebased_onto_theirs_to_the_same_lane(world: World) -> None:
    """Mine is made again on top of their for_review: it is the step that it was."""
    first = world.theirs(DOING, world.tip)
    second = world.theirs(REVIEW, first)
    mine = world.move("doing")
    world.go(world.copy(mine, second))
    check(world, PLANNED_DOING)


def test_copies_of_others_after_mine_on_top(world: World) -> None:
    start = world.tip
    both = [moved(1, "doing"), moved(2, "done")]
    theirs = world.theirs({"WP01": package("done", both)}, start)
    world.go(theirs)
    world.move("for_review", both)
    world.checkout("topic", start)
    world.commit(world.shown())
    world.go(world.copy(theirs, world.tip))
    check(world, "done→for_review")


def test_forward_to_what_a_reset_took_back(world: World) -> None:
    start, commit = world.tip, world.move("doing")
    world.go(start)
    world.go(commit)
    check(world, PLANNED_DOING, "doing→planned", PLANNED_DOING)


@pytest.mark.parametrize("mine", ["for_review", "planned"])
@pytest.mark.parametrize("with_trail", [False, True])
def test_pulled_with_rebase_and_gone_on_before_anybody_looked(world: World, mine: str, *, with_trail: bool) -> None:
    start, own = world.tip, world.commit(world.shown())
    records = trail("doing") if with_trail else []
    theirs = world.theirs({"WP01": package("doing", records)}, start)
    world.refs["main"] = world.copy(own, theirs, world.shown(theirs))
    world.move(mine, [*records, moved(2, mine)] if with_trail else None)
    check(world, f"doing→{mine}")


def test_an_older_step_to_the_same_lane(world: World) -> None:
    start = world.tip
    world.checkout_name = "other-clone"
    world.checkout("other", start)
    theirs = world.theirs(DOING, world.move("for_review"))
    world.checkout_name, world.branch = "main-worktree", "main"
    mine = world.commit(world.shown(start))
    world.go(world.copy(mine, theirs, DOING))
    world.move("for_review")
    check(world, PLANNED_REVIEW, "doing→for_review")


def test_a_squash_of_theirs_is_merged(world: World) -> None:
    start = world.tip
    first = {"WP01": package("doing", trail("doing"))}
    world.go(world.theirs(first, start))
    world.move("for_review", trail("doing"))
    world.checkout("topic", start)
    world.go(world.make(first, start))
    world.branch = "main"
    world.merge("topic", first)
    check(world, "doing→for_review")


def test_a_merge_of_others_work_is_rebased(world: World) -> None:
    start = world.tip
    first = world.theirs(DOING, start)
    second = world.theirs(DONE, first)
    mine = world.move("for_review")
    world.merge(second, REVIEW)
    at = world.copy(second, world.copy(first, start))
    world.go(world.copy(mine, at, DONE))
    check(world, PLANNED_REVIEW, "for_review→done")


@pytest.mark.parametrize("how", ["merge", "ff"])
def test_others_merge_that_keeps_none_of_ours(world: World, how: str) -> None:
    start, mine = world.tip, world.move("doing")
    merge = world.theirs(PLANNED, world.theirs(PLANNED, start), mine)
    if how == "merge":
        world.commit(world.shown())
        world.merge(merge, PLANNED)
    else:
        world.go(merge)
    world.move("done")
    check(world, PLANNED_DOING, "planned→done")


def test_a_conflict_resolved_to_what_others_had_not_moved(world: World) -> None:
    theirs = world.theirs(PLANNED, world.tip)
    world.move("doing")
    world.merge(theirs, PLANNED)
    check(world, PLANNED_DOING, "doing→planned")


def test_a_conflict_resolved_to_what_others_moved_and_back(world: World) -> None:
    there_and_back = {"WP01": package("planned", trail("doing", "planned"))}
    theirs = world.theirs(there_and_back, world.tip)
    world.move("for_review")
    world.merge(theirs, there_and_back)
    check(world, PLANNED_REVIEW)


@pytest.mark.parametrize("goes_on", [False, True])
def test_merged_by_others_before_anybody_looked(world: World, *, goes_on: bool) -> None:
    theirs = world.theirs(PLANNED, world.tip)
    world.observed = False
    world.commit(world.shown())
    mine = world.move("doing")
    merge = world.theirs(DOING, theirs, mine)
    world.observed = True
    world.go(world.theirs(REVIEW, merge) if goes_on else merge)
    check(world, PLANNED_DOING)


def test_back_at_the_same_lane_and_forward_again(world: World) -> None:
    start = world.tip
    world.move("doing")
    back = world.move("planned")
    world.go(start)
    world.go(back)
    check(world, PLANNED_DOING, "doing→planned")


def test_rebased_onto_another_lane(world: World) -> None:
    world.checkout("topic")
    commit = world.move("for_review")
    world.checkout("main")
    world.move("doing")
    world.checkout("topic")
    world.go(world.copy(commit, world.refs["main"]))
    check(world, PLANNED_REVIEW, PLANNED_DOING)


def test_forward_to_a_merge_that_kept_the_other_side(world: World) -> None:
    world.checkout("topic")
    world.move("doing")
    world.checkout("main")
    world.move("for_review")
    world.checkout("topic")
    world.merge("main", DOING)
    world.checkout("main")
    world.go(world.refs["topic"])
    check(world, PLANNED_DOING, PLANNED_REVIEW)


def test_forward_over_what_was_rebased(world: World) -> None:
    world.checkout("topic")
    commits = [world.move("doing"), world.move("for_review")]
    world.checkout("main")
    world.move("done")
    world.checkout("topic")
    world.rebase("main", commits)
    world.checkout("main")
    world.go(world.refs["topic"])
    check(world, PLANNED_DOING, "doing→for_review", "planned→done")


def test_reworded_and_merged_with_what_they_were(world: World) -> None:
    start = world.tip
    commits = [world.move("doing"), world.move("done")]
    world.refs["old"] = world.tip
    world.rebase(start, commits)
    world.merge("old", DONE)
    world.checkout("old")
    world.go(world.refs["main"])
    check(world, PLANNED_DOING, "doing→done")


def test_dropped_in_a_rebase(world: World) -> None:
    start, kept = world.tip, world.move("doing")
    world.move("for_review")
    world.go(world.copy(kept, start))
    check(world, PLANNED_DOING, "doing→for_review", "for_review→doing")


def test_a_branch_that_begins_with_a_merge_and_that_nobody_saw(world: World) -> None:
    start = world.tip
    world.refs["topic"] = world.refs["work"] = start
    world.commit(world.shown())
    world.observed = False
    world.checkout("work")
    for lane in ("doing", "planned", "done"):
        world.move(lane)
    world.checkout("topic")
    world.merge("work", DONE)
    world.branch, world.observed = "main", True
    world.merge("topic", DONE)
    check(world, PLANNED_DOING, "doing→planned", "planned→done")


def test_25_two_clones_with_one_ledger_the_other_one_looks_first(world: World) -> None:
    """What clone B took for somebody else's is emitted where it was made."""
    start = world.tip
    commit = world.theirs(DOING, start)
    world.checkout_name = "clone-b"
    world.checkout("b", start)
    world.go(commit)
    assert world.steps == []
    world.remote.clear()
    world.checkout_name, world.branch = "main-worktree", "main"
    world.go(commit)
    check(world, PLANNED_DOING)


@pytest.mark.parametrize("committed", [False, True])
def test_our_lane_was_kept_and_goes_where_theirs_was(world: World, *, committed: bool) -> None:
    start = world.tip
    world.move("for_review")
    world.checkout("topic", start)
    world.move("doing")
    world.checkout("main")
    world.merge("topic", REVIEW)
    world.write("doing")
    if committed:
        world.commit()
    emitted = [PLANNED_REVIEW, PLANNED_DOING]
    assert world.steps == [*emitted, *(["for_review→doing"] if committed or "W" in world.mode else [])]


def test_an_edit_committed_and_reset_before_anybody_looked(world: World) -> None:
    start = world.tip
    world.write("doing")
    world.observed = False
    world.commit()
    world.reset(start)
    world.observed = True
    world.look()
    check(world, *([PLANNED_DOING, "doing→planned"] if "W" in world.mode else []))


def test_head_moves_under_a_file(world: World) -> None:
    """A push to a checked-out branch, or libgit2, moves HEAD and leaves the files: nobody edited them (27)."""
    files = world.shown()
    world.refs["main"] = world.make(DOING, world.tip)
    world.worktree = files
    world.look()
    assert world.steps == [PLANNED_DOING]
    world.worktree = None
    world.look()
    check(world, PLANNED_DOING)
