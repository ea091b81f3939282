"""Notes, review feedback and who takes a work package on: which are told, when, and just once."""

from __future__ import annotations

from kittywatch.derive.book import Book, adopt, tell, tell_worktree
from kittywatch.derive.tellings import BesideTold
from msgspec.structs import replace

from kittywatch.derive.edits import WorktreeLook
from kittywatch.workpackages.reader import WorkPackage
from tests.builders import record
from tests.derive.packages import KEY, NOON, at, moved, package, rules, said, snapshot

LIVE, HISTORY = rules(), rules("history")
CREATED = record(at(0), "planned", agent="system", note="Prompt created")
FEEDBACK = "## Review Feedback\n\nNames are missing.\n\n## More"


def view(book: Book, *packages: WorkPackage, minute: int = 0, commit: str = "c") -> list[str]:
    """What one commit tells, but for creations and steps."""
    told = said(tell(book, snapshot(*packages, minute=minute, commit=f"{commit}{minute}"), LIVE))
    book.saved()
    return [one for one in told if "→" not in one and "created" not in one and "feature" not in one]


def another_view(book: Book) -> None:
    """Another clone looks, from the beginning."""
    book.known = {}


def note(minute: int, lane: str, text: str, agent: str = "claude") -> str:
    return record(at(minute), lane, agent=agent, note=text)


def test_a_note_moves_no_lane() -> None:
    book = Book()
    assert view(book, package("doing", [CREATED, moved(1, "doing")])) == []
    assert view(book, package("doing", [CREATED, moved(1, "doing"), note(2, "doing", "halfway")]), minute=2) == [
        "WP01 note: halfway"
    ]


def test_a_note_after_a_lane_without_a_record() -> None:
    """implement writes the lane alone; the first record of that lane is then a note."""
    book = Book()
    assert view(book, package("planned", [CREATED])) == []
    assert view(book, package("doing", [CREATED]), minute=1) == []
    assert view(book, package("doing", [CREATED, note(2, "doing", "halfway")]), minute=2) == ["WP01 note: halfway"]


def test_the_creation_record_is_none() -> None:
    assert view(Book(), package("planned", [CREATED])) == []
    assert view(Book(), package("planned", [CREATED, note(1, "planned", "refined")])) == ["WP01 note: refined"]


def test_an_unknown_lane_is_no_note() -> None:
    assert view(Book(), package("planned", [CREATED, note(1, "somewhere", "what?")])) == []


def test_notes_stand_among_the_steps() -> None:
    """In the order of the trail, one commit for all."""
    trail = [CREATED, moved(1, "doing"), note(2, "doing", "half"), moved(3, "for_review"), moved(4, "done", "rita")]
    assert said(tell(Book(), snapshot(package("done", trail)), LIVE))[1:] == [
        "WP01 created",
        "WP01 planned→doing",
        "WP01 note: half",
        "WP01 doing→for_review",
        "WP01 review by rita, 0 before",
        "WP01 for_review→done",
    ]


def test_each_note_once_for_all_views() -> None:
    book, shown = Book(), package("doing", [CREATED, moved(1, "doing"), note(2, "doing", "half")])
    assert view(book, shown) == ["WP01 note: half"]
    another_view(book)
    assert view(book, shown) == []
    assert view(book, shown, minute=1) == []


def test_two_notes_of_one_second() -> None:
    book, trail = Book(), [CREATED, note(2, "planned", "one"), note(2, "planned", "two")]
    assert view(book, package("planned", trail)) == ["WP01 note: one", "WP01 note: two"]
    another_view(book)
    assert view(book, package("planned", trail)) == []


def test_a_polished_note_is_no_news() -> None:
    book = Book()
    view(book, package("planned", [CREATED, note(2, "planned", "hlaf")]))
    assert view(book, package("planned", [CREATED, note(2, "planned", "half")]), minute=3) == []


def test_a_trail_that_was_mixed_up_tells_what_nobody_met() -> None:
    book = Book()
    view(book, package("planned", [CREATED, note(2, "planned", "b")]))
    mixed = [CREATED, note(1, "planned", "a"), note(2, "planned", "b")]
    assert view(book, package("planned", mixed), minute=3) == ["WP01 note: a"]


def test_what_was_there_before_is_told_by_a_history_alone() -> None:
    """B1, B2"""
    shown = package("doing", [CREATED, moved(1, "doing"), note(2, "doing", "half")], agent="ada", body=FEEDBACK)
    book = Book()
    adopt(book, snapshot(shown), "baseline")
    book.saved()
    assert view(book, shown) == []
    another_view(book)
    past = snapshot(shown, commit="c0", past=True)
    assert [one for one in said(tell(book, past, HISTORY)) if "→" not in one][2:] == [
        "WP01 note: half",
        "WP01 review: Names are missing.",
        "WP01 implementation by ada, 0 before",
    ]
    another_view(book)
    assert said(tell(book, past, HISTORY)) == []


def test_elsewheres_notes_are_not_ours() -> None:
    """O3"""
    book = Book()
    first = package("doing", [CREATED, moved(1, "doing")], agent="ada")
    view(book, first)
    theirs = package("doing", [CREATED, moved(1, "doing"), note(2, "doing", "theirs")], agent="bob", body=FEEDBACK)
    assert said(tell(book, snapshot(theirs, minute=2, commit="t", origin="elsewhere"), LIVE)) == []
    ours = replace(theirs, trail=(*theirs.trail, package("doing", [note(3, "doing", "ours")]).trail[0]))
    assert view(book, ours, minute=3) == ["WP01 note: ours"]


def test_feedback_once_for_each_text() -> None:
    book = Book()
    view(book, package("for_review"))
    told = tell(book, snapshot(package("planned", body=FEEDBACK), minute=5, commit="f"), LIVE)
    assert "WP01 review: Names are missing." in said(told)
    assert view(book, package("doing", body=FEEDBACK), minute=6) == []
    other = FEEDBACK.replace("Names", "Tests")
    assert view(book, package("doing", body=other), minute=7) == ["WP01 review: Tests are missing."]


def test_who_works_and_who_reviews() -> None:
    book = Book()
    assert view(book, package("planned", agent="ada")) == []
    assert view(book, package("doing", agent="ada"), minute=1) == ["WP01 implementation by ada, 0 before"]
    assert view(book, package("doing", agent="bob"), minute=2) == ["WP01 implementation by bob, 1 before"]
    assert view(book, package("for_review", agent="bob"), minute=3) == []
    assert view(book, package("for_review", agent="rita"), minute=4) == ["WP01 review by rita, 0 before"]
    assert view(book, package("doing", agent="bob"), minute=5) == ["WP01 implementation by bob, 2 before"]
    assert view(book, package("for_review", agent="bob"), minute=6) == []
    assert view(book, package("done", agent="zoe"), minute=7) == []
    entries = [entry for entry in book.log(KEY).entries if entry.kind == "assigned"]
    assert [entry.agent for entry in entries] == ["ada", "bob", "rita", "bob"]


def test_who_comes_with_the_move_to_review_did_the_work() -> None:
    book = Book()
    told = said(tell(book, snapshot(package("for_review", [CREATED, moved(1, "doing")], agent="ada")), LIVE))
    assert told[-3:] == [
        "WP01 created",
        "WP01 implementation by ada, 0 before",
        "WP01 planned→for_review",
    ]


def test_the_assignee_counts_where_no_agent_is_named() -> None:
    book = Book()
    assert view(book, replace(package("doing"), assignee="Grace")) == ["WP01 implementation by Grace, 0 before"]
    assert view(book, replace(package("doing", agent="ada"), assignee="Grace"), minute=1) == [
        "WP01 implementation by ada, 1 before"
    ]


def test_an_assignment_once_for_all_views() -> None:
    """Other views find it ahead of their cursor, whether they come step by step or all at once."""
    book = Book()
    for minute, (lane, agent) in enumerate([("doing", "ada"), ("doing", "bob"), ("for_review", "rita")]):
        view(book, package(lane, agent=agent), minute=minute)
    view(book, package("for_review", agent="rita"), minute=3)
    another_view(book)
    for minute, (lane, agent) in enumerate([("doing", "ada"), ("doing", "bob"), ("for_review", "rita")]):
        assert view(book, package(lane, agent=agent), minute=minute + 10) == []
    another_view(book)
    assert view(book, package("for_review", agent="rita"), minute=20) == []


def test_back_to_the_first_one() -> None:
    book = Book()
    view(book, package("doing", agent="ada"))
    view(book, package("doing", agent="bob"), minute=1)
    assert view(book, package("doing", agent="ada"), minute=2) == ["WP01 implementation by ada, 2 before"]
    another_view(book)
    for minute, agent in enumerate(("ada", "bob", "ada")):
        assert view(book, package("doing", agent=agent), minute=minute + 5) == []


def test_the_reviewers_record_comes_before_its_step() -> None:
    book = Book()
    trail = [CREATED, moved(1, "doing", "ada"), moved(2, "for_review", "ada")]
    view(book, package("for_review", trail, agent="ada"))
    back = [*trail, moved(3, "doing", "rita")]
    assert said(tell(book, snapshot(package("doing", back, agent="ada"), minute=3, commit="r"), LIVE)) == [
        "WP01 review by rita, 0 before",
        "WP01 for_review→doing",
        "WP01 implementation by ada, 1 before",
    ]


def test_a_reviewer_who_was_told_of_is_no_news_by_the_record() -> None:
    """Rule 4 after rule 3: the frontmatter named her first, the record of her decision says the same."""
    book = Book()
    trail = [CREATED, moved(1, "doing", "ada"), moved(2, "for_review", "ada")]
    view(book, package("for_review", trail, agent="ada"))
    assert view(book, package("for_review", trail, agent="rita"), minute=3) == ["WP01 review by rita, 0 before"]
    decided = package("done", [*trail, moved(4, "done", "rita")], agent="rita")
    assert said(tell(book, snapshot(decided, minute=4, commit="d"), LIVE)) == ["WP01 for_review→done"]


def test_a_history_leaves_an_assignment_of_elsewhere_to_the_next_one() -> None:
    """B2: what it left out is claimed by nobody."""
    book = Book()
    shown = package("doing", [CREATED, moved(1, "doing")], agent="ada")
    assert said(tell(book, snapshot(shown, commit="t", origin="elsewhere"), HISTORY)) == []
    assert book.log(KEY).entries == []
    book = Book()
    assert said(tell(book, snapshot(shown, commit="t"), HISTORY))[-1] == "WP01 implementation by ada, 0 before"


def test_a_tool_without_a_name_reviews_nothing() -> None:
    trail = [CREATED, moved(1, "doing", "ada"), moved(2, "for_review", "ada"), moved(3, "done", "system")]
    assert view(Book(), package("done", trail)) == []


def test_an_edit_tells_and_the_commit_is_silent() -> None:
    book = Book()
    view(book, package("planned", [CREATED]))
    edited = package("doing", [CREATED, moved(1, "doing"), note(2, "doing", "half")], agent="ada", body=FEEDBACK)
    book.worktree = WorktreeLook(NOON, {KEY: edited}, {})
    told = tell_worktree(book, [], LIVE)
    assert [type(one) for one in told].count(BesideTold) == 3
    book.worktree = WorktreeLook(NOON, {}, {KEY: edited})
    assert view(book, edited, minute=4) == []
    assert tell_worktree(book, [], LIVE) == []


def test_a_commit_that_brings_more_than_the_edit_that_was_told() -> None:
    """The feedback and the agent came between the look and the commit; the lane and the trail were told."""
    book = Book()
    view(book, package("planned", [CREATED]))
    trail = [CREATED, moved(1, "doing")]
    book.worktree = WorktreeLook(NOON, {KEY: package("doing", trail)}, {})
    tell_worktree(book, [], LIVE)
    assert view(book, package("doing", trail, agent="ada", body=FEEDBACK), minute=4) == [
        "WP01 review: Names are missing.",
        "WP01 implementation by ada, 0 before",
    ]


def test_an_agent_taken_back_before_the_commit() -> None:
    """Uncommitted: the one who is told of stays told, and the commit with the first one is no news."""
    book = Book()
    view(book, package("doing", agent="ada"))
    book.worktree = WorktreeLook(NOON, {KEY: package("doing", agent="bob")}, {})
    assert said(tell_worktree(book, [], LIVE)) == ["WP01 implementation by bob, 1 before"]
    assert said(tell_worktree(book, [], LIVE)) == []
    book.worktree = WorktreeLook(NOON, {}, {})
    assert view(book, package("doing", agent="ada", body="more"), minute=4) == []
    assert view(book, package("doing", agent="bob"), minute=5) == []
