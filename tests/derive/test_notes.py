"""Which records and feedback are notes, whose they are, and how they are kept (rules 1 and 2 of `beside`)."""

from __future__ import annotations

from datetime import timedelta

from kittywatch.derive.beside import Note, place_of, take_in
from kittywatch.derive.book import Book, adopt, tell, tell_worktree
from kittywatch.derive.marks import Marks, feedback_key, pairs_up, record_keys
from kittywatch.derive.tellings import BesideTold, Telling
from msgspec.structs import replace

from kittywatch.derive.edits import WorktreeLook
from kittywatch.workpackages.reader import WorkPackage
from tests.builders import record
from tests.derive.packages import KEY, NAMES, NOON, at, moved, package, rules, snapshot

LIVE, HISTORY = rules(), rules("history")
CREATED = record(at(0), "planned", agent="system", note="Prompt created")
FEEDBACK = "## Review Feedback\n\nNames are missing.\n\n## More"


def note(minute: int, lane: str, text: str = "halfway") -> str:
    return record(at(minute), lane, note=text)


def notes(tellings: list[Telling]) -> list[Note]:
    found = [one.beside.what for one in tellings if isinstance(one, BesideTold)]
    return [one for one in found if isinstance(one, Note)]


def view(book: Book, one: WorkPackage, minute: int = 0) -> list[Note]:
    """The notes that one commit tells."""
    told = notes(tell(book, snapshot(one, minute=minute, commit=f"c{minute}"), LIVE))
    book.saved()
    return told


def test_without_a_lane_nothing_is_told() -> None:
    """R3: an edit that breaks the lane tells neither its notes nor its agent, until the lane is mended."""
    book = Book()
    view(book, package("doing", [CREATED, moved(1, "doing")]))
    broken = package("foo", [CREATED, moved(1, "doing"), note(2, "doing")], agent="ada")
    book.worktree = WorktreeLook(NOON, {KEY: broken})
    assert tell_worktree(book, [], LIVE) == []
    mended = package("doing", [CREATED, moved(1, "doing"), note(2, "doing")])
    assert [one.content for one in view(book, mended, 3)] == ["halfway"]


def test_a_record_that_names_no_lane_leaves_the_lane_as_it_is() -> None:
    trail = [CREATED, note(1, "somewhere"), note(2, "planned", "refined")]
    book = Book()
    assert [one.content for one in view(book, package("planned", trail))] == ["refined"]


def test_the_first_record_of_a_file_may_be_a_note() -> None:
    """Where it names the lane that was set without one; only one that says planned is the creation."""
    book = Book()
    view(book, package("planned"))
    view(book, package("doing"), 1)
    assert [one.content for one in view(book, package("doing", [note(2, "doing")]), 2)] == ["halfway"]


def test_a_record_without_words_says_its_lane() -> None:
    book = Book()
    trail = [CREATED, f"- {at(1)} – claude – lane=planned"]
    assert view(book, package("planned", trail)) == [Note("note", "lane=planned", "claude")]


def test_whose_feedback_it_is() -> None:
    """The reviewer's, else the agent's, else nobody's name."""
    named = replace(package("doing", agent="ada", body=FEEDBACK), reviewer="rita")
    for one, author in (
        (named, "rita"),
        (replace(named, reviewer=None), "ada"),
        (replace(named, reviewer=None, agent=None), "user"),
    ):
        assert view(Book(), one) == [Note("review", "Names are missing.", author)]


def test_how_it_came_to_be_known() -> None:
    """Told, or only taken in from elsewhere: each record, and each text of feedback."""
    first = package("doing", [moved(1, "doing")], body=FEEDBACK)
    book = Book()
    view(book, first)
    assert book.marks[KEY][record_keys(first.trail)[0]] == "told"
    assert book.marks[KEY][feedback_key("Names are missing.")] == "told"
    theirs = package("doing", [moved(1, "doing"), note(2, "doing")], body=FEEDBACK.replace("Names", "Tests"))
    assert tell(book, snapshot(theirs, origin="elsewhere"), LIVE) == []
    assert book.marks[KEY][record_keys(theirs.trail)[1]] == "elsewhere"
    assert book.marks[KEY][feedback_key("Tests are missing.")] == "elsewhere"


def test_a_view_that_sees_what_was_there_before() -> None:
    """B1: silent, also where it shows more than the one that was adopted."""
    book = Book()
    adopt(book, snapshot(package("doing", [moved(1, "doing")])), "baseline")
    more = package("doing", [moved(1, "doing"), note(2, "doing")], agent="ada", body=FEEDBACK)
    assert tell(book, snapshot(more, commit="c"), LIVE) == []
    assert view(book, package("doing", [moved(1, "doing"), note(2, "doing"), note(3, "doing", "more")]), 3) == [
        Note("note", "more", "claude")
    ]


def test_a_history_does_not_meet_what_it_leaves_out() -> None:
    """B2: notes and feedback of it are the next one's news."""
    book = Book()
    shown = package("doing", [moved(1, "doing"), note(2, "doing")], body=FEEDBACK)
    assert tell(book, snapshot(shown, origin="elsewhere"), HISTORY) == []
    assert book.marks == {}
    book.known, book.left_out = {}, set()
    assert [one.kind for one in notes(tell(book, snapshot(shown), HISTORY))] == ["note", "review"]


def test_another_trail_is_met_from_its_beginning() -> None:
    """Where what was known is no beginning of it, its first record as well."""
    book = Book()
    view(book, package("doing", [moved(1, "doing")]))
    other = package("doing", [moved(5, "doing"), note(6, "doing")])
    assert len(view(book, other, 6)) == 1
    assert set(record_keys(other.trail)) <= set(book.marks[KEY])


def test_a_note_that_was_told_by_hand() -> None:
    """In the same words by the same one: whoever comes second is silent."""
    book = Book()
    view(book, package("planned", [CREATED]))
    pairs_up(book.marks[KEY], "h", ("note", "claude", "halfway"))
    assert view(book, package("planned", [CREATED, note(1, "planned")]), 1) == []
    again = package("planned", [CREATED, note(1, "planned"), note(2, "planned")])
    assert view(book, again, 2) == [Note("note", "halfway", "claude")]


def test_taking_in() -> None:
    """Whether any of it was new."""
    marks: Marks = {}
    shown = package("doing", [moved(1, "doing")], body=FEEDBACK)
    assert take_in(marks, shown, "baseline")
    assert not take_in(marks, shown, "elsewhere")
    assert list(marks.values()) == ["baseline", "baseline"]


def test_the_place_of_a_step() -> None:
    """Its record's, by time and lane; behind all of them where it has none."""
    one = package("for_review", [moved(1, "doing"), moved(1, "for_review"), moved(2, "for_review")])
    moment = NOON + timedelta(minutes=1)
    places = [place_of(one, moment, lane, NAMES) for lane in ("doing", "for_review", "done")]
    assert places == [0, 1, 3]
