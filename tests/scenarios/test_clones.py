"""Teammates and other clones, beyond the rows of the contract's table."""

from __future__ import annotations

from collections.abc import Callable

from tests.scenarios.world import World

P_D, D_R, R_D = "planned>doing", "doing>for_review", "for_review>done"


def test_24_dropped_and_pulled_again_before_anybody_looked(make_world: Callable[[str], World]) -> None:
    """A rebase that drops every commit runs no hook that sees its end; what is pulled then is still elsewhere's."""
    world = make_world("")
    mate = world.mate()
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


def test_merging_a_remote_branch_with_own_work_on_both_sides(world: World) -> None:
    """O3: what a merge brings from a remote was told there; what it adds to both sides is ours."""
    mate = world.mate()
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
    mate = world.mate()
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
