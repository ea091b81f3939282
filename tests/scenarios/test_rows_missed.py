"""Rows 26, 27, 30b to 32, 38, 41 and 42 of the contract's table: what nobody saw when it happened."""

from __future__ import annotations

import os

import pygit2

from tests.scenarios.table import D_R, P_D, R_D, MakeWorld, check, row, scenario, shown_once
from tests.scenarios.world import FEATURE, World

TASKS = "".join(f"## Work Package WP0{n}: X\n\nDepends on WP0{n - 1}\n\n" for n in range(2, 8))
META = '{"slug": "search", "feature_number": "002", "target_branch": "2.x", "created_at": "2026-01-01T09:00:00Z"}'
TRAIL = [(f"2026-01-01T1{n}:00:00Z", lane) for n, lane in enumerate(("planned", "doing", "for_review", "done"))]


@scenario("26", every=[P_D, D_R])
def test_26_missed_commits(world: World) -> None:
    with world.unobserved():
        world.move("doing")
        world.move("for_review")
        assert world.steps() == []
    world.look()


@scenario("26b", every=[P_D, D_R])
def test_26b_missed_and_pushed(world: World) -> None:
    world.clone("mate")  # makes the origin
    with world.unobserved():
        world.move("doing")
        world.move("for_review")
        world.git("push", "-q")
        assert world.steps() == []
    world.look()


@scenario("27", W=[P_D])
def test_27_commit_by_libgit2(world: World) -> None:
    """Neither a hook nor an edit: the commit is all that there is to see."""
    repository = pygit2.Repository(str(world.root))
    text = world.path().read_bytes().replace(b"lane: planned", b"lane: doing")
    blob = repository.create_blob(text)
    index = repository.index
    index.add(pygit2.IndexEntry(os.path.relpath(world.path(), world.root), blob, pygit2.enums.FileMode.BLOB))
    author = pygit2.Signature("L. Git", "l@example.invalid")
    repository.create_commit("HEAD", author, author, "by libgit2", index.write_tree(), [repository.head.target])
    check(world, [P_D])
    world.git("reset", "-q", "--hard")


@scenario("30b", every={"WP02": [P_D]})
def test_30b_branch_made_while_nobody_observed(world: World) -> None:
    with world.unobserved():
        world.git("checkout", "-q", "-b", "topic")
        world.write("planned", wp_id="WP02")
        world.commit("WP02")
        world.move("doing", wp_id="WP02")
        world.git("checkout", "-q", "main")
    world.git("checkout", "-q", "topic")
    check(world, {"WP02": [P_D]})
    assert world.created() == ["WP02"]


@scenario("31", every=[])
def test_31_new_feature(world: World) -> None:
    """All of it is there at once, for a watcher too."""
    feature = "002-search"
    for number in range(1, 8):
        world.write("planned", wp_id=f"WP0{number}", feature=f"../{feature}")
    made = world.root / feature
    (made / "meta.json").write_text(META)
    (made / "tasks.md").write_text(f"# Tasks\n\n{TASKS}")
    made.rename(world.root / "kitty-specs" / feature)
    world.commit("a feature")
    world.settle()
    features = [one for one in world.events("FeatureCreated") if one["aggregate_id"] == feature]
    created = [one for one in world.events("WPCreated") if one["payload"]["feature_slug"] == feature]
    assert [one["payload"]["wp_id"] for one in created] == [f"WP0{n}" for n in range(1, 8)]
    assert [one["payload"]["dependencies"] for one in created] == [[], *([f"WP0{n}"] for n in range(1, 7))]
    assert [one["payload"]["wp_count"] for one in features] == [7]
    assert [one["payload"]["target_branch"] for one in features] == ["2.x"]
    assert {one["causation_id"] for one in [*features, *created]} == {features[0]["causation_id"]}
    assert features[0]["causation_id"] is not None
    assert features[0]["lamport_clock"] < min(one["lamport_clock"] for one in created)


@scenario("32", every={"WP02": [P_D, D_R, R_D]})
def test_32_first_seen_at_done(world: World) -> None:
    world.write("done", wp_id="WP02", trail=TRAIL)
    world.commit("squashed by another tool")
    check(world, {"WP02": [P_D, D_R, R_D]})
    assert [event["timestamp"] for event in world.events()] == [time for time, _ in TRAIL[1:]]
    assert world.created() == ["WP02"]


@scenario("38", every=[P_D, D_R])
def test_38_clock_set_back(world: World) -> None:
    world.move("doing")
    check(world, [P_D])
    world.clock -= 3600
    world.move("for_review")
    check(world, [P_D, D_R])
    clocks = [event["lamport_clock"] for event in world.events()]
    assert clocks == sorted(clocks)


def _late(world: World) -> None:
    """A project where WP01 was doing when kittywatch came, and what was done there since."""
    with world.unobserved():
        world.move("doing")
    world.start_over()
    world.write("for_review")
    check(world, [D_R])
    world.commit()
    world.settle()
    world.move("done", trail=[("2026-01-02T10:00:00Z", "done")])
    check(world, [D_R, R_D])


@scenario("41", W=[D_R, R_D], replayed=[P_D], elsewhere=[P_D, D_R, R_D])
def test_41_late_start(world: World) -> None:
    _late(world)


@row("42")
def test_42_replay_of_a_late_start_elsewhere(make_world: MakeWorld) -> None:
    world = make_world("W")
    _late(world)
    world.replay_adds(P_D)
    assert world.created() == ["WP01"]
    mate = world.fresh_replay()
    assert mate.steps() == [P_D, D_R, R_D]
    here, there = world.ids(), mate.ids()
    assert here[2] == there[0], "told from the same commit"
    assert here[1] == there[2], "told from the same record"
    made = [event["event_id"] for event in world.events("WPCreated") if event["payload"]["feature_slug"] == FEATURE]
    assert made == [event["event_id"] for event in mate.events("WPCreated")]
    shown_once(3, world, mate)
