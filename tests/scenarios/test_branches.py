"""Scenarios 11 to 17, 21, 22, 30b and 31 to 33 of the contract's table: branches, merges, rebases, worktrees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.scenarios.world import FEATURE, Clone, World

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


def test_11_there_and_back(world: World) -> None:
    world.git("checkout", "-q", "-b", "topic")
    world.move("doing")
    world.expect(P_D)
    for _ in range(5):
        world.git("checkout", "-q", "main")
        world.git("checkout", "-q", "topic")
    world.settle()
    world.expect(P_D)
    world.replay_adds_nothing()


def test_12_rebase(world: World) -> None:
    _branch(world, "doing", "for_review")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "main")
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_12_rebase_with_apply_backend(world: World) -> None:
    _branch(world, "doing", "for_review")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "--apply", "main")
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


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


def test_13_squash_in_a_rebase(world: World) -> None:
    _branch(world, "doing", "for_review", "done")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "-i", "main", GIT_SEQUENCE_EDITOR="sed -i -e '2,$ s/^pick/squash/'")
    assert world.git("rev-list", "--count", "main..topic").strip() == "1"
    world.settle()
    world.expect(P_D, D_R, R_D)
    world.replay_adds_nothing()


def test_13_dropped_in_a_rebase(world: World) -> None:
    """O4: what a rebase does beyond rewriting is told; a dropped commit takes its lane back."""
    _branch(world, "doing", "for_review")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "-i", "main", GIT_SEQUENCE_EDITOR="sed -i -e '2 d'")
    world.settle()
    world.expect(P_D, D_R, "for_review>doing")
    world.replay_adds_nothing()


def test_14_cherry_pick(world: World) -> None:
    _branch(world, "doing")
    world.git("cherry-pick", "topic")
    world.settle()
    world.expect(P_D)
    world.replay_adds_nothing()


def test_14_cherry_pick_of_several(world: World) -> None:
    _branch(world, "doing", "for_review")
    world.git("cherry-pick", "main..topic")
    world.move("done")
    world.expect(P_D, D_R, R_D)
    world.replay_adds_nothing()


def test_15_merge_fast_forward(world: World) -> None:
    world.git("checkout", "-q", "-b", "topic")
    world.move("doing")
    world.move("for_review")
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "topic")
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_15_merge_no_ff(world: World) -> None:
    _branch(world, "doing", "for_review")
    world.git("merge", "-q", "--no-ff", "topic")
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_15_merge_squash(world: World) -> None:
    _branch(world, "doing", "for_review")
    world.git("merge", "-q", "--squash", "topic")
    world.settle()
    world.git("commit", "-q", "-m", "squashed")
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_15_merge_of_what_was_amended_and_removed(world: World) -> None:
    """B2: a merge that brings a work package back at its lane leaves the step to the commit that took it."""
    world.write("doing", wp_id="WP02")
    if world.watched:
        world.expect(P_D, wp_id="WP02")
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


def test_16_conflict_resolved_to_what_was_told(world: World) -> None:
    _branch(world, "doing", "for_review")
    world.move("doing")
    world.git("merge", "-q", "topic", check=False)
    world.write("for_review")
    world.git("add", "-A")
    world.git("commit", "-q", "--no-edit")
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_16_told_on_the_branch_before_main(world: World) -> None:
    """The same where the branch went straight to for_review and main to doing afterwards."""
    world.git("checkout", "-q", "-b", "topic")
    world.move("for_review")
    world.expect(P_R)
    world.git("checkout", "-q", "main")
    world.move("doing")
    world.expect(P_R, P_D)
    world.git("merge", "-q", "topic", check=False)
    world.write("for_review")
    world.git("add", "-A")
    world.git("commit", "-q", "--no-edit")
    world.settle()
    world.expect(P_R, P_D)
    world.replay_adds_nothing()


def test_17_conflict_resolved_to_something_new(world: World) -> None:
    world.git("checkout", "-q", "-b", "topic")
    world.move("for_review")
    world.expect(P_R)
    world.git("checkout", "-q", "main")
    world.move("doing")
    world.expect(P_R, P_D)
    world.git("merge", "-q", "topic", check=False)
    world.write("done")
    world.git("add", "-A")
    world.git("commit", "-q", "--no-edit")
    world.settle()
    steps = world.steps()
    assert steps[:2] == [P_R, P_D]
    assert len(steps) == 3
    assert steps[2].endswith(">done")
    world.replay_adds_nothing()


def _worktree(world: World, branch: str) -> Clone:
    path = world.directory / f"linked {branch}"
    world.git("worktree", "add", "-q", "-b", branch, str(path), "main")
    linked = Clone(path, world.home)
    linked.clock = world.clock + 100
    return linked


def test_21_linked_worktree(world: World) -> None:
    linked = _worktree(world, "topic")
    linked.move("doing")
    world.expect(P_D)
    world.git("merge", "-q", "topic")
    world.settle()
    world.expect(P_D)
    world.replay_adds_nothing()


def test_22_worktree_of_an_older_branch(world: World) -> None:
    world.git("branch", "old")
    world.move("doing")
    world.move("for_review")
    world.expect(P_D, D_R)
    world.git("worktree", "add", "-q", str(world.directory / "linked"), "old")
    world.settle()
    world.expect(P_D, D_R)
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


def test_30b_branch_made_while_nobody_observed(world: World) -> None:
    world.stop()
    off = "0"
    world.git("checkout", "-q", "-b", "topic", KITTYWATCH=off)
    world.write("planned", wp_id="WP02")
    world.git("add", "-A")
    world.git("commit", "-q", "-m", "WP02", KITTYWATCH=off)
    world.write("doing", wp_id="WP02")
    world.git("commit", "-q", "-a", "-m", "WP02 doing", KITTYWATCH=off)
    world.git("checkout", "-q", "main", KITTYWATCH=off)
    if world.watched:
        world.observe()
    world.git("checkout", "-q", "topic")
    world.expect(P_D, wp_id="WP02")
    created = [
        one["payload"]["wp_id"] for one in world.events("WPCreated") if one["payload"]["feature_slug"] == FEATURE
    ]
    assert created == ["WP02"]
    world.replay_adds_nothing()


def test_31_new_feature(world: World) -> None:
    feature = "002-search"
    directory = world.root / "kitty-specs" / feature
    directory.mkdir(parents=True)
    (directory / "meta.json").write_text(
        '{"slug": "search", "feature_number": "002", "target_branch": "2.x", "created_at": "2026-01-01T09:00:00Z"}'
    )
    (directory / "tasks.md").write_text(
        "# Tasks\n\n" + "".join(f"## Work Package WP0{n}: X\n\nDepends on WP0{n - 1}\n\n" for n in range(2, 8))
    )
    world.stop()  # a watcher would see seven files being written
    for number in range(1, 8):
        world.write("planned", wp_id=f"WP0{number}", feature=feature)
    world.git("add", "-A")
    world.git("commit", "-q", "-m", "a feature", KITTYWATCH="0" if world.watched else "")
    if world.watched:
        world.observe()
    features = [one for one in world.events("FeatureCreated") if one["aggregate_id"] == feature]
    created = [one for one in world.events("WPCreated") if one["payload"]["feature_slug"] == feature]
    assert [one["payload"]["wp_id"] for one in created] == [f"WP0{n}" for n in range(1, 8)]
    assert [one["payload"]["dependencies"] for one in created] == [[], *([f"WP0{n}"] for n in range(1, 7))]
    assert [one["payload"]["wp_count"] for one in features] == [7]
    assert [one["payload"]["target_branch"] for one in features] == ["2.x"]
    assert {one["causation_id"] for one in [*features, *created]} == {features[0]["causation_id"]}
    assert features[0]["causation_id"] is not None
    assert features[0]["lamport_clock"] < min(one["lamport_clock"] for one in created)
    world.replay_adds_nothing()


def test_32_first_seen_at_done(world: World) -> None:
    trail = [(f"2026-01-01T1{n}:00:00Z", lane) for n, lane in enumerate(("planned", "doing", "for_review", "done"))]
    world.write("done", wp_id="WP02", trail=trail)
    world.commit("squashed by another tool")
    world.expect(P_D, D_R, R_D, wp_id="WP02")
    times = [one["timestamp"] for one in world.events() if one["payload"]["wp_id"] == "WP02"]
    assert times == [time for time, _ in trail[1:]]
    assert [one["payload"]["wp_id"] for one in world.events("WPCreated")].count("WP02") == 1
    world.replay_adds_nothing()


def test_33_invalid_lane(world: World) -> None:
    world.write("foo")
    world.commit("foo")
    world.settle()
    world.move("doing")
    world.expect(P_D)
    errors = [one["payload"] for one in world.events("ErrorLogged")]
    assert [one["error_type"] for one in errors] == ["validation"]
    assert "foo" not in errors[0]["error_message"]
    assert "WP01-work.md:4" in errors[0]["error_message"]
    world.replay_adds_nothing()


def test_30b_branch_from_an_older_commit_while_nobody_observed(world: World) -> None:
    """O2, O7: what the branch before went through is told first, and the new one begins where it left that."""
    world.stop()
    world.write("doing")
    world.git("commit", "-q", "-a", "-m", "doing", KITTYWATCH="0")
    world.git("checkout", "-q", "-b", "topic", "HEAD~1", KITTYWATCH="0" if world.watched else "")
    if world.watched:
        world.observe()
        world.expect(P_D)
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
