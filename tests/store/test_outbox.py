"""The log and the queue."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.store import outbox
from tests.store import stores


@pytest.fixture
def target(home: Path, emitter_at: Callable[..., EventEmitter]) -> EventEmitter:
    return emitter_at(home)


def test_an_event_enters_both(target: EventEmitter, home: Path) -> None:
    event = target.emit_history_added("WP01", "note", "über", feature_slug=stores.FEATURE)
    assert event is not None
    ((data,),) = stores.rows(home, "SELECT data FROM queue")
    assert json.loads(str(data)) == event
    assert "über" in str(data)
    assert stores.rows(
        home, "SELECT event_id, event_type, data, feature, wp_id, lamport, delivered_at FROM events"
    ) == [(event["event_id"], "HistoryAdded", data, stores.FEATURE, "WP01", 1, None)]
    assert stores.rows(home, "SELECT typeof(timestamp), retry_count FROM queue") == [("integer", 0)]


def test_the_queue_in_its_order(target: EventEmitter) -> None:
    told = stores.steps(target, 5)

    def waiting(prefix: str = "", limit: int | None = None) -> list[str]:
        return target.store.read(
            lambda connection: [row.event_id for row in outbox.queued(connection, prefix=prefix, limit=limit)]
        )

    assert waiting() == told
    assert waiting(limit=2) == told[:2]
    assert waiting(prefix=told[3]) == [told[3]]
    assert waiting(prefix="ZZ") == []
    assert target.store.read(outbox.queue_length) == 5


def test_the_log_by_work_package_and_from_the_end(target: EventEmitter) -> None:
    first = stores.steps(target, 3)
    second = stores.steps(target, 2, wp_id="WP02")
    other = target.emit_history_added("WP01", "note", "x", feature_slug="002-logout")
    assert other is not None

    def logged(
        *, feature: str | None = None, wp_id: str | None = None, newest: int | None = None, after: int = 0
    ) -> list[str]:
        def read(connection: sqlite3.Connection, project: int) -> list[str]:
            found = outbox.logged(connection, project, feature=feature, wp_id=wp_id, newest=newest, after=after)
            return [row.event_id for row in found]

        return target.read(read, default=[])

    everything = [*first, *second, other["event_id"]]
    assert logged() == everything
    assert logged(newest=2) == everything[-2:]
    assert logged(wp_id="WP01") == [*first, other["event_id"]]
    assert logged(feature=stores.FEATURE, wp_id="WP01") == first
    assert logged(after=4) == everything[4:]
    assert target.store.read(outbox.newest_sequence) == 6


def test_whether_an_event_was_told(target: EventEmitter) -> None:
    event_id = stores.note(target, "once")
    assert event_id is not None
    assert target.store.read(lambda connection: outbox.find(connection, event_id)) is not None
    assert target.store.read(lambda connection: outbox.find(connection, "01ARZ3NDEKTSV4RRFFQ69G5FAV")) is None


def test_a_features_first_event(target: EventEmitter) -> None:
    made = target.emit_feature_created(stores.FEATURE, "001", "main", 2)
    assert made is not None

    def first(kind: str, feature: str) -> str | None:
        return target.read(
            lambda connection, project: outbox.first_of_feature(connection, project, kind, feature), default=None
        )

    found = first("FeatureCreated", stores.FEATURE)
    assert found is not None
    assert json.loads(found)["event_id"] == made["event_id"]
    assert first("FeatureCreated", "002-logout") is None
