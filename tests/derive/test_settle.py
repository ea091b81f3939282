"""One sighting against a log: what is told, what was told, what is not ours (O1, O3, O4, O9, D2, D5, B1)."""

from __future__ import annotations

from datetime import datetime, timedelta

from kittywatch.derive.log import Entry, Log
from kittywatch.derive.settle import Known, Settled, Sighting, settle, taken_in
from kittywatch.derive.snapshot import Origin
from kittywatch.derive.steps import Shown
from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.reader import WorkPackage
from tests.derive.packages import NOON, arrow, moved, package, rules

LIVE, HISTORY = rules(), rules("history")


def sighting(one: WorkPackage, minute: int = 0, *, commit: str | None = "c", origin: Origin = "here") -> Sighting:
    return Sighting(one, NOON + timedelta(minutes=minute), commit, origin)


def told(settled: Settled) -> list[tuple[str, datetime]]:
    return [(arrow(one.step) if one.step else "created", one.moment) for one in settled.told]


def known(log: Log, lane: Lane, index: int | None = -1) -> Known:
    return Known(Shown(lane), log.entries[index] if index is not None else None)


def log_of(*lanes: Lane) -> Log:
    """A creation and steps into the lanes."""
    return Log([Entry("created", "planned"), *(Entry("step", lane, f"told-{lane}") for lane in lanes)])


def test_first_sight() -> None:
    """D2: created, and the steps from planned; the log has them in their order, the view stands at the last."""
    log = Log()
    settled = settle(log, None, sighting(package("for_review", [moved(1, "doing"), moved(2, "for_review")]), 9), LIVE)
    noon = NOON
    assert told(settled) == [
        ("created", noon + timedelta(minutes=9)),
        ("planned→doing", noon + timedelta(minutes=1)),
        ("doing→for_review", noon + timedelta(minutes=2)),
    ]
    assert [(one.kind, one.lane) for one in log.entries] == [
        ("created", "planned"),
        ("step", "doing"),
        ("step", "for_review"),
    ]
    assert settled.known is not None
    assert settled.known.cursor is log.entries[-1]


def test_the_creation_has_the_time_of_its_record() -> None:
    """D5: the first record, if it says planned."""
    settled = settle(Log(), None, sighting(package("planned", [moved(3, "planned")]), 9), LIVE)
    assert told(settled) == [("created", NOON + timedelta(minutes=3))]


def test_a_difference_is_told_once() -> None:
    """O1: the second look at the same content tells nothing."""
    log = log_of()
    first = settle(log, known(log, "planned"), sighting(package("doing"), 1), LIVE)
    assert told(first) == [("planned→doing", NOON + timedelta(minutes=1))]
    assert told(settle(log, first.known, sighting(package("doing"), 2), LIVE)) == []


def test_another_view_finds_what_was_told() -> None:
    """O1, O4: looked for ahead of the cursor; the cursor moves, nothing is told."""
    log = log_of("doing", "for_review")
    settled = settle(log, known(log, "planned", 0), sighting(package("doing")), LIVE)
    assert (settled.told, settled.already_told) == ([], 1)
    assert settled.known == Known(Shown("doing"), log.entries[1])
    skipping = settle(log, known(log, "planned", 0), sighting(package("for_review")), LIVE)
    assert skipping.told == []
    assert skipping.known == Known(Shown("for_review"), log.entries[2])


def test_what_lies_behind_the_cursor_was_another_transition() -> None:
    """O5: going back is a transition although the lane was told before."""
    log = log_of("doing", "for_review")
    settled = settle(log, known(log, "for_review"), sighting(package("doing"), 5), LIVE)
    assert told(settled) == [("for_review→doing", NOON + timedelta(minutes=5))]


def test_what_goes_beyond_is_told() -> None:
    """O4: the first steps were told, what comes on top is not."""
    log = log_of("doing")
    now = package("done", [moved(1, "doing"), moved(2, "for_review"), moved(3, "done")])
    settled = settle(log, known(log, "planned", 0), sighting(now), LIVE)
    assert [words for words, _ in told(settled)] == ["doing→for_review", "for_review→done"]
    assert settled.already_told == 1


def test_elsewhere_is_known_and_not_told() -> None:
    """O3: told there. What is here already is found, the rest is withheld, and known by its id from then on."""
    log = log_of("doing")
    now = package("done", [moved(1, "doing"), moved(2, "done")])
    settled = settle(log, known(log, "planned", 0), sighting(now, origin="elsewhere"), LIVE)
    assert (settled.told, settled.already_told, settled.withheld) == ([], 1, 1)
    assert settled.known is not None
    assert (settled.known.shown.lane, settled.known.cursor) == ("done", log.entries[3])
    assert [(one.kind, one.lane, one.commit) for one in log.entries[2:]] == [
        ("theirs", "doing", "c"),
        ("theirs", "done", "c"),
    ]
    copy = settle(log, known(log, "planned", 0), sighting(now, commit="picked"), LIVE)
    assert (copy.told, copy.already_told) == ([], 2)
    after = settle(log, settled.known, sighting(package("doing"), origin="here"), LIVE)
    assert [words for words, _ in told(after)] == ["done→doing"]


def test_first_seen_elsewhere() -> None:
    """O3, scenario 30: none; the work package is known from then on."""
    log = Log()
    settled = settle(log, None, sighting(package("doing"), origin="elsewhere"), LIVE)
    assert settled.told == []
    assert [(one.kind, one.lane) for one in log.entries] == [("elsewhere", "doing")]
    mine = settle(log, settled.known, sighting(package("for_review")), LIVE)
    assert [words for words, _ in told(mine)] == ["doing→for_review"]


def test_a_history_leaves_what_is_elsewhere_to_the_next_one() -> None:
    """B2: a replay with --since does not claim what it leaves out."""
    log = Log()
    settled = settle(log, None, sighting(package("doing"), origin="elsewhere"), HISTORY)
    assert (settled.told, log.entries) == ([], [])
    assert settled.withheld == 2
    whole = settle(log, None, sighting(package("doing")), HISTORY)
    assert [words for words, _ in told(whole)] == ["created", "planned→doing"]


def test_a_commit_that_is_known_to_have_brought_an_entry() -> None:
    """Rule 2 of the module: by its commit, though another entry with that lane comes first."""
    log = log_of("doing", "planned", "doing")
    landed = Sighting(package("doing"), NOON, "c", landed=(log.entries[3],))
    settled = settle(log, known(log, "planned", 0), landed, LIVE)
    assert settled.told == []
    assert settled.known == Known(Shown("doing"), log.entries[3])


def test_the_other_side_of_a_merge_may_have_been_told_anywhere() -> None:
    """O4, scenario 16: also behind the cursor of the side that is merged into."""
    log = Log()
    first = settle(log, None, sighting(package("planned")), LIVE)
    one = settle(log, first.known, sighting(package("doing"), 1), LIVE)
    other = settle(log, one.known, sighting(package("for_review"), 2), LIVE).known
    assert other is not None
    side = sighting(package("doing"), 1, origin="side")
    again = settle(log, Known(Shown("planned"), other.cursor), side, LIVE)
    assert again.told == []
    assert again.known == Known(Shown("doing"), log.entries[-1])


def test_the_same_step_twice_at_one_moment() -> None:
    """O9: two transitions with the same content are two events; the later one is a microsecond on, everywhere alike."""
    ids = []
    for _ in range(2):
        log = log_of()
        settled = settle(log, known(log, "planned"), sighting(package("doing")), LIVE)
        back = settle(log, settled.known, sighting(package("planned")), LIVE)
        again = settle(log, back.known, sighting(package("doing")), LIVE)
        assert told(again) == [("planned→doing", NOON + timedelta(microseconds=1))]
        ids.append([one.event_id for one in log.entries])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 4


def test_an_id_says_which_of_two_equal_lanes_it_is() -> None:
    """O9: a record that was told from another view is found by its id, past an equal lane."""
    trail = [moved(1, "doing"), moved(2, "planned"), moved(3, "doing")]
    log = Log()
    first = settle(log, None, sighting(package("planned")), LIVE)
    settle(log, first.known, sighting(package("doing", trail)), LIVE)
    assert [one.lane for one in log.entries] == ["planned", "doing", "planned", "doing"]
    late = package("doing", trail[2:])
    found = settle(log, first.known, sighting(late), LIVE)
    assert found.told == []
    assert found.known is not None
    assert found.known.cursor is log.entries[3]


def test_no_lane_leaves_everything_as_it_was() -> None:
    """R3: the last good lane stays."""
    log = log_of("doing")
    before = known(log, "doing")
    assert settle(log, before, sighting(package("foo")), LIVE).known is before
    assert settle(Log(), None, sighting(package(None)), LIVE).known is None


def test_baseline_is_silent_live_and_told_by_a_history() -> None:
    """B1 and scenario 41: live it is known; a replay tells what led to it, before it in the log."""
    log = Log([Entry("baseline", "doing")])
    live = settle(log, None, sighting(package("doing")), LIVE)
    assert live.told == []
    later = settle(log, live.known, sighting(package("for_review"), 5), LIVE)
    assert [words for words, _ in told(later)] == ["doing→for_review"]
    past = Sighting(package("doing"), NOON - timedelta(minutes=5), "old", past=True)
    history = settle(log, None, past, HISTORY)
    assert [words for words, _ in told(history)] == ["created", "planned→doing"]
    assert [(one.kind, one.lane) for one in log.entries] == [
        ("created", "planned"),
        ("step", "doing"),
        ("baseline", "doing"),
        ("step", "for_review"),
    ]
    after = settle(log, history.known, sighting(package("for_review"), 9), HISTORY)
    assert after.told == []
    assert after.known is not None
    assert after.known.cursor is log.entries[-1]


def test_the_past_does_not_take_what_came_after_the_baseline() -> None:
    """Scenario 41: a doing before the baseline is not the doing that was told after it."""
    log = Log([Entry("baseline", "planned"), Entry("step", "doing", "live")])
    first = Sighting(package("planned"), NOON - timedelta(minutes=9), "a", past=True)
    second = Sighting(package("doing"), NOON - timedelta(minutes=8), "b", past=True)
    settled = settle(log, None, first, HISTORY)
    settled = settle(log, settled.known, second, HISTORY)
    assert [words for words, _ in told(settled)] == ["planned→doing"]


def test_claimed_entries_are_not_taken() -> None:
    """An entry that a later commit of the walk is known to have brought belongs to that one."""
    log = log_of("doing")
    settled = settle(log, known(log, "planned", 0), sighting(package("doing")), HISTORY, frozenset({log.entries[1]}))
    assert [words for words, _ in told(settled)] == ["planned→doing"]


def test_no_difference_moves_no_cursor() -> None:
    """D1: not even where the commit is known to have brought something, and on neither side of a merge."""
    log = log_of("doing", "planned")
    before = known(log, "planned", 0)
    landed = Sighting(package("planned"), NOON, "c", landed=(log.entries[2],))
    assert settle(log, before, landed, LIVE).known == Known(Shown("planned"), log.entries[0])
    side = settle(log, before, sighting(package("planned"), origin="side"), LIVE)
    assert (side.told, side.known) == ([], Known(Shown("planned"), log.entries[0]))


def test_what_was_told_is_counted() -> None:
    """The creation that is found, and each step of a commit that is known, whichever way it came in."""
    log = log_of("doing", "done")
    trail = [moved(1, "doing"), moved(2, "done")]
    assert settle(log, None, sighting(package("planned")), LIVE).already_told == 1
    for origin in ("here", "side"):
        landed = Sighting(package("done", trail), NOON, "c", origin, landed=(log.entries[2],))
        assert settle(log, known(log, "planned", 0), landed, LIVE).already_told == 2
    found = settle(log, known(log, "planned"), Sighting(package("done", trail), NOON, "c", "side"), LIVE)
    assert len(found.told) == 2
    again = settle(log, known(log, "planned"), Sighting(package("done", trail), NOON, "c", "side"), LIVE)
    assert (again.told, again.already_told) == ([], 2)


def test_the_other_side_of_a_merge_by_its_commit() -> None:
    """O4: what its commit is known to have brought was told, also behind the cursor, which stays further on."""
    log = log_of("doing", "for_review")
    side = Sighting(package("doing"), NOON, "c", "side", landed=(log.entries[1],))
    settled = settle(log, known(log, "planned"), side, LIVE)
    assert settled.told == []
    assert settled.known == Known(Shown("doing"), log.entries[2])


def test_a_creation_stands_before_steps_that_were_told_without_it() -> None:
    """D2, O10: steps told by hand of a work package that nobody had seen; the first to see it tells the creation."""
    log = Log([Entry("step", "doing", "by-hand")])
    settled = settle(log, None, sighting(package("doing")), LIVE)
    assert [words for words, _ in told(settled)] == ["created"]
    assert [one.kind for one in log.entries] == ["created", "step"]
    assert not settled.taken_in


def test_what_others_brought_after_steps_told_without_a_creation() -> None:
    """O3: a work package that has a log gets no marker; what is there is found, and theirs stands behind it."""
    log = Log([Entry("step", "doing", "by-hand")])
    settled = settle(log, None, sighting(package("doing"), origin="elsewhere"), LIVE)
    assert (settled.told, settled.withheld, settled.already_told) == ([], 1, 1)
    assert [one.kind for one in log.entries] == ["step", "theirs"]
    assert settled.known == Known(Shown("doing"), log.entries[1])


def test_what_is_taken_in_says_so() -> None:
    """B1, O3: all of it was there before, as far as a view comes by it first; and the trail with it."""
    trail = [moved(1, "doing")]
    for kind in ("baseline", "elsewhere"):
        settled = settle(Log([taken_in(kind, package("doing"), "doing")]), None, sighting(package("doing")), LIVE)
        assert settled.taken_in
    log = Log([Entry("baseline", "doing")])
    settled = settle(log, None, sighting(package("doing", trail)), LIVE)
    assert settled.basis is not None
    assert settled.basis.shown.records == 1


def test_who_had_it_when_it_was_taken_in() -> None:
    """Nobody has what is planned; else whoever is named did the work."""
    found = [taken_in("baseline", package(lane, agent="ada"), lane) for lane in ("planned", "doing", "done")]
    assert [(one.agent, one.phase) for one in found] == [(None, None), *[("ada", "implementation")] * 2]
    nobody = taken_in("elsewhere", package("doing"), "doing", "c")
    assert (nobody.agent, nobody.phase, nobody.commit) == (None, None, "c")


def test_a_history_that_has_passed_the_baseline_stands_behind_it() -> None:
    """B2: what it tells then comes after the baseline, though its cursor was before."""
    log = Log([Entry("created", "planned"), Entry("step", "doing", "past"), Entry("baseline", "doing")])
    settled = settle(log, known(log, "doing", 1), sighting(package("for_review")), HISTORY)
    assert [words for words, _ in told(settled)] == ["doing→for_review"]
    assert [one.kind for one in log.entries] == ["created", "step", "baseline", "step"]


def test_a_view_from_before_the_baseline_finds_what_a_history_told() -> None:
    """O1, B2: a clone at an older commit, and one that has seen nothing yet: on either side of the baseline."""
    entries = [Entry("created", "planned"), Entry("step", "doing", "past"), Entry("baseline", "doing")]
    log = Log([*entries, Entry("step", "for_review", "live")])
    old = settle(log, None, sighting(package("doing")), LIVE)
    assert (old.told, old.known) == ([], Known(Shown("doing"), log.entries[1]))
    new = settle(log, None, sighting(package("for_review")), LIVE)
    assert (new.told, new.known) == ([], Known(Shown("for_review"), log.entries[3]))


def test_what_is_told_live_comes_last() -> None:
    """O10: the log is in the order of telling, wherever the view stood."""
    log = log_of("doing", "for_review")
    settle(log, known(log, "planned", 0), sighting(package("done")), LIVE)
    assert [one.lane for one in log.entries] == ["planned", "doing", "for_review", "done"]
