"""Commits and edits that are taken back, and views that a checkout has left meanwhile (O5)."""

from __future__ import annotations

from kittywatch.derive.book import Book, stand_back, tell, tell_worktree, undo
from kittywatch.derive.edits import WorktreeLook
from kittywatch.derive.landings import standing
from kittywatch.derive.log import Entry, Log
from kittywatch.derive.settle import Known
from kittywatch.derive.snapshot import Key
from kittywatch.derive.steps import Shown, shown
from kittywatch.derive.tellings import PackageTold
from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.reader import WorkPackage
from tests.derive.packages import KEY, NOON, moved, package, rules, said, snapshot

LIVE = rules()
PLANNED, DOING, REVIEW, DONE = (package(lane) for lane in ("planned", "doing", "for_review", "done"))
FIRST = {"first"}


def look(*, edited: WorkPackage | None = None, clean: WorkPackage | None = None) -> WorktreeLook:
    return WorktreeLook(NOON, {KEY: edited} if edited else {}, {KEY: clean} if clean else {})


def observed(*packages: WorkPackage) -> Book:
    """A book after commits of one work package: `first`, `second` and so on are four seconds apart."""
    book = Book()
    for minute, (one, commit) in enumerate(zip(packages, ("first", "second", "third"), strict=False)):
        tell(book, snapshot(one, commit=commit, minute=minute), LIVE)
        book.saved()
    book.before = {}
    return book


def known(package: WorkPackage, cursor: Entry | None) -> Known:
    seen = shown(package)
    assert seen is not None
    return Known(seen, cursor)


def edited(
    book: Book, one: WorkPackage | None, clean: WorkPackage | None = None, *homes: dict[Key, Known]
) -> list[str]:
    """What a look at the worktree tells."""
    book.worktree = look(edited=one, clean=clean)
    return said(tell_worktree(book, homes, LIVE))


# Commits that are taken back.


def test_without_a_look_it_was_taken_back() -> None:
    """A hook in a bare place, or one that can't look: what the commit shows counts."""
    book = observed(PLANNED, DOING)
    assert said(undo(book, snapshot(PLANNED, commit="first", minute=5), FIRST, LIVE)) == ["WP01 doing→planned"]


def test_what_the_view_has_not_shown_and_an_edit_contains() -> None:
    """A work package that was told as an edit, and that the commit before has in another lane."""
    book = Book()
    edited(book, DOING)
    edit = book.edits[KEY]
    assert undo(book, snapshot(DONE, commit="c"), FIRST, LIVE) == []
    assert book.edits == {KEY: edit}


def test_a_commit_before_that_states_no_lane() -> None:
    """R3: the last good lane stays, whatever the worktree shows."""
    book = observed(PLANNED, DOING)
    before = book.known[KEY]
    book.worktree = look(edited=DOING)
    assert undo(book, snapshot(package("foo"), commit="first"), FIRST, LIVE) == []
    assert book.known[KEY] == before
    assert book.edits == {}


def test_what_an_edit_on_top_had_told_stays_an_edit() -> None:
    """Told, committed and taken back with reset --soft before anybody looked: the worktree still shows it."""
    book = observed(PLANNED, DOING)
    assert edited(book, REVIEW) == ["WP01 doing→for_review"]
    edit = book.edits[KEY]
    assert undo(book, snapshot(PLANNED, commit="first"), FIRST, LIVE) == []
    assert book.edits == {KEY: edit}
    assert book.known[KEY] == known(PLANNED, book.log(KEY).entries[0])
    assert book.landings == []


def test_how_far_a_commit_stands_in_a_log_that_begins_with_a_baseline() -> None:
    """B1: what was there before is reached by every commit."""
    log = Log([Entry("baseline", "planned"), Entry("step", "doing", "a"), Entry("step", "done", "b")])
    book = Book(logs={KEY: log}, landed={"c": [(KEY, log.entries[1])]})
    assert standing(book, KEY, set()) is log.entries[0]
    assert standing(book, KEY, {"c"}) is log.entries[1]


def test_a_branch_that_goes_back_over_others_commits() -> None:
    """O2: it stands where its commit does, at the lane that it had; never further on, and only where it is known."""
    log = Log([Entry("created", "planned"), *(Entry("step", lane, lane) for lane in ("doing", "planned", "doing"))])
    landed = {"early": [(KEY, log.entries[1])], "late": [(KEY, log.entries[3])]}
    for at, commits, expected in ((3, {"early"}, 1), (1, {"late"}, 1), (3, set[str](), 3)):
        book = Book(logs={KEY: log}, known={KEY: Known(Shown("doing"), log.entries[at])}, landed=landed)
        stand_back(book, {KEY, ("002-other", "WP01")}, commits)
        assert book.known == {KEY: Known(Shown("doing"), log.entries[expected])}
    other = Book(logs={KEY: log}, known={KEY: Known(Shown("planned"), log.entries[2])}, landed=landed)
    stand_back(other, {KEY}, {"early"})
    assert other.known[KEY].cursor is log.entries[2]


def test_others_commits_bring_nothing() -> None:
    """O3: what they have in common with what was told here says too little."""
    book = observed(PLANNED, DOING)
    book.known[KEY] = known(PLANNED, book.log(KEY).entries[0])
    assert tell(book, snapshot(DOING, commit="theirs", minute=1, origin="elsewhere"), LIVE) == []
    assert book.known[KEY].cursor is book.log(KEY).entries[1]
    assert book.landings == []


# What a worktree shows while its commit moves on.


def test_a_commit_that_moves_on_without_the_worktree() -> None:
    """Scenario 27: made by libgit2 or a push, it leaves the files as they were: they have become an old edit."""
    book = observed(PLANNED)
    start = book.known[KEY]
    tell(book, snapshot(DOING, commit="pushed", minute=1), LIVE)
    assert edited(book, PLANNED) == []
    assert book.edits == {KEY: start}
    assert edited(book, None, DOING) == []


def test_an_edit_that_goes_back_to_where_the_view_began_is_told() -> None:
    """O5: it was an edit before, of which something older was committed; now the files show the beginning again."""
    book = observed(PLANNED)
    assert edited(book, DOING) == ["WP01 planned→doing"]
    assert edited(book, REVIEW) == ["WP01 doing→for_review"]
    book.before = {}
    assert tell(book, snapshot(DOING, commit="staged", minute=1), LIVE) == []
    assert edited(book, PLANNED) == ["WP01 for_review→planned"]


def test_an_edit_that_was_told_elsewhere_in_the_project_is_counted() -> None:
    """O1: another checkout told it; this one finds it."""
    book = observed(PLANNED, DOING)
    book.known[KEY] = known(PLANNED, book.log(KEY).entries[0])
    already = book.already_told
    assert edited(book, DOING) == []
    assert book.already_told == already + 1


def test_an_edit_that_states_no_lane_is_not_seen() -> None:
    """D2"""
    book = Book()
    assert edited(book, package("foo")) == []
    assert book.edits == {}


def test_an_edit_that_shows_what_the_commit_shows_is_none() -> None:
    """The lane went there and back: the next time is a third transition, committed or not."""
    book = observed(PLANNED)
    edited(book, DOING)
    assert edited(book, package("planned", body="More words.")) == ["WP01 doing→planned"]
    assert book.edits == {}
    assert book.known[KEY].cursor is book.log(KEY).entries[-1]
    assert KEY in book.changed
    assert said(tell(book, snapshot(DOING, commit="c", minute=3), LIVE)) == ["WP01 planned→doing"]


def test_a_commit_that_comes_in_leaves_the_edit_alone() -> None:
    """O3: a pull beneath an edit; what is no commit's leaves it alone as well."""
    book = observed(PLANNED)
    edited(book, REVIEW)
    edit = book.edits[KEY]
    book.worktree = look(clean=DOING)
    assert tell(book, snapshot(DOING, commit="theirs", origin="elsewhere"), LIVE) == []
    assert book.edits == {KEY: edit}
    assert book.known[KEY].shown.lane == "doing"
    tell(book, snapshot(REVIEW), LIVE)
    assert book.edits == {KEY: edit}


def test_a_commit_of_something_else_tells_it_itself() -> None:
    """Not the look that comes after it: the step has its commit."""
    book = observed(PLANNED)
    edited(book, DOING)
    book.worktree = look(clean=DONE)
    (told,) = tell(book, snapshot(DONE, commit="second", minute=1), LIVE)
    assert isinstance(told, PackageTold)
    assert (said([told]), told.commit) == (["WP01 doing→done"], "second")
    assert book.edits == {}


def test_a_commit_of_something_older_keeps_the_edit() -> None:
    """Scenario 8: staged doing, for_review in the file; with a look, and without one."""
    for there in (look(edited=REVIEW), None):
        book = observed(PLANNED)
        edited(book, DOING)
        edited(book, REVIEW)
        edit = book.edits[KEY]
        book.worktree = there
        assert tell(book, snapshot(DOING, commit="second", minute=1), LIVE) == []
        assert book.edits == {KEY: edit}


def test_a_commit_of_something_else_that_nobody_can_look_after() -> None:
    """Without a look the edit counts as gone."""
    book = observed(PLANNED)
    edited(book, DOING)
    book.worktree = None
    assert said(tell(book, snapshot(DONE, commit="second", minute=1), LIVE)) == ["WP01 doing→done"]


# Edits that are discarded, when the checkout has been on several branches.


def stands(book: Book, lane: Lane, index: int) -> dict[Key, Known]:
    return {KEY: Known(Shown(lane), book.log(KEY).entries[index])}


def test_an_edit_that_was_committed_on_another_branch() -> None:
    """Told as an edit, committed there, and back here: no transition."""
    book = observed(PLANNED)
    edited(book, DOING)
    before, there = dict(book.known), stands(book, "doing", 1)
    assert edited(book, None, PLANNED, dict(before), there) == []
    assert (book.known, book.edits) == (before, {})
    assert there == stands(book, "doing", 1)


def test_an_edit_that_was_discarded_before_another_branch_was_checked_out() -> None:
    """It goes back on the branch where it was made; where the checkout is now, nothing has moved."""
    book = observed(PLANNED)
    edited(book, DOING)
    home, here = dict(book.known), stands(book, "planned", 0)
    book.known = dict(here)
    book.changed.clear()
    assert edited(book, None, PLANNED, home) == ["WP01 doing→planned"]
    assert home[KEY].cursor is book.log(KEY).entries[-1]
    assert (book.known, book.changed) == (here, set())


def test_an_edit_that_was_discarded_here_moves_the_view() -> None:
    book = observed(PLANNED)
    edited(book, DOING)
    assert edited(book, None, PLANNED) == ["WP01 doing→planned"]
    assert book.known[KEY].cursor is book.log(KEY).entries[-1]
    assert book.changed == {KEY}


def test_what_the_view_shows_comes_back_with_its_trail() -> None:
    """The records of what is checked out count as known; a discarded edit's don't."""
    trail = [moved(1, "planned")]
    book = observed(package("planned", trail))
    edited(book, package("doing", [*trail, moved(2, "doing")]))
    assert edited(book, None, package("planned", trail)) == ["WP01 doing→planned"]
    assert book.known[KEY].shown == shown(package("planned", trail))


def test_an_edit_that_no_view_knows_is_forgotten() -> None:
    """Its work package was never committed on a branch that the checkout was on."""
    book = Book()
    edited(book, DOING)
    assert edited(book, None, DOING, {}) == []
    assert (book.edits, book.known) == ({}, {})


def test_an_agent_who_was_discarded() -> None:
    """Rule 5 of what stands beside: no lane moved, and who had it has it still; committed, it is no news."""
    ada, bob = package("doing", agent="ada"), package("doing", agent="bob")
    book = observed(ada)
    assert edited(book, bob) == ["WP01 implementation by bob, 1 before"]
    assert edited(book, None, ada) == []
    assert book.edits == {}
    assert tell(book, snapshot(package("doing", agent="ada", body="More."), commit="second"), LIVE) == []
    assert tell(book, snapshot(bob, commit="third"), LIVE) == []


def test_an_agent_who_was_discarded_after_the_lane_went_there_and_back() -> None:
    """The lane counts as gone through, the agent doesn't."""
    ada = package("doing", agent="ada")
    book = observed(ada)
    edited(book, package("for_review", agent="ada"))
    assert edited(book, package("doing", [moved(5, "doing", "ada")], agent="bob")) == [
        "WP01 for_review→doing",
        "WP01 implementation by bob, 1 before",
    ]
    assert edited(book, None, ada) == []
    assert tell(book, snapshot(package("doing", agent="ada", body="More."), commit="second"), LIVE) == []
