"""Work packages that went round on one branch: the same step on another one, which has that in its history, is news."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.world import World

ROUND = ["planned>doing", "doing>done", "done>planned"]


@pytest.mark.parametrize(
    ("how", "trail"), [("--no-ff", False), ("--no-ff", True), ("--ff", False), ("--ff", True), ("--squash", True)]
)
def test_a_round_that_was_merged(make_world: Callable[[str], World], how: str, trail: bool) -> None:
    """O7: the branch that it was merged into is where it was, and then goes where the other one has been."""
    world = make_world("")
    records: list[tuple[str, str]] = []
    world.git("checkout", "-q", "-b", "topic")
    for hour, lane in enumerate(["doing", "done", "planned"], start=10):
        records += [(f"2026-01-01T{hour}:00:00Z", lane)] if trail else []
        world.move(lane, trail=records, body=f"Round {hour}.")
        world.run("emit", "scan")
    world.git("checkout", "-q", "main")
    world.run("emit", "scan")
    world.git("merge", "-q", how, "topic")
    if how == "--squash":
        world.commit("squashed")
    world.run("emit", "scan")
    world.expect(*ROUND)
    records += [("2026-01-01T13:00:00Z", "doing")] if trail else []
    world.move("doing", trail=records, body="Again.")
    world.run("emit", "scan")
    world.expect(*ROUND, "planned>doing")
    world.replay_adds_nothing()


@pytest.mark.parametrize("committed", [True, False])
def test_a_round_that_became_one_commit(make_world: Callable[[str], World], committed: bool) -> None:
    """O4, O7: after the squash of its own round a branch stands behind it."""
    world = make_world("")
    records: list[tuple[str, str]] = []
    for hour, lane in enumerate(["doing", "done", "planned"], start=10):
        records += [(f"2026-01-01T{hour}:00:00Z", lane)]
        world.move(lane, trail=records, body=f"Round {hour}.")
    world.run("emit", "scan")
    world.expect(*ROUND)
    world.git("reset", "-q", "--soft", "HEAD~3")
    world.commit("one for all")
    world.run("emit", "scan")
    world.expect(*ROUND)
    records += [("2026-01-01T13:00:00Z", "doing")]
    world.write("doing", trail=records, body="Again.")
    if committed:
        world.commit("again")
    world.run("emit", "scan")
    world.expect(*ROUND, "planned>doing")
    world.commit("and again", "--allow-empty", "-a")
    world.run("emit", "scan")
    world.expect(*ROUND, "planned>doing")
    world.replay_adds_nothing()


@pytest.mark.parametrize("committed", [True, False])
def test_16_ours_was_kept_and_goes_where_theirs_was(make_world: Callable[[str], World], committed: bool) -> None:
    """O7: the lane that a merge has not taken is taken later, by an edit or by a commit."""
    world = make_world("")
    world.git("branch", "topic")
    world.move("for_review")
    world.run("emit", "scan")
    world.git("checkout", "-q", "topic")
    world.move("doing")
    world.run("emit", "scan")
    told = ["planned>for_review", "planned>doing"]
    world.expect(*told)
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--no-ff", "-X", "ours", "topic")
    world.run("emit", "scan")
    world.expect(*told)
    world.write("doing", body="Back.")
    if committed:
        world.commit("back")
    world.run("emit", "scan")
    world.expect(*told, "for_review>doing")
    world.commit("also", "--allow-empty")
    world.run("emit", "scan")
    world.expect(*told, "for_review>doing")
    world.replay_adds_nothing()


def test_taken_back_after_a_visit_elsewhere(make_world: Callable[[str], World]) -> None:
    """O7: what comes after a reset that nobody saw is told commit by commit, as it is where HEAD has stayed."""
    world = make_world("")
    world.move("planned", wp_id="WP02")
    world.run("emit", "scan")
    world.move("doing", wp_id="WP02")
    world.git("checkout", "-q", "--detach", "HEAD~1")
    world.git("checkout", "-q", "main")
    world.git("reset", "-q", "--hard", "HEAD~1")
    for lane in ("doing", "done", "planned"):
        world.move(lane)
    world.run("emit", "scan")
    world.expect(*ROUND)
    world.expect("planned>doing", "doing>planned", wp_id="WP02")
    world.replay_adds_nothing()
