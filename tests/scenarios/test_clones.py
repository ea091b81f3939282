"""Scenarios 23 to 25 and 30 of the contract's table: teammates and other clones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.world import Clone, World

P_D, P_R, D_R, R_D = "planned>doing", "planned>for_review", "doing>for_review", "for_review>done"


def _mate(world: World) -> Clone:
    mate = world.clone("mate")
    mate.run("init")
    mate.run("hooks", "install")
    return mate


@pytest.mark.parametrize("how", ["--no-rebase", "--rebase", "--ff-only"])
def test_23_pull(world: World, how: str) -> None:
    mate = _mate(world)
    mate.move("doing")
    mate.git("push", "-q")
    if how != "--ff-only":
        (world.root / "README").write_text("mine")
        world.commit("my own")
    world.git("pull", "-q", how)
    world.settle()
    world.expect()
    assert mate.steps() == [P_D]
    world.replay_adds_nothing()
    mate_told = [one["event_id"] for one in mate.events()]
    mate.run("emit", "replay")
    assert [one["event_id"] for one in mate.events()] == mate_told


@pytest.mark.parametrize("how", ["--no-rebase", "--rebase", "--ff-only"])
def test_24_pull_and_go_on(world: World, how: str) -> None:
    mate = _mate(world)
    mate.move("doing")
    mate.git("push", "-q")
    world.git("pull", "-q", how)
    world.settle()
    world.move("for_review")
    world.expect(D_R)
    world.replay_adds_nothing()


def test_24_dropped_and_pulled_again_before_anybody_looked(make_world: Callable[[str], World]) -> None:
    """A rebase that drops every commit runs no hook that sees its end; what is pulled then is still elsewhere's."""
    world = make_world("")
    mate = _mate(world)
    mate.move("doing")
    mate.git("push", "-q")
    world.git("pull", "-q", "--ff-only")
    world.run("emit", "scan")
    world.move("planned")
    world.run("emit", "scan")
    world.expect("doing>planned")
    world.git("reset", "-q", "--hard", "HEAD~2")
    world.git("pull", "-q", "--ff-only")
    world.run("emit", "scan")
    world.expect("doing>planned")


def test_25_two_clones_one_ledger(world: World) -> None:
    world.clone("unused")  # makes the origin
    other = world.clone("other", home=world.home)
    if world.hooked:
        other.run("hooks", "install")
    world.move("doing")
    world.expect(P_D)
    world.git("push", "-q")
    other.git("pull", "-q")
    other.run("emit", "scan")
    world.settle()
    world.expect(P_D)
    world.replay_adds_nothing()
    other.run("emit", "replay")
    world.expect(P_D)
    other.move("for_review")
    other.run("emit", "scan")
    other.git("push", "-q")
    world.git("pull", "-q")
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_30_branch_from_a_remote(world: World) -> None:
    mate = _mate(world)
    mate.git("checkout", "-q", "-b", "topic")
    mate.write("planned", wp_id="WP02")
    mate.commit("WP02")
    mate.move("doing", wp_id="WP02")
    mate.git("push", "-q", "-u", "origin", "topic")
    world.git("fetch", "-q")
    world.git("checkout", "-q", "topic")
    world.settle()
    world.expect(wp_id="WP02")
    assert [one for one in world.events("WPCreated") if one["payload"]["wp_id"] == "WP02"] == []
    world.move("for_review", wp_id="WP02")
    world.expect(D_R, wp_id="WP02")
    world.replay_adds_nothing()
    assert [one for one in world.events("WPCreated") if one["payload"]["wp_id"] == "WP02"] == []


def test_merging_a_remote_branch_with_own_work_on_both_sides(world: World) -> None:
    """O3: what a merge brings from a remote was told there; what it adds to both sides is ours."""
    mate = _mate(world)
    world.write("planned", wp_id="WP02")
    world.commit("WP02")
    world.git("push", "-q")
    mate.git("pull", "-q")
    mate.move("doing")
    mate.git("push", "-q")
    world.move("doing", wp_id="WP02")
    world.git("fetch", "-q")
    world.git("merge", "-q", "--no-commit", "origin/main")
    world.write("for_review", wp_id="WP02")
    world.git("add", "-A")
    world.git("commit", "-q", "--no-edit")
    world.settle()
    world.expect()
    world.expect(P_D, D_R, wp_id="WP02")
    world.replay_adds_nothing()


def test_upstream_taken_over_by_reset(world: World) -> None:
    """O3, O4: what others rewrote is not ours to tell; what of our own a reset takes back is."""
    mate = _mate(world)
    mate.move("doing")
    mate.git("push", "-q")
    world.git("pull", "-q")
    mate.write("planned", body="on second thoughts")
    mate.git("commit", "-q", "-a", "--amend", "-m", "rewritten")
    mate.git("push", "-q", "--force")
    world.git("fetch", "-q")
    world.git("reset", "-q", "--hard", "origin/main")
    world.run("emit", "scan")
    world.settle()
    world.expect()
    world.move("doing")
    world.expect(P_D)
    world.git("reset", "-q", "--hard", "origin/main")
    world.run("emit", "scan")
    world.expect(P_D, "doing>planned")


def test_25_created_unobserved_and_pulled_first(make_world: Callable[[str], World]) -> None:
    """O7: two clones with one ledger; what one made is its news, though the other saw it first."""
    world = make_world("")
    other = world.clone("other", home=world.home)
    other.run("emit", "scan")
    world.move("planned", wp_id="WP02")
    world.git("push", "-q", "origin", "main")
    other.git("pull", "-q", "--ff-only")
    other.run("emit", "scan")
    world.run("emit", "scan")
    assert [one["payload"]["wp_id"] for one in world.events("WPCreated")] == ["WP02"]


def test_moved_unobserved_and_pulled_first(make_world: Callable[[str], World]) -> None:
    """O7: the same of steps, in their order, though the other clone has gone on with it since."""
    world = make_world("")
    other = world.clone("other", home=world.home)
    other.run("emit", "scan")
    world.move("doing")
    world.move("for_review")
    world.git("push", "-q", "origin", "main")
    other.git("pull", "-q", "--ff-only")
    other.run("emit", "scan")
    world.expect()
    other.move("done")
    other.run("emit", "scan")
    world.run("emit", "scan")
    assert sorted(world.steps()) == sorted([P_D, D_R, R_D])
    world.replay_adds_nothing()
    other.move("planned")
    other.move("doing")
    other.run("emit", "scan")
    assert world.steps()[3:] == ["done>planned", P_D]


def test_others_merge_within_a_merge(make_world: Callable[[str], World]) -> None:
    """O3: what a merged branch had merged itself from elsewhere is elsewhere's news, however deep."""
    world = make_world("")
    mate = _mate(world)
    world.git("checkout", "-q", "-b", "topic")
    (world.root / "README").write_text("mine")
    world.commit("my own")
    mate.move("doing")
    mate.git("push", "-q")
    world.git("fetch", "-q")
    world.git("merge", "-q", "--no-ff", "-m", "theirs", "origin/main")
    world.run("emit", "scan")
    world.git("checkout", "-q", "--detach", "main")
    world.run("emit", "scan")
    world.git("merge", "-q", "--no-ff", "-m", "all of it", "topic")
    world.run("emit", "scan")
    world.expect()
    world.replay_adds_nothing()
    world.git("checkout", "-q", "main")
    world.git("reset", "-q", "--hard", "topic")
    world.run("emit", "scan")
    world.expect()


def test_rebased_onto_what_is_no_more_upstream(make_world: Callable[[str], World]) -> None:
    """O3, B2: a rebase put my commit on others'; when upstream drops these, a replay still knows whose they are."""
    world = make_world("")
    mate = _mate(world)
    mate.move("doing")
    mate.move("for_review")
    mate.git("push", "-q")
    world.move("doing", body="mine as well")
    world.run("emit", "scan")
    world.git("fetch", "-q")
    world.git("rebase", "-q", "-X", "theirs", "origin/main")
    world.run("emit", "scan")
    world.expect(P_D)
    mate.git("reset", "-q", "--hard", "HEAD~2")
    mate.git("push", "-q", "--force")
    world.git("fetch", "-q")
    world.git("reflog", "expire", "--expire=now", "refs/remotes/origin/main")
    world.replay_adds_nothing()


@pytest.mark.parametrize("how", ["cherry-pick", "am"])
def test_copies_of_what_others_told(make_world: Callable[[str], World], how: str) -> None:
    """O3, O4: a copy of others' commit in another view is not told, when this machine has come upon it before."""
    world = make_world("")
    mate = _mate(world)
    trail = [("2026-01-01T10:00:00Z", "doing"), ("2026-01-01T11:00:00Z", "done")]
    mate.move("done", trail=trail)
    mate.git("push", "-q")
    world.git("branch", "topic")
    world.git("pull", "-q", "--ff-only")
    world.run("emit", "scan")
    world.move("for_review", trail=trail)
    world.run("emit", "scan")
    world.git("checkout", "-q", "topic")
    (world.root / "README").write_text("mine")
    world.commit("my own")
    if how == "am":
        patch = world.git("format-patch", "-1", "--stdout", "origin/main")
        (world.root.parent / "patch").write_text(patch)
        world.git("am", "-q", str(world.root.parent / "patch"))
    else:
        world.git("cherry-pick", "origin/main")
    world.run("emit", "scan")
    world.expect("done>for_review")
    world.replay_adds_nothing()


def test_dropped_and_pulled_again_after_both_were_told(make_world: Callable[[str], World]) -> None:
    """O3: what was made here, told, taken back, and comes again with a pull, was not made again."""
    world = make_world("")
    world.clone("other")
    world.move("doing")
    world.git("push", "-q", "origin", "main")
    world.run("emit", "scan")
    world.git("reset", "-q", "--hard", "HEAD~1")
    world.run("emit", "scan")
    world.expect(P_D, "doing>planned")
    world.git("pull", "-q", "--ff-only", "origin", "main")
    world.run("emit", "scan")
    world.expect(P_D, "doing>planned")
    world.replay_adds_nothing()


def test_created_elsewhere_and_moved_in_a_rebase(make_world: Callable[[str], World]) -> None:
    """D2, O3: others created it; the step that my rebased commit makes of that is mine."""
    world = make_world("")
    mate = _mate(world)
    mate.move("doing", wp_id="WP02")
    mate.git("push", "-q")
    (world.root / "README").write_text("mine")
    world.commit("my own")
    world.run("emit", "scan")
    world.git("fetch", "-q")
    world.git("rebase", "-q", "origin/main")
    world.move("for_review", wp_id="WP02")
    world.run("emit", "scan")
    assert [one["payload"]["wp_id"] for one in world.events("WPCreated")] == []
    world.expect(D_R, wp_id="WP02")


@pytest.mark.parametrize("mine", ["for_review", "planned"])
def test_pulled_with_a_rebase_and_gone_on_before_anybody_looked(make_world: Callable[[str], World], mine: str) -> None:
    """O3, O10: my step follows on others', though there is a commit of mine that was put on top of theirs."""
    world = make_world("")
    mate = _mate(world)
    (world.root / "README").write_text("mine")
    world.commit("my own")
    world.run("emit", "scan")
    mate.move("doing", trail=[("2026-01-01T10:00:00Z", "doing")])
    mate.git("push", "-q")
    world.git("pull", "-q", "--rebase")
    trail = [("2026-01-01T10:00:00Z", "doing"), ("2026-01-01T11:00:00Z", mine)]
    world.move(mine, trail=trail if mine == "for_review" else ())
    world.run("emit", "scan")
    world.expect(f"doing>{mine}")
    world.replay_adds_nothing()


def test_pulled_with_a_rebase_after_an_older_step_to_the_same_lane(make_world: Callable[[str], World]) -> None:
    """O7: a step that was told on the way to what was pulled doesn't stand for one that comes after that."""
    world = make_world("")
    mate = _mate(world)
    other = world.clone("other", home=world.home)
    other.move("for_review")
    other.git("push", "-q")
    other.run("emit", "scan")
    mate.git("pull", "-q")
    mate.move("doing")
    mate.git("push", "-q")
    (world.root / "README").write_text("mine")
    world.commit("my own")
    world.run("emit", "scan")
    world.git("pull", "-q", "--rebase")
    world.run("emit", "scan")
    world.expect(P_R)
    world.move("for_review")
    world.run("emit", "scan")
    world.expect(P_R, D_R)
    world.replay_adds_nothing()


def test_a_squash_of_what_others_told_is_merged(make_world: Callable[[str], World]) -> None:
    """O3, O4: a copy that was found to be others' is still theirs on the other side of a merge."""
    world = make_world("")
    mate = _mate(world)
    mate.move("doing", trail=[("2026-01-01T10:00:00Z", "doing")])
    mate.git("push", "-q")
    world.git("branch", "topic")
    world.git("pull", "-q", "--ff-only")
    world.run("emit", "scan")
    world.move("for_review")
    world.run("emit", "scan")
    world.git("checkout", "-q", "topic")
    world.git("merge", "-q", "--squash", "origin/main")
    world.commit("squashed")
    world.run("emit", "scan")
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "-X", "theirs", "topic", "-m", "merge")
    world.run("emit", "scan")
    world.expect(D_R)
    world.replay_adds_nothing()


def test_sent_forward_to_where_it_was_at_another_time(make_world: Callable[[str], World]) -> None:
    """O2: where a detached HEAD was before it went somewhere else has nothing to do with what comes to it there."""
    world = make_world("")
    mate = _mate(world)
    start = world.git("rev-parse", "HEAD").strip()
    mate.move("doing", trail=[("2026-01-01T10:00:00Z", "doing")])
    mate.git("push", "-q")
    world.git("pull", "-q", "--ff-only")
    world.move("planned")
    world.run("emit", "scan")
    world.git("checkout", "-q", "--detach", "main")
    world.run("emit", "scan")
    world.git("checkout", "-q", start)
    world.git("cherry-pick", "-n", "origin/main")
    world.run("emit", "scan")
    world.git("reset", "-q", "--hard")
    world.run("emit", "scan")
    world.git("reset", "-q", "--hard", "main")
    world.run("emit", "scan")
    world.expect("doing>planned")
    world.replay_adds_nothing()


def test_a_merge_of_others_work_is_rebased(make_world: Callable[[str], World]) -> None:
    """O4, B2: a rebase without merges puts others' commits on my branch: the net difference is all there is."""
    world = make_world("")
    mate = _mate(world)
    start = world.git("rev-parse", "HEAD").strip()
    mate.move("doing")
    mate.move("done")
    mate.git("push", "-q")
    world.move("for_review")
    world.run("emit", "scan")
    world.git("pull", "-q", "--no-rebase", "-X", "ours")
    world.run("emit", "scan")
    world.git("rebase", "-q", "--force-rebase", "-X", "theirs", start)
    world.run("emit", "scan")
    world.expect(P_R, "for_review>done")
    world.replay_adds_nothing()
