"""Aliases on their way: to servers that take them and no others, with or after their events, each once."""

from __future__ import annotations

import contextlib
import gzip
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.events import random_id
from kittywatch.store import aliases, destinations
from kittywatch.sync import features
from kittywatch.sync.batch import batch_sync
from kittywatch.sync.flusher import flush, is_due
from kittywatch.sync.http import Http
from kittywatch.sync.summary import Summary
from kittywatch.sync.verdicts import Taken, classify
from tests.hub.hubs import Hub, Machine
from tests.store import stores
from tests.sync import delivering
from tests.sync.connected import connected, living
from tests.sync.delivering import FastClock
from tests.sync.fault_proxy import Cut, Fault, FaultProxy, Pass, Say, answer_json
from tests.waiting import DEADLINE, until

LIFTED = {"X_RateLimit_Batch_Interval": "0"}
Decide = Callable[[list[dict[str, Any]], list[dict[str, Any]]], Fault]


def add(target: EventEmitter, event_id: str, *names: str) -> None:
    target.transact(lambda unit: [unit.aliases.add(name, event_id) for name in names])


def left(target: EventEmitter) -> int:
    return target.store.read(aliases.waiting)


def taken(events: list[dict[str, Any]], others: list[dict[str, Any]], **statuses: str) -> Fault:
    results = [{"event_id": one["event_id"], "status": statuses.get(one["event_id"], "success")} for one in events]
    told = [{"alias": one["alias"], "status": statuses.get(one["alias"], "success")} for one in others]
    return answer_json(200, {"results": results, "aliases": told}, **LIFTED)


class Bench:
    """A server that says what it can, and answers batches as a test wants; `batches` has events and aliases of each."""

    def __init__(self, target: EventEmitter, home: Path) -> None:
        self.target = target
        self.home = home
        self.named: Any = {"server": "x", "features": ["aliases"]}
        self.status = 200
        self.decide: Decide = taken
        self.batches: list[tuple[list[str], list[tuple[str, str]]]] = []
        self.asked: list[bytes] = []
        self.clock = FastClock()
        self.proxy = FaultProxy(0, self.plan)

    def plan(self, path: str, number: int) -> Fault:
        if path == "/api/v1/":
            self.asked.append(self.proxy.heads[number])
            return answer_json(self.status, self.named)
        body = json.loads(gzip.decompress(self.proxy.bodies[number]))
        events, others = body["events"], body.get("aliases", [])
        self.batches.append(([one["event_id"] for one in events], [(one["alias"], one["event_id"]) for one in others]))
        return self.decide(events, others)

    def run(self, **options: Any) -> Summary:
        auth = delivering.pretend_login(self.home, self.proxy.url)
        return batch_sync(self.target.store, auth, clock=self.clock, **{"batch_deadline": 5.0} | options)


@pytest.fixture
def bench(target: EventEmitter, home: Path) -> Iterator[Bench]:
    bench = Bench(target, home)
    with bench.proxy:
        yield bench


def test_they_ride_beside_their_events(bench: Bench) -> None:
    ids = delivering.queue(bench.target, 4)
    add(bench.target, ids[0], "A0")
    add(bench.target, ids[3], "A3")
    summary = bench.run(batch_size=2)
    assert bench.batches == [(ids[:2], [("A0", ids[0])]), (ids[2:], [("A3", ids[3])])]
    assert (summary.delivered, summary.aliases, summary.stopped) == (4, 2, None)
    assert left(bench.target) == 0
    assert bench.run().batches == 0


def test_alone_where_no_events_wait(bench: Bench) -> None:
    ids = delivering.queue(bench.target, 1)
    bench.run()
    add(bench.target, ids[0], "A0", "A1")
    assert bench.run().aliases == 2
    assert bench.batches[1:] == [([], [("A0", ids[0]), ("A1", ids[0])])]
    assert left(bench.target) == 0


def test_a_server_is_asked_once_without_a_login_and_only_when_it_matters(bench: Bench) -> None:
    ids = delivering.queue(bench.target, 1)
    bench.run()
    assert bench.asked == []
    for name in ("A0", "A1"):
        add(bench.target, ids[0], name)
        bench.run()
    assert len(bench.asked) == 1
    assert bench.asked[0].startswith(b"GET /api/v1/ HTTP/1.1\r\n")
    assert b"authorization" not in bench.asked[0].lower()
    bench.target.store.transact(features.forget)  # as a login does
    add(bench.target, ids[0], "A2")
    bench.run()
    assert len(bench.asked) == 2
    assert left(bench.target) == 0


@pytest.mark.parametrize(
    ("status", "named"),
    [(404, {}), (200, {"features": ["feed"]}), (200, []), (200, {"features": "aliases"}), (405, "?"), (302, {})],
)
def test_a_server_that_names_no_aliases_gets_what_it_always_got(bench: Bench, status: int, named: Any) -> None:
    bench.status, bench.named = status, named
    ids = delivering.queue(bench.target, 2)
    add(bench.target, ids[0], "A0")
    assert bench.run().delivered == 2
    assert bench.batches == [(ids, [])]
    assert b"aliases" not in gzip.decompress(bench.proxy.bodies[-1])
    assert left(bench.target) == 1
    assert not is_due(bench.target.store), "a flusher would be started for ever"
    bench.run()
    assert (len(bench.asked), len(bench.batches)) == (1, 1)
    bench.status, bench.named = 200, {"features": ["aliases"]}
    bench.target.store.transact(features.forget)
    assert is_due(bench.target.store)
    assert bench.run().aliases == 1


def test_a_server_that_cannot_say_right_now_is_asked_again(bench: Bench) -> None:
    bench.status = 503
    ids = delivering.queue(bench.target, 1)
    add(bench.target, ids[0], "A0")
    summary = bench.run()
    assert (summary.delivered, summary.aliases, summary.stopped) == (1, 0, None)
    bench.status = 200
    assert bench.run().aliases == 1


def test_what_a_server_says_of_each(bench: Bench) -> None:
    """Taken ones are settled, refused ones for good; of what it says nothing, or that it waits, it is asked again."""
    (event_id,) = delivering.queue(bench.target, 1)
    add(bench.target, event_id, "A0", "A1", "A2", "A3", "A4")
    statuses = {"A1": "duplicate", "A2": "rejected", "A3": "pending"}
    bench.decide = lambda events, others: taken(events, others[:4], **statuses)
    summary = bench.run()
    assert (summary.aliases, list(summary.aliases_refused)) == (2, ["A2"])
    assert left(bench.target) == 2
    bench.decide = taken
    bench.run()
    assert bench.batches[1:] == [([], [("A3", event_id), ("A4", event_id)])]
    assert left(bench.target) == 0


def test_a_server_that_does_not_keep_its_word_is_asked_again_what_it_can(bench: Bench) -> None:
    (event_id,) = delivering.queue(bench.target, 1)
    add(bench.target, event_id, "A0")
    bench.decide = lambda events, others: taken(events, [])
    assert bench.run().aliases == 0
    bench.named = {}
    bench.run()
    assert (len(bench.asked), len(bench.batches)) == (2, 1)


@pytest.mark.parametrize("status", [400, 413, 403])
def test_a_batch_that_is_refused_whole_goes_without_them(bench: Bench, status: int) -> None:
    ids = delivering.queue(bench.target, 3)
    add(bench.target, ids[1], "A0")

    def decide(events: list[dict[str, Any]], others: list[dict[str, Any]]) -> Fault:
        return answer_json(status, {"error": "No."}, **LIFTED) if others else taken(events, others)

    bench.decide = decide
    summary = bench.run()
    assert (summary.delivered, summary.refused, summary.forbidden) == (3, {}, {})
    assert bench.batches == [(ids, [("A0", ids[1])]), (ids, [])]
    assert left(bench.target) == 1
    bench.run()
    assert bench.batches[2:] == [([], [("A0", ids[1])])]
    assert delivering.claimed(bench.home) == 0
    assert stores.rows(bench.home, "SELECT claim FROM aliases") == [(None,)]


def test_a_batch_that_is_refused_for_some_takes_them_along_again(bench: Bench) -> None:
    ids = delivering.queue(bench.target, 3)
    add(bench.target, ids[1], "A0")

    def decide(events: list[dict[str, Any]], others: list[dict[str, Any]]) -> Fault:
        if any(one["event_id"] == ids[2] for one in events):
            return answer_json(400, {"details": {ids[2]: "broken"}}, **LIFTED)
        return taken(events, others)

    bench.decide = decide
    summary = bench.run()
    assert (summary.delivered, list(summary.refused), summary.aliases) == (2, [ids[2]], 1)


def test_an_answer_that_gets_lost_sends_them_again(bench: Bench) -> None:
    ids = delivering.queue(bench.target, 1)
    add(bench.target, ids[0], "A0")
    said: Iterator[Fault] = iter([Cut("before"), Say(503)])

    def decide(events: list[dict[str, Any]], others: list[dict[str, Any]]) -> Fault:
        return next(said, taken(events, others))

    bench.decide = decide
    assert bench.run().aliases == 1
    assert bench.batches == [(ids, [("A0", ids[0])])] * 3


def test_answers_count_only_for_what_was_sent() -> None:
    body = {"results": [], "aliases": [{"alias": "A0", "status": "success"}, {"alias": "B"}, 7, {"alias": "A1"}]}
    verdict = classify(200, {}, json.dumps(body).encode(), [], now=0.0, aliases=["A0", "A1"])
    assert isinstance(verdict, Taken)
    assert verdict.aliases == {"A0": ("delivered", ""), "A1": ("waiting", "")}
    for strange in ({}, "x", None, {"A0": "success"}):
        verdict = classify(
            200, {}, json.dumps({"results": [], "aliases": strange}).encode(), [], now=0.0, aliases=["A0"]
        )
        assert isinstance(verdict, Taken)
        assert verdict.aliases == {}


def test_the_features_of_a_hub(hub: Hub) -> None:
    with Http(hub.url) as http:
        named = features.ask(http)
    assert named is not None
    assert features.ALIASES in named


# With a real hub.


def shown(hub: Hub, home: Path) -> list[str]:
    """The ids of the project's events that a hub shows."""
    with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as reader:
        answer = reader.http.get("/api/v1/events/", params={"project": stores.UUID}, headers=reader.headers).json()
    return [one["event_id"] for one in answer["events"]]


def test_found_offline_before_a_login_and_after_delivery(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    """Each alias reaches the server that has its event, once, whenever it was found."""
    (first,) = delivering.queue(target, 1, text="before the login")
    add(target, first, random_id())
    auth = delivering.log_in(home, own_hub)
    assert batch_sync(target.store, auth, clock=FastClock()).aliases == 1
    add(target, first, random_id())
    (second,) = delivering.queue(target, 1, text="offline")
    add(target, second, random_id())
    assert batch_sync(target.store, auth, clock=FastClock()).aliases == 2
    assert batch_sync(target.store, auth, clock=FastClock()).batches == 0
    assert left(target) == 0


def test_another_server_and_team_get_none_of_it(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    (event_id,) = delivering.queue(target, 1)
    auth = delivering.log_in(home, own_hub)
    batch_sync(target.store, auth, clock=FastClock())
    dogs = delivering.log_in(home, own_hub, name="rex")
    target.store.transact(lambda connection: destinations.set_present(connection, own_hub.url, "dogs"))
    add(target, event_id, random_id())
    assert batch_sync(target.store, dogs, clock=FastClock()).aliases == 0
    assert not is_due(target.store)
    assert left(target) == 1
    auth = delivering.log_in(home, own_hub)
    assert batch_sync(target.store, auth, clock=FastClock()).aliases == 1


def test_what_others_told_under_the_alias_is_shown_once(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    """Two machines, one transition: whichever delivers first."""
    other_home = home.with_name("other")
    other = stores.emitter(other_home, stores.unexpected)
    auth, others = delivering.log_in(home, own_hub), delivering.log_in(other_home, own_hub)
    for round_trip in range(2):
        (mine,) = stores.steps(target, 1, wp_id=f"WP0{round_trip + 1}")
        (theirs,) = stores.steps(other, 1, wp_id=f"WP0{round_trip + 1}")
        if round_trip:
            batch_sync(other.store, others, clock=FastClock())
        add(target, mine, theirs)
        batch_sync(target.store, auth, clock=FastClock())
        batch_sync(other.store, others, clock=FastClock())
        assert mine in shown(own_hub, home)
        assert theirs not in shown(own_hub, home)
    other.store.close()


def test_a_flusher_delivers_them_alone(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    (event_id,) = delivering.queue(target, 1)
    delivering.log_in(home, own_hub)
    target.store.transact(lambda connection: destinations.set_present(connection, own_hub.url, "cats"))
    flush(home, None)
    add(target, event_id, random_id())
    assert is_due(target.store)
    flush(home, None)
    assert left(target) == 0
    assert not is_due(target.store)


def test_what_is_told_while_a_flusher_delivers_aliases_goes_too(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    (event_id,) = delivering.queue(target, 1)
    late: list[str] = []

    def plan(path: str, number: int) -> Fault:
        if path.endswith("/batch/") and stores.rows(home, "SELECT 1 FROM aliases") and not late:
            late.extend(delivering.queue(target, 1, text="late"))
        return Pass()

    with FaultProxy(own_hub.port, plan) as proxy:
        delivering.log_in(home, own_hub, url=proxy.url)
        target.store.transact(lambda connection: destinations.set_present(connection, proxy.url, "cats"))
        flush(home, None)
        add(target, event_id, random_id())
        flush(home, None)
    assert late
    assert (delivering.waiting(home), left(target)) == ([], 0)


def test_live_delivery_sends_them_at_once(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    """Beside a WebSocket: of an event that is on its way, and of one that was delivered before."""
    delivering.log_in(home, own_hub)
    with living(home) as (live, _):
        connected(live)
        (event_id,) = delivering.queue(target, 1)
        add(target, event_id, random_id())
        live.wake()
        until(lambda: left(target) == 0, what="the alias of an event on its way to be delivered")
        target.on_emitted = live.wake
        add(target, event_id, random_id())
        until(lambda: left(target) == 0, what="an alias of a delivered event to be delivered")


def test_a_long_lived_process_asks_anew_what_a_server_can(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    """A server that was upgraded: what was known of it is forgotten when delivery starts."""
    (event_id,) = delivering.queue(target, 1)
    add(target, event_id, random_id())
    delivering.log_in(home, own_hub)
    to = target.store.transact(lambda connection: destinations.set_present(connection, own_hub.url, "cats")).key
    now = FastClock().now()
    target.store.transact(lambda connection: features.remember(connection, to, frozenset(), now=now))
    with living(home):
        until(lambda: left(target) == 0, what="the alias to be delivered")


_SENDER = """
import sys
from pathlib import Path
from tests.store import stores
from tests.sync import delivering
from kittywatch.sync.auth import AuthClient
from kittywatch.sync.batch import batch_sync

target = stores.emitter(Path(sys.argv[1]), stores.unexpected)
print("ready", flush=True)
batch_sync(target.store, AuthClient(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_sender_that_is_killed_leaves_them_to_the_next(
    own_hub: Hub, home: Path, target: EventEmitter, where: str
) -> None:
    """Killed before the server heard of the batch, or when it has it and the answer is on its way."""
    (event_id,) = delivering.queue(target, 1)
    add(target, event_id, random_id(), random_id())
    sender: subprocess.Popen[str] | None = None

    def plan(path: str, number: int) -> Fault:
        if not path.endswith("/batch/") or sender is None or sender.poll() is not None:
            return Pass()
        sender.send_signal(signal.SIGKILL)
        sender.wait()
        return Cut(where)

    with FaultProxy(own_hub.port, plan) as proxy:
        auth = delivering.log_in(home, own_hub, url=proxy.url)
        sender = subprocess.Popen(
            [sys.executable, "-c", _SENDER, str(home)], cwd=stores.ROOT, stdout=subprocess.PIPE, text=True
        )
        with contextlib.closing(sender.stdout or sys.stdin):
            sender.wait(timeout=DEADLINE)
        assert sender.returncode == -signal.SIGKILL
        assert left(target) == 2
        assert len(stores.rows(home, "SELECT 1 FROM aliases WHERE claim IS NOT NULL")) == 2
        summary = batch_sync(target.store, auth, clock=FastClock())
    assert (summary.aliases, left(target)) == (2, 0)
    assert stores.rows(home, "SELECT count(*) FROM aliases WHERE claim IS NOT NULL") == [(0,)]
