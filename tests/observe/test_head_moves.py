"""Where HEAD has been since a checkout was looked at, from what its log says (O2, O7)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kittywatch.git import reflog
from kittywatch.git.reflog import Entry
from kittywatch.git.repository import Git
from kittywatch.observe.head_moves import Visit, head_moves
from kittywatch.store.views import DETACHED
from tests.githooks.hooked import Repository

MAIN, TOPIC = "refs/heads/main", "refs/heads/topic"


class Trip:
    """A repository with two commits on main, which was looked at then, and what HEAD does since."""

    def __init__(self, root: Path) -> None:
        self.repository = Repository(root)
        self.git = self.repository.git
        self.made = 0
        self.base, self.tip = self.commit(), self.commit()
        self.git("branch", "topic")
        self.reader = Git.find(self.repository.root)
        self.log = reflog.head_log(self.reader.directory)
        self.size = reflog.size(self.log)
        self.each_commit = False

    def commit(self) -> str:
        self.made += 1
        self.git("commit", "-q", "--allow-empty", "-m", f"commit {self.made}")
        return self.at("HEAD")

    def at(self, revision: str) -> str:
        return self.repository.git("rev-parse", revision).strip()

    def visits(self, entries: Sequence[Entry] | None = None) -> list[Visit]:
        said = reflog.read(self.log, start=self.size) if entries is None else entries
        return list(head_moves(self.reader, self.reader.head(), said, each_commit=self.each_commit))


@pytest.fixture
def trip(tmp_path: Path) -> Trip:
    return Trip(tmp_path / "project")


def test_stayed(trip: Trip) -> None:
    assert trip.visits() == [Visit(MAIN, trip.tip)]


def test_never_looked_at(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    trip.commit()
    trip.git("checkout", "-q", "main")
    assert trip.visits([]) == [Visit(MAIN, trip.tip)]


def test_visits(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    there = trip.commit()
    trip.git("checkout", "-q", "--detach", "main")
    alone = trip.commit()
    trip.git("checkout", "-q", "main")
    assert trip.visits() == [
        Visit(TOPIC, there, trip.tip),
        Visit(DETACHED, alone, trip.tip),
        Visit(MAIN, trip.tip, trip.tip),
    ]


def test_a_branch_that_was_renamed(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    there = trip.commit()
    trip.git("branch", "-m", "topic", "feature")
    trip.git("checkout", "-q", "main")
    assert trip.visits() == [Visit("refs/heads/feature", there, trip.tip), Visit(MAIN, trip.tip, trip.tip)]


def test_a_visit_during_which_nothing_happened(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    trip.git("checkout", "-q", "main")
    assert trip.visits() == [Visit(MAIN, trip.tip, trip.tip)]


def test_what_happened_before_head_went_away(trip: Trip) -> None:
    mine = trip.commit()
    trip.git("checkout", "-q", "topic")
    assert trip.visits() == [Visit(MAIN, mine), Visit(TOPIC, trip.tip, trip.tip)]


def test_a_branch_that_was_deleted(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    there = trip.commit()
    trip.git("checkout", "-q", "main")
    trip.git("branch", "-q", "-D", "topic")
    assert trip.visits() == [Visit(DETACHED, there, trip.tip), Visit(MAIN, trip.tip, trip.tip)]


def test_a_commit_that_is_gone(trip: Trip) -> None:
    gone = "1" * 40
    entries = [
        Entry(trip.tip, trip.tip, b"checkout: moving from main to topic"),
        Entry(trip.tip, gone, b"commit: gone"),
        Entry(gone, trip.tip, b"checkout: moving from topic to main"),
    ]
    assert trip.visits(entries) == [Visit(MAIN, trip.tip, trip.tip)]


def test_a_branch_without_a_commit(trip: Trip) -> None:
    trip.git("checkout", "-q", "--orphan", "fresh")
    assert trip.visits() == [Visit("refs/heads/fresh", None)]


def test_reset_to_where_it_is(trip: Trip) -> None:
    trip.commit()
    trip.git("reset", "-q")
    tip = trip.commit()
    assert trip.visits() == [Visit(MAIN, tip)]


def test_made_and_taken_back(trip: Trip) -> None:
    trip.commit()
    trip.git("reset", "-q", "--hard", "HEAD~1")
    assert trip.visits() == [Visit(MAIN, trip.tip)]


def test_one_commit_after_the_other(trip: Trip) -> None:
    trip.commit()
    last = trip.commit()
    assert trip.visits() == [Visit(MAIN, last)]


def test_taken_back_after_a_visit(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    trip.git("checkout", "-q", "main")
    trip.git("reset", "-q", "--hard", "HEAD~1")
    assert trip.visits() == [Visit(MAIN, trip.base, trip.tip)]
    tip = trip.commit()
    assert trip.visits() == [Visit(MAIN, tip, trip.tip)]


def test_taken_back_after_a_second_visit(trip: Trip) -> None:
    mine = trip.commit()
    trip.git("checkout", "-q", "topic")
    trip.git("checkout", "-q", "main")
    trip.git("reset", "-q", "--hard", "HEAD~1")
    again = trip.commit()
    assert trip.visits() == [Visit(MAIN, mine), Visit(MAIN, again, mine)]


def test_taken_back_from_a_commit_of_its_own(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    trip.git("checkout", "-q", "main")
    trip.commit()
    trip.git("reset", "-q", "--hard", trip.base)
    tip = trip.commit()
    assert trip.visits() == [Visit(MAIN, tip, trip.tip)]


def test_taken_back_from_where_it_was_not_when_head_came(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    trip.git("checkout", "-q", "-B", "main", trip.base)
    trip.git("reset", "-q", "--hard", trip.tip)
    trip.git("reset", "-q", "--hard", trip.base)
    tip = trip.commit()
    assert trip.visits() == [Visit(MAIN, tip, trip.base)]


def test_brought_on_after_a_visit(trip: Trip) -> None:
    trip.git("checkout", "-q", "topic")
    there = trip.commit()
    trip.git("checkout", "-q", "main")
    trip.git("merge", "-q", "--ff-only", "topic")
    tip = trip.commit()
    assert trip.visits() == [Visit(TOPIC, there, trip.tip), Visit(MAIN, tip, trip.tip)]


def test_taken_back_without_a_visit(trip: Trip) -> None:
    trip.git("reset", "-q", "--hard", "HEAD~1")
    tip = trip.commit()
    assert trip.visits() == [Visit(MAIN, tip)]


def test_taken_back_while_head_was_detached(trip: Trip) -> None:
    trip.git("checkout", "-q", "--detach")
    trip.git("reset", "-q", "--hard", "HEAD~1")
    tip = trip.commit()
    assert trip.visits() == [Visit(DETACHED, tip, trip.tip)]


# Each commit, where hooks leave looking to a watcher.


def test_a_commit_that_was_left_behind(trip: Trip) -> None:
    """By a reset and by an amendment: a hook looked at it (scenario 55); what is still there is none of them."""
    trip.each_commit = True
    first = trip.commit()
    second = trip.commit()
    trip.git("reset", "-q", "--soft", "HEAD~2")
    third = trip.commit()
    trip.git("commit", "-q", "--amend", "--allow-empty", "-m", "amended")
    kept = trip.at("HEAD")
    last = trip.commit()
    assert trip.visits() == [Visit(MAIN, first), Visit(MAIN, second), Visit(MAIN, third), Visit(MAIN, last)]
    assert kept not in {visit.tip for visit in trip.visits()}
    trip.each_commit = False
    assert trip.visits() == [Visit(MAIN, last)]


def test_the_first_one_of_a_stay_says_where_it_came(trip: Trip) -> None:
    trip.each_commit = True
    trip.git("checkout", "-q", "--detach")
    first = trip.commit()
    trip.git("reset", "-q", "--hard", "HEAD~1")
    last = trip.commit()
    assert trip.visits() == [Visit(DETACHED, first, trip.tip), Visit(DETACHED, last)]


def test_the_picks_of_a_rebase_are_none(trip: Trip) -> None:
    """No hook that looks ran after each of them."""
    trip.each_commit = True
    trip.git("checkout", "-q", "topic")
    left = [trip.commit(), trip.commit()]
    trip.git("checkout", "-q", "main")
    onto = trip.commit()
    trip.git("checkout", "-q", "topic")
    trip.git("rebase", "-q", "--keep-empty", "main")
    tips = [visit.tip for visit in trip.visits()]
    assert onto in tips
    assert tips[-1] == trip.at("HEAD")
    assert not set(trip.git("rev-list", "main..HEAD~1").split()) & set(tips)
    assert left[1] in tips


def test_a_commit_that_is_gone_is_none(trip: Trip) -> None:
    trip.each_commit = True
    gone = "1" * 40
    entries = [Entry(trip.tip, gone, b"commit: gone"), Entry(gone, trip.tip, b"reset: moving to HEAD~1")]
    assert trip.visits(entries) == [Visit(MAIN, trip.tip)]


@pytest.mark.parametrize(
    ("message", "hooked"),
    [
        (b"commit: x", True),
        (b"commit (amend): x", True),
        (b"commit (initial): x", True),
        (b"commit (merge): x", True),
        (b"revert: x", True),
        (b"cherry-pick: x", True),
        (b"cherry-pick: fast-forward", False),
        (b"merge topic: Merge made by the 'ort' strategy.", True),
        (b"merge topic: Fast-forward", False),
        (b"rebase (pick): x", False),
        (b"rebase (finish): returning to refs/heads/topic", False),
        (b"am: x", False),
        (b"reset: moving to HEAD~1", False),
        (b"checkout: moving from main to topic", False),
        (b"pull: Fast-forward", False),
    ],
)
def test_after_what_a_hook_looks(message: bytes, hooked: bool) -> None:
    assert Entry("a", "b", message).hooked is hooked
