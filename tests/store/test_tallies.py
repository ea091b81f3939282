"""The number of events that wait is known without counting them, and no question takes longer the more were told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.store import condition, delivery, destinations, outbox
from kittywatch.store.database import NAME
from kittywatch.store.delivery import MAX_REFUSALS
from tests.store import stores

REFUSED = "UPDATE queue SET retry_count = retry_count + 1"
FOREIGN = "INTO queue (event_id, event_type, data, timestamp) VALUES ('F', 'WPStatusChanged', '{}', 1)"


def test_whatever_happens_to_the_queue_is_counted(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    target = emitter_at(home)
    store = target.store
    ids = stores.steps(target, 8)
    stores.check_tallies(home)
    cats = store.transact(lambda connection: destinations.set_present(connection, "https://a", "cats")).key
    ids += stores.steps(target, 3, wp_id="WP02")
    dogs = store.transact(lambda connection: destinations.set_present(connection, "https://b", "dogs")).key
    ids += stores.steps(target, 2, wp_id="WP03")
    stores.check_tallies(home)
    claimed = store.transact(lambda connection: delivery.claim(connection, "me", dogs, limit=3))
    stores.check_tallies(home)
    store.transact(lambda connection: delivery.delivered(connection, [one.event_id for one in claimed[:1]]))
    stores.check_tallies(home)
    store.transact(lambda connection: delivery.release(connection, "me"))
    for _ in range(MAX_REFUSALS):
        stores.let_pauses_pass(home)
        store.transact(lambda connection: delivery.refused(connection, {ids[4]: "no"}))
        stores.check_tallies(home)
    store.transact(lambda connection: delivery.revive(connection))
    stores.check_tallies(home)
    store.transact(lambda connection: destinations.redirect(connection, cats))
    stores.check_tallies(home)
    (key,) = stores.rows(home, "SELECT max(id) FROM queue")[0]
    assert isinstance(key, int)
    store.transact(lambda connection: delivery.purge(connection, [key]))
    stores.check_tallies(home)


@pytest.mark.parametrize(
    "statements",
    [
        [f"INSERT {FOREIGN}"],
        [f"INSERT OR IGNORE {FOREIGN}", f"INSERT OR IGNORE {FOREIGN}"],
        [f"INSERT OR REPLACE {FOREIGN}", "DELETE FROM queue WHERE event_id = 'F'"],
        [f"INSERT {FOREIGN}", REFUSED, REFUSED, "UPDATE queue SET retry_count = 0"],
        ["UPDATE OR REPLACE queue SET died_at = 1.0 WHERE id % 2", "DELETE FROM queue"],
    ],
)
def test_what_other_clients_do_to_it_is_counted(
    home: Path, emitter_at: Callable[..., EventEmitter], statements: list[str]
) -> None:
    stores.steps(emitter_at(home), 3)
    for statement in statements:
        stores.execute(home, statement)
        stores.check_tallies(home)


QUESTIONS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "queue length": outbox.queue_length,
    "waiting": lambda connection: delivery.waiting(connection, 1),
    "waiting for others": lambda connection: destinations.waiting_for_others(connection, 1),
    "the oldest": delivery.oldest,
    "condition": condition._read,
    "log": lambda connection: outbox.logged(connection, 1, newest=5),
    "log of a feature": lambda connection: outbox.logged(connection, 1, feature="001-login", newest=5),
    "log of a work package": lambda connection: outbox.logged(
        connection, 1, feature="001-login", wp_id="WP01", newest=5
    ),
    "queue list": lambda connection: list(outbox.queued(connection, limit=5)),
    "one event": lambda connection: outbox.traced(connection, "01ARZ3", limit=2),
    "newest": outbox.newest_sequence,
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_takes_longer_the_more_was_told(
    home: Path, emitter_at: Callable[..., EventEmitter], question: str
) -> None:
    """By what SQLite does for the answer, of ten events and of a thousand."""
    target = emitter_at(home)
    stores.steps(target, 10)
    steps = [_done(home, QUESTIONS[question])]
    for table in ("events", "queue"):
        columns = {str(row[1]) for row in stores.rows(home, f"PRAGMA table_info({table})")} - {"id", "seq", "event_id"}
        names = ", ".join(sorted(columns))
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
        copied = f"SELECT printf('02%024d', i), {names} FROM n, {table} WHERE {table}.rowid = 1"
        stores.execute(home, f"INSERT INTO {table} (event_id, {names}) {numbers} {copied}")
    steps.append(_done(home, QUESTIONS[question]))
    assert steps[1] <= steps[0] * 1.2 + 20


def _done(home: Path, ask: Callable[[sqlite3.Connection], object]) -> int:
    """How many steps SQLite's machine takes for a question."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    with closing(sqlite3.connect(home / NAME)) as connection:
        ask(connection)  # which reads the schema, too
        connection.set_progress_handler(step, 1)
        ask(connection)
    return count
