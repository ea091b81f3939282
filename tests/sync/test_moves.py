"""Moves of work packages on their way: to servers that take them and no others, in their order, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from kittywatch.emit.emitter import EventEmitter
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.sync import features
from kittywatch.sync.batch import batch_sync
from kittywatch.sync.flusher import is_due
from tests.hub.hubs import Hub, Machine
from tests.store import stores
from tests.sync import delivering
from tests.sync.connected import connected, living
from tests.sync.delivering import FastClock
from tests.sync.fault_proxy import Fault, answer_json
from tests.sync.test_renames import NEW, NEWER, OLD, Batch, Bench, bench, rename, taken
from tests.waiting import until

__all__ = ["bench"]
BOTH = {"features": ["aliases", "renames", features.MOVES]}


def move(target: EventEmitter, old: str, new: str, wp_id: str = "WP01", commit: str | None = "c" * 40) -> None:
    """An observation finds that a work package is in another feature."""

    def find(unit: UnitOfWork) -> None:
        unit.ledger.record_move(old, new, wp_id, commit)

    target.transact(find)


def named(old: str, new: str, wp_id: str = "WP01", commit: str | None = "c" * 40) -> dict[str, Any]:
    return {"project_uuid": stores.UUID, "feature_slug": old, "renamed_to": new, "wp_id": wp_id, "commit": commit}


def test_they_ride_in_their_order_and_once(bench: Bench) -> None:
    bench.named = BOTH
    delivering.queue(bench.target, 3)
    move(bench.target, OLD, NEW)
    move(bench.target, NEW, OLD, commit="d" * 40)
    move(bench.target, OLD, NEW, commit=None)
    move(bench.target, OLD, NEW)  # of the same commit, by a second look
    move(bench.target, OLD, OLD)
    rename(bench.target, NEWER)
    summary = bench.run(batch_size=2)
    renamed = {"project_uuid": stores.UUID, "feature_slug": OLD, "renamed_to": NEWER, "commit": "c" * 40}
    moves = [named(OLD, NEW), named(NEW, OLD, commit="d" * 40), named(OLD, NEW, commit=None)]
    assert bench.batches[0]["renames"] == [renamed, *moves]
    assert (summary.delivered, summary.renames, summary.moves, summary.stopped) == (3, 1, 3, None)
    assert bench.told[1:] == [[]]
    assert bench.run().batches == 0
    assert not is_due(bench.target.store)


def test_a_move_alone_is_delivered(bench: Bench) -> None:
    bench.named = BOTH
    delivering.queue(bench.target, 1)
    bench.run()
    assert not is_due(bench.target.store)
    move(bench.target, OLD, NEW)
    assert is_due(bench.target.store)
    assert bench.run().moves == 1
    assert bench.batches[1]["events"] == []
    assert not is_due(bench.target.store)


def test_a_server_that_takes_renames_alone_gets_none_of_them(bench: Bench) -> None:
    """It would take the move of one work package for the rename of all of its feature."""
    delivering.queue(bench.target, 1)
    move(bench.target, OLD, NEW)
    rename(bench.target, NEWER)
    summary = bench.run()
    assert (summary.delivered, summary.renames, summary.moves) == (1, 1, 0)
    assert bench.told == [[(OLD, NEWER)]]
    assert not is_due(bench.target.store), "a flusher would be started for ever"
    bench.named = BOTH
    bench.target.store.transact(features.forget)
    assert bench.run().moves == 1


def test_what_is_refused_is_settled_and_said(bench: Bench) -> None:
    bench.named = BOTH

    def decide(batch: Batch) -> Fault:
        results = [{"event_id": one["event_id"], "status": "success"} for one in batch["events"]]
        told = [one | {"status": "success"} for one in batch.get("renames", [])]
        if told:
            told[0] |= {"status": "rejected", "error_message": "not here"}
        return answer_json(200, {"results": results, "renames": told}, X_RateLimit_Batch_Interval="0")

    bench.decide = decide
    delivering.queue(bench.target, 1)
    move(bench.target, OLD, NEW)
    move(bench.target, NEW, OLD, commit=None)
    summary = bench.run()
    assert summary.renames_refused == {f"WP01 from {OLD} to {NEW}": "not here"}
    assert summary.moves == 1
    assert bench.run().batches == 0


def test_one_that_the_server_says_nothing_of_waits(bench: Bench) -> None:
    bench.named = BOTH
    bench.decide = lambda batch: taken(batch, without=1)
    delivering.queue(bench.target, 1)
    move(bench.target, OLD, NEW)
    assert bench.run().moves == 0
    bench.decide = taken
    assert bench.run().moves == 1
    assert bench.told == [[(OLD, NEW)], [(OLD, NEW)]]


def test_twice_as_one_move_is_another_move_each_time_that_it_has_no_commit(bench: Bench) -> None:
    bench.named = BOTH
    delivering.queue(bench.target, 1)
    for _ in range(2):
        move(bench.target, OLD, NEW, commit=None)
        move(bench.target, NEW, OLD, commit=None)
    assert bench.run().moves == 4
    assert bench.told == [[(OLD, NEW), (NEW, OLD)] * 2]


# With a real hub.


def cards(hub: Hub) -> set[tuple[str, str]]:
    with Machine(hub.url) as reader:
        cookie = hub.open_login("mira", kind="browser").secret
        board = reader.http.get("/", headers={"Cookie": f"kittywatch={cookie}"})
    assert board.status_code == httpx.codes.OK
    paths = [part.split('"')[0] for part in board.text.split(f'class="open" href="/wp/{stores.UUID}/')[1:]]
    return {(path.split("/")[0], path.split("/")[1]) for path in paths}


def test_the_hub_shows_the_card_where_it_is(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    stores.steps(target, 1)
    auth = delivering.log_in(home, own_hub)
    batch_sync(target.store, auth, clock=FastClock())
    ((feature, wp_id),) = cards(own_hub)
    move(target, feature, NEW, wp_id)
    assert batch_sync(target.store, auth, clock=FastClock()).moves == 1
    assert cards(own_hub) == {(NEW, wp_id)}
    move(target, NEW, feature, wp_id, commit=None)
    assert batch_sync(target.store, auth, clock=FastClock()).moves == 1
    assert cards(own_hub) == {(feature, wp_id)}


def test_a_live_connection_lets_them_go_at_once(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    delivering.log_in(home, own_hub)
    with living(home) as (live, _):
        connected(live)
        target.on_emitted = live.wake
        stores.steps(target, 1)
        until(lambda: len(cards(own_hub)) == 1, what="the card in the first feature")
        ((feature, wp_id),) = cards(own_hub)
        move(target, feature, NEW, wp_id)
        until(lambda: cards(own_hub) == {(NEW, wp_id)}, what="the card in the other feature")
