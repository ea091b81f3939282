"""Edits that are not committed: a worktree leads, commits follow, and undoing is a transition (O5)."""

from __future__ import annotations

from kittywatch.derive.book import Book, tell, tell_worktree
from kittywatch.derive.edits import WorktreeLook, settle_commit
from kittywatch.derive.log import Entry, Log
from kittywatch.derive.settle import Known, Sighting
from kittywatch.derive.steps import shown
from kittywatch.workpackages.reader import WorkPackage
from tests.builders import FEATURE
from tests.derive.packages import KEY, NOON, arrow, moved, package, rules, said, snapshot

LIVE = rules()
PLANNED, DOING, REVIEW, DONE = (package(lane) for lane in ("planned", "doing", "for_review", "done"))


class Desk:
    """One checkout: a book, a commit that is checked out, and files beyond it."""

    def __init__(self) -> None:
        self.book = Book()
        self.commits = 0
        self.commit(PLANNED)

    def commit(self, one: WorkPackage, *, left: WorkPackage | None = None) -> list[str]:
        """Commit a work package; `left` is what the worktree shows where that is something else."""
        self.commits += 1
        self.book.worktree = self.look(left, one)
        words = said(tell(self.book, snapshot(one, commit=f"c{self.commits}", minute=self.commits), LIVE))
        words += said(tell_worktree(self.book, [], LIVE))
        self.book.saved()
        return words

    def show(self, edited: WorkPackage | None, clean: WorkPackage | None = None) -> list[str]:
        """Look at the worktree."""
        self.book.worktree = self.look(edited, clean)
        return said(tell_worktree(self.book, [], LIVE))

    @staticmethod
    def look(edited: WorkPackage | None, clean: WorkPackage | None) -> WorktreeLook:
        return WorktreeLook(NOON, {KEY: edited} if edited else {}, {KEY: clean} if clean and not edited else {})


def test_what_a_look_shows() -> None:
    """An edit before what is clean; None where nothing is."""
    assert Desk.look(DOING, None).shows(KEY) == shown(DOING)
    assert Desk.look(None, PLANNED).shows(KEY) == shown(PLANNED)
    assert Desk.look(None, None).shows(KEY) is None


def test_an_edit_is_told_when_it_is_seen_and_its_commit_is_silent() -> None:
    """Scenario 4: W tells planned→doing; the commit brings nothing more."""
    desk = Desk()
    assert desk.show(DOING) == ["WP01 planned→doing"]
    assert desk.show(DOING) == []
    assert desk.commit(DOING) == []
    assert desk.book.edits == {}


def test_an_edit_that_is_discarded() -> None:
    """Scenario 5: planned→doing, doing→planned."""
    desk = Desk()
    assert desk.show(DOING) == ["WP01 planned→doing"]
    assert desk.show(None, PLANNED) == ["WP01 doing→planned"]
    assert desk.book.edits == {}
    assert desk.show(DOING) == ["WP01 planned→doing"]


def test_edits_one_after_another_and_one_commit() -> None:
    """Scenario 6: W: 2, without a trail."""
    desk = Desk()
    assert desk.show(DOING) == ["WP01 planned→doing"]
    assert desk.show(REVIEW) == ["WP01 doing→for_review"]
    assert desk.commit(REVIEW) == []


def test_a_commit_of_something_older() -> None:
    """Scenario 8: staged doing, edited to for_review: 2 in all, none from the commit."""
    desk = Desk()
    assert desk.show(DOING) == ["WP01 planned→doing"]
    assert desk.show(REVIEW) == ["WP01 doing→for_review"]
    assert desk.commit(DOING, left=REVIEW) == []
    assert desk.commit(REVIEW) == []


def test_a_commit_of_something_older_that_nobody_saw() -> None:
    """Scenario 8 where the first edit was missed: what the worktree shows contains the commit."""
    desk = Desk()
    assert desk.show(REVIEW) == ["WP01 planned→for_review"]
    assert desk.commit(DOING, left=REVIEW) == []
    assert desk.commit(REVIEW) == []


def test_a_commit_of_something_else() -> None:
    """The edit is gone and another lane is committed: one step from what was told."""
    desk = Desk()
    assert desk.show(DOING) == ["WP01 planned→doing"]
    assert desk.commit(DONE) == ["WP01 doing→done"]
    assert desk.book.edits == {}


def test_a_new_file_that_is_not_committed() -> None:
    """D2: seen first as an edit: created with its feature; its commit is silent."""
    book = Book()
    book.worktree = WorktreeLook(NOON, {KEY: DOING}, features=snapshot(DOING).features)
    assert said(tell_worktree(book, [], LIVE)) == [f"feature {FEATURE}", "WP01 created", "WP01 planned→doing"]
    assert tell(book, snapshot(DOING, commit="c"), LIVE) == []


def test_an_edit_with_a_trail() -> None:
    """Scenario 7: both records, 2 steps; committed: none."""
    desk = Desk()
    now = package("for_review", [moved(1, "doing"), moved(2, "for_review")])
    assert desk.show(now) == ["WP01 planned→doing", "WP01 doing→for_review"]
    assert desk.commit(now) == []


def test_an_edit_that_shows_the_commits_lane_again() -> None:
    """D1: only the body differs now; the lane went there and back, both told."""
    desk = Desk()
    desk.show(DOING)
    body = package("planned", body="More words.")
    assert desk.show(body) == ["WP01 doing→planned"]
    assert desk.show(None, PLANNED) == []


def test_an_edit_that_went_there_and_back_in_its_trail() -> None:
    """D1: both ways are told; taking the records back after that is none."""
    desk = Desk()
    assert desk.show(package("doing", [moved(1, "doing")])) == ["WP01 planned→doing"]
    back = package("planned", [moved(1, "doing"), moved(2, "planned")])
    assert desk.show(back) == ["WP01 doing→planned"]
    assert desk.show(None, PLANNED) == []
    assert desk.book.edits == {}
    assert desk.show(DOING) == ["WP01 planned→doing"]


def test_an_edit_that_is_discarded_on_the_way_to_another_branch() -> None:
    """O5: it is taken back where it was made; the branch that is checked out by then stands where it stood."""
    desk = Desk()
    desk.show(DOING)
    left = dict(desk.book.known)
    stood = desk.book.known[KEY]
    desk.book.worktree = desk.look(None, PLANNED)
    assert said(tell_worktree(desk.book, [left], LIVE)) == ["WP01 doing→planned"]
    assert left[KEY].cursor is desk.book.log(KEY).entries[-1]
    assert left[KEY].shown == stood.shown
    assert desk.book.known[KEY] == stood
    assert desk.book.edits == {}


def test_a_new_file_that_states_no_lane() -> None:
    """D2: it is not seen yet; then it is, with all that it says."""
    book = Book()
    book.worktree = WorktreeLook(NOON, {KEY: package(None)}, features=snapshot(DOING).features)
    tell_worktree(book, [], LIVE)
    assert book.edits == {}
    assert book.log(KEY).entries == []
    book.worktree = WorktreeLook(NOON, {KEY: DOING}, features=snapshot(DOING).features)
    assert said(tell_worktree(book, [], LIVE))[-2:] == ["WP01 created", "WP01 planned→doing"]


def test_without_a_look_nothing_is_told() -> None:
    """None where nobody looked."""
    desk = Desk()
    desk.book.worktree = None
    assert tell_worktree(desk.book, [], LIVE) == []


def test_a_file_that_is_gone_stays_as_it_was() -> None:
    """D6: in neither list: no event, and the edit is kept."""
    desk = Desk()
    desk.show(DOING)
    assert desk.show(None) == []
    assert desk.show(DOING) == []


def test_an_edit_that_went_there_and_back_before_it_was_discarded() -> None:
    """O5: the lane is the commit's again, the record is not; discarded, the next time is a third transition."""
    desk = Desk()
    assert desk.show(DOING) == ["WP01 planned→doing"]
    assert desk.show(package("planned", [moved(3, "planned")])) == ["WP01 doing→planned"]
    assert desk.show(None, PLANNED) == []
    assert desk.show(DOING) == ["WP01 planned→doing"]


def _log() -> Log:
    return Log([Entry("created", "planned"), Entry("step", "doing", "a"), Entry("step", "for_review", "b")])


def _known(one: WorkPackage, cursor: Entry) -> Known:
    seen = shown(one)
    assert seen is not None
    return Known(seen, cursor)


def _settled(
    log: Log, known: Known, edit: Known, one: WorkPackage, *, worktree: WorkPackage | None = None
) -> tuple[list[str], int, Known | None]:
    """What a commit tells, how much of it was told, and the edit that is left."""
    sighting = Sighting(one, NOON, "c")
    there = shown(worktree) if worktree else None
    settled, left = settle_commit(log, known, edit, sighting, LIVE, frozenset(), worktree=there)
    return [arrow(told.step) for told in settled.told if told.step], settled.already_told, left


def test_a_commit_beyond_the_edit_goes_by_the_commits() -> None:
    """The branch has moved on past an edit that was left behind: a commit of it takes the branch back."""
    for one, step in ((DOING, "for_review→doing"), (DONE, "for_review→done")):
        log = _log()
        edit = _known(DOING, log.entries[1])
        assert _settled(log, _known(REVIEW, log.entries[2]), edit, one) == ([step], 0, edit)


def test_a_commit_of_an_edit_that_moved_no_lane() -> None:
    """The edit is gone with it, and what it brings was told."""
    log = _log()
    noted = package("for_review", [moved(1, "for_review")])
    assert _settled(log, _known(REVIEW, log.entries[2]), _known(noted, log.entries[2]), noted) == ([], 1, None)


def test_a_commit_of_something_older_was_told() -> None:
    """Found in the log, or contained in the edit where that is still there; the edit is left."""
    log = _log()
    edit = _known(REVIEW, log.entries[2])
    assert _settled(log, _known(PLANNED, log.entries[0]), edit, DOING) == ([], 1, edit)
    missed = Log([log.entries[0], log.entries[2]])
    assert _settled(missed, _known(PLANNED, log.entries[0]), edit, DOING, worktree=REVIEW) == ([], 1, edit)


def test_a_commit_takes_the_place_of_an_edit_that_is_gone() -> None:
    """O4, O5: its step is the commit's own, which other branches will find again as what the commit brought."""
    desk = Desk()
    desk.show(DOING)
    desk.show(REVIEW)
    assert desk.commit(DOING) == ["WP01 for_review→doing"]
    last = desk.book.log(KEY).entries[-1]
    assert (last.lane, last.commit, desk.book.known[KEY].cursor) == ("doing", "c2", last)
    assert desk.book.landed["c2"] == [(KEY, last)]
