"""What commits to come in a walk have brought: by the ledger's word, or by what a step keeps when it is rewritten."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from kittywatch.derive.book import Book, tell
from kittywatch.derive.reserved import Reserved
from kittywatch.derive.snapshot import Snapshot
from tests.derive.packages import KEY, moved, package, rules, said, snapshot

LIVE, HISTORY = rules(), rules("history")


def told(*snapshots: Snapshot) -> Book:
    """A book in which these were told as they came, of which a history begins to go along other commits."""
    book = Book()
    for one in snapshots:
        tell(book, one, LIVE)
        book.saved()
    book.known.clear()
    return book


def chain(snapshots: Iterable[Snapshot]) -> set[str]:
    return {one.commit for one in snapshots if one.commit}


def replayed(book: Book, *snapshots: Snapshot) -> list[str]:
    reserved = Reserved(book, snapshots, HISTORY, chain(snapshots))
    words: list[str] = []
    for one in snapshots:
        reserved.reached(one)
        words += said(tell(book, one, HISTORY, reserved.open))
    return words


def test_rewritten_commits_are_found_by_time_and_lane() -> None:
    """B2: on another lane than when they were told, and in another order; what is theirs no earlier one takes."""
    book = told(
        snapshot(package("planned"), commit="base"),
        snapshot(package("done"), commit="a", minute=1),
        snapshot(package("doing"), commit="b", minute=2),
    )
    words = replayed(
        book,
        snapshot(package("planned"), commit="base"),
        snapshot(package("doing"), commit="b2", minute=2),
        snapshot(package("done"), commit="a2", minute=1),
    )
    assert words == []


def test_what_is_alike_is_taken_in_turn() -> None:
    """Two steps into one lane in one second of git's clock are two, also where nothing but that is known of them."""
    first = snapshot(package("planned"), commit="base")
    lanes = ("doing", "planned", "doing")
    book = told(first, *(snapshot(package(lane), commit=f"c{number}") for number, lane in enumerate(lanes)))
    assert len(book.log(KEY).entries) == 4
    again = [snapshot(package(lane), commit=f"n{number}") for number, lane in enumerate(lanes)]
    more = snapshot(package("planned"), commit="n3")
    assert replayed(book, first, *again, more) == ["WP01 doing→planned"]


def test_what_the_walk_has_passed_is_nobody_elses() -> None:
    """Two steps into one lane at one time, told in two transactions: the second one is not the first one rewritten."""
    first, again = snapshot(package("done"), commit="a"), snapshot(package("done"), commit="c")
    between = snapshot(package("doing"), commit="b")
    book = told(snapshot(package("planned"), commit="base"), first, between)
    reserved = Reserved(book, [again], HISTORY, chain([first, between, again]))
    assert reserved.open == set()
    assert "c" not in book.landed


def test_a_creation_is_no_step_back() -> None:
    """A step to planned, in the second in which somebody else created the work package."""
    book = told(snapshot(package("planned"), commit="base"))
    shown = [snapshot(package("doing"), commit="d", minute=1), snapshot(package("planned"), commit="n")]
    assert Reserved(book, shown, HISTORY, chain(shown)).open == set()


@pytest.mark.parametrize("known", ["by its commit", "by what the commit landed"])
def test_what_the_walk_has_passed_in_each_way(known: str) -> None:
    """A step of several in a commit has landed nothing itself; one that was seen as an edit names no commit."""
    first, again = snapshot(package("done"), commit="a"), snapshot(package("done"), commit="c")
    book = told(snapshot(package("planned"), commit="base"), first, snapshot(package("doing"), commit="b"))
    if known == "by its commit":
        del book.landed["a"]
    else:
        book.log(KEY).entries[1].commit = None
    assert Reserved(book, [again], HISTORY, {"a", "b", "c"}).open == set()


def test_a_time_alone_is_not_enough() -> None:
    """Another lane at the same time is another step."""
    book = told(snapshot(package("planned"), commit="base"), snapshot(package("doing"), commit="a", minute=1))
    words = replayed(
        book,
        snapshot(package("planned"), commit="base"),
        snapshot(package("doing"), commit="a", minute=1),
        snapshot(package("done"), commit="b", minute=1),
    )
    assert words == ["WP01 doing→done"]


def test_a_commit_that_only_brings_back_claims_nothing() -> None:
    """One that shows the lane that was there takes no step."""
    book = told(snapshot(package("planned"), commit="base"), snapshot(package("doing"), commit="a", minute=1))
    shown = [
        snapshot(package("doing"), commit="a", minute=1),
        snapshot(package("doing", body="x"), commit="a", minute=1),
    ]
    reserved = Reserved(book, shown, HISTORY, chain(shown))
    assert [one.lane for one in reserved.open] == ["doing"]
    reserved.reached(snapshot(package("doing"), commit="a", minute=1))
    assert reserved.open == set()


def claimed(book: Book, *snapshots: Snapshot) -> list[str]:
    """The lanes of what is claimed before the first commit."""
    open_ones = Reserved(book, snapshots, HISTORY, chain(snapshots)).open
    return [entry.lane for log in book.logs.values() for entry in log.entries if entry in open_ones]


def two() -> Book:
    """Planned, then doing a minute later, by commits `base` and `a`."""
    return told(snapshot(package("planned"), commit="base"), snapshot(package("doing"), commit="a", minute=1))


def test_what_the_ledger_says_a_commit_brought() -> None:
    """Whatever its time is; and nothing is found out of it besides."""
    book = two()
    assert claimed(book, snapshot(package("doing"), commit="a", minute=7)) == ["doing"]
    assert book.landed["a"] == [(KEY, book.log(KEY).entries[1])]
    book.landed["b"] = [(("002-other", "WP01"), book.log(KEY).entries[0])]
    assert claimed(book, snapshot(package("doing"), commit="b", minute=7)) == []


def test_what_claims_nothing() -> None:
    """No lane, the lane that was there, no commit, others' commits, and what nobody has told of."""
    same = snapshot(package("doing"), commit="n", minute=1)
    assert claimed(two(), same) == ["doing"]
    broken = replace(same, packages=(package("foo"),), commit="f")
    assert claimed(two(), broken) == []
    assert claimed(two(), same, broken) == ["doing"]
    assert claimed(two(), replace(same, commit=None)) == []
    assert claimed(two(), replace(same, origin="elsewhere")) == []
    assert claimed(Book(), same) == []
    before = two()
    before.landed["m"] = [(KEY, before.log(KEY).entries[1])]
    elsewhere = replace(same, origin="elsewhere")
    assert claimed(before, elsewhere, snapshot(package("doing"), commit="m", minute=3)) == []


def test_a_record_keeps_its_time_wherever_its_commit_is_put() -> None:
    shown = package("doing", [moved(3, "doing")])
    book = told(snapshot(package("planned"), commit="base"), snapshot(shown, commit="a", minute=5))
    assert claimed(book, snapshot(shown, commit="n", minute=9)) == ["doing"]
