"""What a step to done causes, when it was told by hand, told elsewhere, or is only walked by."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from kittywatch.derive.book import Book, adopt, tell, tell_worktree
from kittywatch.derive.log import Entry
from kittywatch.derive.marks import COMPLETE
from kittywatch.derive.settle import Rules
from kittywatch.derive.snapshot import Roster, Snapshot
from kittywatch.derive.tellings import PackageTold, ResolvedTold, Telling
from msgspec.structs import replace

from kittywatch.derive.consequences import left_done, reopened
from kittywatch.derive.edits import WorktreeLook
from tests.builders import FEATURE
from tests.derive.packages import NOON, moved, package, rules, said, snapshot

LIVE, HISTORY = rules(), rules("history")
WAITING = {"WP01": (), "WP02": ("WP01",), "WP03": ("WP01", "WP02")}
PAGE, WP01, WP02 = (FEATURE, ""), (FEATURE, "WP01"), (FEATURE, "WP02")
NEW = ("WP04", "WP05")
"""Those that nobody waits for, and that the tests add."""


def shows(lanes: Mapping[str, str], minute: int, *, feature: str = FEATURE) -> Snapshot:
    """A commit of these lanes, with a roster of the three and of what it adds."""
    packages = [package(lane, wp_id=wp_id, feature=feature) for wp_id, lane in lanes.items()]
    roster = Roster(WAITING | {wp_id: () for wp_id in lanes if wp_id in NEW})
    return replace(snapshot(*packages, minute=minute, commit=f"c{minute}"), rosters={feature: roster})


def told(book: Book, lanes: Mapping[str, str], minute: int, mode: Rules = LIVE) -> list[str]:
    words = said(tell(book, shows(lanes, minute), mode))
    book.saved()
    return words


def begun() -> Book:
    book = Book()
    told(book, dict.fromkeys(WAITING, "planned"), 0)
    return book


def by_hand(book: Book, wp_id: str, feature: str = FEATURE) -> None:
    """What telling a step to done by hand leaves: its entry, and when it was."""
    book.log((feature, wp_id)).add(Entry("step", "done", f"hand-{wp_id}"))
    book.marks.setdefault((feature, wp_id), {})[f"phand-{wp_id}"] = NOON.isoformat()


def waits_no_longer(tellings: list[Telling]) -> list[ResolvedTold]:
    return [one for one in tellings if isinstance(one, ResolvedTold)]


# Told by hand.


def test_the_first_to_see_what_was_told_by_hand() -> None:
    """Rule 6: it tells what follows, with the event and the time of what was told; once."""
    book = begun()
    by_hand(book, "WP01")
    seen = shows({}, 1)
    seen = replace(seen, packages=(package("done", [moved(1, "done")]),))
    tellings = tell(book, seen, LIVE)
    assert said(tellings) == ["WP02 waits no longer for WP01, completed", "WP03 waits no longer for WP01, completed"]
    cause = waits_no_longer(tellings)[0].cause
    assert (cause.event_id, cause.moment, cause.commit) == ("hand-WP01", NOON, None)
    assert {key: value for key, value in book.marks[WP01].items() if key[0] != "r"} == {
        "dWP02": "told",
        "dWP03": "told",
    }
    assert WP01 in book.changed_marks
    assert tell(book, seen, LIVE) == []


def test_an_edit_shows_what_was_told_by_hand() -> None:
    """The file says so, and no commit yet; as long as the file says another lane, nothing follows."""
    book = begun()
    by_hand(book, "WP01")
    rosters = {FEATURE: Roster(WAITING)}
    book.worktree = WorktreeLook(NOON, {WP02: package("doing", wp_id="WP02")}, rosters=rosters)
    assert said(tell_worktree(book, [], LIVE)) == ["WP02 planned→doing"]
    book.worktree = WorktreeLook(NOON, {WP01: package("done")}, rosters=rosters)
    assert said(tell_worktree(book, [], LIVE)) == [
        "WP02 waits no longer for WP01, completed",
        "WP03 waits no longer for WP01, completed",
    ]


def test_an_edit_that_says_otherwise_than_the_commit() -> None:
    """The worktree leads: it is not done any more."""
    book = begun()
    told(book, {"WP01": "done"}, 1)
    book.marks[WP01] = {"phand": NOON.isoformat()}
    book.edits[WP01] = book.known[WP02]
    assert told(book, {"WP02": "doing"}, 2) == ["WP02 planned→doing"]
    assert book.marks[WP01] == {"phand": NOON.isoformat()}


def test_what_no_view_has_seen_waits() -> None:
    """Told by hand of a work package that has no file yet."""
    book = Book()
    by_hand(book, "WP01")
    assert told(book, {"WP02": "planned"}, 1) == [f"feature {FEATURE}", "WP02 created"]
    assert "phand-WP01" in book.marks[WP01]


def test_the_last_one_by_hand_completes() -> None:
    """All others of the same commit first, and once for several."""
    book = begun()
    for wp_id in ("WP01", "WP02"):
        by_hand(book, wp_id)
    assert told(book, dict.fromkeys(WAITING, "done"), 1) == [
        "WP03 planned→done",
        "WP02 waits no longer for WP01, completed",
        "WP03 waits no longer for WP01, completed",
        "WP03 waits no longer for WP02, completed",
        "complete: 3",
    ]


def test_each_feature_for_itself() -> None:
    book = begun()
    other = shows(dict.fromkeys(WAITING, "planned"), 1, feature="002-more")
    tell(book, other, LIVE)
    by_hand(book, "WP03")
    by_hand(book, "WP03", "002-more")
    lanes = {"WP01": "done", "WP02": "done", "WP03": "done"}
    both = [shows(lanes, 2), shows(lanes, 2, feature="002-more")]
    whole = replace(
        both[0], packages=both[0].packages + both[1].packages, rosters={**both[0].rosters, **both[1].rosters}
    )
    assert said(tell(book, whole, LIVE)).count("complete: 3") == 2


@pytest.mark.parametrize("how", ["history", "elsewhere"])
def test_neither_a_history_nor_elsewhere_uses_it_up(how: str) -> None:
    book = begun()
    by_hand(book, "WP01")
    shown = shows({"WP01": "done"}, 1)
    if how == "history":
        assert tell(book, shown, HISTORY) == []
    else:
        assert tell(book, replace(shown, origin="elsewhere"), LIVE) == []
    assert book.marks[WP01] == {"phand-WP01": NOON.isoformat()}


def test_what_was_told_by_hand_of_one_that_waits() -> None:
    """Whoever comes second of a pair is silent, and the next time it is told again."""
    book = begun()
    book.marks[WP01] = {"dWP02": "by hand"}
    assert told(book, {"WP01": "done"}, 1) == ["WP01 planned→done", "WP03 waits no longer for WP01, completed"]
    assert book.marks[WP01] == {"dWP02": "told", "dWP03": "told"}


def test_left_done() -> None:
    """What waits for it waits again; what was met stays met."""
    book = begun()
    marks = {"dWP02": "by hand", "pevent": NOON.isoformat(), "rabc": "told", "oabc#1": "told"}
    book.marks = {WP01: dict(marks), PAGE: {COMPLETE: "told"}}
    left_done(book, WP01)
    assert book.marks == {WP01: {"rabc": "told", "oabc#1": "told"}, PAGE: {}}
    assert book.changed_marks == {WP01, PAGE}
    again = begun()
    told(again, {"WP01": "done"}, 1)
    again.marks[WP01] = {"dWP02": "by hand"}
    told(again, {"WP01": "doing"}, 2)
    assert len(told(again, {"WP01": "done"}, 3)) == 3


# Complete.


def test_complete_elsewhere_and_then_more() -> None:
    """Rule 4: one that is added completes nothing again, whoever completed it."""
    book = begun()
    tell(book, replace(shows(dict.fromkeys(WAITING, "done"), 1), origin="elsewhere"), LIVE)
    assert book.marks[PAGE] == {COMPLETE: "told"}
    assert told(book, {"WP04": "done"}, 2) == ["WP04 created", "WP04 planned→done"]


def test_what_was_complete_stays_known_as_it_was() -> None:
    book = Book()
    adopt(book, shows(dict.fromkeys(WAITING, "done"), 0), "baseline")
    book.saved()
    tell(book, replace(shows(dict.fromkeys(WAITING, "done"), 1), origin="elsewhere"), LIVE)
    assert book.marks[PAGE] == {COMPLETE: "baseline"}
    assert PAGE not in book.changed_marks


def test_no_step_completes_nothing() -> None:
    """The open one was removed; the next to reach done completes the feature."""
    book = begun()
    told(book, {"WP01": "done", "WP02": "done"}, 1)
    rest = Roster({"WP01": (), "WP02": ()})
    assert tell(book, replace(shows({"WP02": "done"}, 2), rosters={FEATURE: rest}), LIVE) == []
    more = {FEATURE: Roster({"WP01": (), "WP02": (), "WP04": ()})}
    assert said(tell(book, replace(shows({"WP04": "done"}, 3), rosters=more), LIVE))[-1] == "complete: 3"


def test_those_that_nobody_has_seen_in_a_lane() -> None:
    """They keep nothing open: no file, no lane, or only an agent by hand. What another branch did counts."""
    book = begun()
    told(book, {"WP01": "done"}, 1)
    del book.known[WP01]
    book.log((FEATURE, "WP06"))
    book.log((FEATURE, "WP07")).add(Entry("assigned", "doing", "hand", agent="ada", phase="implementation"))
    roster = {FEATURE: Roster(dict.fromkeys(("WP01", "WP02", "WP06", "WP07", "WP08"), ()))}
    assert said(tell(book, replace(shows({"WP02": "done"}, 2), rosters=roster), LIVE))[-1] == "complete: 2"


def test_a_merge_brought_the_last() -> None:
    """In its own commit, too: what it added to both sides came with the merge."""
    merge = replace(shows({"WP02": "done"}, 1), brought=frozenset({WP02}))
    assert said(tell(begun(), merge, LIVE)) == ["WP02 planned→done", "WP03 waits no longer for WP02, merged"]


def test_what_follows_names_its_step() -> None:
    tellings = tell(begun(), shows({"WP01": "done"}, 1), LIVE)
    step, resolved = tellings[0], waits_no_longer(tellings)[0]
    assert isinstance(step, PackageTold)
    assert resolved.cause.event_id == step.told.entry.event_id
    assert (resolved.cause.moment, resolved.cause.commit) == (step.told.moment, "c1")


# Histories.


def test_a_history_completes_once_and_again() -> None:
    """Rule 4 in a walk: by what it came by, and without a mark of its own."""
    book = Book()
    told(book, dict.fromkeys(WAITING, "planned"), 0, HISTORY)
    assert told(book, dict.fromkeys(WAITING, "done"), 1, HISTORY)[-1] == "complete: 3"
    assert told(book, {"WP04": "done"}, 2, HISTORY) == ["WP04 created", "WP04 planned→done"]
    assert told(book, {"WP01": "doing"}, 3, HISTORY) == ["WP01 done→doing"]
    last = replace(shows({"WP01": "done"}, 4), rosters={FEATURE: Roster(WAITING | {"WP04": ()})})
    assert said(tell(book, last, HISTORY))[-1] == "complete: 4"
    assert PAGE not in book.marks
    assert not any(mark[0] == "d" for marks in book.marks.values() for mark in marks)


def test_a_history_that_finds_all_of_it_told() -> None:
    """It has come by a complete feature; what is added later completes nothing."""
    book = begun()
    told(book, dict.fromkeys(WAITING, "done"), 1)
    book.known = {}
    assert told(book, dict.fromkeys(WAITING, "planned"), 0, HISTORY) == []
    assert told(book, dict.fromkeys(WAITING, "done"), 1, HISTORY) == []
    assert told(book, {"WP04": "done"}, 2, HISTORY) == ["WP04 created", "WP04 planned→done"]


def test_a_history_does_not_take_from_live_marks() -> None:
    """What it walks by left done long ago."""
    book = begun()
    told(book, dict.fromkeys(WAITING, "done"), 9)
    marks = {key: dict(page) for key, page in book.marks.items()}
    book.known = {}
    for minute, lane in enumerate(("planned", "done", "doing"), 1):
        tell(book, replace(shows({"WP01": lane}, minute), past=True), HISTORY)
    reopened(book, FEATURE, HISTORY)
    assert {key: page for key, page in book.marks.items() if page} == {key: page for key, page in marks.items() if page}
    assert (book.marks[PAGE], book.marks[WP01]) == ({COMPLETE: "told"}, {"dWP02": "told", "dWP03": "told"})


def test_a_history_asks_nobody_else() -> None:
    """What others have done by now is not done in its walk."""
    book = begun()
    told(book, {"WP02": "done", "WP03": "done"}, 1)
    book.known = {}
    tell(book, replace(shows(dict.fromkeys(WAITING, "planned"), 0), rosters={}), HISTORY)
    assert told(book, {"WP01": "done"}, 1, HISTORY)[0] == "WP01 planned→done"
    assert "complete: 3" not in told(book, {"WP01": "done"}, 2, HISTORY)
    assert FEATURE not in book.complete
