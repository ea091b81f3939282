"""Renames of features on their way: to servers that take them and no others, once, where their project's events go."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.store import delivery, destinations
from kittywatch.sync import features
from kittywatch.sync.batch import batch_sync
from kittywatch.sync.flusher import flush, is_due
from kittywatch.sync.summary import Summary
from kittywatch.sync.verdicts import Taken, classify
from tests.hub.hubs import Hub, Machine
from tests.store import stores
from tests.sync import delivering
from tests.sync.connected import connected, living
from tests.sync.delivering import FastClock
from tests.sync.fault_proxy import Cut, Fault, FaultProxy, answer_json
from tests.waiting import until

LIFTED = {"X_RateLimit_Batch_Interval": "0"}
OLD, NEW, NEWER = stores.FEATURE, "008-groomed", "009-groomed-again"
Batch = dict[str, list[dict[str, Any]]]


def rename(target: EventEmitter, new: str, old: str = OLD, commit: str | None = "c" * 40) -> None:
    """The ledger finds that a feature's directory has another name, as an observation does."""

    def find(unit: UnitOfWork) -> None:
        state = unit.ledger.read([])
        assert state.rename(new, old, commit)
        unit.ledger.save(state)

    target.transact(find)


def taken(batch: Batch, status: str = "success", *, without: int = 0) -> Fault:
    results = [{"event_id": one["event_id"], "status": "success"} for one in batch["events"]]
    told = batch.get("renames", [])[without:]
    return answer_json(200, {"results": results, "renames": [one | {"status": status} for one in told]}, **LIFTED)


class Bench:
    """A server that names some features, and answers batches as a test wants."""

    def __init__(self, target: EventEmitter, home: Path) -> None:
        self.target = target
        self.home = home
        self.named: Any = {"features": ["aliases", "renames"]}
        self.decide: Callable[[Batch], Fault] = taken
        self.batches: list[Batch] = []
        self.proxy = FaultProxy(0, self.plan)

    def plan(self, path: str, number: int) -> Fault:
        if path == "/api/v1/":
            return answer_json(200, self.named)
        self.batches.append(json.loads(gzip.decompress(self.proxy.bodies[number])))
        return self.decide(self.batches[-1])

    def run(self, **options: Any) -> Summary:
        auth = delivering.pretend_login(self.home, self.proxy.url)
        return batch_sync(self.target.store, auth, clock=FastClock(), **{"batch_deadline": 5.0} | options)

    @property
    def told(self) -> list[list[tuple[str, str]]]:
        """The renames in each batch."""
        return [
            [(one["feature_slug"], one["renamed_to"]) for one in batch.get("renames", [])] for batch in self.batches
        ]


@pytest.fixture
def bench(target: EventEmitter, home: Path) -> Iterator[Bench]:
    bench = Bench(target, home)
    with bench.proxy:
        yield bench


def test_they_ride_beside_the_first_events_and_once(bench: Bench) -> None:
    delivering.queue(bench.target, 3)
    rename(bench.target, NEW)
    rename(bench.target, NEWER, NEW, None)
    summary = bench.run(batch_size=2)
    assert bench.batches[0]["renames"] == [
        {"project_uuid": stores.UUID, "feature_slug": OLD, "renamed_to": NEW, "commit": "c" * 40},
        {"project_uuid": stores.UUID, "feature_slug": OLD, "renamed_to": NEWER, "commit": None},
    ]
    assert bench.told[1:] == [[]]
    assert (summary.delivered, summary.renames, summary.stopped) == (3, 2, None)
    assert bench.run().batches == 0


def test_alone_where_no_events_wait(bench: Bench) -> None:
    delivering.queue(bench.target, 1)
    bench.run()
    assert not is_due(bench.target.store)
    rename(bench.target, NEW)
    assert is_due(bench.target.store)
    assert bench.run().renames == 1
    assert bench.batches[1]["events"] == []
    assert not is_due(bench.target.store)


def test_a_server_that_names_none_gets_what_it_always_got(bench: Bench) -> None:
    bench.named = {"features": ["aliases"]}
    delivering.queue(bench.target, 1)
    rename(bench.target, NEW)
    assert bench.run().delivered == 1
    assert b"renames" not in gzip.decompress(bench.proxy.bodies[-1])
    assert not is_due(bench.target.store), "a flusher would be started for ever"
    bench.named = {"features": ["renames"]}
    bench.target.store.transact(features.forget)
    assert bench.run().renames == 1


def test_of_a_project_that_the_server_has_nothing_of_nothing_is_said(bench: Bench) -> None:
    rename(bench.target, NEW)
    bench.run()
    assert bench.batches == []
    delivering.queue(bench.target, 1)
    row = bench.target.store.read(bench.target.find_row)
    assert row is not None
    bench.target.store.transact(lambda connection: delivery.opt(connection, row, out=True))
    bench.run()
    assert bench.batches == []
    bench.target.store.transact(lambda connection: delivery.opt(connection, row, out=False))
    assert bench.run().renames == 1


@pytest.mark.parametrize(
    ("status", "renames", "left"), [("duplicate", 1, False), ("rejected", 0, False), ("pending", 0, True)]
)
def test_what_a_server_says_of_each(bench: Bench, status: str, renames: int, left: bool) -> None:
    delivering.queue(bench.target, 1)
    rename(bench.target, NEW)
    bench.decide = lambda batch: taken(batch, status)
    summary = bench.run()
    assert (summary.delivered, summary.renames, len(bench.batches)) == (1, renames, 1)
    assert list(summary.renames_refused) == ([f"{OLD} to {NEW}"] if status == "rejected" else [])
    assert is_due(bench.target.store) is left


def test_a_server_that_does_not_keep_its_word_is_asked_again_what_it_can(bench: Bench) -> None:
    delivering.queue(bench.target, 1)
    rename(bench.target, NEW)
    bench.decide = lambda batch: taken(batch, without=1)
    assert bench.run().renames == 0
    bench.named = {}
    assert bench.run().batches == 0


@pytest.mark.parametrize("status", [400, 413, 403])
def test_a_batch_that_is_refused_whole_goes_without_them(bench: Bench, status: int) -> None:
    delivering.queue(bench.target, 2)
    rename(bench.target, NEW)
    bench.decide = lambda batch: (
        answer_json(status, {"error": "No."}, **LIFTED) if batch.get("renames") else taken(batch)
    )
    assert bench.run().delivered == 2
    assert bench.told == [[(OLD, NEW)], []]


def test_an_answer_that_gets_lost_sends_them_again(bench: Bench) -> None:
    delivering.queue(bench.target, 1)
    rename(bench.target, NEW)
    said: Iterator[Fault] = iter([Cut("before")])
    bench.decide = lambda batch: next(said, taken(batch))
    assert bench.run().renames == 1
    assert bench.told == [[(OLD, NEW)]] * 2


def test_answers_count_only_for_what_was_sent() -> None:
    sent = (stores.UUID, OLD, NEW)
    named = {"project_uuid": stores.UUID, "feature_slug": OLD, "renamed_to": NEW}
    for results, fates in (
        (
            [named | {"status": "success"}, named | {"renamed_to": "x"}, named | {"renamed_to": []}, 7],
            {sent: "delivered"},
        ),
        ("x", {}),
        ({}, {}),
        ([{}], {}),
    ):
        body = json.dumps({"results": [], "renames": results}).encode()
        verdict = classify(200, {}, body, [], now=0.0, renames=[sent])
        assert isinstance(verdict, Taken)
        assert {one: fate for one, (fate, _) in verdict.renames.items()} == fates


# With a real hub.


def shown(hub: Hub) -> set[str]:
    """The names of features on the board."""
    with Machine(hub.url) as reader:
        cookie = hub.open_login("mira", kind="browser").secret
        board = reader.http.get("/", headers={"Cookie": f"kittywatch={cookie}"}).text
    return {name for name in (OLD, NEW, NEWER) if f'data-name="{name}"' in board}


def test_another_server_and_team_get_none_of_it(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    stores.steps(target, 1)
    batch_sync(target.store, delivering.log_in(home, own_hub), clock=FastClock())
    dogs = delivering.log_in(home, own_hub, name="rex")
    target.store.transact(lambda connection: destinations.set_present(connection, own_hub.url, "dogs"))
    rename(target, NEW)
    assert not is_due(target.store)
    assert batch_sync(target.store, dogs, clock=FastClock()).renames == 0
    assert batch_sync(target.store, delivering.log_in(home, own_hub), clock=FastClock()).renames == 1


def test_a_flusher_delivers_them_alone(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    stores.steps(target, 1)
    delivering.log_in(home, own_hub)
    target.store.transact(lambda connection: destinations.set_present(connection, own_hub.url, "cats"))
    flush(home, None)
    rename(target, NEW)
    flush(home, None)
    assert shown(own_hub) == {NEW}
    assert not is_due(target.store)


def test_a_live_connection_lets_them_go_at_once(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    delivering.log_in(home, own_hub)
    with living(home) as (live, _):
        connected(live)
        target.on_emitted = live.wake
        stores.steps(target, 1)
        until(lambda: shown(own_hub) == {OLD}, what="the card under the first name")
        rename(target, NEW)
        until(lambda: shown(own_hub) == {NEW}, what="the card under the new name")
