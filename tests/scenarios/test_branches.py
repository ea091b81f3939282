"""Branches, merges, rebases and worktrees beyond the rows of the contract's table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.scenarios.world import Clone, World

P_D, D_R, R_D, P_R = "planned>doing", "doing>for_review", "for_review>done", "planned>for_review"


def _branch(world: World, *lanes: str) -> None:
    """A branch with a commit for each lane, and main moved on meanwhile."""
    world.git("checkout", "-q", "-b", "topic")
    for lane in lanes:
        world.move(lane)
    told = [f"{a}>{b}" for a, b in zip(("planned", *lanes), lanes, strict=False)]
    world.expect(*told)
    world.git("checkout", "-q", "main")
    (world.root / "README").write_text("moved")
    world.commit("main moves")


def test_12_conflict_in_a_rebase_with_apply_backend(make_world: Callable[[str], World]) -> None:
    """O6, O7: its first hook runs before git has said that it rebases, its last one before HEAD is back."""
    world = make_world("H")
    _branch(world, "doing")
    world.write("for_review")
    world.git("commit", "-q", "-a", "-m", "nobody looks", KITTYWATCH="0")
    world.git("checkout", "-q", "topic", KITTYWATCH="0")
    world.git("rebase", "-q", "--apply", "main", check=False)
    world.expect(P_D)
    world.write("done")
    world.git("add", "-A")
    world.git("rebase", "--continue", GIT_EDITOR="true")
    world.expect(P_D, P_R, "doing>done")
    assert world.git("symbolic-ref", "HEAD").strip() == "refs/heads/topic"


def test_12_rebase_with_apply_backend_after_a_detached_head(make_world: Callable[[str], World]) -> None:
    """O2: its last hook runs while HEAD is detached, but looks at the branch, not at what a detached HEAD showed."""
    world = make_world("H")
    _branch(world, "doing")
    world.git("checkout", "-q", "--detach", "main")
    world.write("done")
    world.commit()
    world.expect(P_D, "planned>done")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "--apply", "main")
    world.expect(P_D, "planned>done")
    world.git("branch", "another", "main")
    world.git("rebase", "-q", "--apply", "topic", "another")
    world.expect(P_D, "planned>done")


def test_13_dropped_in_a_rebase(world: World) -> None:
    """O4: what a rebase does beyond rewriting is told; a dropped commit takes its lane back."""
    _branch(world, "doing", "for_review")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "-i", "main", GIT_SEQUENCE_EDITOR="sed -i -e '2 d'")
    world.settle()
    world.expect(P_D, D_R, "for_review>doing")
    world.replay_adds_nothing()


def test_14_cherry_pick_of_several(world: World) -> None:
    _branch(world, "doing", "for_review")
    world.git("cherry-pick", "main..topic")
    world.move("done")
    world.expect(P_D, D_R, R_D)
    world.replay_adds_nothing()


def test_15_merge_of_what_was_amended_and_removed(world: World) -> None:
    """B2: a merge that brings a work package back at its lane leaves the step to the commit that took it."""
    world.write("doing", wp_id="WP02")
    world.settle()
    world.commit("made")
    world.expect(P_D, wp_id="WP02")
    world.git("checkout", "-q", "-b", "topic")
    world.git("commit", "-q", "--amend", "-m", "amended")
    world.git("rm", "-q", "--", str(world.path("WP02")))
    world.git("commit", "-q", "-m", "removed")
    world.git("merge", "-q", "main")
    world.settle()
    world.expect(P_D, wp_id="WP02")
    world.replay_adds_nothing()


def test_22_worktree_in_a_hidden_directory_of_the_project(world: World) -> None:
    """Where spec-kitty puts them: .worktrees/ in the project, ignored by it."""
    path: Path = world.root / ".worktrees" / "topic"
    (world.root / ".gitignore").write_text(".worktrees/\n")
    world.commit("ignore")
    world.git("worktree", "add", "-q", "-b", "topic", str(path))
    linked = Clone(path, world.home)
    linked.clock = world.clock + 50
    linked.move("doing")
    world.expect(P_D)
    world.git("merge", "-q", "topic")
    world.settle()
    world.expect(P_D)
    world.replay_adds_nothing()


def test_30b_branch_from_an_older_commit_while_nobody_observed(world: World) -> None:
    """O2, O7: what the branch before went through is told first, and the new one begins where it left that."""
    with world.unobserved():
        world.move("doing")
        world.git("checkout", "-q", "-b", "topic", "HEAD~1")
    world.settle()
    world.move("for_review")
    world.expect(P_D, P_R)
    world.replay_adds_nothing()


def test_15_a_branch_that_begins_with_a_merge(make_world: Callable[[str], World]) -> None:
    """O7: what another branch went through comes in with it, though its own first commit is a merge."""
    world = make_world("")
    for branch in ("work", "topic"):
        world.git("branch", branch)
    (world.root / "README").write_text("main goes on")
    world.commit("readme")
    world.run("emit", "scan")
    world.git("checkout", "-q", "work")
    for lane in ("doing", "planned", "done"):
        world.move(lane)
    world.git("checkout", "-q", "topic")
    world.git("merge", "-q", "--no-ff", "work")
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--no-ff", "topic")
    world.git("branch", "-D", "topic", "work")
    (world.root / ".git" / "logs" / "HEAD").write_text("")  # which tells of the branches
    world.run("emit", "scan")
    world.expect(P_D, "doing>planned", "planned>done")
    world.replay_adds_nothing()


def test_a_squash_that_was_silent_is_known_when_it_is_squashed_again(world: World) -> None:
    """O4: its trail was rewritten, so that its one step has a record that the steps that were emitted lack."""
    world.git("branch", "topic")
    world.move("done", trail=[("2026-01-01T10:00:00Z", "done")])
    world.move("doing", trail=[("2026-01-01T11:00:00Z", "for_review"), ("2026-01-01T12:00:00Z", "doing")])
    world.settle()
    world.expect("planned>done", "done>doing")
    world.git("rebase", "-q", "-i", "HEAD~2", GIT_SEQUENCE_EDITOR="sed -i -e '2 s/^pick/squash/'")
    world.settle()
    world.expect("planned>done", "done>doing")
    world.git("checkout", "-q", "topic")
    world.git("merge", "-q", "--squash", "main")
    world.git("commit", "-q", "-m", "squash")
    world.settle()
    world.expect("planned>done", "done>doing")


def test_a_move_after_a_squash_to_a_lane_that_the_squash_passes(world: World) -> None:
    """O4, O5: the squash is known by its record, and what it has in it besides is behind it."""
    world.move("for_review")
    world.move("done", trail=[("2026-01-01T10:00:00Z", "done")])
    world.settle()
    world.expect("planned>for_review", "for_review>done")
    world.git("rebase", "-q", "-i", "HEAD~2", GIT_SEQUENCE_EDITOR="sed -i -e '2 s/^pick/squash/'")
    world.settle()
    world.move("for_review", trail=[("2026-01-01T10:00:00Z", "done")])
    world.expect("planned>for_review", "for_review>done", "done>for_review")
    world.replay_adds_nothing()
