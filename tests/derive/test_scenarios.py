"""The scenarios of docs/transitions.md that need no real git, each observed in every mode and replayed afterwards."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.derive.packages import KEY, moved, package
from tests.derive.world import Mode, World, elsewhere, with_lane

Case = Callable[[World], list[str]]
PLANNED_DOING, DOING_REVIEW, REVIEW_DONE = "planned→doing", "doing→for_review", "for_review→done"
PLANNED_REVIEW, DOING_PLANNED, DOING_DONE = "planned→for_review", "doing→planned", "doing→done"
CASES: dict[str, Case] = {}
MODES: tuple[Mode, ...] = ("W", "H", "WH")


def case(name: str) -> Callable[[Case], Case]:
    """Name a case, which does something in a world and returns the steps that are to be emitted."""

    def named(one: Case) -> Case:
        CASES[name] = one
        return one

    return named


def trail(*lanes: str) -> list[str]:
    """Records of a work package that went through some lanes."""
    return [moved(minute, lane) for minute, lane in enumerate(lanes, start=1)]


def line(world: World, *lanes: str, with_trail: bool) -> list[str]:
    """Move WP01 through some lanes, a commit each; returns the commits."""
    return [world.move(lane, trail(*lanes[: number + 1]) if with_trail else None) for number, lane in enumerate(lanes)]


@case("1: one commit")
def _(world: World) -> list[str]:
    world.move("doing")
    return [PLANNED_DOING]


@case("2: three commits")
def _(world: World) -> list[str]:
    line(world, "doing", "for_review", "done", with_trail=False)
    return [PLANNED_DOING, DOING_REVIEW, REVIEW_DONE]


@case("4: an edit before its commit")
def _(world: World) -> list[str]:
    world.write("doing")
    assert world.steps == ([PLANNED_DOING] if "W" in world.mode else [])
    world.commit()
    return [PLANNED_DOING]


@case("5: an edit that is discarded")
def _(world: World) -> list[str]:
    world.write("doing")
    world.worktree = None
    world.look(hook=False)
    return [PLANNED_DOING, DOING_PLANNED] if "W" in world.mode else []


@case("6: two edits in one commit")
def _(world: World) -> list[str]:
    world.write("doing")
    world.move("for_review")
    return [PLANNED_DOING, DOING_REVIEW] if "W" in world.mode else [PLANNED_REVIEW]


@case("7: two edits in one commit, with a trail")
def _(world: World) -> list[str]:
    world.write("doing", trail("doing"))
    world.move("for_review", trail("doing", "for_review"))
    return [PLANNED_DOING, DOING_REVIEW]


@case("8: one edit is staged, the next one isn't")
def _(world: World) -> list[str]:
    world.write("doing")
    staged = world.worktree
    world.write("for_review")
    world.commit(staged)
    return [PLANNED_DOING, DOING_REVIEW] if "W" in world.mode else [PLANNED_DOING]


@case("9: an amended message")
def _(world: World) -> list[str]:
    world.move("doing")
    world.commit(amend=True)
    return [PLANNED_DOING]


@case("10: an amended lane")
def _(world: World) -> list[str]:
    world.move("doing")
    world.write("for_review")
    world.commit(amend=True)
    return [PLANNED_DOING, DOING_REVIEW]


@case("11: to and fro")
def _(world: World) -> list[str]:
    world.checkout("topic")
    world.move("doing")
    for _ in range(5):
        world.checkout("main")
        world.checkout("topic")
    return [PLANNED_DOING]


def _rebased(world: World, *, with_trail: bool) -> list[str]:
    start = world.tip
    world.checkout("topic")
    commits = line(world, "doing", "for_review", "done", with_trail=with_trail)
    world.refs["main"] = world.make(world.shown(start), start)
    world.rebase("main", commits)
    return [PLANNED_DOING, DOING_REVIEW, REVIEW_DONE]


def _squashed(world: World, *, with_trail: bool) -> list[str]:
    start = world.tip
    world.checkout("topic")
    commits = line(world, "doing", "for_review", "done", with_trail=with_trail)
    world.go(world.copy(commits[0], start, world.shown(commits[-1])))
    return [PLANNED_DOING, DOING_REVIEW, REVIEW_DONE]


def _merged(world: World, how: str, *lanes: str, with_trail: bool) -> None:
    world.checkout("topic")
    line(world, *lanes, with_trail=with_trail)
    world.checkout("main")
    if how == "squash":
        world.commit(world.shown(world.refs["topic"]))
    else:
        world.merge("topic", ff=how == "ff")


def _two_merged(world: World, how: str, *, with_trail: bool) -> list[str]:
    _merged(world, how, "doing", "for_review", with_trail=with_trail)
    return [PLANNED_DOING, DOING_REVIEW]


def _round_merged(world: World, how: str, *, with_trail: bool) -> list[str]:
    _merged(world, how, "doing", "done", "planned", with_trail=with_trail)
    world.move("doing", trail("doing", "done", "planned", "doing") if with_trail else None)
    return [PLANNED_DOING, DOING_DONE, "done→planned", PLANNED_DOING]


for with_trail in (False, True):
    words = ", with a trail" if with_trail else ""
    CASES[f"12: rebased{words}"] = partial(_rebased, with_trail=with_trail)
    CASES[f"13: squashed{words}"] = partial(_squashed, with_trail=with_trail)
    for how in ("ff", "no-ff", "squash"):
        CASES[f"15: merged, {how}{words}"] = partial(_two_merged, how=how, with_trail=with_trail)
        if with_trail or how != "squash":
            CASES[f"15: round and merged, {how}{words}"] = partial(_round_merged, how=how, with_trail=with_trail)


@case("14: cherry-picked")
def _(world: World) -> list[str]:
    world.checkout("topic")
    commit = world.move("doing")
    world.checkout("main")
    world.go(world.copy(commit, world.tip))
    return [PLANNED_DOING]


def _conflict(world: World, resolved: str) -> None:
    world.checkout("topic")
    world.move("for_review")
    world.checkout("main")
    world.move("doing")
    world.merge("topic", {"WP01": package(resolved)})


@case("16: a conflict, resolved to what the branch has")
def _(world: World) -> list[str]:
    _conflict(world, "for_review")
    return [PLANNED_REVIEW, PLANNED_DOING]


@case("16: a conflict, resolved to our own lane, which then goes to theirs")
def _(world: World) -> list[str]:
    world.refs["topic"] = world.tip
    world.move("for_review")
    world.checkout("topic")
    world.move("doing")
    world.checkout("main")
    world.merge("topic", {"WP01": package("for_review")})
    world.move("doing")
    return [PLANNED_REVIEW, PLANNED_DOING, "for_review→doing"]


@case("17: a conflict, resolved to another lane")
def _(world: World) -> list[str]:
    _conflict(world, "done")
    return [PLANNED_REVIEW, PLANNED_DOING, DOING_DONE]


@case("18: reverted")
def _(world: World) -> list[str]:
    world.move("doing")
    world.commit({"WP01": package("planned")})
    return [PLANNED_DOING, DOING_PLANNED]


@case("19: reset and committed again")
def _(world: World) -> list[str]:
    start = world.tip
    world.move("doing")
    world.reset(start)
    world.move("doing")
    return [PLANNED_DOING, DOING_PLANNED, PLANNED_DOING] if "W" in world.mode else [PLANNED_DOING]


@case("19: reset, and back to what was taken back")
def _(world: World) -> list[str]:
    start = world.tip
    world.move("doing")
    commit = world.tip
    world.reset(start)
    world.look()
    world.go(commit)
    return [PLANNED_DOING, DOING_PLANNED, PLANNED_DOING]


@case("19b: reset --soft and one commit")
def _(world: World) -> list[str]:
    start = world.tip
    line(world, "doing", "for_review", with_trail=False)
    world.reset(start, soft=True)
    world.commit()
    return [PLANNED_DOING, DOING_REVIEW]


@case("19b: round, reset --soft and one commit, with a trail")
def _(world: World) -> list[str]:
    start = world.tip
    line(world, "doing", "done", "planned", with_trail=True)
    world.reset(start, soft=True)
    world.commit()
    world.move("doing", trail("doing", "done", "planned", "doing"))
    return [PLANNED_DOING, DOING_DONE, "done→planned", PLANNED_DOING]


@case("20: stashed and popped")
def _(world: World) -> list[str]:
    world.write("doing")
    stashed, world.worktree = world.worktree, None
    world.look(hook=False)
    assert stashed is not None
    world.edit(stashed)
    return [PLANNED_DOING, DOING_PLANNED, PLANNED_DOING] if "W" in world.mode else []


@case("21: committed in a linked worktree and merged in the main one")
def _(world: World) -> list[str]:
    world.checkout_name = "linked"
    world.checkout("topic")
    world.move("doing")
    world.checkout_name, world.branch = "main-worktree", "main"
    world.merge("topic")
    return [PLANNED_DOING]


def _pulled(world: World, how: str) -> list[str]:
    theirs = world.theirs({"WP01": package("doing")}, world.tip)
    if how == "ff":
        world.go(theirs)
        return []
    mine = world.commit(world.shown())
    if how == "merge":
        world.merge(theirs)
    else:
        world.go(world.copy(mine, theirs, world.shown(theirs)))
    return []


def _pulled_on(world: World, how: str) -> list[str]:
    _pulled(world, how)
    world.move("for_review")
    return [DOING_REVIEW]


for how in ("merge", "ff", "rebase"):
    CASES[f"23: pulled, {how}"] = partial(_pulled, how=how)
    CASES[f"24: pulled, {how}, and goes on here"] = partial(_pulled_on, how=how)


@case("26: nobody observed")
def _(world: World) -> list[str]:
    world.observed = False
    line(world, "doing", "for_review", with_trail=False)
    world.observed = True
    world.look()
    return [PLANNED_DOING, DOING_REVIEW]


@case("29: all of history is rewritten")
def _(world: World) -> list[str]:
    line(world, "doing", "for_review", with_trail=False)
    at = None
    for commit in world.graph.walk(world.tip):
        at = world.make(world.shown(commit), at, time=world.time(commit))
    assert at is not None
    world.go(at)
    return [PLANNED_DOING, DOING_REVIEW]


@case("32: first seen at done, with a full trail")
def _(world: World) -> list[str]:
    world.move("done", trail("doing", "for_review", "done"))
    return [PLANNED_DOING, DOING_REVIEW, REVIEW_DONE]


@case("a copy of what somebody else made")
def _(world: World) -> list[str]:
    start = world.tip
    theirs = world.theirs({"WP01": package("doing")}, start)
    world.go(theirs)
    world.checkout("topic", start)
    world.commit(world.shown())
    world.go(world.copy(theirs, world.tip))
    return []


@case("57: the same lane twice within a second")
def _(world: World) -> list[str]:
    for lane in ("doing", "planned", "doing"):
        world.go(world.make({"WP01": with_lane(world.shown(), lane)}, world.tip, time=world.time(world.tip)))
    return [PLANNED_DOING, DOING_PLANNED, PLANNED_DOING]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_what_is_emitted(name: str, mode: Mode) -> None:
    world = World(mode)
    expected = CASES[name](world)
    assert world.steps == expected
    world.replay()
    assert world.steps == expected, "a replay adds steps"
    assert world.replay() == [], "a second replay adds something"
    assert world.observe() == [], "another look adds something"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_another_machine_finds_the_same(name: str, mode: Mode) -> None:
    """O11: whatever it emits of the branches is what was emitted here, under that id or an alias of it."""
    world = World(mode)
    CASES[name](world)
    other = elsewhere(world)
    for branch in world.refs:
        other.replay(branch)
    emitted = {other.aliases.get(one, one) for one in world.step_ids} | set(world.step_ids)
    assert {world.aliases.get(one, one) for one in other.step_ids} <= emitted


@pytest.mark.parametrize("mode", MODES)
def test_22_a_worktree_of_an_older_state(mode: Mode) -> None:
    world = World(mode, [{"WP01": package(lane)} for lane in ("planned", "doing", "for_review")])
    world.checkout_name = "linked"
    world.checkout("old", world.graph.walk(world.tip)[0])
    assert world.words == []


@pytest.mark.parametrize("mode", MODES)
def test_41_and_42_what_was_there_before_and_a_replay(mode: Mode) -> None:
    world = World(mode, [{"WP01": package(lane)} for lane in ("planned", "doing")])
    world.move("for_review")
    world.move("done")
    assert world.steps == [DOING_REVIEW, REVIEW_DONE]
    assert world.replay() == ["feature 001-login", "WP01 created", "WP01 planned→doing"]
    assert world.state.history(KEY).last_lane() == "done"
    other = elsewhere(world)
    other.replay("main")
    assert other.state.history(KEY).last_lane() == "done"
    assert other.steps == [PLANNED_DOING, DOING_REVIEW, REVIEW_DONE]
    assert {world.aliases.get(one, one) for one in other.step_ids} == set(world.step_ids)
