"""The scheduler: every order of events ends, nothing starts too early, and nobody reviews their own work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittywatch.workflow.schedule import (
    Result,
    Start,
    Task,
    Tasks,
    Team,
    begun,
    ended,
    interrupted,
    is_over,
    next_starts,
    rehearsal,
)
from kittywatch.workpackages.lanes import LANES

TEAM = Team(("a", "b", "c"), ("c", "b", "a"), jobs=3, attempts=3)


def tasks(*some: Task) -> Tasks:
    return {task.wp_id: task for task in some}


def only(found: Tasks, wp_id: str = "WP01") -> Task:
    return found[wp_id]


def test_what_depends_on_others_waits_until_they_are_done() -> None:
    now = tasks(Task("WP01", "for_review", implementer="a"), Task("WP02", "planned", ("WP01",)), Task("WP03", "doing"))
    assert [(one.wp_id, one.phase) for one in next_starts(now, TEAM)] == [
        ("WP01", "review"),
        ("WP03", "implementation"),
    ]
    for start in next_starts(now, TEAM):
        now = begun(now, start)
    assert next_starts(now, TEAM) == []
    now = ended(now, "WP01", "succeeded", TEAM)
    assert next_starts(now, TEAM) == [Start("WP02", "implementation", "b", 1, begins=True)]  # a is busy


def test_a_failure_is_followed_by_another_agent_and_the_third_is_the_end() -> None:
    now = tasks(Task("WP01", "planned"), Task("WP02", "planned", ("WP01",)))
    tried = []
    while starts := next_starts(now, TEAM):
        tried.append((starts[0].agent, starts[0].attempt))
        now = ended(begun(now, starts[0]), "WP01", "failed", TEAM)
    assert tried == [("a", 1), ("b", 2), ("c", 3)]
    assert only(now).stuck == "implementation failed 3 times"
    assert is_over(now, TEAM)


def test_a_rerun_goes_on_with_who_was_on_it() -> None:
    """Else each rerun would tell of another assignment."""
    now = tasks(
        Task("WP01", "doing", agent="c", implementer="c"), Task("WP02", "for_review", agent="b", implementer="a")
    )
    assert {one.wp_id: one.agent for one in next_starts(now, TEAM)} == {"WP01": "c", "WP02": "b"}
    now = begun(now, next_starts(now, TEAM)[0])
    assert only(interrupted(now, "WP02"), "WP02").failures == ()


def test_changes_go_back_to_who_implemented_it() -> None:
    now = tasks(Task("WP01", "for_review", implementer="b"))
    for number in range(1, TEAM.attempts + 1):
        (start,) = next_starts(now, TEAM)
        assert (start.phase, start.agent) == ("review", "c")
        now = ended(begun(now, start), "WP01", "changes", TEAM)
        if number < TEAM.attempts:
            (start,) = next_starts(now, TEAM)
            assert (start.phase, start.agent) == ("implementation", "b")
            now = ended(begun(now, start), "WP01", "succeeded", TEAM)
    assert only(now).stuck == "the reviews ask for changes all the time"


def test_a_rehearsal_has_everything_once() -> None:
    now = tasks(Task("WP01", "planned"), Task("WP02", "planned", ("WP01",)), Task("WP03", "planned"))
    waves = [[(one.wp_id, one.phase[0]) for one in wave] for wave in rehearsal(now, TEAM)]
    assert waves == [[("WP01", "i"), ("WP03", "i")], [("WP01", "r"), ("WP03", "r")], [("WP02", "i")], [("WP02", "r")]]


RESULTS: list[Result] = ["succeeded", "failed", "timed out", "changes", "conflict"]


@given(
    st.lists(st.tuples(st.sampled_from(list(LANES.values())), st.sets(st.integers(0, 11))), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_any_course_of_events(stated: list[tuple[str, set[int]]], jobs: int, attempts: int, chance: object) -> None:
    """Dependencies point to earlier ones; agents end in any order with any result that their phase can have."""
    assert hasattr(chance, "choice")
    team = Team(("a", "b", "c"), ("a", "b"), jobs, attempts)
    now: Tasks = {
        f"WP{number:02}": Task(f"WP{number:02}", LANES[lane], tuple(f"WP{one:02}" for one in others if one < number))
        for number, (lane, others) in enumerate(stated)
    }
    steps = 0
    while not is_over(now, team):
        steps += 1
        assert steps < 1000
        for start in next_starts(now, team):
            task = now[start.wp_id]
            assert task.running is None
            assert task.stuck is None
            assert start.begins == (task.lane == "planned")
            assert not start.begins or all(now[one].lane == "done" for one in task.needs)
            assert start.agent in (team.implementation if start.phase == "implementation" else team.review)
            assert start.phase == "implementation" or start.agent != task.implementer
            now = begun(now, start)
        running = [task for task in now.values() if task.running is not None]
        assert 0 < len(running) <= jobs
        task = chance.choice(running)
        assert task.running is not None
        possible = RESULTS if task.running.phase == "review" else RESULTS[:3]
        now = ended(now, task.wp_id, chance.choice(possible), team)
    for task in now.values():
        waits = any(now[one].lane != "done" for one in task.needs)
        assert task.lane == "done" or task.stuck or (task.lane == "planned" and waits)


@pytest.mark.parametrize("result", RESULTS)
def test_a_review_ends_in_one_lane(result: Result) -> None:
    now = begun(tasks(Task("WP01", "for_review", implementer="a")), Start("WP01", "review", "b", 1))
    lanes = {"succeeded": "done", "changes": "doing", "conflict": "doing"}
    assert only(ended(now, "WP01", result, TEAM)).lane == lanes.get(result, "for_review")
