"""One rule at a time: how a step is resolved, what a rewrite leaves, and which ids become aliases."""

from __future__ import annotations

import pytest

from kittywatch.derive.ledger import CONTAINED, TICK, Entry, behind, identity
from kittywatch.derive.steps import Step
from tests.derive.packages import KEY, RULES, moved, package
from tests.derive.test_scenarios import trail
from tests.derive.world import World, elsewhere

DOING, DONE, PLANNED, REVIEW = ({"WP01": package(lane)} for lane in ("doing", "done", "planned", "for_review"))


@pytest.fixture
def world() -> World:
    return World("H")


def own_id(world: World, commit: str, lane: str, previous: str = "planned") -> str:
    """The event id that the step of a commit has by itself."""
    shown = world.shown(commit)["WP01"]
    step = Step(previous, lane, "user", None)
    return RULES.identify(shown, step, world.time(commit))


# Rule 1: by commit. Rule 2: by identity.


def test_by_the_commit_that_introduced_it(world: World) -> None:
    """Though no identity says so: after a migration of an older ledger there may be none."""
    commit = world.move("doing")
    (entry,) = world.entries()
    entry.identities.clear()
    world.checkout_name = "other"
    world.checkout("other", world.graph.walk(commit)[0])
    world.go(commit)
    assert world.steps == ["planned→doing"]


def test_by_the_commit_that_git_says_it_replaces(world: World) -> None:
    """The record was written anew, so that no identity is left: post-rewrite named the pair."""
    start = world.tip
    commit = world.move("doing", [moved(1, "doing")])
    copy = world.make({"WP01": package("doing", [moved(2, "doing")])}, start)
    world.pairs = {copy: {commit}}
    world.checkout("fresh", copy)
    assert world.steps == ["planned→doing"]
    (entry,) = world.entries("doing")
    assert entry.commits == {commit, copy}


def test_by_identity_and_the_commit_joins(world: World) -> None:
    start, commit = world.tip, world.move("doing")
    world.checkout("topic", start)
    world.go(world.copy(commit, start))
    (entry,) = world.entries()
    assert entry.links == {(commit, "doing"), (world.tip, "doing")}
    assert world.aliases == {}


def test_a_record_has_the_identity_in_another_commit(world: World) -> None:
    """Whatever the author time of the commit is."""
    start = world.tip
    world.move("doing", trail("doing"))
    world.checkout("topic", start)
    world.move("doing", trail("doing"))
    assert world.steps == ["planned→doing"]


# Rule 3: a manual emission.


def test_a_manual_emission_is_known_once(world: World) -> None:
    world.state.add(KEY, Entry("step", "emitted", "doing", "planned", "by-hand"))
    commit = world.move("doing")
    assert world.steps == []
    assert world.aliases == {own_id(world, commit, "doing"): "by-hand"}
    world.move("planned")
    world.move("doing")
    assert world.steps == ["doing→planned", "planned→doing"]


def test_a_manual_emission_from_another_lane_is_another_one(world: World) -> None:
    world.state.add(KEY, Entry("step", "emitted", "doing", "done", "by-hand"))
    world.move("doing")
    assert world.steps == ["planned→doing"]


def test_others_do_not_use_a_manual_emission_up(world: World) -> None:
    world.state.add(KEY, Entry("step", "emitted", "doing", "planned", "by-hand"))
    world.go(world.theirs(DOING, world.tip))
    assert [entry.status for entry in world.entries()] == ["emitted", "remote"]


# Rule 4: a concurrent entry.


def test_concurrent_and_into_the_same_lane(world: World) -> None:
    start = world.tip
    first = world.move("doing")
    world.checkout("topic", start)
    second = world.move("doing")
    assert world.steps == ["planned→doing"]
    assert world.aliases == {own_id(world, second, "doing"): own_id(world, first, "doing")}


def test_what_was_before_a_concurrent_entry_is_in_a_squash(world: World) -> None:
    """Else the step after the squash would be taken for one that it contains."""
    start = world.tip
    world.checkout("topic")
    for lane in ("doing", "planned", "done"):
        world.move(lane)
    world.checkout("main", start)
    squash = world.commit(DONE)
    assert world.steps == ["planned→doing", "doing→planned", "planned→done"]
    first, second, _ = world.entries()
    assert (squash, CONTAINED) in first.links & second.links
    world.move("doing")
    assert world.steps[3:] == ["done→doing"]


def test_not_with_a_record(world: World) -> None:
    """It has an identity of its own: two people moved it, each with a record."""
    start = world.tip
    world.move("doing", [moved(1, "doing")])
    world.checkout("topic", start)
    world.move("doing", [moved(2, "doing")])
    assert world.steps == ["planned→doing", "planned→doing"]


@pytest.mark.parametrize("recorded", [0, 1])
def test_with_a_record_where_the_other_one_has_none(world: World, recorded: int) -> None:
    """Whichever of the two is met first; what comes after them with another record is another one."""
    start = world.tip
    trails = [[moved(1, "doing")] if number == recorded else None for number in range(2)]
    first = world.move("doing", trails[0])
    world.checkout("topic", start)
    world.move("doing", trails[1])
    assert world.step_ids == [entry.event_id for entry in world.entries()]
    assert world.steps == ["planned→doing"]
    assert list(world.aliases.values()) == world.step_ids
    assert not world.entries()[0].unrecorded
    assert (first, "doing") in world.entries()[0].links
    world.checkout("third", start)
    world.move("doing", [moved(2, "doing")])
    assert world.steps == ["planned→doing", "planned→doing"]


def test_not_what_is_before_a_copy_that_came_as_well(world: World) -> None:
    """The copy says which step it is: the second of two to this lane. It may be come upon before that one."""
    start = world.tip
    world.observed = False
    world.move("doing")
    world.move("planned")
    second = world.move("doing")
    world.checkout("topic", start)
    copy = world.copy(second, start)
    world.refs["topic"] = world.make(DOING, copy, second)
    world.refs["main"] = world.make(DOING, second, copy)
    for branch in ("topic", "main"):
        machine = elsewhere(world)
        machine.replay(branch)
        assert machine.steps == ["planned→doing", "doing→planned", "planned→doing"]
        assert machine.aliases == {}


def test_a_rebase_onto_what_was_the_same_move(world: World) -> None:
    """On top of it, after the lane was left, it is another one."""
    start = world.tip
    world.checkout("topic", start)
    world.move("doing")
    world.move("planned")
    world.checkout("main")
    commit = world.move("doing")
    assert world.steps == ["planned→doing", "doing→planned"]
    copy = world.copy(commit, world.refs["topic"])
    world.pairs = {copy: {commit}}
    world.go(copy)
    assert world.steps == ["planned→doing", "doing→planned", "planned→doing"]
    machine = elsewhere(world)
    machine.replay("main")
    assert machine.steps == world.steps


def test_an_edit_with_a_record_and_the_same_move_on_another_branch() -> None:
    """Its commit has in it what was before that one, as a commit that nobody saw as an edit has."""
    world = World("W")
    start = world.tip
    world.checkout("topic", start)
    world.move("doing")
    world.move("for_review")
    world.checkout("main")
    world.move("for_review", [moved(1, "for_review")])
    assert world.steps == ["planned→doing", "doing→for_review"]
    world.move("doing", [moved(1, "for_review"), moved(2, "doing")])
    assert world.steps == ["planned→doing", "doing→for_review", "for_review→doing"]


def test_not_behind_and_not_ahead(world: World) -> None:
    start = world.tip
    for lane in ("doing", "planned", "doing"):
        world.move(lane)
    assert world.steps == ["planned→doing", "doing→planned", "planned→doing"]
    world.checkout("topic", start)
    assert world.steps == ["planned→doing", "doing→planned", "planned→doing"]


def test_not_what_was_taken_back(world: World) -> None:
    start = world.tip
    world.move("doing")
    world.go(start)
    world.move("doing")
    assert world.steps == ["planned→doing", "doing→planned", "planned→doing"]


# Rule 5: news.


def test_what_was_made_here_and_what_was_not(world: World) -> None:
    world.go(world.theirs(DOING, world.tip))
    world.move("for_review")
    assert world.steps == ["doing→for_review"]
    assert [entry.status for entry in world.entries()] == ["remote", "emitted"]
    assert world.aliases == {}


def test_a_step_known_as_somebody_elses_is_an_alias_of_theirs(world: World) -> None:
    """Theirs was emitted by them. A machine that has this branch alone emits the step under the id that it has."""
    start = world.tip
    theirs = world.theirs(DOING, start)
    world.go(theirs)
    world.checkout("topic", start)
    commit = world.move("doing")
    assert world.steps == []
    assert world.aliases == {own_id(world, commit, "doing"): own_id(world, theirs, "doing")}
    other = elsewhere(world)
    other.replay("topic")
    assert other.step_ids == [own_id(world, commit, "doing")]


def test_one_tick_for_each_that_the_ancestors_have(world: World) -> None:
    """Scenario 57: the same on every machine; what is behind is never matched."""
    moment = world.time(world.tip)
    for lane in ("doing", "planned", "doing", "planned", "doing"):
        world.go(world.make({"WP01": package(lane)}, world.tip, time=moment))
    assert len(world.steps) == 5
    names = [name for entry in world.entries("doing") for name in entry.identities]
    assert names == [identity(moment + number * TICK, "doing") for number in range(3)]
    other = elsewhere(world)
    other.replay("main")
    assert other.step_ids == world.step_ids


def test_what_the_baseline_has_is_in_every_commit() -> None:
    known, step = Entry("known", "baseline", "doing"), Entry("step", "emitted", "doing", links={("c1", "doing")})
    graph = World().graph
    assert behind(known, "anything", graph)
    assert not behind(known, None, graph)
    assert not behind(step, "c1", graph)
    assert behind(step, "c1", graph, inclusive=True)


def test_what_descends_from_a_commit_is_not_concurrent_with_it() -> None:
    """B2: a replay across the baseline comes by what was before the move that it has told."""
    world = World(start=(PLANNED, DOING, PLANNED))
    world.move("doing")
    assert world.steps == ["planned→doing"]
    world.replay()
    assert world.steps == ["planned→doing", "planned→doing", "doing→planned"]


def test_taken_back_in_one_view_it_still_counts_in_another(world: World) -> None:
    """O2: a branch that is looked at for the first time, and still has what was taken back on the first one."""
    start, commit = world.tip, world.move("doing")
    world.refs["topic"] = commit
    world.go(start)
    assert world.steps == ["planned→doing", "doing→planned"]
    world.checkout("topic")
    assert world.steps == ["planned→doing", "doing→planned"]


def test_what_hooks_see_of_edits() -> None:
    """Scenario 4: of an edit that moved on nothing, before it is committed; of one that was discarded that it was."""
    world = World("H")
    start = world.tip
    world.move("doing")
    world.reset(start, soft=True)
    world.commit(world.shown())
    assert world.steps == ["planned→doing"]
    world.write("for_review")
    world.commit(world.shown())
    assert world.steps == ["planned→doing"]
    world.commit()
    assert world.steps == ["planned→doing", "doing→for_review"]


# The table of rewrites.


def test_the_same_lane_and_new_steps(world: World) -> None:
    """Silent: what was lost is in them, and their own ids are aliases."""
    start = world.tip
    world.move("doing")
    world.move("for_review")
    squash = world.make(REVIEW, start)
    world.go(squash)
    assert world.steps == ["planned→doing", "doing→for_review"]
    doing, review = world.entries()
    assert (squash, CONTAINED) in doing.links
    assert (squash, "for_review") in review.links
    assert world.aliases == {own_id(world, squash, "for_review"): review.event_id}


def test_the_same_lane_and_nothing_came(world: World) -> None:
    start = world.tip
    world.move("doing")
    world.move("planned")
    world.go(world.make(PLANNED, start))
    assert world.steps == ["planned→doing", "doing→planned"]


def test_another_lane_and_new_steps(world: World) -> None:
    """The net difference, by the commit that makes it."""
    start = world.tip
    world.move("doing")
    made = world.make(DONE, start)
    world.go(made)
    assert world.steps == ["planned→doing", "doing→done"]
    (entry,) = world.entries("done")
    assert (made, "done") in entry.links
    assert entry.first == made


def test_another_lane_and_a_new_step_back_to_a_lane_that_was_lost(world: World) -> None:
    """What was lost came before the net difference: that it was in the same lane makes it no copy of it."""
    start = world.tip
    world.go(world.theirs(DOING, start))
    review = world.move("for_review")
    made = world.make(DOING, start, time=world.time(review))
    world.go(made)
    assert world.steps == ["doing→for_review", "for_review→doing"]
    assert world.aliases == {own_id(world, made, "doing"): world.step_ids[-1]}


def test_another_lane_and_known_steps(world: World) -> None:
    """That the old tip lacked: silent."""
    start = world.tip
    world.checkout("topic")
    known = world.move("for_review")
    world.checkout("main")
    world.move("doing")
    world.go(world.copy(known, world.make(PLANNED, start)))
    assert world.steps == ["planned→for_review", "planned→doing"]


def test_another_lane_and_nothing_came(world: World) -> None:
    """Taken back, once; in another view it still counts."""
    start = world.tip
    commit = world.move("doing")
    world.checkout("kept", commit)
    world.checkout("main", start)
    assert world.steps == ["planned→doing", "doing→planned"]
    assert [entry.status for entry in world.entries()] == ["void", "void"]
    world.checkout("kept")
    world.observe()
    assert world.steps == ["planned→doing", "doing→planned"]


def test_what_others_made_is_not_taken_back_here(world: World) -> None:
    start = world.tip
    world.go(world.theirs(DOING, start))
    world.go(start)
    assert world.steps == []


def test_what_others_made_is_theirs_though_the_own_move_is_dropped_for_it(world: World) -> None:
    """A rebase onto theirs finds nothing left to do. Only their step to the same lane is the one that was lost."""
    start = world.tip
    commit = world.move("done")
    doing = world.theirs(DOING, start)
    done = world.theirs(DONE, doing)
    world.go(done)
    assert world.steps == ["planned→done"]
    assert world.aliases == {own_id(world, done, "done", "doing"): own_id(world, commit, "done")}
    assert [entry.status for entry in world.entries("doing")] == ["remote"]
    world.move("doing")
    assert world.steps == ["planned→done", "done→doing"]


def test_the_first_of_two_concurrent_moves_that_a_rebase_drops(world: World) -> None:
    """Its id was emitted, and no other machine can find it: git has forgotten the commit. The other one is an alias."""
    start = world.tip
    first = world.move("for_review")
    world.checkout("topic", start)
    world.move("doing")
    second = world.move("for_review")
    world.checkout("main")
    world.go(second)
    assert world.steps == ["planned→for_review", "planned→doing"]
    machine = elsewhere(world)
    machine.replay("main")
    assert machine.steps == ["planned→doing", "doing→for_review"]
    assert world.aliases == {machine.step_ids[1]: own_id(world, first, "for_review")}


def test_soft_reset_is_an_edit_again() -> None:
    """It is emitted as taken back only when the edit is discarded."""
    world = World("W")
    start = world.tip
    world.move("doing")
    world.reset(start, soft=True)
    assert world.steps == ["planned→doing"]
    (edit,) = world.pending["main-worktree"].values()
    assert [entry.lane for entry in edit.entries] == ["doing"]
    world.worktree = None
    world.look()
    assert world.steps == ["planned→doing", "doing→planned"]


# Edits and their aliases.


def test_a_commit_takes_its_edits_over() -> None:
    """All that was edited up to its lane; its own step's id is an alias, its identity joins."""
    world = World("W")
    world.write("doing")
    world.write("for_review")
    commit = world.commit()
    doing, review = world.entries()
    assert (doing.links, review.links) == ({(commit, CONTAINED)}, {(commit, CONTAINED), (commit, "for_review")})
    assert identity(world.time(commit), "for_review") in review.identities
    assert world.aliases == {own_id(world, commit, "for_review"): review.event_id}
    assert world.pending["main-worktree"] == {}


def test_an_edit_that_was_replaced_before_its_commit() -> None:
    """The commit goes on from where the edit was."""
    world = World("W")
    world.write("doing")
    world.observed = False
    world.write("done")
    world.observed = True
    world.commit()
    assert world.steps == ["planned→doing", "doing→done"]


def test_an_edit_by_a_record_needs_no_alias() -> None:
    world = World("W")
    world.move("doing", trail("doing"))
    assert world.steps == ["planned→doing"]
    assert world.aliases == {}


def test_an_edit_and_the_same_move_on_another_branch() -> None:
    """What the commit below the edit does not have is concurrent with it."""
    world = World("W")
    start = world.tip
    world.move("doing")
    world.checkout("topic", start)
    world.write("doing")
    assert world.steps == ["planned→doing"]
    world.worktree = None
    world.look()
    assert world.steps == ["planned→doing"], "it was not this edit's to take back"
