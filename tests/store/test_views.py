"""Checkouts, their views, and edits that are not committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from kittywatch.derive.changes import Key
from kittywatch.derive.ledger import Entry, LedgerState, PendingEdit
from kittywatch.derive.steps import LaneState
from kittywatch.store.database import Database
from kittywatch.store.ledger import Ledger
from kittywatch.store.views import Checkout, Views

MAIN, SIDE = "refs/heads/main", "refs/heads/side"
ONE: Key = ("001-login", "WP01")
OTHER: Key = ("001-login", "WP02")


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(Database.in_memory()) as made:
        yield made


@pytest.fixture
def views(database: Database) -> Views:
    return Views(database.connection, 1)


def test_a_checkout_keeps_its_row(views: Views) -> None:
    assert not views.observed()
    assert views.checkout("/here/.git") is None
    key = views.save_checkout("/here/.git", MAIN, 100)
    assert views.checkout("/here/.git") == Checkout(key, MAIN, 100)
    assert views.save_checkout("/here/.git", "HEAD", 120) == key
    assert views.checkout("/here/.git") == Checkout(key, "HEAD", 120)
    assert views.save_checkout("/there/.git", MAIN, 1) != key
    assert views.observed()


def test_projects_do_not_see_each_other(database: Database, views: Views) -> None:
    views.save_view(views.save_checkout("/here/.git", MAIN, 100), MAIN, "c1")
    other = Views(database.connection, 2)
    assert not other.observed()
    assert other.checkout("/here/.git") is None
    assert other.tips("/here/.git") == set()
    assert other.save_checkout("/here/.git", MAIN, 1) != 1
    assert other.checkout("/here/.git") == Checkout(2, MAIN, 1)


def test_a_view_of_each_branch_in_each_checkout(views: Views) -> None:
    here, there = views.save_checkout("/here/.git", MAIN, 1), views.save_checkout("/there/.git", MAIN, 1)
    views.save_view(here, MAIN, None)
    assert views.of_checkout(here) == {MAIN: None}
    assert views.tips("/here/.git") == set()
    for checkout, ref, tip in ((here, MAIN, "c1"), (here, SIDE, "c2"), (there, MAIN, "c3"), (here, MAIN, "c4")):
        views.save_view(checkout, ref, tip)
    assert views.of_checkout(here) == {MAIN: "c4", SIDE: "c2"}
    assert views.of_checkout(there) == {MAIN: "c3"}
    views.save_view(views.save_checkout("/here/.git/worktrees/one", SIDE, 1), SIDE, "c5")
    assert views.tips("/here/.git") == {"c2", "c4", "c5"}, "its worktrees are the same clone's, another clone's are not"
    assert views.tips("/there/.git") == {"c3"}
    assert views.tips("/her") == set()


def test_pending_edits_are_replaced_as_a_whole(database: Database, views: Views) -> None:
    checkout, other = views.save_checkout("/here/.git", MAIN, 1), views.save_checkout("/there/.git", MAIN, 1)
    ledger, state = Ledger(database.connection, 1), LedgerState()
    entries = [state.add(ONE, Entry("step", "emitted", lane, edited_on="c1")) for lane in ("doing", "done")]
    ledger.save(state)
    edit = PendingEdit(LaneState("done", 2, "abc"), entries[::-1], "worktree:one")
    views.save_pending(checkout, {ONE: edit, OTHER: PendingEdit(LaneState("planned"))})
    assert views.pending_keys(checkout) == {ONE, OTHER}
    again = Ledger(database.connection, 1)
    read = again.read().history(ONE).entries
    assert views.pending(checkout, again) == {
        ONE: PendingEdit(LaneState("done", 2, "abc"), read[::-1], "worktree:one"),
        OTHER: PendingEdit(LaneState("planned")),
    }
    assert views.pending_keys(other) == set()
    views.save_pending(checkout, {OTHER: edit})
    assert views.pending_keys(checkout) == {OTHER}


def test_an_entry_that_is_gone_is_none_of_an_edits(database: Database, views: Views) -> None:
    checkout = views.save_checkout("/here/.git", MAIN, 1)
    ledger, state = Ledger(database.connection, 1), LedgerState()
    entries = [state.add(ONE, Entry("step", "emitted", lane)) for lane in ("doing", "done")]
    ledger.save(state)
    views.save_pending(checkout, {ONE: PendingEdit(LaneState("done"), entries)})
    database.connection.execute("DELETE FROM entries WHERE id = 1")
    again = Ledger(database.connection, 1)
    again.read()
    assert [one.lane for one in views.pending(checkout, again)[ONE].entries] == ["done"]
