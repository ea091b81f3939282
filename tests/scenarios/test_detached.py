"""Detached HEADs: a view of their own, which goes wherever it is sent (rules O2 and O7)."""

from __future__ import annotations

from collections.abc import Callable

from tests.scenarios.world import World

P_D, D_R = "planned>doing", "doing>for_review"


def test_back_to_an_older_commit_without_a_branch(world: World) -> None:
    """O2: a detached HEAD that is sent back to an older commit takes nothing back."""
    world.git("checkout", "-q", "--detach")
    start = world.git("rev-parse", "HEAD").strip()
    world.move("doing")
    made = world.git("rev-parse", "HEAD").strip()
    world.expect(P_D)
    world.git("checkout", "-q", start)
    world.settle()
    world.git("checkout", "-q", made)
    world.settle()
    world.expect(P_D)
    world.move("for_review")
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


def test_left_while_nobody_observed(world: World) -> None:
    """O7: what was committed on a detached HEAD is told, though HEAD is on a branch again."""
    with world.unobserved():
        world.git("checkout", "-q", "--detach")
        world.move("doing")
        world.git("checkout", "-q", "main")
    world.settle()
    world.git("checkout", "-q", "-b", "next")
    world.move("done")
    world.expect(P_D, "planned>done")
    world.replay_adds_nothing()


def test_detached_at_a_branch_by_its_name(make_world: Callable[[str], World]) -> None:
    """O2: git's log says that HEAD came to the branch; what was committed there isn't the branch's."""
    world = make_world("")
    world.git("checkout", "-q", "--detach", "main")
    world.move("doing")
    world.git("checkout", "-q", "main")
    world.run("emit", "scan")
    world.expect("planned>doing")
    world.move("doing", body="On main.")
    world.move("done")
    world.run("emit", "scan")
    world.expect("planned>doing", "doing>done")
    world.replay_adds_nothing()
