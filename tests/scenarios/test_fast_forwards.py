"""Branches that are brought to commits which are there already: told ones, rewritten ones, ones that they once had."""

from __future__ import annotations

from collections.abc import Callable

from tests.scenarios.world import World

P_D, D_R, P_R = "planned>doing", "doing>for_review", "planned>for_review"


def test_15_fast_forward_over_reworded_commits(world: World) -> None:
    """O4: commits that were told, rewritten and merged with what they were are none that come after it."""
    world.move("doing")
    world.move("done")
    told = P_D, "doing>done"
    world.expect(*told)
    world.git("branch", "old")
    reword, editor = "sed -i -e 's/^pick/reword/'", "sed -i -e '1 s/^/re/'"
    world.git("rebase", "-q", "-i", "HEAD~2", GIT_SEQUENCE_EDITOR=reword, GIT_EDITOR=editor)
    world.git("merge", "-q", "--no-ff", "old")
    world.git("checkout", "-q", "old")
    world.git("merge", "-q", "--ff-only", "main")
    world.settle()
    world.expect(*told)
    world.replay_adds_nothing()


def test_15_fast_forward_over_what_nobody_observed(world: World) -> None:
    """O7: what another branch went through before it merged this one is told in its order."""
    world.git("checkout", "-q", "-b", "topic")
    world.move("doing")
    world.expect(P_D)
    with world.unobserved():
        world.git("checkout", "-q", "main")
        for lane in ("planned", "doing", "done"):
            world.move(lane, wp_id="WP02")
        world.git("merge", "-q", "--no-ff", "topic")
        world.git("checkout", "-q", "topic")
    world.git("merge", "-q", "--ff-only", "main")
    world.expect(P_D)
    world.expect(P_D, "doing>done", wp_id="WP02")
    world.replay_adds_nothing()


def test_branch_deleted_and_made_anew(make_world: Callable[[str], World]) -> None:
    """O2: a branch that has nothing but the name of an older one takes nothing back."""
    world = make_world("")
    world.move("doing")
    world.run("emit", "scan")
    world.expect(P_D)
    world.git("checkout", "-q", "--detach")
    world.git("branch", "-q", "-D", "main")
    world.git("checkout", "-q", "-b", "main", "HEAD~1")
    world.run("emit", "scan")
    world.expect(P_D)
    world.git("merge", "-q", "--ff-only", "HEAD@{1}")
    world.run("emit", "scan")
    world.expect(P_D)
    world.replay_adds_nothing()
    world.git("reset", "-q", "--hard", "HEAD~1")
    world.run("emit", "scan")
    world.expect(P_D, "doing>planned")


def test_back_at_the_same_lane_and_forward_again(make_world: Callable[[str], World]) -> None:
    """O2: a fast-forward over told commits, after a reset that left the lane as it was."""
    world = make_world("")
    start = world.git("rev-parse", "HEAD").strip()
    for lane in ("doing", "planned"):
        world.move(lane)
        world.run("emit", "scan")
    tip = world.git("rev-parse", "HEAD").strip()
    world.git("reset", "-q", "--hard", start)
    world.run("emit", "scan")
    world.git("merge", "-q", "--ff-only", tip)
    world.run("emit", "scan")
    world.expect(P_D, "doing>planned")
    world.replay_adds_nothing()


def test_rebased_onto_another_lane(make_world: Callable[[str], World]) -> None:
    """B2: a commit that was told, and now follows on another lane than it did, is still the same."""
    world = make_world("")
    world.git("checkout", "-q", "-b", "topic")
    world.move("for_review")
    world.run("emit", "scan")
    world.git("checkout", "-q", "main")
    world.move("doing")
    world.run("emit", "scan")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "-X", "theirs", "main")
    world.run("emit", "scan")
    world.expect(P_R, P_D)
    world.replay_adds_nothing()


def test_fast_forward_to_a_merge_that_kept_the_other_side(make_world: Callable[[str], World]) -> None:
    """O2, scenario 16: what a branch has told is no news to the view that is brought there, wherever that stands."""
    world = make_world("")
    world.git("checkout", "-q", "-b", "topic")
    world.move("doing")
    world.run("emit", "scan")
    world.git("checkout", "-q", "main")
    world.move("for_review")
    world.run("emit", "scan")
    world.git("checkout", "-q", "topic")
    world.git("merge", "-q", "-X", "ours", "main")
    world.run("emit", "scan")
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--ff-only", "topic")
    world.run("emit", "scan")
    world.expect(P_D, P_R)
    world.replay_adds_nothing()


def test_fast_forward_to_what_a_reset_took_back(make_world: Callable[[str], World]) -> None:
    """O5: what the branch had and lost is news when it comes again."""
    world = make_world("")
    world.move("doing")
    tip = world.git("rev-parse", "HEAD").strip()
    world.run("emit", "scan")
    world.git("reset", "-q", "--hard", "HEAD~1")
    world.run("emit", "scan")
    world.git("merge", "-q", "--ff-only", tip)
    world.run("emit", "scan")
    world.expect(P_D, "doing>planned", P_D)
    world.replay_adds_nothing()


def test_fast_forward_over_what_was_rebased(make_world: Callable[[str], World]) -> None:
    """O4: the net difference of rebased commits was told, or that there is none; whoever comes by has no news."""
    world = make_world("")
    world.git("checkout", "-q", "-b", "topic")
    for lane in ("doing", "for_review"):
        world.move(lane)
        world.run("emit", "scan")
    world.git("checkout", "-q", "main")
    world.move("done")
    world.run("emit", "scan")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "-X", "theirs", "main")
    world.run("emit", "scan")
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--ff-only", "topic")
    world.run("emit", "scan")
    world.expect(P_D, D_R, "planned>done")
    world.replay_adds_nothing()
