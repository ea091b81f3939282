"""Which entries commits are known to have brought, without having told them (O1, O4)."""

from __future__ import annotations

from kittywatch.derive.book import Book, tell, tell_worktree
from kittywatch.derive.edits import WorktreeLook
from kittywatch.derive.landings import land, standing
from kittywatch.derive.snapshot import Origin
from kittywatch.workpackages.reader import WorkPackage
from tests.derive.packages import KEY, NOON, package, rules, said, snapshot

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
