"""Steps that others tell: noted where they stand, and claimed where they turn out to have been made here (O1, O3)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kittywatch.derive.log import Entry, Log
from kittywatch.derive.settle import Known, Settled, Sighting, settle
from kittywatch.derive.snapshot import Origin
from kittywatch.derive.steps import Shown
from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.reader import WorkPackage
from tests.derive.packages import NOON, arrow, moved, package, rules

LIVE = rules()
DOING = package("doing")
TIMES = ("01ARZ3NDEK", "01ARZ3NDEM")


def seen(one: WorkPackage, *, commit: str | None = "c", origin: Origin = "here") -> Sighting:
    return Sighting(one, NOON + timedelta(minutes=5), commit, origin)


def told(settled: Settled) -> list[str]:
    return [arrow(one.step) if one.step else "created" for one in settled.told]


def theirs(lane: Lane, commit: str = "c") -> Entry:
    return Entry("theirs", lane, f"theirs-{lane}", commit)


def short(log: Log) -> list[str]:
    return [f"{one.kind} {one.lane}" for one in log.entries]


def test_what_another_clone_met_first_is_told_by_the_one_that_made_it() -> None:
    """Seen for the first time: created, and its steps; the marker becomes the step that it stood for."""
    log = Log([Entry("elsewhere", "doing", commit="c")])
    settled = settle(log, None, seen(DOING), LIVE)
    assert told(settled) == ["created", "planned→doing"]
    assert short(log) == ["created planned", "step doing"]
    step = settled.told[1]
    assert (step.entry, step.moment) == (log.entries[1], NOON + timedelta(minutes=5))
    assert step.entry.event_id == LIVE.identify(DOING, step.step, step.moment)
    assert step.entry in log.added
    assert settled.known is not None
    assert settled.known.cursor is step.entry


@pytest.mark.parametrize("origin", ["side", "elsewhere"])
def test_what_comes_in_is_not_claimed(origin: Origin) -> None:
    log = Log([Entry("elsewhere", "doing", commit="c")])
    assert settle(log, None, seen(DOING, origin=origin), LIVE).taken_in


@pytest.mark.parametrize(("mark", "commit"), [("c", "d"), (None, None)])
def test_another_commit_claims_nothing(mark: str | None, commit: str | None) -> None:
    """Nor does what is in no commit."""
    log = Log([Entry("elsewhere", "doing", commit=mark)])
    assert settle(log, None, seen(DOING, commit=commit), LIVE).taken_in


def test_a_step_is_claimed_in_its_place() -> None:
    """Before what was told since."""
    log = Log([Entry("created", "planned"), theirs("doing"), Entry("step", "for_review", "later")])
    settled = settle(log, Known(Shown("planned"), log.entries[0]), seen(DOING), LIVE)
    assert told(settled) == ["planned→doing"]
    assert short(log) == ["created planned", "step doing", "step for_review"]
    assert settled.known == Known(Shown("doing"), log.entries[1])


def test_more_steps_than_were_noted() -> None:
    """Those that nobody noted come first."""
    log = Log([Entry("created", "planned"), theirs("for_review")])
    trail = [moved(1, "doing"), moved(2, "for_review")]
    settled = settle(log, Known(Shown("planned"), log.entries[0]), seen(package("for_review", trail)), LIVE)
    assert told(settled) == ["planned→doing", "doing→for_review"]
    assert short(log) == ["created planned", "step doing", "step for_review"]
    assert [one.entry for one in settled.told] == log.entries[1:]


def test_fewer_steps_than_were_noted() -> None:
    """The last ones are claimed."""
    log = Log([Entry("created", "planned"), theirs("doing"), theirs("for_review")])
    settled = settle(log, Known(Shown("doing"), log.entries[0]), seen(package("for_review")), LIVE)
    assert told(settled) == ["doing→for_review"]
    assert short(log) == ["created planned", "theirs doing", "step for_review"]


def test_what_others_tell_is_noted_once() -> None:
    """By its id, so that whoever comes upon it again finds it; and only what a commit brings."""
    log = Log([Entry("created", "planned")])
    start = Known(Shown("planned"), log.entries[0])
    for _ in range(2):
        settled = settle(log, start, seen(DOING, origin="elsewhere"), LIVE)
        assert short(log) == ["created planned", "theirs doing"]
        assert settled.known == Known(Shown("doing"), log.entries[1])
    uncommitted = settle(log, start, seen(package("done"), commit=None, origin="elsewhere"), LIVE)
    assert uncommitted.known == Known(Shown("done"), log.entries[0])
    nowhere = Log([Entry("step", "done", "by-hand")])
    assert settle(nowhere, None, seen(DOING, origin="elsewhere"), LIVE).known == Known(Shown("doing"), None)
    assert short(nowhere) == ["step done"]


def test_a_step_that_was_told_from_another_lane() -> None:
    """By its id, whatever it is; else by its time and lane, which only steps told here keep."""
    same, other = (f"{time}SV4RRFFQ69G5FA0" for time in TIMES)
    steps = Log([Entry("step", "done", other), Entry("step", "doing", f"{TIMES[0]}0000000000000000")])
    assert steps.told_step(same, "doing") is steps.entries[1]
    assert steps.told_step(other, "doing") is steps.entries[0]
    assert steps.told_step(same, "done") is None
    noted = Log([Entry("theirs", "doing", f"{TIMES[0]}0000000000000000")])
    assert noted.told_step(same, "doing") is None
    assert noted.told_step(f"{TIMES[0]}0000000000000000", "doing") is noted.entries[0]
