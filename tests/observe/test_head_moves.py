"""Where HEAD has been since a checkout was looked at, from what its log says (O2, O7)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kittywatch.git import reflog
from kittywatch.git.reflog import Entry
from kittywatch.git.repository import Git
from kittywatch.observe.stops import Stop, stops
from kittywatch.store.views import DETACHED
from tests.githooks.hooked import Repository

MAIN, TOPIC = "refs/heads/main", "refs/heads/topic"


class Trip:
    """A repository with two commits on main, which was looked at then, and what HEAD does since."""

    def __init__(self, root: Path) -> None:
        self.repository = Repository(root)
        self.git = self.repository.git
        self.base, self.tip = self.commit(), self.commit()
        self.git("branch", "topic")
        self.reader = Git.find(self.repository.root)
        self.log = reflog.head_log(self.reader.directory)
        self.size = reflog.size(self.log)
        self.seen: dict[str, str | None] = {MAIN: self.tip}

    def commit(self) -> str:
        self.git("commit", "-q", "--allow-empty", "-m", "a commit")
        return self.at("HEAD")

    def at(self, revision: str) -> str:
        return self.repository.git("rev-parse", revision).strip()

    def merged_by_others(self, commit: str) -> str:
        """A merge whose first parent is somebody else's: no first-parent chain leads through the commit."""
        tree = self.at("HEAD^{tree}")
        theirs = self.git("commit-tree", tree, "-p", self.base, "-m", "theirs").strip()
        return self.git("commit-tree", tree, "-p", theirs, "-p", commit, "-m", "merged").strip()

    def stops(self, entries: Sequence[Entry] | None = None) -> list[Stop]:
        said = reflog.read(self.log, start=self.size) if entries is None else entries
        return list(stops(self.reader, self.reader.head(), self.seen, said))


@pytest.fixture
def trip(tmp_path: Path) -> Trip:
    return Trip(tmp_path / "project")


def test_stayed(trip: Trip) -> None:
    assert trip.stops() == [Stop(MAIN, trip.tip)]


def test_never_looked_at(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    trip.commit()
    trip.git("checkout", "-q", "main")
    assert trip.stops([]) == [Stop(MAIN, trip.tip)]


def test_visits(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    there = trip.commit()
    trip.git("checkout", "-q", "--detach", "main")
    alone = trip.commit()
    trip.git("checkout", "-q", "main")
    assert trip.stops() == [
        Stop(TOPIC, there, trip.tip),
        Stop(DETACHED, alone, trip.tip),
        Stop(MAIN, trip.tip, trip.tip),
    ]


def test_a_branch_that_was_renamed(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    there = trip.commit()
    trip.git("branch", "-m", "topic", "feature")
    trip.git("checkout", "-q", "main")
    assert trip.stops() == [Stop("refs/heads/feature", there, trip.tip), Stop(MAIN, trip.tip, trip.tip)]


def test_a_visit_during_which_nothing_happened(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    trip.git("checkout", "-q", "main")
    assert trip.stops() == [Stop(MAIN, trip.tip, trip.tip)]


def test_what_happened_before_head_went_away(trip: Trip) -> None:
    mine = trip.commit()
    trip.git("checkout", "-q", "topic")
    assert trip.stops() == [Stop(MAIN, mine), Stop(TOPIC, trip.tip, trip.tip)]


def test_a_branch_that_was_deleted(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    there = trip.commit()
    trip.git("checkout", "-q", "main")
    trip.git("branch", "-q", "-D", "topic")
    assert trip.stops() == [Stop(DETACHED, there, trip.tip), Stop(MAIN, trip.tip, trip.tip)]


def test_a_commit_that_is_gone(trip: Trip) -> None:
    gone = "1" * 40
    entries = [
        Entry(trip.tip, trip.tip, b"checkout: moving from main to topic"),
        Entry(trip.tip, gone, b"commit: gone"),
        Entry(gone, trip.tip, b"checkout: moving from topic to main"),
    ]
    assert trip.stops(entries) == [Stop(MAIN, trip.tip, trip.tip)]


def test_merged_by_others_twice(trip: Trip) -> None:
    first = trip.commit()
    once = trip.merged_by_others(first)
    trip.git("reset", "-q", "--hard", once)
    second = trip.commit()
    twice = trip.merged_by_others(second)
    trip.git("merge", "-q", "--ff-only", twice)
    assert trip.stops() == [Stop(MAIN, first), Stop(MAIN, second), Stop(MAIN, twice)]


def test_merged_by_others_while_head_was_detached(trip: Trip) -> None:
    trip.git("checkout", "-q", "--detach")
    mine = trip.commit()
    merge = trip.merged_by_others(mine)
    trip.git("reset", "-q", "--hard", merge)
    trip.git("checkout", "-q", "topic")
    assert trip.stops() == [Stop(DETACHED, mine, trip.tip), Stop(DETACHED, merge), Stop(TOPIC, trip.tip, trip.tip)]


def test_merged_by_others_after_it_was_looked_at(trip: Trip) -> None:
    trip.seen[MAIN] = mine = trip.commit()
    merge = trip.merged_by_others(mine)
    trip.git("reset", "-q", "--hard", merge)
    assert trip.stops() == [Stop(MAIN, merge)]


def test_others_commit_merged_by_others(trip: Trip) -> None:
    theirs = trip.git("commit-tree", trip.at("HEAD^{tree}"), "-p", trip.tip, "-m", "theirs").strip()
    merge = trip.merged_by_others(theirs)
    trip.git("reset", "-q", "--hard", theirs)
    trip.git("reset", "-q", "--hard", merge)
    assert trip.stops() == [Stop(MAIN, merge)]


def test_a_branch_without_a_commit(trip: Trip) -> None:
    merge = trip.merged_by_others(trip.commit())
    trip.git("reset", "-q", "--hard", merge)
    trip.git("checkout", "-q", "--orphan", "fresh")
    assert trip.stops() == [Stop("refs/heads/fresh", None)]


def test_reset_to_where_it_is(trip: Trip) -> None:
    trip.commit()
    trip.git("reset", "-q")
    tip = trip.commit()
    assert trip.stops() == [Stop(MAIN, tip)]


def test_made_and_taken_back(trip: Trip) -> None:
    trip.commit()
    trip.git("reset", "-q", "--hard", "HEAD~1")
    assert trip.stops() == [Stop(MAIN, trip.tip)]


def test_one_commit_after_the_other(trip: Trip) -> None:
    trip.commit()
    last = trip.commit()
    assert trip.stops() == [Stop(MAIN, last)]


def test_taken_back_after_a_visit(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    trip.git("checkout", "-q", "main")
    trip.git("reset", "-q", "--hard", "HEAD~1")
    assert trip.stops() == [Stop(MAIN, trip.base, trip.tip)]
    tip = trip.commit()
    assert trip.stops() == [Stop(MAIN, trip.base, trip.tip), Stop(MAIN, tip)]


def test_taken_back_after_a_second_visit(trip: Trip) -> None:
    mine = trip.commit()
    trip.git("checkout", "-q", "topic")
    trip.git("checkout", "-q", "main")
    trip.git("reset", "-q", "--hard", "HEAD~1")
    again = trip.commit()
    assert trip.stops() == [Stop(MAIN, mine), Stop(MAIN, trip.tip, mine), Stop(MAIN, again)]


def test_taken_back_from_a_commit_of_its_own(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    trip.git("checkout", "-q", "main")
    trip.commit()
    trip.git("reset", "-q", "--hard", trip.base)
    tip = trip.commit()
    assert trip.stops() == [Stop(MAIN, tip, trip.tip)]


def test_taken_back_from_where_it_was_not_when_head_came(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    trip.git("checkout", "-q", "-B", "main", trip.base)
    trip.git("reset", "-q", "--hard", trip.tip)
    trip.git("reset", "-q", "--hard", trip.base)
    tip = trip.commit()
    assert trip.stops() == [Stop(MAIN, tip, trip.base)]


def test_brought_on_after_a_visit(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    there = trip.commit()
    trip.git("checkout", "-q", "main")
    trip.git("merge", "-q", "--ff-only", "topic")
    tip = trip.commit()
    assert trip.stops() == [Stop(TOPIC, there, trip.tip), Stop(MAIN, tip, trip.tip)]


def test_taken_back_without_a_visit(trip: Trip) -> None:
    trip.git("reset", "-q", "--hard", "HEAD~1")
    tip = trip.commit()
    assert trip.stops() == [Stop(MAIN, tip)]


def test_taken_back_while_head_was_detached(trip: Trip) -> None:
    trip.seen[DETACHED] = trip.tip
    trip.git("checkout", "-q", "--detach")
    trip.git("reset", "-q", "--hard", "HEAD~1")
    tip = trip.commit()
    assert trip.stops() == [Stop(DETACHED, tip, trip.tip)]
