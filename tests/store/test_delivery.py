"""What may leave the queue, dead letters, and what delivery remembers."""

from __future__ import annotations

import functools
import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.store import delivery, destinations, outbox
from kittywatch.store.delivery import MAX_REFUSALS, Waiting
from kittywatch.store.salvage import salvage
from kittywatch.store.schema import MIGRATIONS
from tests.store import stores

OTHER = "0c5d7f5e-8a55-4f0b-9a52-2f1f6a8b1c3d"


@pytest.fixture
def target(home: Path, emitter_at: Callable[..., EventEmitter]) -> EventEmitter:
    return emitter_at(home)


def told(target: EventEmitter, *texts: str) -> list[str]:
    ids = [stores.note(target, text) for text in texts]
    return [event_id for event_id in ids if event_id is not None]


def login(target: EventEmitter, url: str = "https://a", team: str = "cats") -> int:
    return target.store.transact(lambda connection: destinations.set_present(connection, url, team)).key


def claim(target: EventEmitter, to: int, **options: object) -> list[str]:
    rows = target.store.transact(lambda connection: delivery.claim(connection, "me", to, limit=100, **options))  # type: ignore[arg-type]
    return [row.event_id for row in rows]


def look(target: EventEmitter, to: int | None) -> Waiting:
    return target.store.read(lambda connection: delivery.waiting(connection, to))


def test_an_event_is_for_whom_it_was_told(target: EventEmitter, home: Path) -> None:
    """The login's server and team; for nobody in particular without one. The envelope says the team."""
    before = told(target, "before")
    cats = login(target)
    first = told(target, "cats")
    dogs = login(target, "https://b", "dogs")
    second = told(target, "dogs")
    target.store.transact(destinations.unset_present)
    after = told(target, "after")
    assert stores.rows(home, "SELECT recipient FROM queue ORDER BY id") == [(None,), (cats,), (dogs,), (None,)]
    teams = [json.loads(str(row[0]))["team_slug"] for row in stores.rows(home, "SELECT data FROM queue ORDER BY id")]
    assert teams == ["local", "cats", "dogs", "local"]
    assert look(target, cats) == look(target, cats)
    assert (look(target, cats).sendable, look(target, cats).for_others) == (3, 1)
    assert claim(target, cats) == before + first + after
    assert claim(target, dogs) == second


def test_events_for_another_go_here_only_when_told_to(target: EventEmitter, home: Path) -> None:
    cats = login(target)
    first = told(target, "cats", "more")
    dogs = login(target, "https://a", "dogs")
    assert claim(target, dogs) == []
    others = target.store.read(lambda connection: destinations.waiting_for_others(connection, dogs))
    assert {other.team: count for other, count in others.items()} == {"cats": 2}
    assert target.store.transact(lambda connection: destinations.redirect(connection, dogs)) == 2
    assert claim(target, cats) == []
    assert claim(target, dogs) == first
    assert stores.rows(home, "SELECT DISTINCT recipient FROM events") == [(dogs,)]


def test_a_project_that_opted_out_and_one_without_identity_stay(
    target: EventEmitter, home: Path, emitter_at: Callable[..., EventEmitter]
) -> None:
    to = login(target)
    mine = told(target, "mine")
    nameless = stores.emitter(home, stores.unexpected, uuid=None)
    other = stores.emitter(home, stores.unexpected, uuid=OTHER)
    try:
        private, waits = told(other, "private"), told(nameless, "nameless")
        row = other.store.transact(other.ensure_row)
        other.store.transact(lambda connection: delivery.opt(connection, row, out=True))
        assert look(target, to) == Waiting(1, 1, 1, 0, 0, look(target, to).oldest_emitted_at)
        assert claim(target, to) == mine
        assert not target.store.read(lambda connection: delivery.any_sendable(connection, to))
        other.store.transact(lambda connection: delivery.opt(connection, row, out=False))
        assert claim(target, to) == private
    finally:
        nameless.store.close()
        other.store.close()
    named = stores.emitter(home, stores.unexpected, uuid="1c5d7f5e-8a55-4f0b-9a52-2f1f6a8b1c3d")
    told(named, "now it has one")  # at the same place
    (found,) = (
        row
        for row in named.store.transact(lambda connection: delivery.claim(connection, "me", to, limit=1))
        if row.event_id in waits
    )
    assert found.project_uuid == "1c5d7f5e-8a55-4f0b-9a52-2f1f6a8b1c3d"
    assert json.loads(found.data)["project_uuid"] is None
    named.store.close()


def test_oldest_first_from_a_row_on_and_without_a_project(target: EventEmitter, home: Path) -> None:
    to = login(target)
    ids = told(target, *"abcde")
    assert claim(target, to, after=2) == ids[2:]
    target.store.transact(lambda connection: delivery.release(connection, "me"))
    assert claim(target, to, without=[1]) == []
    rows = target.store.transact(lambda connection: delivery.claim(connection, "me", to, limit=2))
    assert [row.event_id for row in rows] == ids[:2]


def test_five_refusals_make_a_dead_letter(target: EventEmitter, home: Path) -> None:
    to = login(target)
    bad, good = told(target, "bad", "good")
    for count in range(1, MAX_REFUSALS + 1):
        stores.let_pauses_pass(home)
        assert claim(target, to) == [bad, good]
        dead = target.store.transact(functools.partial(delivery.refused, reasons={bad: f"no {count}"}))
        target.store.transact(lambda connection: delivery.release(connection, "me"))
        assert dead == (count == MAX_REFUSALS)
    assert claim(target, to) == [good]
    (row,) = target.store.read(lambda connection: list(outbox.queued(connection, dead=True)))
    assert (row.event_id, row.retry_count, row.reason) == (bad, 5, "no 5")
    assert row.died_at is not None
    assert abs(row.died_at - time.time()) < 60
    assert target.store.read(outbox.queue_length) == 1
    assert (look(target, to).sendable, look(target, to).dead) == (1, 1)
    assert target.store.transact(delivery.revive) == 1
    assert claim(target, to) == [bad]
    assert stores.rows(home, "SELECT retry_count, reason, died_at FROM queue WHERE id = 1") == [(0, None, None)]


def test_a_server_that_is_out_of_order_for_a_while_buries_nothing(target: EventEmitter, home: Path) -> None:
    """However often it refuses in that time, it counts once; and the event is left alone, longer each time."""
    login(target)
    (bad,) = told(target, "bad")
    now = time.time()
    for count, pause in enumerate(delivery.PAUSES, start=1):
        for moment in (now, now + 1, now + pause - 1):
            reasons = {bad: f"at {moment}"}
            assert not target.store.transact(functools.partial(delivery.refused, reasons=reasons, now=moment))
        rows = stores.rows(home, f"SELECT retry_count, reason, died_at, retry_at - {now} FROM queue")
        assert rows == [(count, f"at {now + pause - 1}", None, pytest.approx(pause))]
        now += pause + 1
    assert target.store.transact(functools.partial(delivery.refused, reasons={bad: "no"}, now=now)) == 1
    assert sum(delivery.PAUSES) > 2 * 3600


def test_what_was_refused_is_left_alone_unless_somebody_asks(target: EventEmitter, home: Path) -> None:
    to = login(target)
    bad, good = told(target, "bad", "good")
    target.store.transact(functools.partial(delivery.refused, reasons={bad: "no"}))
    assert claim(target, to) == [good]
    assert not target.store.read(lambda connection: delivery.any_sendable(connection, to))
    assert claim(target, to, resting=True) == [bad]
    target.store.transact(lambda connection: delivery.release(connection, "me"))
    # Somebody set the clock back: a moment that lies further ahead than any pause is no reason to wait.
    stores.execute(home, f"UPDATE queue SET retry_at = {time.time() + 1e6} WHERE retry_at IS NOT NULL")
    assert claim(target, to) == [bad, good]


def test_what_is_given_up_stays_in_the_log(target: EventEmitter, home: Path) -> None:
    login(target)
    ids = told(target, *"abc")
    stores.execute(home, "UPDATE queue SET claim = 'somebody' WHERE id = 2")
    assert target.store.transact(lambda connection: delivery.purge(connection, [1, 2])) == 1
    assert stores.rows(home, "SELECT event_id FROM queue ORDER BY id") == [(ids[1],), (ids[2],)]
    assert stores.rows(home, "SELECT event_id FROM events WHERE purged_at IS NOT NULL") == [(ids[0],)]


def test_rows_of_another_program(target: EventEmitter, home: Path) -> None:
    """The field's own client queues in the same table, without the columns that are ours."""
    to = login(target)
    ids = told(target, "ours")
    rows = [
        ("01B", json.dumps({"event_id": "01B", "project_uuid": OTHER, "project_slug": "field"})),
        ("01C", json.dumps({"event_id": "01C", "project_uuid": stores.UUID})),
        ("01D", json.dumps({"event_id": "01D"})),
        ("01E", "{"),
        ("01F", "[]"),
    ]
    for event_id, data in rows:
        stores.execute(
            home,
            "INSERT INTO queue (event_id, event_type, data, timestamp)"
            f" VALUES ('{event_id}', 'WPStatusChanged', '{data}', 1)",
        )
    target.store.transact(delivery.adopt)
    taken = target.store.transact(lambda connection: delivery.claim(connection, "me", to, limit=9))
    assert [(row.event_id, row.project_uuid, row.project_slug) for row in taken] == [
        (ids[0], stores.UUID, "shop"),
        ("01B", OTHER, "field"),
        ("01C", stores.UUID, "shop"),
    ]
    assert stores.rows(home, "SELECT event_id, reason FROM queue WHERE died_at IS NOT NULL") == [
        ("01E", "it is not JSON")
    ]
    assert look(target, to).without_identity == 2


def test_a_row_of_another_program_whose_event_is_in_the_log(target: EventEmitter, home: Path) -> None:
    """The log says whose it is, whatever its JSON says; so it goes out under its project's opt-out."""
    to = login(target)
    (event_id,) = told(target, "ours")
    data = json.dumps({"event_id": event_id, "project_uuid": OTHER})
    stores.execute(home, f"UPDATE queue SET project = NULL, data = '{data}'")
    target.store.transact(delivery.adopt)
    (row,) = target.store.transact(lambda connection: delivery.claim(connection, "me", to, limit=9))
    assert (row.event_id, row.project_uuid) == (event_id, stores.UUID)
    assert stores.rows(home, "SELECT key FROM projects") == [(stores.UUID,)]


def test_notes(target: EventEmitter) -> None:
    target.store.transact(lambda connection: delivery.remember(connection, one={"a": [1.5, None]}, two=True))
    target.store.transact(lambda connection: delivery.remember(connection, two=None, three="x"))
    assert target.store.read(delivery.notes) == {"one": {"a": [1.5, None]}, "three": "x"}


def test_how_to_log_in_is_said_once(target: EventEmitter) -> None:
    assert not target.store.transact(delivery.hint_is_due)
    told(target, "one")
    assert target.store.transact(delivery.hint_is_due)
    assert not target.store.transact(delivery.hint_is_due)


def test_a_salvage_keeps_whom_events_are_for_and_puts_nothing_back(target: EventEmitter, home: Path) -> None:
    cats = login(target)
    delivered, _, waits = told(target, "delivered", "given up", "waits")
    login(target, "https://b", "dogs")
    target.store.transact(lambda connection: delivery.delivered(connection, [delivered]))
    target.store.transact(lambda connection: delivery.purge(connection, [2]))
    target.store.close()
    stores.execute(home, "DELETE FROM queue")
    stores.break_an_index(home)
    salvage(home / "queue.db", 0)
    assert stores.rows(home, "SELECT event_id, project, recipient FROM queue") == [(waits, 1, cats)]
    assert stores.rows(home, "SELECT url, team, present FROM recipients") == [
        ("https://a", "cats", 0),
        ("https://b", "dogs", 1),
    ]


@pytest.mark.parametrize("damaged", [False, True])
def test_a_database_of_the_first_version(home: Path, emitter_at: Callable[..., EventEmitter], damaged: bool) -> None:
    """It is brought to this one, also by a salvage; what waits there may be sent."""
    home.mkdir()
    data = json.dumps({"event_id": "01A", "project_uuid": stores.UUID})
    with closing(sqlite3.connect(home / "queue.db")) as old:
        for statement in (*MIGRATIONS[0], "PRAGMA user_version = 1"):
            assert isinstance(statement, str)
            old.execute(statement)
        old.execute("INSERT INTO projects VALUES (7, ?, 'shop')", (stores.UUID,))
        old.execute("INSERT INTO queue (event_id, event_type, data, timestamp) VALUES ('01A', 'x', ?, 1)", (data,))
        old.execute(
            "INSERT INTO events (event_id, project, event_type, lamport, data, source, told_at)"
            " VALUES ('01A', 7, 'x', 1, ?, '{}', 1)",
            (data,),
        )
        old.commit()
    if damaged:
        stores.break_an_index(home, "landings_of_entry")
        salvage(home / "queue.db", 0)
    target = emitter_at(home)
    to = login(target)
    target.store.transact(delivery.adopt)
    assert claim(target, to) == ["01A"]
    assert stores.rows(home, "SELECT id, opted_out FROM projects") == [(7, 0)]


def test_a_salvage_that_lost_a_project_lets_none_of_its_events_go(target: EventEmitter, home: Path) -> None:
    """Whether it had opted out nobody knows any more."""
    to = login(target)
    told(target, "one")
    target.store.close()
    stores.execute(home, "DELETE FROM projects")
    stores.break_an_index(home)
    salvage(home / "queue.db", 0)
    assert claim(target, to) == []
    assert look(target, to).opted_out == 1
