"""Which entries commits are known to have brought, without having told them (O1, O4)."""

from __future__ import annotations

from msgspec.structs import replace

from kittywatch.derive.book import Book, tell, tell_worktree
from kittywatch.derive.edits import WorktreeLook
from kittywatch.derive.landings import land, stand_as, stand_with, standing
from kittywatch.derive.settle import Known
from kittywatch.derive.snapshot import Origin
from kittywatch.derive.steps import Shown
from kittywatch.workpackages.reader import WorkPackage
from tests.derive.packages import KEY, NOON, moved, package, rules, said, snapshot

LIVE, HISTORY = rules(), rules("history")
PLANNED, DOING, REVIEW = (package(lane) for lane in ("planned", "doing", "for_review"))


def observed(*packages: WorkPackage) -> Book:
    """A book after commits of one work package: `c0`, `c1` and so on."""
    book = Book()
    for minute, one in enumerate(packages):
        tell(book, snapshot(one, commit=f"c{minute}", minute=minute), LIVE)
        book.saved()
    return book


def come(book: Book, one: WorkPackage, commit: str, origin: Origin = "passed") -> list[str]:
    return said(tell(book, snapshot(one, commit=commit, origin=origin, minute=9), LIVE))


def history(book: Book, *commits: tuple[WorkPackage, str]) -> list[str]:
    """What a replay of some commits tells."""
    book.known = {}
    words: list[str] = []
    for one, commit in commits:
        words += said(tell(book, snapshot(one, commit=commit, minute=9), HISTORY))
    return words


def test_copies_land_where_the_view_stands() -> None:
    """O4: neither a view that passes them nor a history has news of them."""
    book = observed(PLANNED, DOING, REVIEW)
    land(book, [snapshot(DOING, commit="copy")])
    book.saved()
    assert [entry for _, entry in book.landed["copy"]] == [book.known[KEY].cursor]
    assert come(book, DOING, "copy") == []
    assert history(book, (PLANNED, "c0"), (DOING, "copy"), (REVIEW, "c2")) == []


def test_a_copy_that_is_known_stays_where_it_landed() -> None:
    """What a commit brought itself, or landed with before, says more than where the view stands."""
    book = observed(PLANNED, DOING, REVIEW)
    before = list(book.landed["c1"])
    land(book, [snapshot(DOING, commit="c1")])
    land(book, [snapshot(DOING, commit="c9")])
    land(book, [snapshot(DOING, commit="c9")])
    book.saved()
    assert book.landed["c1"] == before
    assert len(book.landed["c9"]) == 1


def test_copies_of_what_the_view_has_not_shown() -> None:
    """It stands nowhere: nothing lands."""
    book = observed(PLANNED)
    land(book, [snapshot(package("doing", wp_id="WP02"), commit="copy")])
    assert book.landings == []


def test_what_passed_is_silent_wherever_the_view_stands() -> None:
    """O2: what was told is behind the view's cursor, and stays there."""
    book = observed(PLANNED, DOING, REVIEW)
    cursor = book.known[KEY].cursor
    assert come(book, DOING, "c1") == []
    assert book.known[KEY].cursor is cursor
    assert come(observed(PLANNED, DOING, REVIEW), DOING, "c1", "here") == ["WP01 for_review→doing"]


def test_a_copy_of_others_lands_with_what_others_told() -> None:
    """O3: found by its id, it is theirs wherever it comes next."""
    book = observed(PLANNED)
    tell(book, snapshot(DOING, commit="theirs", origin="elsewhere", minute=1), LIVE)
    book.saved()
    book.known[KEY] = book.before[KEY]
    assert said(tell(book, snapshot(DOING, commit="copy", minute=1), LIVE)) == []
    book.saved()
    assert [entry.kind for _, entry in book.landed["copy"]] == ["theirs"]


def test_what_an_edit_contains_lands_with_it() -> None:
    """What was staged before an edit that was told: the edit is left, and a history is silent."""
    book = observed(PLANNED)
    book.worktree = WorktreeLook(NOON, {KEY: REVIEW}, written={KEY: "one"})
    assert said(tell_worktree(book, [], LIVE)) == ["WP01 planned→for_review"]
    book.written = {KEY: "one"}
    assert said(tell(book, snapshot(DOING, commit="staged", minute=1), LIVE)) == []
    book.saved()
    assert [entry for _, entry in book.landed["staged"]] == [book.edits[KEY].cursor]
    assert history(book, (PLANNED, "c0"), (DOING, "staged"), (REVIEW, "rest")) == []


def look(book: Book, one: WorkPackage) -> list[str]:
    book.worktree = WorktreeLook(NOON, {KEY: one})
    return said(tell_worktree(book, [], LIVE))


def test_what_lands_by_itself_lands_nowhere_else() -> None:
    """A commit that moves no lane brings nothing; one that was told before the edit brings just that."""
    book = observed(PLANNED)
    look(book, DOING)
    look(book, REVIEW)
    assert said(tell(book, snapshot(package("planned", body="More."), commit="text", minute=1), LIVE)) == []
    assert said(tell(book, snapshot(DOING, commit="staged", minute=2), LIVE)) == []
    book.saved()
    assert "text" not in book.landed
    assert [entry.lane for _, entry in book.landed["staged"]] == ["doing"]


def test_what_a_commit_tells_beside_an_edit_lands_there_alone() -> None:
    """The branch has moved on past the edit, which is left."""
    book = observed(PLANNED)
    look(book, DOING)
    edit = book.edits.pop(KEY)
    tell(book, snapshot(DOING, commit="c1", minute=1), LIVE)
    tell(book, snapshot(REVIEW, commit="c2", minute=2), LIVE)
    book.edits[KEY] = edit
    assert said(tell(book, snapshot(PLANNED, commit="c3", minute=3), LIVE)) == ["WP01 for_review→planned"]
    book.saved()
    assert [entry.lane for _, entry in book.landed["c3"]] == ["planned"]


def test_a_file_written_since_the_edit_goes_by_the_commits() -> None:
    """O7: with another fingerprint, a commit of something else was not staged before; without one nobody can say."""
    for written, told in (({KEY: "other"}, ["WP01 for_review→doing"]), ({}, [])):
        book = observed(PLANNED)
        book.worktree = WorktreeLook(NOON, {KEY: REVIEW}, written={KEY: "one"})
        tell_worktree(book, [], LIVE)
        book.written = written
        assert said(tell(book, snapshot(DOING, commit="next", minute=1), LIVE)) == told


def test_standing() -> None:
    """How far in the log a commit stands: as far as the last entry of those that it reaches."""
    book = observed(PLANNED, DOING, REVIEW)
    log = book.log(KEY)
    assert standing(book, KEY, {"c1"}) is log.entries[1]
    assert standing(book, KEY, {"c1", "c2"}) is log.entries[2]
    assert standing(book, KEY, frozenset()) is None


ROUND = [moved(1, "doing"), moved(2, "planned")]
SQUASHED = package("planned", ROUND)


def went_round() -> tuple[Book, Known]:
    """A book as another view stands that has not gone round, and where the one stands that has."""
    book = observed(PLANNED)
    there = book.known[KEY]
    for minute, lane in enumerate(("doing", "planned"), start=1):
        tell(book, snapshot(package(lane, ROUND[:minute]), commit=f"r{minute}", minute=minute), LIVE)
    book.saved()
    known = book.known[KEY]
    book.known[KEY] = there
    return book, known


def squash(book: Book, one: WorkPackage, *others: Known, origin: Origin = "here", commit: str | None = "s") -> None:
    before = dict(book.known)
    seen = snapshot(one, commit=commit, origin=origin, minute=5)
    tell(book, seen, LIVE)
    stand_with(book, seen, before, lambda _: others)


def test_a_squash_of_a_round_stands_behind_it() -> None:
    """O4, O7: it moves no lane; the same step again is news."""
    book, other = went_round()
    squash(book, SQUASHED, other)
    assert book.known[KEY].cursor is other.cursor
    book.saved()
    assert [entry for _, entry in book.landed["s"]] == [other.cursor]
    assert come(book, DOING, "c5", "here") == ["WP01 planned→doing"]


def test_a_squash_that_nobody_else_shows() -> None:
    """Another trail, another lane, a view that is no further, no commit, or not made here: nothing says where it is."""
    for one in (package("planned", [moved(1, "doing"), moved(3, "planned")]), PLANNED):
        book, other = went_round()
        before = book.known[KEY].cursor
        squash(book, one, other)
        assert book.known[KEY].cursor is before
    book, other = went_round()
    before = book.known[KEY].cursor
    squash(book, SQUASHED, replace(other, cursor=None), replace(other, shown=replace(other.shown, lane="done")))
    assert book.known[KEY].cursor is before
    cases: list[tuple[Origin, str | None]] = [("here", None), ("side", "s")]
    for origin, commit in cases:
        book, other = went_round()
        before = book.known[KEY].cursor
        squash(book, SQUASHED, other, origin=origin, commit=commit)
        assert book.known[KEY].cursor is before


def test_the_same_trail_as_before_is_no_squash() -> None:
    """What the view showed all along says nothing of where others have gone since."""
    book, other = went_round()
    squash(book, SQUASHED)
    before = book.known[KEY]
    squash(book, package("planned", ROUND, agent="claude"), other)
    assert book.known[KEY].cursor is before.cursor


def test_a_view_at_the_end_of_the_log_stays_there() -> None:
    book, other = went_round()
    book.known[KEY] = Known(Shown("planned"), other.cursor)
    squash(book, SQUASHED, replace(other, cursor=None))
    assert book.known[KEY].cursor is other.cursor


def test_what_is_behind_a_commit_or_an_edit_is_not_found_by_its_lane() -> None:
    """O7: a merge has brought the step, but kept this side's lane."""
    book, _ = went_round()
    there = snapshot(DOING, commit="c5", minute=5)
    assert said(tell(book, replace(there, behind=frozenset({"r1"})), LIVE)) == ["WP01 planned→doing"]
    book, _ = went_round()
    assert said(tell(book, replace(there, behind=frozenset({"r2", "r9"})), LIVE)) == []
    for behind, told in (({"r1"}, ["WP01 planned→doing"]), ({"r2"}, [])):
        book, _ = went_round()
        book.worktree = WorktreeLook(NOON, {KEY: DOING}, behind=frozenset(behind))
        assert said(tell_worktree(book, [], LIVE)) == told


def test_what_is_behind_is_found_by_its_id() -> None:
    """O4: a cherry-pick of a commit that a merge has brought, and whose lane it has not taken."""
    book, _ = went_round()
    again = replace(snapshot(package("doing", ROUND[:1]), commit="copy", minute=1), behind=frozenset({"r1"}))
    assert said(tell(book, again, LIVE)) == []


def test_a_squash_of_what_this_view_never_showed() -> None:
    """Created on the other branch as well."""
    book, other = went_round()
    book.known.clear()
    squash(book, SQUASHED, other)
    assert book.known[KEY].cursor is other.cursor


def test_a_work_package_without_a_trail_is_no_squash() -> None:
    """It has lost its trail; that others show it without one says nothing."""
    book, other = went_round()
    book.known[KEY] = replace(book.known[KEY], shown=Shown("planned", 1, "abc"))
    before = book.known[KEY].cursor
    squash(book, PLANNED, replace(other, shown=Shown("planned")))
    assert book.known[KEY].cursor is before


def test_a_squash_of_something_unreadable() -> None:
    book, other = went_round()
    squash(book, package("nowhere", wp_id="WP02"), other)
    assert set(book.known) == {KEY}


def test_standing_as_a_commit_that_was_taken_in() -> None:
    """At its lane, as far as it reaches in the log; where it states none the view knows nothing."""
    book = observed(PLANNED, DOING, REVIEW)
    book.known.clear()
    book.changed.clear()
    stand_as(book, snapshot(DOING, package(None, wp_id="WP02")), {"c1"})
    assert {key: known.shown.lane for key, known in book.known.items()} == {KEY: "doing"}
    cursor = book.known[KEY].cursor
    assert cursor is not None
    assert cursor.commit == "c1"
    assert book.changed == {KEY}
