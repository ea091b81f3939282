"""The ledger in rows: what is saved is what is read."""

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
from kittywatch.store.views import Views

ONE: Key = ("001-login", "WP01")
OTHER: Key = ("001-login", "WP02")


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(Database.in_memory()) as made:
        yield made


def _ledger(database: Database, project: int = 1) -> Ledger:
    return Ledger(database.connection, project)


def _filled(database: Database) -> Book:
    book = Book()
    log = book.log(ONE)
    log.add(Entry("created", "planned", "01ARZ3NDEKTSV4RRFFQ69G5FA0", "c1"))
    log.add(Entry("step", "doing", "01ARZ3NDEKTSV4RRFFQ69G5FA1"))
    book.log(OTHER).add(Entry("baseline", "done", commit="c0"))
    _ledger(database).save(book)
    return book


def _lanes(ledger: Ledger, key: Key = ONE) -> list[str]:
    return [entry.lane for entry in ledger.read([key]).log(key).entries]


def test_a_log_comes_back_as_it_was(database: Database) -> None:
    _filled(database)
    book = _ledger(database).read()
    entries = [(entry.kind, entry.lane, entry.event_id, entry.commit) for entry in book.log(ONE).entries]
    assert entries == [
        ("created", "planned", "01ARZ3NDEKTSV4RRFFQ69G5FA0", "c1"),
        ("step", "doing", "01ARZ3NDEKTSV4RRFFQ69G5FA1", None),
    ]
    assert [entry.kind for entry in book.log(OTHER).entries] == ["baseline"]
    assert not book.log(ONE).added


def test_an_entry_that_comes_between_moves_those_behind_it(database: Database) -> None:
    _filled(database)
    ledger = _ledger(database)
    book = ledger.read([ONE])
    log = book.log(ONE)
    first, last = log.entries
    log.add(Entry("step", "for_review", "01ARZ3NDEKTSV4RRFFQ69G5FA2"), after=first)
    log.add(Entry("step", "done", "01ARZ3NDEKTSV4RRFFQ69G5FA3"), after=last)
    ledger.save(book)
    assert _lanes(_ledger(database)) == ["planned", "for_review", "doing", "done"]
    positions = database.connection.execute("SELECT position FROM ledger WHERE wp_id = 'WP01' ORDER BY position")
    assert [row[0] for row in positions] == [0, 1, 2, 3]


def test_who_had_it_comes_back(database: Database) -> None:
    book = Book()
    book.log(ONE).add(Entry("assigned", "doing", "01ARZ3NDEKTSV4RRFFQ69G5FA4", agent="ada", phase="implementation"))
    _ledger(database).save(book)
    (entry,) = _ledger(database).read().log(ONE).entries
    assert (entry.agent, entry.phase) == ("ada", "implementation")


def test_what_was_met_comes_back(database: Database) -> None:
    """The marks of what is asked for, with those of its feature; changed ones replace what was there."""
    pages = {ONE: {"r1": "told"}, OTHER: {"r2": "told"}, (ONE[0], ""): {"complete": "told"}, ("002-x", ""): {"a": "b"}}
    book = Book()
    for key, marks in pages.items():
        book.marked(key).update(marks)
    _ledger(database).save(book)
    book.saved()
    book.marks[OTHER]["r3"] = "told"  # of no concern: it is not noted as changed
    book.marked(ONE)["r1"] = "elsewhere"
    _ledger(database).save(book)
    assert _ledger(database).read([ONE]).marks == {ONE: {"r1": "elsewhere"}, (ONE[0], ""): {"complete": "told"}}
    assert _ledger(database).read().marks == {**pages, ONE: {"r1": "elsewhere"}}


def test_what_is_claimed_keeps_its_row(database: Database) -> None:
    """It becomes the step that it stood for, where it stood; then nothing is left to be saved."""
    book = Book()
    for entry in (Entry("created", "planned", "a"), Entry("theirs", "doing", "b", "c1"), Entry("step", "done", "c")):
        book.log(ONE).add(entry)
    _ledger(database).save(book)
    ledger = _ledger(database)
    log = ledger.read([ONE]).log(ONE)
    row = log.entries[1].key
    log.claim(log.entries[1], "mine")
    ledger.save(Book(logs={ONE: log}))
    assert log.added == []
    entries = _ledger(database).read([ONE]).log(ONE).entries
    assert [(one.kind, one.event_id) for one in entries] == [("created", "a"), ("step", "mine"), ("step", "c")]
    assert entries[1].key == row


def test_without_a_view_nothing_stands_anywhere(database: Database) -> None:
    book = Book(known={ONE: Known(Shown("doing"), None)}, changed={ONE})
    _ledger(database).save(book)
    assert database.connection.execute("SELECT count(*) FROM lanes").fetchone() == (0,)


def test_a_view_may_stand_at_what_was_just_saved(database: Database) -> None:
    ledger = _ledger(database)
    book = ledger.read()
    entry = book.log(ONE).add(Entry("created", "planned", "01ARZ3NDEKTSV4RRFFQ69G5FA5"))
    ledger.save(book)
    assert ledger.rebound(Known(Shown("planned"), entry)).cursor is entry


def test_saving_twice_adds_nothing(database: Database) -> None:
    book = _filled(database)
    _ledger(database).save(book)
    assert _lanes(_ledger(database)) == ["planned", "doing"]


def test_projects_do_not_see_each_other(database: Database) -> None:
    _filled(database)
    assert not _ledger(database, 2).read().logs
    assert not _ledger(database, 2).read([ONE]).log(ONE).entries


def test_only_what_is_asked_for_is_read(database: Database) -> None:
    _filled(database)
    assert set(_ledger(database).read([OTHER]).logs) == {OTHER}
    many = [(f"{number:03d}-x", "WP01") for number in range(300)]
    assert set(_ledger(database).read([*many, ONE]).logs) == {ONE, OTHER}  # so many that all are read at once


def test_where_a_view_stands(database: Database) -> None:
    _filled(database)
    ledger = _ledger(database)
    book = ledger.read()
    cursor = book.log(ONE).entries[1]
    book.known[ONE] = Known(Shown("doing", 2, "abc"), cursor)
    book.known[OTHER] = Known(Shown("done"), None)
    book.changed |= {ONE, OTHER}
    ledger.save(book, view=7)

    again = _ledger(database)
    known = again.read(view=7).known
    assert known[ONE].shown == Shown("doing", 2, "abc")
    found = known[ONE].cursor
    assert found is not None
    assert found.event_id == cursor.event_id
    assert known[OTHER] == Known(Shown("done"), None)
    assert _ledger(database).read(view=8).known == {}

    assert set(again.known(7, [ONE])) == {ONE}
    again.forget(7, [ONE])
    assert set(again.known(7, [ONE, OTHER])) == {OTHER}


def test_a_cursor_whose_entry_is_gone_stands_before_all(database: Database) -> None:
    _filled(database)
    ledger = _ledger(database)
    book = ledger.read()
    ledger.save_known(7, {ONE: Known(Shown("doing"), book.log(ONE).entries[1])})
    database.connection.execute("DELETE FROM ledger WHERE lane = 'doing'")
    assert _ledger(database).read(view=7).known[ONE].cursor is None


def test_a_cursor_is_bound_to_the_entries_read_last(database: Database) -> None:
    _filled(database)
    first = _ledger(database)
    known = Known(Shown("doing"), first.read().log(ONE).entries[1])
    second = _ledger(database)
    book = second.read()
    assert second.rebound(known).cursor is book.log(ONE).entries[1]
    assert second.rebound(Known(Shown("doing"), None)).cursor is None


def test_which_commit_brought_what(database: Database) -> None:
    _filled(database)
    ledger = _ledger(database)
    book = ledger.read()
    book.landings.append(("c2", ONE, book.log(ONE).entries[1]))
    ledger.save(book)
    ledger.save(book)
    for keys in (None, [ONE]):
        again = _ledger(database).read(keys)
        assert [(key, entry.lane) for key, entry in again.landed["c2"]] == [(ONE, "doing")]
    assert _ledger(database).read([OTHER]).landed == {}
    assert _ledger(database).landing_commits([ONE, OTHER]) == {"c2"}
    assert _ledger(database).read(landings=False).landed == {}
    database.connection.execute("DELETE FROM ledger WHERE lane = 'doing'")
    assert _ledger(database).read().landed == {}


def test_what_lies_ahead_of_a_view(database: Database) -> None:
    """Commits that brought entries after its cursor, or any where it stands nowhere."""
    _filled(database)
    ledger = _ledger(database)
    book = ledger.read()
    created, step = book.log(ONE).entries
    book.landings += [("c1", ONE, created), ("c2", ONE, step), ("c3", OTHER, book.log(OTHER).entries[0])]
    ledger.save(book)
    assert ledger.ahead(7, [ONE]) == {"c1", "c2"}
    ledger.save_known(7, {ONE: Known(Shown("planned"), created)})
    assert ledger.ahead(7, [ONE]) == {"c2"}
    assert ledger.ahead(7, [ONE, OTHER]) == {"c2", "c3"}
    assert ledger.ahead(8, [ONE]) == {"c1", "c2"}
    assert _ledger(database, 2).ahead(7, [ONE]) == set()
    ledger.save_known(7, {ONE: Known(Shown("doing"), step)})
    assert ledger.ahead(7, [ONE]) == set()


def test_where_other_views_stand(database: Database) -> None:
    _filled(database)
    ledger = _ledger(database)
    rows = Views(database.connection, 1)
    here, there = (rows.save_view(rows.save_checkout(name, "main", 0), "main", "c1") for name in ("a", "b"))
    elsewhere = Views(database.connection, 2)
    foreign = elsewhere.save_view(elsewhere.save_checkout("c", "main", 0), "main", "c1")
    known = Known(Shown("doing", 2, "abc"), ledger.read().log(ONE).entries[1])
    for view in (here, there, foreign):
        ledger.save_known(view, {ONE: known})
    assert ledger.standing(here, ONE) == [known]
    assert len(ledger.standing(0, ONE)) == 2
    assert ledger.standing(here, OTHER) == []


def test_features_contents_and_horizons(database: Database) -> None:
    ledger = _ledger(database)
    book = Book(new_features={"001-login": "baseline"}, new_broken={"abc": "told"})
    ledger.save(book)
    ledger.save(Book(new_features={"001-login": "told"}))
    ledger.add_horizon("c1", "baseline")
    ledger.add_horizon("c2", "elsewhere")
    ledger.add_horizon("c2", "elsewhere")
    again = _ledger(database)
    assert again.read([]).features == {"001-login": "told"}
    assert again.read([]).broken == {"abc": "told"}
    assert again.horizons() == {"baseline": ["c1"], "elsewhere": ["c2"]}


def test_the_only_feature_with_a_work_package(database: Database) -> None:
    _filled(database)
    ledger = _ledger(database)
    assert ledger.only_feature("WP01") == "001-login"
    assert ledger.only_feature("WP09") is None
    book = Book()
    book.log(("002-logout", "WP01")).add(Entry("created", "planned"))
    ledger.save(book)
    assert ledger.only_feature("WP01") is None
