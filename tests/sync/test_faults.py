"""Each event once at the hub, whatever the network, the hub and the client do: real sockets, real kills."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from kittywatch.emit.emitter import EventEmitter
from kittywatch.sync.batch import batch_sync
from tests.hub.hubs import Hub
from tests.selection import amounts
from tests.store import stores
from tests.sync import delivering
from tests.sync.delivering import FastClock
from tests.sync.fault_proxy import EVERY_STATUS, Cut, Drip, Fault, FaultProxy, Noise, Pass, Say, Silence, answer_json
from tests.waiting import DEADLINE

_BATCH = "/api/v1/events/batch/"
Record = Callable[[str, object], None]


def _seeded(record_property: Record) -> random.Random:
    seed = random.randrange(1 << 32)
    record_property("seed", seed)
    print(f"seed {seed}")
    return random.Random(seed)


def _a_fault(chance: random.Random) -> Fault:
    """Any of what the proxy can do; what costs the whole deadline is rarer."""
    kinds: list[Callable[[], Fault]] = [
        *[lambda: Cut(chance.choice(["before", "request", "answer", "after"]))] * 6,
        *[lambda: Say(chance.choice(EVERY_STATUS), b"no", heard=chance.random() < 0.5)] * 4,
        *[lambda: Noise(chance.randbytes(chance.randrange(1, 400)))] * 2,
        *[lambda: Say(200, chance.choice([b"", b"{", b"[]", b'{"results": 1}', b"\xff\xfe"]), heard=True)] * 2,
        *[lambda: answer_json(200, {"results": []})] * 1,
        *[lambda: answer_json(429, {}, Retry_After=chance.choice(["0", "2", "Wed, 21 Oct 2015 07:28:00 GMT", "x"]))]
        * 2,
        *[lambda: Pass(delay=chance.random() / 10, lag=chance.random() / 10)] * 4,
        lambda: Drip(1.0),
        lambda: Drip(1.0, body_only=True),
        lambda: Silence(heard=chance.random() < 0.5),
    ]
    return chance.choice(kinds)()


@amounts("count", sample=300, most=1500, campaign=5000)
def test_random_faults(target: EventEmitter, home: Path, hub: Hub, record_property: Record, count: int) -> None:
    chance = _seeded(record_property)
    told = delivering.queue(target, count, text="faults")

    def plan(path: str, number: int) -> Fault:
        return _a_fault(chance) if path == _BATCH and chance.random() < 0.6 else Pass()

    summaries = []
    with FaultProxy(hub.port, plan) as proxy:
        auth = delivering.log_in(home, hub, url=proxy.url)
        while delivering.waiting(home):
            summaries.append(
                batch_sync(target.store, auth, clock=FastClock(), batch_deadline=0.6, batch_size=100, attempts=8)
            )
            assert delivering.claimed(home) == 0
            assert len(summaries) < 500
    record_property("requests", len(proxy.requests))
    print(f"{len(proxy.requests)} requests in {len(summaries)} runs")
    assert sorted(set(delivering.taken(hub)) & set(told)) == sorted(told)
    assert len(delivering.taken(hub)) == len(set(delivering.taken(hub)))
    assert stores.rows(home, "SELECT count(*) FROM events WHERE delivered_at IS NULL") == [(0,)]


@amounts("kills", sample=1, most=3, campaign=50)
def test_the_hub_is_killed_in_the_middle_of_batches(
    target: EventEmitter, home: Path, own_hub: Hub, record_property: Record, kills: int
) -> None:
    chance = _seeded(record_property)
    told = delivering.queue(target, 500 * min(kills, 10), text="hub")
    killers: list[threading.Thread] = []

    def kill(after: float) -> None:
        threading.Event().wait(after)
        own_hub.stop(signal.SIGKILL)
        own_hub.start()

    def plan(path: str, number: int) -> Fault:
        alive = not killers or not killers[-1].is_alive()
        if path == _BATCH and alive and len(killers) < kills and chance.random() < 0.7:
            killers.append(threading.Thread(target=kill, args=(chance.uniform(0, 0.05),)))
            killers[-1].start()
        return Pass()

    size = max(len(told) // (2 * kills), 10)
    with FaultProxy(own_hub.port, plan) as proxy:
        auth = delivering.log_in(home, own_hub, url=proxy.url)
        while delivering.waiting(home) or len(killers) < kills:
            if not delivering.waiting(home):
                told += delivering.queue(target, 10 * size, text=f"more {len(told)}")
            batch_sync(target.store, auth, batch_size=size, batch_deadline=5)
        for killer in killers:
            killer.join()
    print(f"killed {len(killers)} times, {own_hub.starts} starts")
    assert sorted(delivering.taken(own_hub)) == sorted(told)
    assert delivering.claimed(home) == 0


@amounts("kills", sample=2, most=8, campaign=200)
def test_the_client_is_killed(target: EventEmitter, home: Path, hub: Hub, record_property: Record, kills: int) -> None:
    """In the middle of a batch: its first to third, before the server has it, or after, or when it is settled."""
    chance = _seeded(record_property)
    told: list[str] = []
    asked = threading.Semaphore(0)

    def plan(path: str, number: int) -> Fault:
        if path == _BATCH:
            asked.release()
        return Pass()

    with FaultProxy(hub.port, plan) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        for number in range(kills):
            told += delivering.queue(target, 100, text=f"client {number}")
            child = _start_delivery(home, 20)
            for _ in range(chance.randint(1, 3)):
                assert asked.acquire(timeout=DEADLINE)
            threading.Event().wait(chance.uniform(0, 0.05))
            child.kill()
            assert child.wait() == -signal.SIGKILL
            assert child.stdout is not None
            child.stdout.close()
            while asked.acquire(blocking=False):
                pass
        said, _ = _start_delivery(home, 1000).communicate(timeout=300)
    print(said)
    assert delivering.waiting(home) == []
    assert sorted(set(delivering.taken(hub)) & set(told)) == sorted(told)
    assert not list((home / "claims").iterdir())


@amounts("count", sample=400, most=2000, campaign=20_000)
def test_four_processes_deliver_one_queue(target: EventEmitter, home: Path, hub: Hub, count: int) -> None:
    """No event is sent by two of them: then there are no duplicates."""
    told = delivering.queue(target, count, text="shared")
    delivering.log_in(home, hub)
    children = [_start_delivery(home, count // 20) for _ in range(4)]
    done = [json.loads(child.communicate()[0].splitlines()[1]) for child in children]
    assert sum(one["delivered"] for one in done) == count
    assert [one["duplicates"] for one in done] == [0] * 4
    assert [one["stopped"] for one in done] == [None] * 4
    assert sorted(set(delivering.taken(hub)) & set(told)) == sorted(told)
    assert delivering.waiting(home) == []


def _start_delivery(home: Path, size: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.sync.delivering", str(home), str(size)]
    return subprocess.Popen(command, cwd=stores.ROOT, stdout=subprocess.PIPE, text=True)


@amounts("count", sample=500, most=2000, campaign=5000)
def test_offline_and_back(target: EventEmitter, home: Path, hub: Hub, count: int) -> None:
    """What was told offline is delivered in batches, with progress; a token that ends half-way is refreshed."""
    told = delivering.queue(target, count, text="offline")
    progress: list[tuple[int, int]] = []
    batches = 0

    def plan(path: str, number: int) -> Fault:
        nonlocal batches
        batches += path == _BATCH
        return answer_json(401, {}) if path == _BATCH and batches == 3 else Pass()

    with FaultProxy(hub.port, lambda path, number: Cut()) as proxy:
        auth = delivering.log_in(home, hub, url=proxy.url)
        before = auth.current().refresh  # the access tokens of one second are the same
        offline = batch_sync(target.store, auth, clock=FastClock())
        assert (offline.stopped, offline.delivered) == ("network", 0)
        proxy.plan = plan
        summary = batch_sync(
            target.store,
            auth,
            batch_size=len(told) // 5,
            batch_deadline=600,
            progress=lambda done, total: progress.append((done, total)),
        )
    assert (summary.stopped, summary.delivered, summary.batches) == (None, len(told), 6)
    assert progress == [(len(told) * part // 5, len(told)) for part in range(1, 6)]
    assert auth.current().refresh != before
    assert set(told) <= set(delivering.taken(hub))
