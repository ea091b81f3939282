"""A project's page of the ledger in memory: in which order things are told, and which are told at all."""

from __future__ import annotations

from msgspec.structs import replace

from kittywatch.derive.book import Book, adopt, stand_back, tell, tell_worktree, undo
from kittywatch.derive.edits import WorktreeLook
from kittywatch.derive.landings import standing
from kittywatch.derive.settle import Known
from kittywatch.derive.snapshot import BrokenContent
from kittywatch.derive.steps import Shown
from kittywatch.workpackages.reader import Problem, WorkPackage
from tests.builders import FEATURE
from tests.derive.packages import KEY, NOON, moved, package, rules, said, snapshot

LIVE, HISTORY = rules(), rules("history")


def broken(path: str = "kitty-specs/001-login/tasks/WP09.md", content: str = "c1") -> BrokenContent:
    return BrokenContent(Problem(path, 1, "no good"), FEATURE, "WP09", content)


def look(*, edited: WorkPackage | None = None, clean: WorkPackage | None = None) -> WorktreeLook:
    return WorktreeLook(NOON, {KEY: edited} if edited else {}, {KEY: clean} if clean else {})


def observed(*packages: WorkPackage) -> Book:
    """A book after a first commit with these work packages."""
    book = Book()
    tell(book, snapshot(*packages, commit="first"), LIVE)
    book.saved()
    return book


def test_order() -> None:
    """By feature, then work package, then the order of the steps; FeatureCreated before its WPCreated."""
    book = Book()
    shown = snapshot(
        package("doing", feature="002-b"),
        package("done", [moved(1, "doing"), moved(2, "done")], wp_id="WP02"),
        package("planned", wp_id="WP01"),
        package("planned", feature="002-b", wp_id="WP10"),
    )
    assert said(tell(book, replace(shown, broken=(broken(),)), LIVE)) == [
        f"feature {FEATURE}",
        "WP01 created",
        "WP02 created",
        "WP02 planned→doing",
        "WP02 doing→done",
        "broken kitty-specs/001-login/tasks/WP09.md",
        "feature 002-b",
        "WP01 created",
        "WP01 planned→doing",
        "WP10 created",
    ]


def test_the_same_again_tells_nothing() -> None:
    """O1: in the same view and, with the cursor at the beginning, in another one."""
    shown = replace(snapshot(package("doing"), commit="c"), broken=(broken(),))
    book = Book()
    tell(book, shown, LIVE)
    assert tell(book, shown, LIVE) == []
    book.saved()
    book.known = {}
    assert tell(book, shown, LIVE) == []


def test_a_feature_is_told_with_its_first_work_package_and_once() -> None:
    """A work package that states no lane is not seen (D2), nor is its feature."""
    book = Book()
    assert tell(book, snapshot(package(None)), LIVE) == []
    assert said(tell(book, snapshot(package("planned")), LIVE)) == [f"feature {FEATURE}", "WP01 created"]
    assert said(tell(book, snapshot(package("planned", wp_id="WP02")), LIVE)) == ["WP02 created"]


def test_broken_content_is_told_once_each() -> None:
    """R5: one ErrorLogged per broken content."""
    book = Book()
    first, second = broken(content="c1"), broken(content="c2")
    assert len(tell(book, replace(snapshot(), broken=(first,)), LIVE)) == 1
    assert len(tell(book, replace(snapshot(), broken=(first, second)), LIVE)) == 1
    assert tell(book, replace(snapshot(minute=9), broken=(second, first)), LIVE) == []
    assert book.new_broken == {"c1": "told", "c2": "told"}


def test_an_invalid_lane_keeps_the_last_good_one() -> None:
    """R3, scenario 33: foo is an error and no transition; then doing is one from planned."""
    book = observed(package("planned"))
    assert tell(book, snapshot(package("foo")), LIVE) == []
    assert said(tell(book, snapshot(package("doing")), LIVE)) == ["WP01 planned→doing"]


def test_baseline_is_silent() -> None:
    """B1: what is there is counted and not told: work packages, their feature, what is broken."""
    book = Book()
    shown = replace(snapshot(package("doing"), package("planned", wp_id="WP02"), package(None, wp_id="WP03")))
    shown = replace(shown, broken=(broken(),))
    assert adopt(book, shown, "baseline") == 2
    assert tell(book, shown, LIVE) == []
    assert said(tell(book, snapshot(package("done")), LIVE)) == ["WP01 doing→done"]


def test_a_history_tells_the_baseline() -> None:
    """B1, B2: the feature, the work packages and the broken content; once."""
    book = Book()
    adopt(book, replace(snapshot(package("doing")), broken=(broken(),)), "baseline")
    past = replace(snapshot(package("doing"), past=True), broken=(broken(),))
    words = [f"feature {FEATURE}", "WP01 created", "WP01 planned→doing", "broken kitty-specs/001-login/tasks/WP09.md"]
    assert said(tell(book, past, HISTORY)) == words
    book.known = {}
    assert tell(book, past, HISTORY) == []


def test_elsewhere_is_silent() -> None:
    """O3: a feature, a work package and a broken content that others made are known from then on."""
    book = Book()
    theirs = replace(snapshot(package("doing"), origin="elsewhere"), broken=(broken(),))
    assert tell(book, theirs, LIVE) == []
    assert said(tell(book, replace(snapshot(package("done")), broken=(broken(),)), LIVE)) == ["WP01 doing→done"]
    assert book.features == {FEATURE: "elsewhere"}


def test_a_history_claims_nothing_that_it_leaves_out() -> None:
    """B2: what --since leaves out is told by the next replay, the feature and what is broken too."""
    book = Book()
    left_out = replace(snapshot(package("doing"), origin="elsewhere"), broken=(broken(),))
    assert tell(book, left_out, HISTORY) == []
    assert (book.features, book.broken) == ({}, {})
    later = replace(snapshot(package("planned", wp_id="WP02")), broken=(broken(),))
    assert said(tell(book, later, HISTORY)) == ["WP02 created"]
    book.known, book.left_out = {}, set()
    assert len(tell(book, replace(left_out, origin="here"), HISTORY)) == 4


def test_an_entry_is_found_by_its_commit() -> None:
    """O1: a second view that comes upon the commit stands where it brought the first one."""
    book = observed(package("planned"))
    tell(book, snapshot(package("doing"), commit="a"), LIVE)
    tell(book, snapshot(package("planned"), commit="b"), LIVE)
    tell(book, snapshot(package("doing"), commit="c"), LIVE)
    book.saved()
    entries = book.log(KEY).entries
    book.known = {KEY: Known(Shown("planned"), entries[0])}
    assert tell(book, snapshot(package("doing"), commit="c"), LIVE) == []
    assert book.known[KEY].cursor is entries[3]
    assert standing(book, KEY, {"a"}) is entries[1]
    assert standing(book, KEY, {"a", "c"}) is entries[3]
    assert standing(book, KEY, set()) is None


def test_a_commit_that_is_taken_back() -> None:
    """O5: a reset takes a lane back, which is told."""
    book = observed(package("planned"))
    tell(book, snapshot(package("doing"), commit="a"), LIVE)
    book.saved()
    book.worktree = look(clean=package("planned"))
    assert said(undo(book, snapshot(package("planned"), commit="first"), {"first"}, LIVE)) == ["WP01 doing→planned"]


def test_a_commit_that_becomes_an_edit() -> None:
    """Scenario 19b: after reset --soft the files still show it: silent, and silent when it is committed again."""
    book = observed(package("planned"))
    tell(book, snapshot(package("doing"), commit="a"), LIVE)
    book.saved()
    book.worktree = look(edited=package("doing"))
    assert undo(book, snapshot(package("planned"), commit="first"), {"first"}, LIVE) == []
    assert book.known[KEY].shown.lane == "planned"
    assert book.edits[KEY].shown.lane == "doing"
    assert tell_worktree(book, [], LIVE) == []
    assert tell(book, snapshot(package("doing"), commit="b"), LIVE) == []
    assert book.edits == {}


def test_back_to_the_same_lane() -> None:
    """O2: who went back over told steps, of which nothing was told, finds them ahead again."""
    book = observed(package("planned"))
    for number, lane in enumerate(("doing", "planned"), start=1):
        tell(book, snapshot(package(lane), commit=f"c{number}", minute=number), LIVE)
        book.saved()
    stand_back(book, {KEY}, {"first"})
    assert book.known[KEY].cursor is book.log(KEY).entries[0]
    again = [snapshot(package(lane), commit=f"c{at}", minute=at) for at, lane in enumerate(("doing", "planned"), 1)]
    assert [words for one in again for words in said(tell(book, one, LIVE))] == []
    stand_back(book, {KEY}, {"first", "c1"})
    assert book.known[KEY].cursor is book.log(KEY).entries[2], "there it is in another lane"
