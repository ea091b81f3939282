"""Others' commits in this history: merged, rebased, copied, dropped and pulled again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.world import World
from tests.selection import some

P_D, P_R, D_R = "planned>doing", "planned>for_review", "doing>for_review"


def test_others_merge_within_a_merge(make_world: Callable[[str], World]) -> None:
    """O3: what a merged branch had merged itself from elsewhere is elsewhere's news, however deep."""
    world = make_world("")
    mate = world.mate()
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
    mate = world.mate()
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
    mate = world.mate()
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
    mate = world.mate()
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
    mate = world.mate()
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
    mate = world.mate()
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
    mate = world.mate()
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
    mate = world.mate()
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
    mate = world.mate()
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


def test_reset_and_merged_before_anybody_looked(make_world: Callable[[str], World]) -> None:
    """O3: a commit of mine is taken back, others' are merged: these are theirs."""
    world = make_world("")
    mate = world.mate()
    world.write("planned", wp_id="WP02")
    (world.root / "README").write_text("mine")
    world.commit("mine")
    start = world.git("rev-parse", "HEAD").strip()
    world.move("done", wp_id="WP02")
    world.run("emit", "scan")
    world.git("reset", "-q", "--hard", start)
    mate.move("doing", trail=[("2026-01-01T10:00:00Z", "doing")])
    mate.git("push", "-q")
    world.git("pull", "-q", "--no-rebase")
    world.run("emit", "scan")
    world.expect()
    world.expect("planned>done", "done>planned", wp_id="WP02")
    world.replay_adds_nothing()


@pytest.mark.parametrize("how", ["--no-rebase", "--rebase", "--ff-only"])
def test_others_merge_that_keeps_none_of_ours(make_world: Callable[[str], World], how: str) -> None:
    """O3: a lane that was taken back by others' merge, which no commit of theirs says, was taken back there."""
    world = make_world("")
    mate = world.mate()
    world.move("doing")
    world.git("push", "-q")
    world.run("emit", "scan")
    (mate.root / "README").write_text("theirs")
    mate.commit("readme")
    mate.git("fetch", "-q")
    mate.git("merge", "-q", "-s", "ours", "origin/main")
    mate.git("push", "-q")
    if how != "--ff-only":
        (world.root / "OTHER").write_text("mine")
        world.commit("other")
        world.run("emit", "scan")
    world.git("pull", "-q", how)
    world.run("emit", "scan")
    world.expect(P_D)
    world.replay_adds_nothing()
    world.move("done")
    world.run("emit", "scan")
    world.expect(P_D, "planned>done")
    world.replay_adds_nothing()


def test_a_conflict_resolved_to_what_others_had_not_moved(make_world: Callable[[str], World]) -> None:
    """O3, O5: what my merge takes back is mine, though it is what their side shows."""
    world = make_world("")
    mate = world.mate()
    mate.write("planned", body="Others' remark.")
    mate.commit("remark")
    mate.git("push", "-q")
    world.move("doing")
    world.run("emit", "scan")
    world.git("pull", "-q", "--no-rebase", "-s", "recursive", "-X", "theirs", check=False)
    world.git("checkout", "-q", "origin/main", "--", ".")
    world.git("commit", "-q", "--amend", "-m", "merged")
    world.run("emit", "scan")
    world.expect(P_D, "doing>planned")
    world.replay_adds_nothing()


def test_a_conflict_resolved_to_what_others_moved_and_moved_back(make_world: Callable[[str], World]) -> None:
    """O3: their commit says by its trail that they went round; what I took from it is theirs."""
    world = make_world("")
    mate = world.mate()
    mate.move("planned", trail=[("2026-01-01T10:00:00Z", "doing"), ("2026-01-01T11:00:00Z", "planned")])
    mate.git("push", "-q")
    world.move("for_review")
    world.run("emit", "scan")
    world.git("pull", "-q", "--no-rebase", "--no-commit")
    world.git("checkout", "-q", "origin/main", "--", ".")
    world.commit("merged")
    world.run("emit", "scan")
    world.expect(P_R)
    world.replay_adds_nothing()


@some("how", ["merge --ff-only -q", "reset -q --hard", "rebase -q"], quick=1)
@pytest.mark.parametrize("amended", ["", "seen", "unseen"])
@pytest.mark.parametrize("goes_on", [False, True])
def test_merged_by_others_before_anybody_looked(
    make_world: Callable[[str], World], how: str, amended: str, *, goes_on: bool
) -> None:
    """O7, 26b: no first-parent chain leads through my commits once others have merged them, and they are mine still."""
    world = make_world("")
    mate = world.mate()
    (mate.root / "README").write_text("theirs")
    mate.commit("their own")
    (world.root / "NOTES").write_text("mine")
    world.commit("my own")
    if amended == "seen":
        world.run("emit", "scan")
    if amended:
        world.git("commit", "-q", "--amend", "-m", "amended")
    world.move("doing")
    world.git("push", "-q", "origin", "main")
    mate.git("pull", "-q", "--no-rebase", "origin", "main")
    if goes_on:
        mate.move("for_review")
    mate.git("push", "-q", "origin", "main")
    world.git("fetch", "-q")
    world.git(*how.split(), "origin/main")
    assert world.git("rev-parse", "HEAD") == mate.git("rev-parse", "HEAD")
    world.run("emit", "scan")
    world.expect(P_D)
    world.replay_adds_nothing()


def test_merged_by_others_on_a_branch_that_was_left(make_world: Callable[[str], World]) -> None:
    """O7: the same where HEAD has been elsewhere since."""
    world = make_world("")
    mate = world.mate()
    (mate.root / "README").write_text("theirs")
    mate.commit("their own")
    world.move("doing")
    world.git("push", "-q", "origin", "main")
    mate.git("pull", "-q", "--no-rebase", "origin", "main")
    mate.git("push", "-q", "origin", "main")
    world.git("pull", "-q", "--ff-only", "origin", "main")
    world.git("checkout", "-q", "-b", "topic", "HEAD~1")
    world.run("emit", "scan")
    world.expect(P_D)
    world.replay_adds_nothing()
