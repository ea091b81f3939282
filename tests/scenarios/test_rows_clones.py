"""Rows 23 to 25, 30 and 43 to 46, 53, 54 of the contract's table: teammates, other clones, other machines."""

from __future__ import annotations

from tests.scenarios import stories
from tests.scenarios.table import D_R, P_D, P_R, R_D, check, same_ids, scenario, shown_once
from tests.scenarios.world import World

PULLS = {"merge": "--no-rebase", "rebase": "--rebase", "ff": "--ff-only"}


@scenario("23", every=[], variants={"merge": "--no-rebase", "rebase": "--rebase"}, elsewhere=[P_D])
def test_23_pull_into_own_work(world: World, how: str) -> None:
    mate = world.mate()
    mate.move("doing")
    mate.git("push", "-q")
    (world.root / "README").write_text("mine")
    world.commit("my own")
    world.git("pull", "-q", how)
    assert mate.steps() == [P_D]


@scenario("23", every=[], elsewhere=[P_D])
def test_23_pull_fast_forward(world: World) -> None:
    mate = world.mate()
    mate.move("doing")
    mate.git("push", "-q")
    world.git("pull", "-q", "--ff-only")
    assert mate.steps() == [P_D]
    before = mate.ids()
    mate.run("emit", "replay")
    assert mate.ids() == before


@scenario("24", every=[D_R], variants=PULLS, elsewhere=[P_D, D_R])
def test_24_pull_and_go_on(world: World, how: str) -> None:
    mate = world.mate()
    mate.move("doing")
    mate.git("push", "-q")
    world.git("pull", "-q", how)
    world.settle()
    world.move("for_review")


@scenario("25", every=[P_D, D_R])
def test_25_two_clones_one_ledger(world: World) -> None:
    world.clone("unused")  # makes the origin
    other = world.sibling("other")
    world.move("doing")
    check(world, [P_D])
    world.git("push", "-q")
    other.git("pull", "-q")
    other.scan()
    check(world, [P_D])
    world.replay_adds_nothing()
    other.run("emit", "replay")
    check(world, [P_D])
    other.move("for_review")
    other.scan()
    other.git("push", "-q")
    world.git("pull", "-q")


@scenario("30", every={"WP02": [D_R]}, elsewhere={"WP02": [P_D, D_R]})
def test_30_branch_from_a_remote(world: World) -> None:
    mate = world.mate()
    mate.git("checkout", "-q", "-b", "topic")
    mate.write("planned", wp_id="WP02")
    mate.commit("WP02")
    mate.move("doing", wp_id="WP02")
    mate.git("push", "-q", "-u", "origin", "topic")
    world.git("fetch", "-q")
    world.git("checkout", "-q", "topic")
    check(world, [])
    world.move("for_review", wp_id="WP02")
    check(world, {"WP02": [D_R]})
    assert world.created() == []


@scenario("43", H=[P_D, D_R])
def test_43_merge_replayed_elsewhere(world: World) -> None:
    stories.merged(world)
    same_ids(world, "main")


@scenario("44", W=[P_D, D_R], WH=[P_D, D_R])
def test_44_edits_seen_before_their_commits(world: World) -> None:
    stories.edited_and_merged(world)
    check(world, [P_D, D_R])
    shown_once(2, world, world.fresh_replay("main"))


@scenario("45", every=[P_D, D_R], elsewhere=[P_R])
def test_45_amended_lane(world: World) -> None:
    stories.amended(world)
    check(world, [P_D, D_R])
    shown_once(2, world, world.fresh_replay())


@scenario("46", every=[P_D, D_R, R_D], elsewhere=["planned>done"])
def test_46_squash_merge_on_the_server(world: World) -> None:
    mate = world.mate()
    stories.squashed_on_the_server(world)
    mate.git("pull", "-q", "--ff-only")
    check(world, [P_D, D_R, R_D])
    mate.run("emit", "replay")
    shown_once(3, world, mate)


@scenario("53", every=["done>for_review"], replayed=[P_D, D_R, R_D], elsewhere=[P_D, D_R, R_D, "done>for_review"])
def test_53_a_clone_whose_history_is_anothers_baseline(world: World) -> None:
    first = world.clone("first", home=world.home)
    for lane in ("doing", "for_review", "done"):
        first.move(lane)
    first.git("push", "-q")
    with world.unobserved():
        world.git("pull", "-q", "--ff-only")
    world.start_over()
    world.move("for_review")
    check(world, ["done>for_review"])
    first.run("init")
    first.scan()


@scenario("54", every=[P_D])
def test_54_a_clone_that_was_never_observed(world: World) -> None:
    first = world.clone("first", home=world.home)
    first.move("doing")
    first.git("push", "-q")
    world.git("pull", "-q", "--ff-only")
    world.look()
    check(world, [])
    first.scan()
