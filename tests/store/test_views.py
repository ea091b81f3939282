"""Checkouts, their views, and edits that are not committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from kittywatch.derive.book import Book
from kittywatch.derive.log import Entry
from kittywatch.derive.settle import Known
from kittywatch.derive.snapshot import Key
from kittywatch.derive.steps import Shown
from kittywatch.store.database import Database
from kittywatch.store.ledger import Ledger
from kittywatch.store.views import Checkout, View, Views

MAIN = "refs/heads/main"
WP: Key = ("001-login", "WP01")


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(Database.in_memory()) as made:
        yield made


@pytest.fixture
def views(database: Database) -> Views:
    return Views(database.connection, 1)


def test_each_save_of_a_checkout_is_a_new_version(views: Views) -> None:
    assert not views.observed()
    assert views.checkout("/here/.git") is None
    key = views.save_checkout("/here/.git", MAIN, 100)
    assert views.checkout("/here/.git") == Checkout(key, MAIN, 100, 1)
    assert views.save_checkout("/here/.git", "HEAD", 120) == key
    assert views.checkout("/here/.git") == Checkout(key, "HEAD", 120, 2)
    assert views.observed()


def test_projects_do_not_see_each_other(database: Database, views: Views) -> None:
    views.save_view(views.save_checkout("/here/.git", MAIN, 100), MAIN, "c1")
    other = Views(database.connection, 2)
    assert not other.observed()
    assert other.checkout("/here/.git") is None
    assert other.tips() == []


def test_a_view_of_each_branch_in_each_checkout(views: Views) -> None:
    here, there = views.save_checkout("/here/.git", MAIN, 1), views.save_checkout("/there/.git", MAIN, 1)
    main = views.save_view(here, MAIN, None)
    assert views.view(here, MAIN) == View(main, None)
    assert views.save_view(here, MAIN, "c1") == main
    side = views.save_view(here, "refs/heads/side", "c2")
    clone = views.save_view(there, MAIN, "c3")
    assert views.of_checkout(here) == {MAIN: View(main, "c1"), "refs/heads/side": View(side, "c2")}
    assert views.tips() == [View(clone, "c3"), View(side, "c2"), View(main, "c1")]
    assert views.view(there, "refs/heads/side") is None


def test_one_view_can_stand_where_another_stands(database: Database, views: Views) -> None:
    checkout = views.save_checkout("/here/.git", MAIN, 1)
    source, target = views.save_view(checkout, MAIN, "c1"), views.save_view(checkout, "refs/heads/side", "c1")
    ledger = Ledger(database.connection, 1)
    ledger.save_known(source, {WP: Known(Shown("doing", 1, "abc"), None)})
    ledger.save_known(target, {WP: Known(Shown("planned"), None)})
    views.copy(source, target)
    assert ledger.known(target, [WP]) == {WP: Known(Shown("doing", 1, "abc"), None)}


def test_edits_are_replaced_as_a_whole(database: Database, views: Views) -> None:
    checkout = views.save_checkout("/here/.git", MAIN, 1)
    ledger = Ledger(database.connection, 1)
    book = Book()
    entry = book.log(WP).add(Entry("step", "doing", "01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    ledger.save(book)
    edits = {WP: Known(Shown("doing", 1, "abc"), entry), ("001-login", "WP02"): Known(Shown("done"), None)}
    views.save_edits(checkout, edits, {WP: "one"})
    assert views.edit_keys(checkout) == {WP, ("001-login", "WP02")}
    again = Ledger(database.connection, 1)
    read = again.read().log(WP).entries[0]
    assert views.edits(checkout, again)[WP] == Known(Shown("doing", 1, "abc"), read)
    assert views.written(checkout) == {WP: "one"}
    views.save_edits(checkout, {}, {WP: "one"})
    assert views.written(checkout) == {}
    assert views.edits(checkout, again) == {}
    assert views.edit_keys(checkout) == set()
