"""What a step to done causes: who waits no longer, and when a feature is complete (rules of `consequences`)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kittywatch.derive.consequences import left_done
from kittywatch.derive.facts import ResolutionFact, TransitionFact
from kittywatch.derive.ledger import Entry, LedgerState
from kittywatch.derive.seen import COMPLETE
from kittywatch.emit.times import duration
from kittywatch.workpackages.reader import WorkPackage
from tests.builders import FEATURE
from tests.derive.packages import NOON, package
from tests.derive.world import World

WAITING = {"WP01": (), "WP02": ("WP01",), "WP03": ("WP01", "WP02")}
PAGE, WP01 = (FEATURE, ""), (FEATURE, "WP01")
RESOLVED = ["WP02 waits no longer for WP01, completed", "WP03 waits no longer for WP01, completed"]


def lanes(**of: str) -> list[WorkPackage]:
    return [package(lane, wp_id=wp_id) for wp_id, lane in of.items()]


ALL_DONE = lanes(WP01="done", WP02="done", WP03="done")


@pytest.fixture
def world() -> World:
    """Three work packages at planned, of which two wait, emitted."""
    made = World(start=[{}])
    made.graph.dependencies = WAITING
    made.emits(*lanes(WP01="planned", WP02="planned", WP03="planned"))
    return made


def by_hand(world: World, wp_id: str) -> None:
    """What a manual emission of a step to done leaves: its entry, and when it was."""
    key = (FEATURE, wp_id)
    world.state.add(key, Entry("step", "emitted", "done", "planned", f"hand-{wp_id}"))
    world.state.seen(key)[f"phand-{wp_id}"] = NOON.isoformat()


def test_right_after_the_step(world: World) -> None:
    assert world.emits(*lanes(WP01="done", WP02="doing")) == ["WP01 planned→done", *RESOLVED, "WP02 planned→doing"]
    assert world.emits(*lanes(WP02="done")) == ["WP02 doing→done", "WP03 waits no longer for WP02, completed"]
    assert world.emits(*lanes(WP03="done")) == ["WP03 planned→done", "complete: 3"]


def test_it_has_the_steps_time_event_and_commit(world: World) -> None:
    """Rule 1."""
    world.emits(*lanes(WP01="done"))
    step, resolved = world.facts[-3:-1]
    assert isinstance(step, TransitionFact)
    assert isinstance(resolved, ResolutionFact)
    assert resolved.cause.event_id == step.emitted.entry.event_id
    assert (resolved.cause.moment, resolved.cause.commit) == (step.emitted.moment, world.tip)


def test_once(world: World) -> None:
    """Rule 1: neither another checkout nor a replay says it again."""
    start = world.tip
    world.emits(*ALL_DONE)
    world.checkout_name = "other"
    before = list(world.facts)
    world.checkout("other", start)
    world.go(world.refs["main"])
    assert world.replay() == []
    assert world.facts == before


def test_of_one_commit_the_last_one_completes(world: World) -> None:
    """Rule 5."""
    assert world.emits(*ALL_DONE) == [
        "WP01 planned→done",
        *RESOLVED,
        "WP02 planned→done",
        "WP03 waits no longer for WP02, completed",
        "WP03 planned→done",
        "complete: 3",
    ]


def test_complete_again_after_one_left_done(world: World) -> None:
    """Rule 4: and not because one was added."""
    world.emits(*ALL_DONE)
    assert world.emits(*lanes(WP02="doing")) == ["WP02 done→doing"]
    assert world.emits(*lanes(WP02="done"))[-1] == "complete: 3"
    world.graph.dependencies = {**WAITING, "WP04": ()}
    assert world.emits(*lanes(WP04="done")) == ["WP04 created", "WP04 planned→done"]


@pytest.mark.parametrize("first", ["WP01", "WP02"])
def test_the_last_one_completes_on_whichever_branch(world: World, first: str) -> None:
    """Rule 3: neither branch shows what the other one did, and the merge of both emits nothing."""
    second = "WP02" if first == "WP01" else "WP01"
    world.emits(*lanes(WP03="done"))
    world.checkout("topic")
    assert "complete: 3" not in world.emits(*lanes(**{first: "done"}))
    world.checkout("main")
    assert world.emits(*lanes(**{second: "done"}))[-1] == "complete: 3"
    before = list(world.facts)
    world.merge("topic", {one.wp_id: one for one in ALL_DONE})
    assert world.facts == before


def test_what_others_have_done_is_done(world: World) -> None:
    theirs = {**world.shown(), **{one.wp_id: one for one in lanes(WP01="done", WP02="done")}}
    world.go(world.theirs(theirs, world.tip))
    assert world.emits(*lanes(WP03="done")) == ["WP03 planned→done", "complete: 3"]


def test_what_others_completed_is_not_ours(world: World) -> None:
    """Rule 4."""
    world.go(world.theirs({one.wp_id: one for one in ALL_DONE}, world.tip))
    assert world.state.pages[PAGE] == {COMPLETE: "told"}
    assert world.emits(*lanes(WP03="doing")) == ["WP03 done→doing"]
    assert world.emits(*lanes(WP03="done")) == ["WP03 doing→done", "complete: 3"]


def test_complete_before_kittywatch_came() -> None:
    """Rule 4, B1."""
    world = World(start=[{one.wp_id: one for one in ALL_DONE}])
    world.graph.dependencies = WAITING
    assert world.state.pages[PAGE] == {COMPLETE: "baseline"}
    assert world.emits(*lanes(WP01="doing")) == ["WP01 done→doing"]
    assert world.emits(*lanes(WP01="done"))[-1] == "complete: 3"


def test_a_history_goes_by_its_own_commits() -> None:
    """Rule 3: what came after the baseline and is done by now doesn't make the past complete."""
    shown = {one.wp_id: one for one in lanes(WP01="planned", WP02="planned", WP03="planned")}
    past = {one.wp_id: one for one in lanes(WP01="done", WP02="doing", WP03="done")}
    world = World(start=[shown, past])
    world.graph.dependencies = WAITING
    assert world.emits(*lanes(WP02="done"))[-1] == "complete: 3"
    assert [one for one in world.replay() if "created" not in one] == [
        f"feature {FEATURE}",
        "WP01 planned→done",
        *RESOLVED,
        "WP02 planned→doing",
        "WP03 planned→done",
    ]
    assert world.replay() == []


def test_a_removed_work_package_keeps_nothing_open(world: World) -> None:
    """Rule 2: what the commit shows."""
    world.emits(*lanes(WP01="done"))
    world.graph.dependencies = {"WP01": (), "WP02": ("WP01",)}
    left = {"WP01": world.shown()["WP01"], "WP02": package("done", wp_id="WP02")}
    before = len(world.facts)
    world.commit(left)
    assert world.words[before:] == ["WP02 planned→done", "complete: 2"]


def test_an_edit_causes_the_same_and_its_commit_nothing() -> None:
    world = World("W", start=[{}])
    world.graph.dependencies = WAITING
    world.emits(*lanes(WP01="planned", WP02="planned", WP03="planned"))
    before = len(world.facts)
    world.edit({**world.shown(), "WP01": package("done")})
    assert world.words[before:] == ["WP01 planned→done", *RESOLVED]
    world.commit()
    assert len(world.facts) == before + 3


def test_what_a_merge_itself_decides_is_merged(world: World) -> None:
    """Rule 7: what came in with it has its own commits."""
    world.checkout("topic")
    world.emits(*lanes(WP01="for_review"))
    world.checkout("main")
    world.emits(*lanes(WP01="doing"))
    before = len(world.facts)
    world.merge("topic", {**world.shown(), "WP01": package("done")})
    assert world.words[before:] == ["WP01 doing→done", *(one.replace("completed", "merged") for one in RESOLVED)]


# What was emitted manually.


def test_the_first_observer_that_sees_a_manual_step(world: World) -> None:
    """Rule 6: it says what follows, with the event and the time of the manual one; once."""
    by_hand(world, "WP01")
    assert world.emits(package("done")) == RESOLVED
    fact = world.facts[-1]
    assert isinstance(fact, ResolutionFact)
    assert (fact.cause.event_id, fact.cause.moment, fact.cause.commit) == ("hand-WP01", NOON, None)
    assert world.state.pages[WP01] == {"dWP02": "told", "dWP03": "told"}
    assert world.emits(package("done", body="more")) == []


def test_the_last_manual_step_completes(world: World) -> None:
    """Rules 5 and 6: all others of the same commit first, and once for several."""
    for wp_id in ("WP01", "WP02"):
        by_hand(world, wp_id)
    assert world.emits(*ALL_DONE) == [
        "WP03 planned→done",
        *RESOLVED,
        "WP03 waits no longer for WP02, completed",
        "complete: 3",
    ]


def test_others_do_not_use_a_manual_step_up(world: World) -> None:
    by_hand(world, "WP01")
    world.go(world.theirs({**world.shown(), "WP01": package("done")}, world.tip))
    assert world.state.pages[WP01] == {"phand-WP01": NOON.isoformat()}


def test_a_dependency_that_was_resolved_manually(world: World) -> None:
    """Whoever comes second of a pair is silent, and the next time it is emitted again."""
    world.state.seen(WP01)["dWP02"] = "by hand"
    assert world.emits(*lanes(WP01="done")) == ["WP01 planned→done", RESOLVED[1]]
    world.emits(*lanes(WP01="doing"))
    assert world.emits(*lanes(WP01="done")) == ["WP01 doing→done", *RESOLVED]


def test_left_done() -> None:
    """What waits for it waits again; what was seen stays seen."""
    pages = {"dWP02": "by hand", "pevent": NOON.isoformat(), "rabc": "told", "oabc#1": "told"}
    state = LedgerState(pages={WP01: pages, PAGE: {COMPLETE: "told"}})
    left_done(state, WP01, WP01[0])
    assert state.pages == {WP01: {"rabc": "told", "oabc#1": "told"}, PAGE: {}}
    assert state.changed_pages == {WP01, PAGE}


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "P0D"),
        (timedelta(seconds=-5), "P0D"),
        (timedelta(seconds=59, microseconds=9), "PT59S"),
        (timedelta(hours=25, minutes=1), "P1DT1H1M"),
        (timedelta(days=400), "P400D"),
    ],
)
def test_durations(span: timedelta, text: str) -> None:
    assert duration(span) == text
