"""D1 to D5: from a difference between lanes to its steps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kittywatch.derive.steps import LaneState, lane_state, steps_between
from kittywatch.workpackages.reader import WorkPackage
from tests.derive.packages import NAMES, NOON, arrow, chain_holds, moved, package


def steps(before: LaneState | WorkPackage | None, now: WorkPackage) -> list[str]:
    known = lane_state(before) if isinstance(before, WorkPackage) else before
    found = steps_between(known, now, NAMES)
    assert chain_holds(found)
    return [arrow(step) for step in found]


def test_no_lane_difference_no_step() -> None:
    """D1: a changed body, agent or trail is no transition."""
    before = package("doing", [moved(1, "doing")])
    assert steps(before, package("doing", [moved(1, "doing")], agent="codex", body="more")) == []
    assert steps(before, package("doing", [moved(1, "doing"), moved(2, "done"), moved(3, "doing")])) == []
    assert steps(before, package("doing")) == []


def test_an_alias_of_the_same_lane_is_no_difference() -> None:
    """D1 and R3."""
    assert steps(package("doing"), package("in_progress")) == []


def test_without_a_trail_one_step() -> None:
    """D3: otherwise the difference is one event."""
    (step,) = steps_between(lane_state(package("planned")), package("done", agent="codex"), NAMES)
    assert (arrow(step), step.agent, step.moment) == ("planned→done", "codex", None)


def test_first_seen_begins_at_planned() -> None:
    """D2: the transitions from planned to its lane."""
    assert steps(None, package("planned")) == []
    assert steps(None, package("doing")) == ["planned→doing"]
    trail = [moved(1, "planned"), moved(2, "doing"), moved(3, "for_review"), moved(4, "done")]
    assert steps(None, package("done", trail)) == ["planned→doing", "doing→for_review", "for_review→done"]


def test_no_lane_is_not_seen() -> None:
    """D2: a work package that states no lane, or an invalid one, is not seen."""
    assert steps(None, package(None)) == []
    assert steps(package("doing"), package("foo", [moved(1, "done")])) == []
    assert lane_state(package(None)) is None


def test_each_appended_record_is_a_step_with_its_time_and_agent() -> None:
    """D3 and D5: the record's time and agent, not the frontmatter's."""
    before = package("planned", [moved(1, "planned", "human")])
    trail = [moved(1, "planned", "human"), moved(2, "doing", "codex"), moved(3, "for_review", "claude")]
    first, second = steps_between(lane_state(before), package("for_review", trail, agent="nobody"), NAMES)
    assert (arrow(first), first.agent, first.moment) == ("planned→doing", "codex", NOON + timedelta(minutes=2))
    assert (arrow(second), second.agent, second.moment) == ("doing→for_review", "claude", NOON + timedelta(minutes=3))


@pytest.mark.parametrize(
    "trail",
    [
        pytest.param([moved(2, "done")], id="the old record is gone"),
        pytest.param([moved(2, "doing"), moved(1, "planned"), moved(3, "done")], id="inserted before it"),
        pytest.param([moved(1, "doing"), moved(3, "done")], id="its lane was changed"),
        pytest.param([moved(1, "planned", "other"), moved(2, "doing"), moved(3, "done")], id="its agent was changed"),
        pytest.param([], id="all of it is gone"),
    ],
)
def test_the_old_trail_must_be_a_prefix(trail: list[str]) -> None:
    """D3: where it isn't, the difference is one event."""
    assert steps(package("planned", [moved(1, "planned")]), package("done", trail)) == ["planned→done"]


def test_a_polished_note_is_the_same_record() -> None:
    """D3: a record is when, who and where to."""
    old = moved(1, "planned")
    now = package("for_review", [old + ", spelling mended", moved(2, "doing"), moved(3, "for_review")])
    assert steps(package("planned", [old]), now) == ["planned→doing", "doing→for_review"]


def test_times_that_run_backwards() -> None:
    """D3: among the appended records; equal times don't run backwards, nor does one before the old trail's end."""
    before = package("planned", [moved(5, "planned")])
    back = [moved(5, "planned"), moved(7, "doing"), moved(6, "done")]
    assert steps(before, package("done", back)) == ["planned→done"]
    equal = [moved(5, "planned"), moved(7, "doing"), moved(7, "done")]
    assert steps(before, package("done", equal)) == ["planned→doing", "doing→done"]
    earlier = [moved(5, "planned"), moved(1, "doing"), moved(2, "done")]
    assert steps(before, package("done", earlier)) == ["planned→doing", "doing→done"]


def test_an_invalid_record_spoils_the_trail() -> None:
    """D3: if every record is valid."""
    trail = [moved(1, "doing"), moved(2, "foo"), moved(3, "done")]
    assert steps(package("planned"), package("done", trail)) == ["planned→done"]


def test_an_invalid_record_of_the_old_trail_spoils_nothing() -> None:
    """D3: only the appended records count."""
    old = [moved(1, "foo")]
    now = package("done", [*old, moved(2, "doing"), moved(3, "done")])
    assert steps(package("planned", old), now) == ["planned→doing", "doing→done"]


def test_the_last_record_must_say_what_the_file_says() -> None:
    """D3: the last equals b."""
    assert steps(package("planned"), package("done", [moved(1, "doing"), moved(2, "for_review")])) == ["planned→done"]


def test_aliases_repeats_and_leading_records() -> None:
    """D3: map aliases, drop repeats and leading records equal to a."""
    trail = [
        moved(1, "planned"),
        moved(2, "planned"),
        moved(3, "claimed"),
        moved(4, "in_progress"),
        moved(5, "approved"),
        moved(6, "done"),
        moved(7, "done"),
    ]
    found = steps_between(None, package("done", trail), NAMES)
    assert [arrow(step) for step in found] == ["planned→doing", "doing→for_review", "for_review→done"]
    assert [step.moment for step in found] == [NOON + timedelta(minutes=minute) for minute in (3, 5, 6)]


def test_a_record_of_the_lane_that_was_known_is_no_step() -> None:
    """D3: also where that lane is another one than planned, and no record was known."""
    trail = [moved(1, "doing"), moved(2, "for_review")]
    assert steps(LaneState("doing"), package("for_review", trail)) == ["doing→for_review"]
    (step,) = steps_between(LaneState("doing"), package("for_review", trail), NAMES)
    assert step.moment == NOON + timedelta(minutes=2)


def test_rework_goes_back_and_forth() -> None:
    trail = [moved(1, "for_review"), moved(2, "doing"), moved(3, "for_review"), moved(4, "done")]
    expected = ["doing→for_review", "for_review→doing", "doing→for_review", "for_review→done"]
    assert steps(package("doing"), package("done", trail)) == expected


@pytest.mark.parametrize(("agent", "expected"), [("codex", "codex"), (None, "user"), ("  ", "user")])
def test_who_without_a_record(agent: str | None, expected: str) -> None:
    """D4: frontmatter agent, else user."""
    (step,) = steps_between(None, package("doing", agent=agent), NAMES)
    assert step.agent == expected


def test_chain_holds() -> None:
    """O10: each step begins where the one before it ended."""
    first, second = steps_between(None, package("done", [moved(1, "doing"), moved(2, "done")]), NAMES)
    assert chain_holds([first, second])
    assert not chain_holds([second, first])
