"""What a book notes while it tells: for the store, for the count, and for those who come by later."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest
from msgspec.structs import replace

from kittywatch.derive.book import Book, adopt, differences, tell
from kittywatch.derive.log import Entry, Log
from kittywatch.derive.marks import COMPLETE, hand_key
from kittywatch.derive.settle import Known, Rules
from kittywatch.derive.snapshot import BrokenContent, Roster, Snapshot
from kittywatch.derive.steps import Shown
from kittywatch.workpackages.reader import Problem, WorkPackage
from tests.builders import FEATURE, record
from tests.derive.packages import KEY, NOON, at, moved, package, rules, said, snapshot

LIVE, HISTORY = rules(), rules("history")
PLANNED, DOING, REVIEW, DONE = (package(lane) for lane in ("planned", "doing", "for_review", "done"))
PAGE = (FEATURE, "")
"""Where a feature's own marks stand."""


def broken(content: str = "c1", *, wp_id: str | None = "WP09") -> BrokenContent:
    return BrokenContent(Problem("p.md", 1, "no good"), FEATURE, wp_id, content)


def showing(*packages: WorkPackage, commit: str | None = "c", minute: int = 0) -> Snapshot:
    """A commit of work packages with the feature's roster: those that are named, and nobody waits."""
    roster = Roster({one.wp_id: () for one in packages})
    return replace(snapshot(*packages, commit=commit, minute=minute), rosters={FEATURE: roster})


def observed(*packages: WorkPackage) -> Book:
    book = Book()
    tell(book, showing(*packages, commit="first"), LIVE)
    book.saved()
    return book


def test_what_is_told_now_is_not_counted_as_told_before() -> None:
    """O1: what was found is counted once, in the log, among the features and the broken contents alike."""
    book = Book()
    shown = replace(showing(PLANNED), broken=(broken(),))
    tell(book, shown, LIVE)
    tell(book, replace(showing(DOING, minute=1), broken=(broken(),)), LIVE)
    assert (book.already_told, book.withheld) == (0, 0)
    book.known = {}
    tell(book, shown, LIVE)
    assert book.already_told == 1
    another = Book(logs=book.logs, features={FEATURE: "told"}, broken={"c1": "told"})
    for _ in range(2):
        tell(another, shown, LIVE)
        assert another.already_told == 3


@pytest.mark.parametrize("kind", ["baseline", "elsewhere"])
def test_what_was_never_told_is_not_counted(kind: Literal["baseline", "elsewhere"]) -> None:
    book = Book()
    adopt(book, replace(snapshot(PLANNED), broken=(broken(),)), kind)
    tell(book, replace(snapshot(PLANNED), broken=(broken(),)), LIVE)
    assert book.already_told == 0


def test_what_others_did_is_counted() -> None:
    """O3: withheld, each step of it, and known from then on as theirs."""
    book = observed(PLANNED)
    theirs = package("done", [moved(1, "doing"), moved(2, "done")])
    tell(book, replace(snapshot(theirs, origin="elsewhere"), broken=(broken(),)), LIVE)
    assert book.withheld == 2
    assert book.new_broken == {"c1": "elsewhere"}


def test_what_was_saved_is_not_saved_again() -> None:
    """Everything that the store writes is noted, and forgotten when it is written."""
    book = Book()
    done = package("done", [moved(1, "doing"), moved(2, "done")])
    tell(book, replace(showing(done), broken=(broken(),)), LIVE)
    last = book.log(KEY).entries[-1]
    assert (book.changed, book.changed_marks) == ({KEY}, {KEY, PAGE})
    assert book.landings == [("c", KEY, last)]
    assert (book.new_features, book.new_broken) == ({FEATURE: "told"}, {"c1": "told"})
    book.saved()
    assert not any([book.changed, book.changed_marks, book.landings, book.new_features, book.new_broken])
    assert book.landed == {"c": [(KEY, last)]}


@pytest.mark.parametrize("mode", [LIVE, HISTORY])
def test_the_same_again_is_not_saved(mode: Rules) -> None:
    """Neither where the view stands nor what was met; live or as a history."""
    shown = snapshot(package("doing", [moved(1, "doing"), record(at(2), "doing", note="half")]), commit="c")
    book = Book()
    tell(book, shown, mode)
    book.saved()
    assert tell(book, shown, mode) == []
    assert not any([book.changed, book.changed_marks, book.landings])


def test_the_only_record_is_kept() -> None:
    """A page of marks that had nothing has one thing."""
    book = Book()
    tell(book, snapshot(package("planned", [moved(0, "planned")])), LIVE)
    assert list(book.marks[KEY].values()) == ["told"]
    assert book.changed_marks == {KEY}


def test_what_a_history_tells_of_the_baseline_is_kept() -> None:
    """B2: as told, though it was met before."""
    book = Book()
    shown = package("doing", [moved(1, "doing")])
    adopt(book, snapshot(shown), "baseline")
    assert list(book.marks[KEY].values()) == ["baseline"]
    assert book.changed_marks == {KEY}
    book.saved()
    adopt(book, snapshot(shown), "baseline")
    assert book.changed_marks == set()
    tell(book, snapshot(shown, past=True), HISTORY)
    assert list(book.marks[KEY].values()) == ["told"]
    assert book.changed_marks == {KEY}


def test_a_history_counts_whom_it_walked_by() -> None:
    """Also those who came with what it does not tell."""
    book = Book()
    tell(book, snapshot(PLANNED, commit="a"), HISTORY)
    tell(book, snapshot(package("doing", agent="ada"), commit="b", minute=1, origin="elsewhere"), HISTORY)
    told = tell(book, snapshot(package("doing", agent="bob"), commit="c", minute=2), HISTORY)
    assert said(told) == ["WP01 implementation by bob, 1 before"]


def test_only_known() -> None:
    """Others told it, another snapshot says where the lanes stand: met, and nothing else."""
    book = Book()
    shown = package("doing", [moved(1, "doing"), record(at(2), "doing", note="half")])
    assert tell(book, replace(snapshot(shown), only_known=True), LIVE) == []
    assert (book.logs, book.known) == ({}, {})
    assert set(book.marks[KEY].values()) == {"elsewhere"}
    assert book.changed_marks == {KEY}
    assert said(tell(book, snapshot(shown), LIVE)) == [f"feature {FEATURE}", "WP01 created", "WP01 planned→doing"]


def test_adopting_twice_finds_nothing_new() -> None:
    """B1: the first word stands; a feature and a content that were told stay told."""
    book = Book()
    assert adopt(book, snapshot(DOING), "baseline") == 1
    assert adopt(book, snapshot(DOING), "baseline") == 0
    assert len(book.log(KEY).entries) == 1
    told = Book(features={FEATURE: "told"}, broken={"c1": "told"})
    adopt(told, replace(snapshot(DOING), broken=(broken(),)), "elsewhere")
    assert (told.features, told.broken) == ({FEATURE: "told"}, {"c1": "told"})
    assert (told.new_features, told.new_broken) == ({}, {})


@pytest.mark.parametrize("other", ["doing", "done", None])
def test_what_was_complete_when_it_was_adopted(other: str | None) -> None:
    """B1: all that state a lane are done; one that is added is no reason to tell it."""
    book = Book()
    second = package(other, wp_id="WP02")
    adopt(book, snapshot(DONE, second), "baseline")
    complete = other != "doing"
    assert book.marks.get(PAGE) == ({COMPLETE: "baseline"} if complete else None)
    assert (PAGE in book.changed_marks) is complete
    finish = tell(book, showing(DONE, package("done", wp_id="WP02"), package("done", wp_id="WP03")), LIVE)
    assert ("complete: 3" in said(finish)) is not complete


def test_a_commit_that_a_merge_brought() -> None:
    """It is noted where its work package stands in the log, though the view stood there before."""
    book = observed(PLANNED)
    merge = replace(snapshot(PLANNED, commit="m"), brought=frozenset({KEY}))
    assert tell(book, merge, LIVE) == []
    assert book.landings == [("m", KEY, book.log(KEY).entries[0])]


def test_what_brings_nothing() -> None:
    """No landing for a look at a worktree, for what no merge brought, or for what was only taken in."""
    book = observed(PLANNED)
    tell(book, snapshot(PLANNED, commit="n"), LIVE)
    tell(book, replace(snapshot(PLANNED), brought=frozenset({KEY})), LIVE)
    tell(book, snapshot(DOING, minute=1), LIVE)
    tell(book, snapshot(package("doing", [moved(1, "doing")]), commit="t"), LIVE)  # no other lane: no other entry
    assert book.landings == []
    there = Book()
    adopt(there, snapshot(PLANNED), "baseline")
    tell(there, replace(snapshot(PLANNED, commit="m"), brought=frozenset({KEY})), LIVE)
    none = Book(known={KEY: Known(Shown("planned"), None)})
    tell(none, replace(snapshot(PLANNED, commit="m"), brought=frozenset({KEY})), LIVE)
    assert (there.landings, none.landings) == ([], [])
    left_out = Book()
    tell(left_out, snapshot(PLANNED, commit="e", origin="elsewhere"), HISTORY)
    assert left_out.landings == []


def test_where_the_view_stood_before() -> None:
    """When the observation began; what was never seen stood nowhere."""
    book = Book()
    tell(book, snapshot(PLANNED, commit="a"), LIVE)
    assert book.before == {}
    first = book.known[KEY]
    tell(book, snapshot(DOING, commit="b", minute=1), LIVE)
    tell(book, snapshot(DONE, commit="c", minute=2), LIVE)
    assert book.before == {KEY: first}


def _complete() -> Book:
    book = observed(DONE, package("done", wp_id="WP02"))
    assert COMPLETE in book.marks[PAGE]
    return book


def test_left_done_elsewhere() -> None:
    """Who takes one back there need not tell it here: complete again is complete again."""
    book = _complete()
    tell(book, replace(snapshot(DOING, commit="t", minute=1, origin="elsewhere")), LIVE)
    assert said(tell(book, showing(DONE, commit="u", minute=2), LIVE)) == ["WP01 doing→done", "complete: 1"]


def test_what_does_not_leave_done_completes_nothing_again() -> None:
    """Neither one that stays done nor one that comes from another lane."""
    book = _complete()
    tell(book, snapshot(package("done", [moved(1, "done")]), commit="t", minute=1), LIVE)
    for lane in ("planned", "doing", "done"):
        told = said(tell(book, showing(package(lane, wp_id="WP03"), commit=lane, minute=2), LIVE))
        assert told, lane
        assert "complete" not in told[-1]


def test_a_feature_without_facts() -> None:
    """A feature whose facts nobody read is known and not told."""
    book = Book()
    assert said(tell(book, replace(snapshot(PLANNED), features={}), LIVE)) == ["WP01 created"]
    assert book.features == {FEATURE: "told"}


@pytest.mark.parametrize("wp_id", ["WP09", None])
def test_broken_content_that_was_told_by_hand(wp_id: str | None) -> None:
    """Told in the same words: the pair is used up, and the next content is told."""
    book, key = Book(), (FEATURE, wp_id or "")
    one = broken(wp_id=wp_id)
    book.marks[key] = {hand_key(("error", str(one.problem))): "told"}
    assert tell(book, replace(snapshot(), broken=(one,)), LIVE) == []
    assert book.marks[key] == {}
    assert book.changed_marks == {key}
    assert len(tell(book, replace(snapshot(), broken=(broken("c2", wp_id=wp_id),)), LIVE)) == 1


def _apart() -> Book:
    """A log that ends in for_review, and a view that shows planned."""
    log = Log([Entry("created", "planned"), Entry("step", "doing", "a"), Entry("step", "for_review", "b")])
    return Book(logs={KEY: log}, known={KEY: Known(Shown("planned"), log.entries[0])})


def test_differences_on_demand() -> None:
    """B3: from the lane told last to the one that the view shows, once; the view stands at its end."""
    book = _apart()
    moment = NOON + timedelta(minutes=5)
    told = differences(book, {KEY: PLANNED}, {}, moment, LIVE)
    assert said(told) == ["WP01 for_review→planned"]
    assert book.known[KEY] == Known(Shown("planned", 0, book.known[KEY].shown.trail), book.log(KEY).entries[-1])
    assert book.changed == {KEY}
    assert differences(book, {KEY: PLANNED}, {}, moment, LIVE) == []


def test_a_difference_causes_what_a_step_causes() -> None:
    roster = {FEATURE: Roster({"WP01": ()})}
    assert said(differences(_apart(), {KEY: DONE}, roster, NOON, LIVE)) == ["WP01 for_review→done", "complete: 1"]


def test_no_difference() -> None:
    """B3: the same lane, none at all, nothing told yet, or a view that has not shown it; the view stays put."""
    for shown in (REVIEW, package("foo")):
        book = _apart()
        assert differences(book, {KEY: shown}, {}, NOON, LIVE) == []
        assert book.known[KEY] == Known(Shown("planned"), book.log(KEY).entries[0])
    for book in (Book(known=_apart().known), Book(logs=_apart().logs)):
        assert differences(book, {KEY: PLANNED}, {}, NOON, LIVE) == []
