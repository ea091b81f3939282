"""What delivery makes of each answer: servers that say what a test wants, and a real hub."""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.store import delivery, destinations
from kittywatch.sync import envelopes
from kittywatch.sync.batch import batch_sync
from kittywatch.sync.batch_interval import reserve
from kittywatch.sync.clock import Clock
from kittywatch.sync.summary import Summary
from tests.hub.hubs import Hub
from tests.store import stores
from tests.sync import delivering
from tests.sync.delivering import OTHER_UUID, FastClock
from tests.sync.fault_proxy import Cut, Fault, FaultProxy, Pass, Say, Silence, answer_json

Server = Callable[[list[dict[str, Any]]], Fault]
LIFTED = {"X_RateLimit_Batch_Interval": "0"}


def results(events: list[dict[str, Any]], **statuses: str) -> Fault:
    """200 with a status for each event: `success`, but for those that are named."""
    listed = [{"event_id": e["event_id"], "status": statuses.get(e["event_id"], "success")} for e in events]
    return answer_json(200, {"results": listed}, **LIFTED)


class Bench:
    """A queue, a pretended login, and a server whose answers a function makes of each batch's events."""

    def __init__(self, target: EventEmitter, home: Path) -> None:
        self.target = target
        self.home = home
        self.clock = FastClock()
        self.batches: list[list[str]] = []
        self.proxy: FaultProxy | None = None

    def run(self, server: Server, **options: Any) -> Summary:
        def plan(path: str, number: int) -> Fault:
            assert path == "/api/v1/events/batch/"
            assert self.proxy is not None
            events = json.loads(gzip.decompress(self.proxy.bodies[number]))["events"]
            self.batches.append([event["event_id"] for event in events])
            return server(events)

        with FaultProxy(0, plan) as self.proxy:
            auth = delivering.pretend_login(self.home, self.proxy.url)
            self.target.store.transact(functools.partial(_same_destination, url=self.proxy.url))
            return batch_sync(self.target.store, auth, clock=self.clock, **{"batch_deadline": 5.0} | options)


def _same_destination(connection: Any, url: str) -> None:
    """Each run's server has another port; it is the same one for the test."""
    connection.execute("UPDATE recipients SET url = ?", (url,))


@pytest.fixture
def bench(target: EventEmitter, home: Path) -> Bench:
    return Bench(target, home)


def test_all_taken(bench: Bench) -> None:
    told = delivering.queue(bench.target, 25)
    progress: list[tuple[int, int]] = []
    summary = bench.run(results, batch_size=10, progress=lambda done, total: progress.append((done, total)))
    assert (summary.delivered, summary.batches, summary.left, summary.stopped) == (25, 3, 0, None)
    assert list(itertools.chain(*bench.batches)) == told
    assert progress == [(10, 25), (20, 25), (25, 25)]
    assert delivering.waiting(bench.home) == []


def test_the_request_is_as_contracted(bench: Bench) -> None:
    """Gzip, a bearer token, at most 1,000 events, each as it was queued but with the login's team."""
    delivering.queue(bench.target, 1001)
    seen: list[dict[str, Any]] = []

    def server(events: list[dict[str, Any]]) -> Fault:
        seen.extend(events)
        return results(events)

    assert bench.run(server).batches == 2
    assert [len(batch) for batch in bench.batches] == [1000, 1]
    assert bench.proxy is not None
    head = bench.proxy.heads[0].decode().lower()
    for line in (
        "post /api/v1/events/batch/ http/1.1",
        "content-encoding: gzip",
        "authorization: bearer access-secret",
    ):
        assert line in head
    assert {event["team_slug"] for event in seen} == {"cats"}
    assert {event["project_uuid"] for event in seen} == {stores.UUID}


def test_each_status_in_one_answer(bench: Bench) -> None:
    """Delivered leave; refused count; accepted, unknown and missing ones stay and are no error."""
    ids = delivering.queue(bench.target, 7)
    statuses = dict(zip(ids, ["success", "duplicate", "queued", "pending", "error", "rejected", "?"], strict=True))
    summary = bench.run(lambda events: results(events[:-1], **statuses))
    assert (summary.delivered, summary.duplicates, summary.waiting, summary.missing) == (1, 1, 2, 1)
    assert set(summary.refused) == set(ids[4:6])
    assert (summary.batches, summary.stopped, summary.left) == (1, None, 5)
    assert delivering.waiting(bench.home) == ids[2:]
    assert stores.rows(bench.home, "SELECT retry_count FROM queue ORDER BY id") == [(0,), (0,), (1,), (1,), (0,)]
    assert delivering.claimed(bench.home) == 0


def test_five_refusals_and_the_neighbours_go_on(bench: Bench) -> None:
    ids = delivering.queue(bench.target, 3)
    for run in range(1, 7):
        stores.let_pauses_pass(bench.home)
        summary = bench.run(lambda events: results(events, **{ids[1]: "rejected"}))
        assert summary.dead == (run == 5)
        assert len(summary.refused) == (run <= 5)
    assert [len(batch) for batch in bench.batches] == [3, 1, 1, 1, 1]
    assert delivering.waiting(bench.home) == [ids[1]]


def test_what_was_refused_waits_unless_somebody_asks(bench: Bench) -> None:
    """Ten runs in a moment: by itself it is sent once; asked for, each time, and that counts once as well."""
    (bad,) = delivering.queue(bench.target, 1)
    for _ in range(5):
        assert bench.run(lambda events: results(events, **{bad: "rejected"})).dead == 0
    assert bench.batches == [[bad]]
    for _ in range(5):
        assert bench.run(lambda events: results(events, **{bad: "rejected"}), resting=True).dead == 0
    assert len(bench.batches) == 6
    assert bench.run(results, resting=True).delivered == 1


@pytest.mark.parametrize("status", [413, 400])
def test_a_batch_is_halved_until_the_culprit_is_alone(bench: Bench, status: int) -> None:
    ids = delivering.queue(bench.target, 64)
    culprit = ids[37]

    def server(events: list[dict[str, Any]]) -> Fault:
        bad = any(event["event_id"] == culprit for event in events)
        return answer_json(status, {"error": "No."}, **LIFTED) if bad else results(events)

    summary = bench.run(server)
    assert summary.delivered == 63
    assert list(summary.refused) == [culprit]
    assert delivering.waiting(bench.home) == [culprit]
    assert len(bench.batches) == 1 + 2 * 6
    assert delivering.claimed(bench.home) == 0


def test_details_name_the_culprits(bench: Bench) -> None:
    """They are refused, and the others go again at once, without them."""
    ids = delivering.queue(bench.target, 10)

    def server(events: list[dict[str, Any]]) -> Fault:
        bad = [event["event_id"] for event in events if event["event_id"] in ids[3:5]]
        details = [{"event_id": event_id, "error": "field x"} for event_id in bad[:1]]
        return answer_json(400, {"error": "No.", "details": details}, **LIFTED) if bad else results(events)

    summary = bench.run(server)
    assert summary.refused == dict.fromkeys(ids[3:5], "field x")
    assert summary.delivered == 8
    assert [len(batch) for batch in bench.batches] == [10, 9, 8]


def test_batches_of_large_events_are_smaller(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelopes, "MAX_BYTES", 2000)
    ids = delivering.queue(bench.target, 10, text="x" * 400)
    assert bench.run(results).delivered == 10
    assert [len(batch) for batch in bench.batches] == [2] * 5
    assert list(itertools.chain(*bench.batches)) == ids


def test_403_stops_a_project_and_no_other(bench: Bench) -> None:
    other = stores.emitter(bench.home, stores.unexpected, uuid=OTHER_UUID)
    other.place = "/elsewhere/.git"
    mine, theirs = delivering.queue(bench.target, 3, text="mine"), delivering.queue(other, 3, text="theirs")
    mine += delivering.queue(bench.target, 3, text="more")
    other.store.close()

    def server(events: list[dict[str, Any]]) -> Fault:
        foreign = any(event["project_uuid"] == OTHER_UUID for event in events)
        return answer_json(403, {"error": "Not yours."}, **LIFTED) if foreign else results(events)

    summary = bench.run(server)
    assert summary.forbidden == {"shop": "Not yours."}
    assert (summary.delivered, summary.stopped) == (6, None)
    assert delivering.waiting(bench.home) == theirs
    assert delivering.claimed(bench.home) == 0
    assert bench.batches[0] == [*mine[:3], *theirs, *mine[3:]]
    assert stores.rows(bench.home, "SELECT sum(retry_count) FROM queue") == [(0,)]


def test_opted_out_and_nameless_events_never_leave(bench: Bench) -> None:
    other = stores.emitter(bench.home, stores.unexpected, uuid=OTHER_UUID)
    nameless = stores.emitter(bench.home, stores.unexpected, uuid=None)
    other.place, nameless.place = "/elsewhere/.git", "/third/.git"
    kept = delivering.queue(other, 2) + delivering.queue(nameless, 2)
    row = other.store.transact(other.ensure_row)
    other.store.transact(lambda connection: delivery.opt(connection, row, out=True))
    mine = delivering.queue(bench.target, 2)
    assert bench.run(results).delivered == 2
    assert bench.batches == [mine]
    assert delivering.waiting(bench.home) == kept
    for one in (other, nameless):
        one.store.close()


def test_an_event_told_before_identity_gets_it_when_it_is_sent(bench: Bench) -> None:
    """And the team; its id stays."""
    bench.target.store.close()
    nameless = stores.emitter(bench.home, stores.unexpected, uuid=None)
    (told,) = delivering.queue(nameless, 1)
    nameless.store.close()
    delivering.queue(bench.target, 1)  # the same place has a uuid by now
    seen: list[dict[str, Any]] = []

    def server(events: list[dict[str, Any]]) -> Fault:
        seen.extend(events)
        return results(events)

    bench.run(server)
    assert (seen[0]["event_id"], seen[0]["project_uuid"], seen[0]["team_slug"]) == (told, stores.UUID, "cats")


def test_a_login_to_another_team_sends_nothing_of_the_first(bench: Bench) -> None:
    bench.target.store.transact(lambda connection: destinations.set_present(connection, "https://first", "cats"))
    first = delivering.queue(bench.target, 2)
    with FaultProxy(0, lambda path, number: Cut()) as proxy:
        auth = delivering.pretend_login(bench.home, proxy.url)
        summary = batch_sync(bench.target.store, auth, clock=bench.clock)
        assert (summary.batches, summary.stopped) == (0, None)
        assert proxy.requests == []
    assert delivering.waiting(bench.home) == first


def test_a_login_to_another_server_meanwhile_ends_the_run(bench: Bench) -> None:
    told = delivering.queue(bench.target, 4)

    def server(events: list[dict[str, Any]]) -> Fault:
        delivering.pretend_login(bench.home, "https://another.example.org")
        return results(events)

    summary = bench.run(server, batch_size=2)
    assert (summary.delivered, summary.stopped) == (2, "login")
    assert delivering.waiting(bench.home) == told[2:]
    assert delivering.claimed(bench.home) == 0


def test_failures_are_backed_off_and_then_given_up(bench: Bench) -> None:
    told = delivering.queue(bench.target, 4)
    summary = bench.run(lambda events: Say(503), attempts=6, chance=lambda: 1.0)
    assert (summary.stopped, summary.batches, summary.gave_up) == ("network", 6, "network")
    assert [wait for wait in bench.clock.waits if wait > 0] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert delivering.waiting(bench.home) == told
    assert delivering.claimed(bench.home) == 0
    notes = bench.target.store.read(delivery.notes)
    assert notes["failure"]["kind"] == "network"
    assert notes["next_try_at"] - notes["last_try_at"] == 30


def test_retry_after_wins(bench: Bench) -> None:
    delivering.queue(bench.target, 2)
    answers = iter([answer_json(429, {}, Retry_After="40", **LIFTED), answer_json(503, {}, Retry_After="3", **LIFTED)])
    summary = bench.run(lambda events: next(answers, None) or results(events), chance=lambda: 0.0)
    assert (summary.delivered, summary.stopped) == (2, None)
    assert [wait for wait in bench.clock.waits if wait > 0] == [40.0, 3.0]


def test_a_server_that_wants_to_be_left_alone_for_long(bench: Bench) -> None:
    """The run ends, and says when to try again."""
    told = delivering.queue(bench.target, 2)
    summary = bench.run(lambda events: answer_json(503, {}, Retry_After="3600", **LIFTED))
    assert (summary.stopped, summary.batches, bench.clock.waits) == ("network", 1, [])
    notes = bench.target.store.read(delivery.notes)
    assert notes["next_try_at"] - notes["last_try_at"] == 3600
    assert delivering.waiting(bench.home) == told


def test_a_success_ends_the_series_of_failures(bench: Bench) -> None:
    """Ten failures in all, and never more than two in a row."""
    delivering.queue(bench.target, 10)
    turn = iter(range(100))
    summary = bench.run(
        lambda events: results(events) if next(turn) % 3 == 2 else Cut(), attempts=3, batch_size=2, chance=lambda: 1.0
    )
    assert (summary.delivered, summary.batches, summary.stopped) == (10, 15, None)


@pytest.mark.parametrize("status", [301, 307, 404, 405, 415])
def test_what_is_no_answer_of_the_protocol_ends_the_run(bench: Bench, status: int) -> None:
    told = delivering.queue(bench.target, 4)
    summary = bench.run(lambda events: Say(status))
    assert (summary.stopped, summary.batches, summary.gave_up) == ("server", 1, "network")
    assert str(status) in str(summary.error)
    assert delivering.waiting(bench.home) == told
    assert stores.rows(bench.home, "SELECT sum(retry_count) FROM queue") == [(0,)]


@pytest.mark.parametrize("interval", [None, "2", "0.2"])
def test_exactly_the_contracted_pace(bench: Bench, interval: str | None) -> None:
    """One batch per 5 s against a server that doesn't say otherwise."""
    delivering.queue(bench.target, 6)
    moments: list[float] = []
    headers = {"X_RateLimit_Batch_Interval": interval} if interval else {}

    def server(events: list[dict[str, Any]]) -> Fault:
        moments.append(bench.clock.monotonic())
        listed = [{"event_id": event["event_id"], "status": "success"} for event in events]
        return answer_json(200, {"results": listed}, **headers)

    assert bench.run(server, batch_size=1).delivered == 6
    expected = float(interval or 5)
    waited = sum(bench.clock.waits)
    assert waited <= 5 * expected  # a slow machine has less to wait for
    for before, after in itertools.pairwise(moments):
        assert after - before >= 0.85 * expected - 0.1


def test_a_deadline_for_all_of_it(bench: Bench) -> None:
    told = delivering.queue(bench.target, 4)
    bench.clock = RealClock()
    with FaultProxy(0, lambda path, number: Silence()) as proxy:
        auth = delivering.pretend_login(bench.home, proxy.url)
        summary = batch_sync(bench.target.store, auth, deadline=0.3)
    assert (summary.stopped, summary.delivered) == ("network", 0)
    assert delivering.waiting(bench.home) == told


class RealClock(FastClock):
    def wait(self, seconds: float) -> bool:
        return Clock.wait(self, seconds)


def test_a_stop_ends_a_wait_at_once(bench: Bench) -> None:
    told = delivering.queue(bench.target, 4)
    bench.clock = RealClock()

    def server(events: list[dict[str, Any]]) -> Fault:
        bench.clock.stop()
        return answer_json(429, {}, Retry_After="30")

    summary = bench.run(server)
    assert (summary.stopped, summary.gave_up) == ("stopped", None)
    assert delivering.waiting(bench.home) == told
    assert delivering.claimed(bench.home) == 0


def test_401_is_refreshed_once(target: EventEmitter, home: Path, hub: Hub) -> None:
    delivering.queue(target, 3)
    refusals = iter([answer_json(401, {})] * 2)

    def plan(path: str, number: int) -> Fault:
        return next(refusals, Pass()) if path.endswith("batch/") else Pass()

    with FaultProxy(hub.port, plan) as proxy:
        auth = delivering.log_in(home, hub, url=proxy.url)
        summary = batch_sync(target.store, auth, clock=FastClock())
        assert (summary.stopped, summary.gave_up, summary.delivered) == ("auth", "auth", 0)
        assert len(delivering.waiting(home)) == 3
        assert batch_sync(target.store, auth, clock=FastClock()).delivered == 3


def test_a_login_that_ended_stops_everything_and_keeps_everything(target: EventEmitter, home: Path, hub: Hub) -> None:
    told = delivering.queue(target, 3)
    auth = delivering.log_in(home, hub)
    hub.change_user("mira", logins="end")
    summary = batch_sync(target.store, auth, clock=FastClock())
    assert summary.stopped == "auth"
    assert re.search("the login at .* has ended", str(summary.error))
    assert delivering.waiting(home) == told
    assert auth.status() is None
    assert batch_sync(target.store, auth, clock=FastClock()).stopped == "auth"


def test_the_hub_refuses_what_breaks_the_contract(target: EventEmitter, home: Path, hub: Hub) -> None:
    """With its reason, which names the field; the neighbour is taken."""
    delivering.queue(target, 2)
    stores.execute(home, "UPDATE queue SET data = json_set(data, '$.payload.author', '') WHERE id = 1")
    auth = delivering.log_in(home, hub)
    summary = batch_sync(target.store, auth, clock=FastClock())
    assert summary.delivered == 1
    ((_, reason),) = summary.refused.items()
    assert "author" in reason


# Ends before the queue does.


def test_a_slot_that_is_taken_for_longer_than_one_waits(bench: Bench) -> None:
    """Another process has sent a batch just now, to a server that wants an hour between two."""
    delivering.queue(bench.target, 1)
    assert bench.run(results).delivered == 1
    (told,) = delivering.queue(bench.target, 1)
    store = bench.target.store

    def taken(connection: Any) -> float:
        to = destinations.present(connection)
        assert to is not None
        destinations.set_batch_interval(connection, to.key, 3600.0)
        return reserve(connection, to, bench.clock.monotonic(), anew=True)

    store.transact(taken)
    summary = bench.run(results, patience=10.0)
    assert (summary.stopped, summary.batches, summary.left) == ("deadline", 0, 1)
    assert delivering.waiting(bench.home) == [told]


def test_time_that_runs_out_between_batches(bench: Bench) -> None:
    """What was delivered by then is, and the rest waits."""
    told = delivering.queue(bench.target, 3)

    def server(events: list[dict[str, Any]]) -> Fault:
        bench.clock.wait(6.0)
        return results(events)

    summary = bench.run(server, batch_size=1, deadline=10.0)
    assert (summary.stopped, summary.delivered, summary.left) == ("deadline", 2, 1)
    assert delivering.waiting(bench.home) == told[2:]
    assert delivering.claimed(bench.home) == 0


def test_a_stop_between_batches(bench: Bench) -> None:
    told = delivering.queue(bench.target, 3)

    def server(events: list[dict[str, Any]]) -> Fault:
        bench.clock.stop()
        return results(events)

    summary = bench.run(server, batch_size=1)
    assert (summary.stopped, summary.delivered, summary.left) == ("stopped", 1, 2)
    assert delivering.waiting(bench.home) == told[1:]
    assert delivering.claimed(bench.home) == 0


def test_a_pause_that_would_be_longer_than_what_is_left(bench: Bench) -> None:
    """The server's own pace counts: there is no point in waiting for a slot that comes too late."""
    delivering.queue(bench.target, 2)

    def server(events: list[dict[str, Any]]) -> Fault:
        return answer_json(
            200,
            {"results": [{"event_id": event["event_id"], "status": "success"} for event in events]},
            X_RateLimit_Batch_Interval="8",
        )

    before = bench.clock.monotonic()
    summary = bench.run(server, batch_size=1, deadline=3.0)
    assert (summary.stopped, summary.delivered, summary.left) == ("deadline", 1, 1)
    assert bench.clock.monotonic() - before < 8


def test_a_home_that_is_removed_while_a_server_is_busy(bench: Bench) -> None:
    """`uninstall`: it ends, asks nobody again, and makes nothing anew."""
    delivering.queue(bench.target, 1)

    def server(events: list[dict[str, Any]]) -> Fault:
        (bench.home / "queue.db").unlink()
        return Say(503)

    summary = bench.run(server, attempts=5)
    assert (summary.stopped, summary.batches) == ("stopped", 1)
    assert not (bench.home / "queue.db").exists()
