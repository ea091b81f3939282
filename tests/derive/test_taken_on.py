"""Who takes a work package on: when that was, where it stands in the log, and how many were before (rules 3 to 5)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from kittywatch.derive.book import Book, tell
from kittywatch.derive.log import Entry, Log
from kittywatch.derive.settle import Known, Rules
from kittywatch.derive.snapshot import Origin
from kittywatch.derive.tellings import BesideTold

from kittywatch.derive.steps import Shown
from kittywatch.workpackages.reader import WorkPackage
from tests.derive.packages import KEY, NOON, moved, package, rules, said, snapshot

LIVE, HISTORY = rules(), rules("history")


class Walk:
    """Commits one after the other, a minute apart, and what they tell of who took a work package on."""

    def __init__(self, mode: Rules = LIVE, book: Book | None = None) -> None:
        self.book = book or Book()
        self.mode = mode
        self.minute = 0
        self.moments: list[datetime] = []

    def __call__(self, one: WorkPackage, *, origin: Origin = "here", past: bool = False) -> list[str]:
        self.minute += 1
        shown = snapshot(one, commit=f"c{self.minute}", minute=self.minute, origin=origin, past=past)
        tellings = tell(self.book, shown, self.mode)
        self.book.saved()
        self.moments = [one.beside.moment for one in tellings if isinstance(one, BesideTold)]
        words = [one.removeprefix("WP01 ") for one in said(tellings)]
        return [one for one in words if " by " in one]

    def again(self) -> Walk:
        """The same project as another view sees it, from the beginning."""
        self.book.known = {}
        return self

    @property
    def log(self) -> list[str]:
        """The log in short: the lane of an entry that moved one, and who was assigned in which lane."""
        return [
            f"{one.agent} in {one.lane}" if one.kind == "assigned" else f"{one.kind} {one.lane}"
            for one in self.book.log(KEY).entries
        ]

    @property
    def cursor(self) -> Entry | None:
        return self.book.known[KEY].cursor


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


# By the frontmatter.


def test_when_somebody_took_it_on() -> None:
    """With the step; else with the last record of theirs that came along; else when it was seen."""
    walk = Walk()
    walk(package("planned"))
    first = [moved(20, "doing", "ada")]
    assert walk(package("doing", first, agent="ada")) == ["implementation by ada, 0 before"]
    assert walk.moments == [at(20)]
    later = [*first, moved(21, "doing", "bob"), moved(22, "doing", "bob"), moved(23, "doing", "zoe")]
    assert walk(package("doing", later, agent="bob")) == ["implementation by bob, 1 before"]
    assert walk.moments[-1] == at(22)
    assert walk(package("doing", later, agent="carl")) == ["implementation by carl, 2 before"]
    assert walk.moments == [at(4)]
    moved_by_another = Walk()
    assert moved_by_another(package("doing", [moved(20, "doing")], agent="ada")) == ["implementation by ada, 0 before"]
    assert moved_by_another.moments == [at(20)]


def test_who_comes_with_the_move_to_review_began_with_the_work() -> None:
    """At the time of doing, before the step to for_review; where doing was never said, at that step's."""
    walk = Walk()
    walk(package("planned"))
    trail = [moved(20, "doing"), moved(22, "for_review")]
    assert walk(package("for_review", trail, agent="ada")) == ["implementation by ada, 0 before"]
    assert walk.moments == [at(20)]
    assert walk.log == ["created planned", "step doing", "ada in doing", "step for_review"]
    assert walk.cursor is walk.book.log(KEY).entries[-1]
    straight = Walk()
    straight(package("for_review", [moved(22, "for_review")], agent="ada"))
    assert straight.moments == [at(22)]
    assert straight.log == ["created planned", "ada in planned", "step for_review"]


def test_nobody_takes_over_from_somebody() -> None:
    """An agent that is taken out of the file is no news."""
    walk = Walk()
    walk(package("doing", agent="ada"))
    assert walk(package("doing")) == []


def test_what_was_found_is_where_the_view_stands() -> None:
    """O1: found ahead of the cursor; what comes back after it is told."""
    walk = Walk()
    for agent in ("ada", "bob"):
        walk(package("doing", agent=agent))
    other = walk.again()
    assert [other(package("doing", agent=agent)) for agent in ("ada", "bob", "ada")] == [
        [],
        [],
        ["implementation by ada, 2 before"],
    ]


def test_what_is_told_live_stands_behind_all_of_its_stay() -> None:
    """Another view that knows less of who had it tells the next one last."""
    walk = Walk()
    for agent in ("ada", "bob"):
        walk(package("doing", agent=agent))
    other = walk.again()
    other(package("doing", agent="ada"))
    assert other(package("doing", agent="carl")) == ["implementation by carl, 2 before"]
    assert walk.log[-3:] == ["ada in doing", "bob in doing", "carl in doing"]


def test_elsewheres_is_noted_with_the_lane_of_the_stay() -> None:
    """O3: live, so that it is not told here; its entry has the lane that the log has by then."""
    walk = Walk()
    walk(package("planned"))
    assert walk(package("doing", agent="ada"), origin="elsewhere") == []
    assert walk.log == ["created planned", "theirs doing", "ada in doing"]
    assert walk(package("doing", agent="ada")) == []


# By a reviewer's record.


def test_a_reviewers_record_stands_before_the_step_that_it_makes() -> None:
    """Rule 4, also where the creation has the record's time."""
    walk = Walk()
    walk.minute = 1
    shown = package("done", [moved(1, "for_review", "ada"), moved(2, "done", "rita")])
    assert walk(shown) == ["review by rita, 0 before"]
    assert walk.log == ["created planned", "step for_review", "rita in for_review", "step done"]
    assert walk.cursor is walk.book.log(KEY).entries[-1]


def test_a_reviewers_record_that_makes_no_step() -> None:
    """A note of theirs: they review from then on, and the view stands there."""
    walk = Walk()
    trail = [moved(1, "doing", "ada"), moved(2, "for_review", "ada")]
    walk(package("for_review", trail, agent="ada"))
    assert walk(package("for_review", [*trail, moved(3, "for_review", "rita")])) == ["review by rita, 0 before"]
    assert walk.log[-2:] == ["step for_review", "rita in for_review"]
    assert walk.cursor is walk.book.log(KEY).entries[-1]


def test_who_reviews_already_is_told_once() -> None:
    """By the frontmatter first, then by their record."""
    walk = Walk()
    trail = [moved(1, "doing", "ada"), moved(2, "for_review", "ada")]
    walk(package("for_review", trail, agent="ada"))
    assert walk(package("for_review", trail, agent="rita")) == ["review by rita, 0 before"]
    assert walk(package("done", [*trail, moved(3, "done", "rita")], agent="rita")) == []


@pytest.mark.parametrize("trail", [[("for_review", "ada"), ("done", "ada")], [("doing", "ada"), ("for_review", "bob")]])
def test_who_does_not_review(trail: list[tuple[str, str]]) -> None:
    """Who asked for the review; nor does the first record of a file come after the last."""
    records = [moved(minute, lane, agent) for minute, (lane, agent) in enumerate(trail)]
    assert Walk()(package(trail[-1][0], records)) == []


def test_a_review_that_was_met_is_no_news() -> None:
    """Rule 2: though somebody else had it last when another view comes by."""
    walk = Walk()
    trail = [moved(1, "doing", "ada"), moved(2, "for_review", "ada"), moved(3, "doing", "rita")]
    assert walk(package("doing", trail, agent="ada"))[0] == "review by rita, 0 before"
    assert walk.again()(package("doing", trail, agent="ada")) == []


# Histories go by their own walk.


def test_a_history_counts_by_phase() -> None:
    walk = Walk(HISTORY)
    moves = [("doing", "ada"), ("doing", "bob"), ("for_review", "bob"), ("for_review", "rita"), ("for_review", "zoe")]
    told = [said for lane, agent in [*moves, ("doing", "ada")] for said in walk(package(lane, agent=agent))]
    assert told == [
        "implementation by ada, 0 before",
        "implementation by bob, 1 before",
        "review by rita, 0 before",
        "review by zoe, 1 before",
        "implementation by ada, 2 before",
    ]


def test_a_history_that_left_somebody_out() -> None:
    """Counted, not noted; who was left out takes nothing on again."""
    walk = Walk(HISTORY)
    walk(package("planned"))
    assert walk(package("doing", agent="ada"), origin="elsewhere") == []
    assert walk.log == ["created planned"]
    assert walk(package("doing", agent="ada")) == []
    assert walk(package("doing", agent="bob")) == ["implementation by bob, 1 before"]


def test_a_history_of_which_nothing_is_told_yet() -> None:
    """Before the creation nobody is told of, neither by the frontmatter nor by a record."""
    walk = Walk(HISTORY)
    trail = [moved(1, "for_review", "ada")]
    assert walk(package("for_review", trail, agent="ada"), origin="elsewhere") == []
    reviewed = [*trail, moved(2, "for_review", "rita")]
    assert walk(package("for_review", reviewed, agent="bob")) == []
    assert walk.log == []


@pytest.mark.parametrize(
    ("lane", "trail", "agent", "told"),
    [
        ("for_review", [], "bob", ["implementation by bob, 0 before", "bob in doing", "step for_review"]),
        (
            "done",
            [moved(1, "for_review", "ada"), moved(2, "done", "rita")],
            None,
            ["review by rita, 0 before", "rita in for_review", "step done"],
        ),
    ],
)
def test_a_history_whose_first_step_is_all_that_it_tells(
    lane: str, trail: list[str], agent: str | None, told: list[str]
) -> None:
    """What stands before the first entry has the lane of its phase."""
    walk = Walk(HISTORY)
    walk(package("doing" if agent else "for_review", trail[:1]), origin="elsewhere")
    assert [*walk(package(lane, trail, agent=agent)), *walk.log] == told


def test_a_history_walks_by_a_reviewer_once() -> None:
    """By the frontmatter, and then by their record."""
    walk = Walk(HISTORY)
    trail = [moved(1, "doing", "ada"), moved(2, "for_review", "ada")]
    walk(package("for_review", trail, agent="ada"))
    assert walk(package("for_review", trail, agent="rita")) == ["review by rita, 0 before"]
    assert walk(package("done", [*trail, moved(3, "done", "rita")], agent="rita")) == []


def test_a_history_does_not_ask_who_had_it_at_the_baseline() -> None:
    """B1, B2: neither for who was last nor for how many were before."""
    entry = Entry("baseline", "for_review", agent="rita", phase="implementation")
    walk = Walk(HISTORY, Book(logs={KEY: Log([entry])}))
    assert walk(package("done", [moved(1, "for_review", "ada"), moved(2, "done", "rita")])) == [
        "review by rita, 0 before"
    ]
    doing = Entry("baseline", "doing", agent="ada", phase="implementation")
    assert Walk(HISTORY, Book(logs={KEY: Log([doing])}))(package("doing", agent="bob")) == [
        "implementation by bob, 0 before"
    ]


def test_what_a_history_tells_stands_at_its_cursor() -> None:
    """Before what was told live since: the log is in the order in which it happened."""
    log = Log([Entry("created", "planned"), Entry("step", "doing", "a")])
    log.add(Entry("assigned", "doing", "b", agent="bob", phase="implementation"))
    walk = Walk(HISTORY, Book(logs={KEY: log}, known={KEY: Known(Shown("doing"), log.entries[1])}))
    assert walk(package("doing", agent="ada")) == ["implementation by ada, 0 before"]
    assert walk.log == ["created planned", "step doing", "ada in doing", "bob in doing"]
