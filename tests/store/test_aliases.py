"""Aliases of emitted events: what is noted, and when they may leave."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittywatch.emit.emitter import EventEmitter
from kittywatch.store import aliases, delivery, destinations
from kittywatch.store.aliases import Aliases
from kittywatch.store.database import NAME, Database
from kittywatch.store.salvage import salvage
from kittywatch.store.schema import MIGRATIONS
from tests.store import stores

OTHER = "0c5d7f5e-8a55-4f0b-9a52-2f1f6a8b1c3d"


@pytest.fixture
def target(home: Path, emitter_at: Callable[..., EventEmitter]) -> EventEmitter:
    return emitter_at(home)


def add(target: EventEmitter, alias: str, event_id: str) -> bool:
    return target.transact(lambda unit: unit.aliases.add(alias, event_id))


def told(target: EventEmitter, text: str = "told") -> str:
    event_id = stores.note(target, text)
    assert event_id is not None
    return event_id


def login(target: EventEmitter, url: str = "https://a", team: str = "cats") -> int:
    return target.store.transact(lambda connection: destinations.set_present(connection, url, team)).key


def claim(target: EventEmitter, to: int, *, beside: Iterable[str] = (), without: Iterable[int] = ()) -> list[str]:
    """The aliases that a sender gets; they are given back."""

    def work(connection: object) -> list[str]:
        rows = aliases.claim(connection, "looker", to, limit=100, beside=list(beside), without=list(without))  # type: ignore[arg-type]
        aliases.release(connection, "looker")  # type: ignore[arg-type]
        return [row.alias for row in rows]

    return target.store.transact(work)


def deliver(target: EventEmitter, to: int, *event_ids: str) -> None:
    """As a batch does: claimed for a destination, sent, taken."""

    def work(connection: object) -> None:
        delivery.claim(connection, "sender", to, limit=100)  # type: ignore[arg-type]
        delivery.delivered(connection, event_ids)  # type: ignore[arg-type]
        delivery.release(connection, "sender")  # type: ignore[arg-type]

    target.store.transact(work)


def test_it_is_noted_once_and_found_both_ways(target: EventEmitter) -> None:
    event_id = told(target)
    assert add(target, "A1", event_id)
    assert not add(target, "A1", event_id)
    assert add(target, "A2", event_id)
    assert not add(target, event_id, event_id)
    assert target.peek(lambda unit: (unit.aliases.of(event_id), unit.aliases.resolve("A2"))) == (["A1", "A2"], event_id)
    assert target.peek(lambda unit: (unit.aliases.of("A1"), unit.aliases.resolve(event_id))) == ([], None)


def test_chains_end_at_the_told_event_and_nothing_goes_round(target: EventEmitter) -> None:
    first, second = told(target, "1"), told(target, "2")
    assert add(target, "A1", first)
    assert add(target, "A2", "A1")
    assert target.peek(lambda unit: unit.aliases.of(first)) == ["A1", "A2"]
    assert not add(target, first, "A2")
    assert add(target, first, second)
    assert target.peek(lambda unit: unit.aliases.of(second)) == ["A1", "A2", first]
    assert not add(target, second, "A1")
    assert not add(target, "A1", "another")
    assert target.peek(lambda unit: unit.aliases.resolve("A1")) == second


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from("ABCDE")), max_size=12))
def test_no_alias_leads_to_an_alias(pairs: list[tuple[str, str]]) -> None:
    database = Database.in_memory()
    known = Aliases(database.connection, 1)
    for alias, event_id in pairs:
        before = known.resolve(alias)
        news = known.add(alias, event_id)
        root = known.resolve(event_id) or event_id
        assert news == (before is None and root != alias)
        for name in "ABCDE":
            end = known.resolve(name)
            assert end is None or (end != name and known.resolve(end) is None)
    assert known.added == len([name for name in "ABCDE" if known.resolve(name)])
    database.close()


def test_projects_have_their_own(target: EventEmitter, home: Path) -> None:
    other = stores.emitter(home, stores.unexpected, uuid=OTHER)
    event_id = told(target)
    add(target, "A1", event_id)
    assert other.transact(lambda unit: unit.aliases.resolve("A1")) is None
    other.store.close()


def test_it_is_of_the_transaction_that_found_it(target: EventEmitter) -> None:
    event_id = told(target)

    def fails(unit: object) -> None:
        unit.aliases.add("A1", event_id)  # type: ignore[attr-defined]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        target.transact(fails)
    assert target.peek(lambda unit: unit.aliases.resolve("A1")) is None


def test_who_delivers_hears_of_an_alias_alone(target: EventEmitter) -> None:
    event_id = told(target)
    heard: list[int] = []
    target.on_emitted = lambda: heard.append(1)
    add(target, "A1", event_id)
    add(target, "A1", event_id)
    assert heard == [1]


def test_it_leaves_with_its_event_or_after_it(target: EventEmitter) -> None:
    event_id = told(target)
    add(target, "A1", event_id)
    cats = login(target)
    assert claim(target, cats) == []
    assert claim(target, cats, beside=[event_id]) == ["A1"]
    deliver(target, cats, event_id)
    assert claim(target, cats) == ["A1"]
    assert target.store.read(lambda connection: aliases.any_sendable(connection, cats))


def test_it_goes_where_its_event_went(target: EventEmitter) -> None:
    """Also where it was found after a change of server, and where the event was emitted before the first login."""
    before = told(target, "before")
    cats = login(target)
    during = told(target, "during")
    deliver(target, cats, before, during)
    dogs = login(target, "https://b", "dogs")
    add(target, "A1", before)
    add(target, "A2", during)
    assert claim(target, dogs) == []
    assert claim(target, cats) == ["A1", "A2"]


def test_one_of_others_events_waits_for_nothing(target: EventEmitter) -> None:
    """They deliver what they emitted; a transition that is known as theirs has no event here."""
    add(target, "A1", "THEIRS")
    cats = login(target)
    assert target.store.read(lambda connection: aliases.any_sendable(connection, cats))
    assert target.store.read(aliases.waiting) == 1
    assert [row.alias for row in target.store.read(lambda connection: aliases.preview(connection, cats))] == ["A1"]
    assert claim(target, cats) == ["A1"]


@pytest.mark.parametrize("others", [0, 1])
def test_events_that_an_older_version_delivered(
    home: Path, emitter_at: Callable[..., EventEmitter], others: int
) -> None:
    """Of one emitted before the first login it kept no destination: the only one there is, or whoever is there."""
    home.mkdir()
    before = next(
        number for number, version in enumerate(MIGRATIONS) if any("TABLE aliases" in str(one) for one in version)
    )
    with closing(sqlite3.connect(home / NAME)) as old:
        for statement in itertools.chain(*MIGRATIONS[:before]):
            assert isinstance(statement, str)
            old.execute(statement)
        old.execute(f"PRAGMA user_version = {before}")
        old.execute("INSERT INTO projects (id, key) VALUES (1, ?)", (stores.UUID,))
        for url in ("https://a", "https://b")[: others + 1]:
            old.execute("INSERT INTO recipients (url, team) VALUES (?, 'cats')", (url,))
        old.execute(
            "INSERT INTO events (event_id, project, event_type, lamport, data, source, told_at, delivered_at)"
            " VALUES ('E', 1, 'x', 1, '{}', '{}', 1, 2)"
        )
        old.commit()
    target = emitter_at(home)
    add(target, "A1", "E")
    assert claim(target, login(target)) == ["A1"]
    assert claim(target, login(target, "https://c")) == (["A1"] if others else [])


def test_what_is_never_taken_keeps_its_aliases_here(target: EventEmitter) -> None:
    dead, purged = told(target, "dead"), told(target, "purged")
    cats = login(target)
    add(target, "A1", dead)
    add(target, "A2", purged)

    def work(connection: object) -> int:
        for number in range(delivery.MAX_REFUSALS):
            delivery.refused(connection, {dead: "no"}, now=1e9 + number * 1e4)  # type: ignore[arg-type]
        return delivery.purge(connection, [2])  # type: ignore[arg-type]

    assert target.store.transact(work) == 1
    assert claim(target, cats) == []
    assert target.store.read(aliases.waiting) == 1
    assert [one.alias for one in target.store.read(lambda connection: aliases.preview(connection, cats))] == []


def test_a_project_that_opted_out_and_one_without_identity_keep_theirs(target: EventEmitter, home: Path) -> None:
    event_id = told(target)
    nameless = stores.emitter(home, stores.unexpected, uuid=None)
    hidden = told(nameless, "hidden")
    cats = login(target)
    add(target, "A1", event_id)
    add(nameless, "A2", hidden)
    stores.execute(home, "UPDATE events SET delivered_at = 1")
    row = target.store.read(target.find_row)
    assert row is not None
    assert claim(target, cats) == ["A1"]
    assert claim(target, cats, without=[row]) == []
    target.store.transact(lambda connection: delivery.opt(connection, row, out=True))
    assert claim(target, cats) == []
    target.store.transact(lambda connection: delivery.opt(connection, row, out=False))
    assert claim(target, cats) == ["A1"]
    nameless.store.close()


def test_a_servers_word_settles_it(target: EventEmitter) -> None:
    event_id = told(target)
    cats = login(target)
    deliver(target, cats, event_id)
    for name in ("A1", "A2", "A3"):
        add(target, name, event_id)
    taken = target.store.transact(lambda connection: aliases.claim(connection, "me", cats, limit=3))
    assert claim(target, cats) == []
    assert target.store.read(delivery.claimants) == {"me"}
    keys = [one.key for one in taken]
    target.store.transact(lambda connection: aliases.settle(connection, keys[:1], {keys[1]: "a cycle"}))
    target.store.transact(lambda connection: delivery.release_all(connection, ["me"]))
    assert claim(target, cats) == ["A3"]
    assert target.store.read(aliases.waiting) == 1
    stands = target.store.read(lambda connection: aliases.of_event(connection, event_id))
    assert [(one.delivered_at is None, one.refused_at is None, one.reason) for one in stands] == [
        (False, True, None),
        (True, False, "a cycle"),
        (True, True, None),
    ]


def test_many_ride_beside_many_events(target: EventEmitter) -> None:
    ids = stores.steps(target, 40)
    cats = login(target)

    def work(unit: object) -> None:
        for number, event_id in enumerate(ids * 30):
            unit.aliases.add(f"A{number:04}", event_id)  # type: ignore[attr-defined]

    target.transact(work)
    beside = ids + [f"unknown {number}" for number in range(1000)]
    taken = target.store.transact(lambda connection: aliases.claim(connection, "me", cats, limit=1000, beside=beside))
    assert [one.alias for one in taken] == [f"A{number:04}" for number in range(1000)]


def test_a_salvage_keeps_them(target: EventEmitter, home: Path) -> None:
    event_id = told(target)
    add(target, "A1", event_id)
    target.store.close()
    stores.break_an_index(home)
    salvage(home / "queue.db", 0)
    assert target.peek(lambda unit: unit.aliases.of(event_id)) == ["A1"]
