"""What a step to done causes: who waits no longer, and when a feature is complete."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from kittywatch.derive.book import Book, adopt, tell
from kittywatch.derive.settle import Known
from kittywatch.derive.snapshot import Key, Origin, Roster, Snapshot
from msgspec.structs import replace

from kittywatch.emit.drafts import duration
from tests.builders import FEATURE
from tests.derive.packages import package, rules, said, snapshot

LIVE, HISTORY = rules(), rules("history")
WAITING = {"WP01": (), "WP02": ("WP01",), "WP03": ("WP01", "WP02")}


def shows(lanes: Mapping[str, str], minute: int, *, commit: str = "c", origin: Origin = "here") -> Snapshot:
    """A commit of these lanes in a feature of three, of which two wait."""
    packages = [package(lane, wp_id=wp_id) for wp_id, lane in lanes.items()]
    made = snapshot(*packages, minute=minute, commit=f"{commit}{minute}", origin=origin)
    return replace(made, rosters={FEATURE: Roster(WAITING)})


@pytest.fixture
def book() -> Book:
    book = Book()
    tell(book, shows(dict.fromkeys(WAITING, "planned"), 0), LIVE)
    book.saved()
    return book


def told(book: Book, lanes: Mapping[str, str], minute: int, *, origin: Origin = "here") -> list[str]:
    found = said(tell(book, shows(lanes, minute, origin=origin), LIVE))
    book.saved()
    return found


def test_right_after_the_step(book: Book) -> None:
    assert told(book, {"WP01": "done", "WP02": "doing"}, 1) == [
        "WP01 planned→done",
        "WP02 waits no longer for WP01, completed",
        "WP03 waits no longer for WP01, completed",
        "WP02 planned→doing",
    ]
    assert told(book, {"WP02": "done"}, 2) == ["WP02 doing→done", "WP03 waits no longer for WP02, completed"]
    assert told(book, {"WP03": "done"}, 3) == ["WP03 planned→done", "complete: 3"]


def test_all_in_one_commit_complete_once_with_the_last(book: Book) -> None:
    assert told(book, dict.fromkeys(WAITING, "done"), 1) == [
        "WP01 planned→done",
        "WP02 waits no longer for WP01, completed",
        "WP03 waits no longer for WP01, completed",
        "WP02 planned→done",
        "WP03 waits no longer for WP02, completed",
        "WP03 planned→done",
        "complete: 3",
    ]


def test_complete_again_only_after_one_left_done(book: Book) -> None:
    told(book, dict.fromkeys(WAITING, "done"), 1)
    assert told(book, {"WP02": "doing"}, 2) == ["WP02 done→doing"]
    assert told(book, {"WP02": "done"}, 3)[-1] == "complete: 3"
    roster = {FEATURE: Roster(WAITING | {"WP04": ()})}
    added = replace(shows({"WP04": "done"}, 4), rosters=roster)
    assert said(tell(book, added, LIVE)) == ["WP04 created", "WP04 planned→done"]


def test_another_view_that_comes_by_all_of_it_tells_nothing(book: Book) -> None:
    """O1: also what follows is told once."""
    start = dict(book.known)
    told(book, dict.fromkeys(WAITING, "done"), 1)
    book.known = dict(start)
    assert told(book, dict.fromkeys(WAITING, "done"), 5) == []
    book.known = {}
    assert said(tell(book, shows(dict.fromkeys(WAITING, "done"), 9), HISTORY)) == []


@pytest.mark.parametrize("first", ["WP01", "WP02"])
def test_the_last_one_completes_on_whichever_branch(book: Book, first: str) -> None:
    """Neither branch shows what the other one did, and the merge of both tells nothing."""
    told(book, {"WP03": "done"}, 1)
    main: dict[Key, Known] = dict(book.known)
    second = "WP02" if first == "WP01" else "WP01"
    assert "complete: 3" not in told(book, {first: "done"}, 2)
    book.known = dict(main)
    assert told(book, {second: "done"}, 3)[-1] == "complete: 3"
    assert told(book, {first: "done"}, 4) == []


def test_elsewheres_done_is_done(book: Book) -> None:
    assert told(book, {"WP01": "done", "WP02": "done"}, 1, origin="elsewhere") == []
    assert told(book, {"WP03": "done"}, 2) == ["WP03 planned→done", "complete: 3"]


def test_complete_elsewhere_is_not_ours(book: Book) -> None:
    assert told(book, dict.fromkeys(WAITING, "done"), 1, origin="elsewhere") == []
    assert told(book, {"WP03": "doing"}, 2) == ["WP03 done→doing"]
    assert told(book, {"WP03": "done"}, 3) == ["WP03 doing→done", "complete: 3"]


def test_complete_before_kittywatch_came() -> None:
    """B1: complete again needs one that left done, as ever."""
    book, done = Book(), shows(dict.fromkeys(WAITING, "done"), 0)
    adopt(book, done, "baseline")
    book.saved()
    assert told(book, dict.fromkeys(WAITING, "done"), 1) == []
    assert told(book, {"WP01": "doing"}, 2) == ["WP01 done→doing"]
    assert told(book, {"WP01": "done"}, 3)[-1] == "complete: 3"


def test_a_removed_work_package_keeps_nothing_open(book: Book) -> None:
    told(book, {"WP01": "done", "WP02": "done"}, 1)
    without = replace(shows({"WP02": "doing"}, 2), rosters={})
    tell(book, without, LIVE)
    last = replace(shows({"WP02": "done"}, 3), rosters={FEATURE: Roster({"WP01": (), "WP02": ("WP01",)})})
    assert said(tell(book, last, LIVE))[-1] == "complete: 2"


def test_a_merge_brought_it(book: Book) -> None:
    assert told(book, {"WP02": "done"}, 1, origin="side")[-1] == "WP03 waits no longer for WP02, merged"


def test_a_history_goes_by_its_own_walk() -> None:
    """What came after the baseline and is done by now doesn't make the past complete."""
    book = Book()
    lanes = {"WP01": "done", "WP02": "doing", "WP03": "done"}
    adopt(book, shows(lanes, 10), "baseline")
    book.saved()
    assert told(book, lanes, 11) == []
    assert told(book, {"WP02": "done"}, 12)[-1] == "complete: 3"
    book.known = {}
    past = replace(shows(dict.fromkeys(WAITING, "planned"), 0), past=True)
    tell(book, past, HISTORY)
    finished = said(tell(book, replace(shows({"WP01": "done", "WP03": "done"}, 5), past=True), HISTORY))
    assert finished == [
        "WP01 planned→done",
        "WP02 waits no longer for WP01, completed",
        "WP03 waits no longer for WP01, completed",
        "WP03 planned→done",
    ]
    assert said(tell(book, shows({"WP02": "doing"}, 6), HISTORY)) == ["WP02 planned→doing"]
    assert said(tell(book, shows({"WP02": "done"}, 12), HISTORY)) == []


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
