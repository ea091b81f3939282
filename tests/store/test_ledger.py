"""The ledger in rows: what is saved is read again, by project and work package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from kittywatch.derive.changes import BrokenContent, Key
from kittywatch.derive.ledger import Entry, LedgerState
from kittywatch.store.database import Database
from kittywatch.store.ledger import Ledger
from kittywatch.workpackages.reader import Problem

ONE: Key = ("001-login", "WP01")
OTHER: Key = ("001-login", "WP02")
FULL = Entry(
    "assigned",
    "void",
    "for_review",
    "doing",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    {"1.000000|doing", "2.000000|doing", "#01KMD00000000000000000000A", "=2.0"},
    {("c1", "doing"), ("c2", "")},
    "c1",
    "c0",
    "/here/.git refs/heads/main",
    "ada",
    "review",
    unrecorded=True,
)


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(Database.in_memory()) as made:
        for project in (1, 2):
            made.connection.execute("INSERT INTO projects (id, key) VALUES (?, ?)", (project, str(project)))
        yield made


def ledger(database: Database, project: int = 1) -> Ledger:
    return Ledger(database.connection, project)


def filled(database: Database) -> LedgerState:
    """A work package with two entries and another one with one, saved."""
    state = LedgerState()
    state.add(ONE, Entry("created", "emitted", "planned", None, "a", first="c1"))
    state.add(ONE, Entry("step", "emitted", "doing", "planned", "b", {"1.000000|doing"}, {("c2", "doing")}))
    state.add(OTHER, Entry("known", "baseline", "done"))
    ledger(database).save(state)
    state.saved()
    return state


def values(state: LedgerState, key: Key) -> list[dict[str, object]]:
    return [msgspec.structs.asdict(entry) for entry in state.history(key).entries]


def test_every_field_of_an_entry(database: Database) -> None:
    """None of them has its default, or is None, in the one and each is in the other."""
    state, defaults = LedgerState(), Entry("step", "emitted", "doing")
    full = msgspec.structs.replace(FULL)
    assert not [name for name, value in msgspec.structs.asdict(full).items() if not value and name != "row"]
    state.add(ONE, full)
    state.add(ONE, defaults)
    ledger(database).save(state)
    assert values(ledger(database).read([ONE]), ONE) == values(state, ONE)
    assert [entry.row for entry in (full, defaults)] == [1, 2]


def test_a_change_is_an_update_of_the_row(database: Database) -> None:
    filled(database)
    mine = ledger(database)
    state = mine.read()
    entry = state.history(ONE).entries[1]
    state.link(ONE, entry, "c9", "doing")
    state.identify(ONE, entry, "9.000000|doing")
    state.void(ONE, entry, "a view")
    mine.save(state)
    again = ledger(database).read()
    assert values(again, ONE) == values(state, ONE)
    assert [one.row for one in again.history(ONE).entries] == [1, 2]
    assert again.history(ONE).entries[1].links == {("c2", "doing"), ("c9", "doing")}


def test_what_is_not_changed_is_not_written(database: Database) -> None:
    state = filled(database)
    state.history(ONE).entries[1].lane = "done"
    ledger(database).save(state)
    assert [one.lane for one in ledger(database).read().history(ONE).entries] == ["planned", "doing"]


def test_each_save_raises_the_version(database: Database) -> None:
    """Whoever planned on what was there before plans again."""
    assert ledger(database).version() == 0
    filled(database)
    assert ledger(database).version() == 1
    ledger(database).save(LedgerState())
    ledger(database).raise_version()
    assert (ledger(database).version(), ledger(database, 2).version(), ledger(database, 3).version()) == (3, 0, 0)


def test_projects_do_not_see_each_other(database: Database) -> None:
    state = filled(database)
    state.know_feature("001-login", "told")
    state.know_broken(BrokenContent(Problem("path", 1, "why"), "001-login", "WP01", "content"), "told")
    state.rename("002-login", "001-login", None)
    state.seen(ONE)["r1"] = "told"
    mine, theirs = ledger(database), ledger(database, 2)
    mine.save(state)
    mine.add_boundary("c1", "baseline")
    assert theirs.read() == LedgerState()
    assert theirs.read([ONE]).histories == {}
    assert theirs.boundaries() == {"baseline": [], "elsewhere": []}
    assert theirs.introduced(["c2"]) == set()
    assert not theirs.knows(ONE)
    assert theirs.features_of("WP01") == []


def test_only_what_is_asked_for_is_read(database: Database) -> None:
    filled(database)
    assert set(ledger(database).read([OTHER]).histories) == {OTHER}
    many = [(f"{number:03d}-x", "WP01") for number in range(300)]
    assert set(ledger(database).read([*many, ONE]).histories) == {ONE, OTHER}  # so many that all are read at once


def test_seen_keys_by_page(database: Database) -> None:
    """Those of a work package and of its feature; changed pages replace what was there, others stay."""
    pages = {ONE: {"r1": "told"}, OTHER: {"r2": "told"}, (ONE[0], ""): {"complete": "told"}, ("002-x", ""): {"a": "b"}}
    state = LedgerState()
    for key, keys in pages.items():
        state.seen(key).update(keys)
    ledger(database).save(state)
    state.saved()
    state.pages[OTHER]["r3"] = "told"  # not noted as changed
    state.seen(ONE)["r1"] = "elsewhere"
    ledger(database).save(state)
    assert ledger(database).read([ONE]).pages == {ONE: {"r1": "elsewhere"}, (ONE[0], ""): {"complete": "told"}}
    assert ledger(database).read().pages == {**pages, ONE: {"r1": "elsewhere"}}


def test_features_and_broken_contents_are_read_whole(database: Database) -> None:
    state = LedgerState()
    state.know_feature("001-login", "baseline")
    state.know_broken(BrokenContent(Problem("path", 1, "why"), "001-login", None, "abc"), "elsewhere")
    ledger(database).save(state)
    state.know_feature("001-login", "told")
    ledger(database).save(state)
    again = ledger(database).read([])
    assert (again.features, again.broken) == ({"001-login": "told"}, {"abc": "elsewhere"})


def test_a_renamed_feature_keeps_its_first_name(database: Database) -> None:
    state = LedgerState()
    assert state.rename("002-login", "001-login", "c1")
    assert state.rename("003-login", "002-login", None)
    assert not state.rename("002-login", "001-login", "c2")
    ledger(database).save(state)
    assert ledger(database).renames() == {"002-login": "001-login", "003-login": "001-login"}
    assert ledger(database).read([]).key("003-login", "WP01") == ("001-login", "WP01")


def test_a_move_is_one_for_each_commit_that_it_is_found_in(database: Database) -> None:
    mine = ledger(database)
    for old, new, commit, is_news in (
        *(("m-1", "m-2", "c1", True), ("m-1", "m-2", "c1", False), ("m-1", "m-2", "c2", True)),
        *(("m-1", "m-2", None, True), ("m-1", "m-2", None, True), ("m-2", "m-2", "c3", False)),
    ):
        mine.renamed = False
        mine.record_move(old, new, "BACK-1", commit)
        assert mine.renamed == is_news
    assert ledger(database).renames() == {}


def test_boundaries(database: Database) -> None:
    mine = ledger(database)
    for commit, kind in (("c1", "baseline"), ("c2", "elsewhere"), ("c2", "elsewhere"), ("c3", "baseline")):
        mine.add_boundary(commit, kind)  # type: ignore[arg-type]
    assert mine.boundaries() == {"baseline": ["c1", "c3"], "elsewhere": ["c2"]}


def test_which_commits_introduced_something(database: Database) -> None:
    filled(database)
    assert ledger(database).introduced(["c1", "c2", "c3"]) == {"c2"}


def test_the_features_with_a_work_package(database: Database) -> None:
    filled(database)
    assert ledger(database).features_of("WP09") == []
    assert ledger(database).features_of("WP01") == ["001-login"]
    assert ledger(database).knows(ONE)
    assert not ledger(database).knows(("002-logout", "WP01"))
    state = LedgerState()
    state.add(("000-logout", "WP01"), Entry("created", "emitted", "planned"))
    ledger(database).save(state)
    assert ledger(database).features_of("WP01") == ["000-logout", "001-login"]
