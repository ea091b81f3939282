"""Rows 11 to 17, 21, 22 and 48 to 52 of the contract's table: branches, merges, rebases, worktrees."""

from __future__ import annotations

from collections.abc import Sequence

from tests.scenarios.table import D_DONE, D_R, P_D, P_R, R_D, scenario
from tests.scenarios.world import World

THREE = ("doing", "for_review", "done")


def _branch(world: World, *lanes: str) -> None:
    """A branch with a commit for each lane, and main, where HEAD is then, moved on meanwhile."""
    world.git("checkout", "-q", "-b", "topic")
    for lane in lanes:
        world.move(lane)
    world.settle()
    world.git("checkout", "-q", "main")
    _move_on(world)


def _move_on(world: World, name: str = "README") -> None:
    """A commit that touches no work package."""
    (world.root / name).write_text("moved on")
    world.commit("moves on")


@scenario("11", every=[P_D])
def test_11_there_and_back(world: World) -> None:
    world.git("checkout", "-q", "-b", "topic")
    world.move("doing")
    world.settle()
    for _ in range(5):
        world.git("checkout", "-q", "main")
        world.git("checkout", "-q", "topic")


@scenario("12", every=[P_D, D_R], variants={"merge": "--merge", "apply": "--apply"})
def test_12_rebase(world: World, backend: str) -> None:
    _branch(world, "doing", "for_review")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", backend, "main")


@scenario("13", every=[P_D, D_R, R_D], elsewhere=["planned>done"])
def test_13_squash_in_a_rebase(world: World) -> None:
    _branch(world, *THREE)
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "-i", "main", GIT_SEQUENCE_EDITOR="sed -i -e '2,$ s/^pick/squash/'")
    assert world.git("rev-list", "--count", "main..topic").strip() == "1"


@scenario("14", every=[P_D])
def test_14_cherry_pick(world: World) -> None:
    _branch(world, "doing")
    world.git("cherry-pick", "topic")


@scenario("15", every=[P_D, D_R])
def test_15_merge_fast_forward(world: World) -> None:
    world.git("checkout", "-q", "-b", "topic")
    world.move("doing")
    world.move("for_review")
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "topic")


@scenario("15", every=[P_D, D_R])
def test_15_merge_no_ff(world: World) -> None:
    _branch(world, "doing", "for_review")
    world.git("merge", "-q", "--no-ff", "topic")


@scenario("15", every=[P_D, D_R], elsewhere=[P_R])
def test_15_merge_squash(world: World) -> None:
    _branch(world, "doing", "for_review")
    world.git("merge", "-q", "--squash", "topic")
    world.settle()
    world.git("commit", "-q", "-m", "squashed")


def _merge(world: World, resolved: str) -> None:
    """A merge of topic with a conflict, resolved to a lane."""
    world.git("merge", "-q", "topic", check=False)
    world.write(resolved)
    world.git("add", "-A")
    world.git("commit", "-q", "--no-edit")


@scenario("16", every=[P_D, D_R])
def test_16_conflict_resolved_to_what_was_told(world: World) -> None:
    _branch(world, "doing", "for_review")
    world.move("doing")
    world.settle()
    _merge(world, "for_review")


def _two_sides(world: World) -> None:
    """The branch went straight to for_review, and main to doing afterwards."""
    world.git("checkout", "-q", "-b", "topic")
    world.move("for_review")
    world.settle()
    world.git("checkout", "-q", "main")
    world.settle()
    world.move("doing")
    world.settle()


@scenario("16", every=[P_R, P_D])
def test_16_told_on_the_branch_before_main(world: World) -> None:
    _two_sides(world)
    _merge(world, "for_review")


@scenario("17", every=[P_R, P_D, "*>done"])
def test_17_conflict_resolved_to_something_new(world: World) -> None:
    _two_sides(world)
    _merge(world, "done")


@scenario("21", every=[P_D])
def test_21_linked_worktree(world: World) -> None:
    linked = world.linked("topic")
    linked.move("doing")
    world.settle()
    world.git("merge", "-q", "topic")


@scenario("22", every=[P_D, D_R])
def test_22_worktree_of_an_older_branch(world: World) -> None:
    world.git("branch", "old")
    world.move("doing")
    world.move("for_review")
    world.settle()
    world.git("worktree", "add", "-q", str(world.directory / "linked"), "old")


@scenario("48", every={f"WP0{number}": [P_D] for number in (1, 2, 3)})
def test_48_octopus(world: World) -> None:
    for number in (2, 3):
        world.write("planned", wp_id=f"WP0{number}")
    world.commit("three")
    for number in (1, 2, 3):
        world.git("checkout", "-q", "-b", f"arm{number}", "main")
        world.move("doing", wp_id=f"WP0{number}")
        world.settle()
    world.git("checkout", "-q", "main")
    _move_on(world)
    world.git("merge", "-q", "--no-ff", "arm1", "arm2", "arm3", "-m", "octopus")
    assert world.git("rev-list", "--parents", "-1", "HEAD").count(" ") == 4


@scenario("48", every={"WP01": [P_D, D_R], "WP02": [P_D]})
def test_48_merge_that_keeps_ours(world: World) -> None:
    """What the branch did is told once; the merge takes nothing of it, and takes nothing back."""
    world.move("planned", wp_id="WP02")
    _branch(world, "doing", "for_review")
    world.move("doing", wp_id="WP02")
    world.settle()
    world.git("merge", "-q", "-s", "ours", "topic", "-m", "ours")


@scenario("48", every=[P_D, D_R])
def test_48_subtree(world: World) -> None:
    """Another project's history comes in below a directory, on a branch that has steps of its own."""
    world.git("checkout", "-q", "-b", "topic")
    world.move("doing")
    world.git("checkout", "-q", "--orphan", "library")
    world.git("rm", "-r", "-q", "-f", ".")
    _move_on(world, "library")
    world.git("checkout", "-q", "topic")
    world.git("merge", "-q", "-s", "ours", "--no-commit", "--allow-unrelated-histories", "library")
    world.git("read-tree", "--prefix=lib/", "-u", "library")
    world.git("commit", "-q", "-m", "the library below lib/")
    world.move("for_review")
    world.settle()
    world.git("checkout", "-q", "main")
    _move_on(world)
    world.git("merge", "-q", "-s", "subtree", "--no-ff", "topic", "-m", "subtree")


@scenario("48", every={"WP01": [P_D, D_R], "WP02": [P_D, D_R]})
def test_48_criss_cross(world: World) -> None:
    world.move("planned", wp_id="WP02")
    for name, wp_id in (("one", "WP01"), ("two", "WP02")):
        world.git("checkout", "-q", "-b", name, "main")
        world.move("doing", wp_id=wp_id)
        world.git("tag", f"first-{name}")
        world.settle()
    world.git("merge", "-q", "--no-ff", "first-one", "-m", "one into two")
    world.git("checkout", "-q", "one")
    world.git("merge", "-q", "--no-ff", "first-two", "-m", "two into one")
    for name, wp_id in (("one", "WP01"), ("two", "WP02")):
        world.git("checkout", "-q", name)
        world.settle()
        world.move("for_review", wp_id=wp_id)
        world.settle()
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--no-ff", "one", "-m", "one")
    world.git("merge", "-q", "--no-ff", "two", "-m", "two")
    assert world.git("merge-base", "--all", "one", "two").count("\n") == 2


def _at_once(world: World, *, told: bool, options: Sequence[str] = (), branches: Sequence[str] = ("topic",)) -> None:
    """A stack of branches, of three steps in all, put onto a moved main and merged before anybody looks."""
    lanes = {branch: THREE[index :: len(branches)] for index, branch in enumerate(branches)}
    assert sorted(lane for some in lanes.values() for lane in some) == sorted(THREE)

    def make() -> None:
        for branch, some in lanes.items():
            world.git("checkout", "-q", "-b", branch)
            for lane in some:
                world.move(lane)

    def merge() -> None:
        world.git("checkout", "-q", "main")
        _move_on(world)
        world.git("checkout", "-q", branches[-1])
        world.git("rebase", "-q", *options, "main")
        world.git("checkout", "-q", "main")
        for branch in branches:
            world.git("merge", "-q", "--ff-only", branch)

    if told:
        make()
        world.settle()
    with world.unobserved():
        if not told:
            make()
        merge()
    world.look()


@scenario("50", every=[P_D, D_R, R_D], variants={"told": True, "untold": False})
def test_50_rebased_and_fast_forwarded(world: World, told: bool) -> None:
    _at_once(world, told=told)


@scenario("50", every=[P_D, D_R, R_D], variants={"told": True, "untold": False})
def test_50_a_stack_with_update_refs(world: World, told: bool) -> None:
    _at_once(world, told=told, options=["--update-refs"], branches=["lower", "middle", "upper"])


@scenario("51", every=[P_D, D_R])
def test_51_rebase_of_a_branch_with_a_merge(world: World) -> None:
    world.git("checkout", "-q", "-b", "topic")
    world.move("doing")
    world.git("checkout", "-q", "-b", "side")
    world.move("for_review")
    world.settle()
    world.git("checkout", "-q", "topic")
    _move_on(world, "NOTES")
    world.git("merge", "-q", "--no-ff", "side", "-m", "side")
    world.settle()
    world.git("checkout", "-q", "main")
    _move_on(world)
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "--rebase-merges", "main")
    assert world.git("rev-list", "--merges", "--count", "main..topic").strip() == "1"


@scenario(
    "52", every=[D_DONE], replayed=[P_D], elsewhere=[P_D, D_DONE], variants={"ff": "--ff-only", "no-ff": "--no-ff"}
)
def test_52_kittywatch_comes_on_a_feature_branch(world: World, how: str) -> None:
    with world.unobserved():
        world.git("checkout", "-q", "-b", "topic")
        world.move("doing")
    world.start_over()
    world.move("done")
    world.settle()
    world.git("checkout", "-q", "main")
    world.settle()
    world.git("merge", "-q", how, "topic", "-m", "merged")
