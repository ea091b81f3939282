"""Live delivery against a real hub: what is queued goes out at once, what comes in counts, and nothing gets lost."""

from __future__ import annotations

import json
import random
import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.sync.auth import AuthClient
from kittywatch.sync.link import ATTEMPTS
from kittywatch.sync.session import KeepAlive, Session
from tests.hub.hubs import Hub, Machine, created
from tests.selection import amounts
from tests.store import stores
from tests.sync import delivering
from tests.sync.connected import all_delivered, clock_value, connected, living, told
from tests.sync.fault_proxy import Cut, Fault, FaultProxy, Noise, Pass, Say, Silence
from tests.sync.socket_proxy import Do, SocketProxy
from tests.waiting import DEADLINE, until

AT_ONCE = KeepAlive(ping=0.3, pong=DEADLINE, roll=lambda: -1.0)  # no waits between attempts
UNANSWERED = KeepAlive(ping=0.3, pong=DEADLINE, ack=0.3)
IMPATIENT = KeepAlive(ping=0.3, pong=0.5)


def note_in_batches(home: Path, seconds: float = 0.3) -> None:
    """Let batches go out more often than every five minutes."""
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "config.toml").write_text(f"[sync]\ninterval_seconds = {seconds}\n")


def socket_paths(proxy: FaultProxy) -> list[str]:
    return [path.split("/")[-2] for path, _ in proxy.requests if "ws" in path]


# The protocol.


def test_what_is_queued_goes_out_at_once(home: Path, hub: Hub, target: EventEmitter) -> None:
    """What waited before, and what is told while connected; not through batches, which come every five minutes."""
    delivering.log_in(home, hub)
    with living(home) as (session, said):
        connected(session)
        for number in range(10):
            stores.steps(target, 2, wp_id=f"WP{number:02d}")
            session.wake()
        all_delivered(home, hub)
        assert delivering.claimed(home) == 0
        unsent = "SELECT count(*) FROM events WHERE sent_at IS NULL OR delivered_at < sent_at"
        assert stores.rows(home, unsent) == [(0,)]
    assert said.states == ["Connected", "Offline"]
    assert said.warnings == []


def test_a_backlog_goes_out_by_socket_and_batches_together(home: Path, hub: Hub, target: EventEmitter) -> None:
    delivering.log_in(home, hub)
    delivering.queue(target, 3000)
    with living(home) as (session, _):
        connected(session)
        delivering.queue(target, 500, text="later")
        session.wake()
        all_delivered(home, hub)


def test_clocks_of_others_move_ours(home: Path, own_hub: Hub, target: EventEmitter) -> None:
    """The snapshot's and each event's; durably, and only as far as a clock can be."""
    delivering.log_in(home, own_hub)
    with Machine(own_hub.url, own_hub.access_token(own_hub.open_login("mira"))) as other:
        other.statuses([created("WP01", lamport=5_000)])
        target.store.transact(lambda connection: None)  # makes the tables
        with living(home) as (session, _):
            until(lambda: clock_value(home) >= 5_001)
            before = clock_value(home)
            other.statuses([created("WP02", lamport=1 << 52), created("WP03", lamport=9_000)])
            until(lambda: clock_value(home) > before)
            assert clock_value(home) == 9_001
            connected(session)
    event = target.emit_history_added("WP01", "note", "next", feature_slug="001-x")
    assert event is not None
    assert event["lamport_clock"] == 9_002


def test_our_own_events_do_not_come_back(home: Path, own_hub: Hub, target: EventEmitter) -> None:
    delivering.log_in(home, own_hub)
    with living(home) as (session, _):
        connected(session)
        stores.steps(target, 4)
        session.wake()
        all_delivered(home, own_hub)
        assert clock_value(home) == 4


def test_the_servers_pings_are_answered(home: Path, hub: Hub) -> None:
    ping = '{"type":"ping","timestamp":"2026-03-01T00:00:00+00:00"}'

    def plan(sender: str, text: str, number: int) -> Do:
        return Do.NOISE if number == 0 else Do.PASS

    with SocketProxy(hub.port, plan=plan, noises=[ping]) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        with living(home):
            until(lambda: [text for sender, text, _ in proxy.messages if sender == "client"])
        pong = next(text for sender, text, _ in proxy.messages if sender == "client")
        assert json.loads(pong) == {"type": "pong", "timestamp": "2026-03-01T00:00:00+00:00"}


def test_a_refused_event_stays_and_is_counted(home: Path, hub: Hub, target: EventEmitter) -> None:
    delivering.log_in(home, hub)
    (bad,) = delivering.queue(target, 1)
    stores.execute(home, "UPDATE queue SET data = json_set(data, '$.lamport_clock', 1 << 60)")
    with living(home) as (session, _):
        connected(session)
        (good,) = delivering.queue(target, 1, text="good")
        session.wake()
        until(lambda: good in delivering.taken(hub) and delivering.waiting(home) == [bad])
        until(
            lambda: (
                stores.rows(home, "SELECT retry_count > 0, claim, reason LIKE '%lamport%' FROM queue") == [(1, None, 1)]
            )
        )


def test_a_server_without_answers(home: Path, hub: Hub, target: EventEmitter) -> None:
    """Events are sent once on the connection, given back, and the next batch is answered `duplicate`."""
    note_in_batches(home, 300)

    def silent(sender: str, text: str, number: int) -> Do:
        return Do.LOSE if '"ack"' in text else Do.PASS

    with SocketProxy(hub.port, plan=silent) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        with living(home, keep_alive=UNANSWERED) as (session, _):
            connected(session)
            ids = delivering.queue(target, 20)
            session.wake()
            until(lambda: set(ids) <= set(delivering.taken(hub)))
            until(lambda: delivering.claimed(home) == 0)
            assert delivering.waiting(home) == ids
            ids += delivering.queue(target, 1, text="one more")
            session.wake()
            until(lambda: set(ids) <= set(delivering.taken(hub)))
            session.deliver_soon()
            all_delivered(home, hub)
        sent = [text for sender, text, _ in proxy.messages if sender == "client"]
        assert len(sent) == len(ids)


# Connections that break.


def test_it_connects_again_when_the_hub_was_killed(home: Path, own_hub: Hub, target: EventEmitter) -> None:
    delivering.log_in(home, own_hub)
    with living(home) as (session, said):
        connected(session)
        own_hub.stop(signal.SIGKILL)
        until(lambda: session.status == "Reconnecting")
        stores.steps(target, 5)
        session.wake()
        own_hub.start()
        connected(session)
        all_delivered(home, own_hub)
    assert said.states[0] == "Connected"
    assert said.states[-2:] == ["Connected", "Offline"]


def test_after_ten_attempts_there_are_batches_and_a_login_connects(home: Path, hub: Hub, target: EventEmitter) -> None:
    note_in_batches(home)

    def no_sockets(path: str, number: int) -> Fault:
        return Cut() if path.startswith("/ws/") else Pass()

    with FaultProxy(hub.port, plan=no_sockets) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        with living(home, keep_alive=AT_ONCE) as (session, said):
            until(lambda: session.status == "OfflineBatchMode")
            assert socket_paths(proxy).count("events") == ATTEMPTS + 1
            stores.steps(target, 5)
            all_delivered(home, hub)
            assert session.status == "OfflineBatchMode"
            proxy.plan = lambda path, number: Pass()
            delivering.log_in(home, hub, url=proxy.url)
            session.look_at_login()
            connected(session)
    assert said.states == ["Reconnecting", "OfflineBatchMode", "Connected", "Offline"]


def _connected_again(proxy: FaultProxy, session: Session, times: int) -> bool:
    return socket_paths(proxy).count("events") >= times and session.status == "Connected"


def test_each_connection_has_a_token_of_its_own(home: Path, hub: Hub) -> None:
    """Tokens are good once, so a connection that was cut needs another; it travels in a header alone."""
    with FaultProxy(hub.port) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        with living(home) as (session, _):
            for count in (1, 2, 3):
                until(partial(_connected_again, proxy, session, count))
                proxy.cut()
        assert socket_paths(proxy).count("ws-token") >= 3
        assert {path for path, _ in proxy.requests if "/ws/" in path} == {"/ws/v1/events/"}


def test_a_token_that_the_server_no_longer_takes_is_replaced(home: Path, hub: Hub) -> None:
    """The ws token had run out (401 at the handshake); then the access token has (401 for the ws token)."""
    once = [Say(401)]

    def plan(path: str, number: int) -> Fault:
        return once.pop() if path.startswith("/ws/") and once else Pass()

    with FaultProxy(hub.port, plan=plan) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        _let_access_run_out(home, hub)
        with living(home) as (session, said):
            connected(session)
        assert [path.split("/")[-2] for path, _ in proxy.requests].count("refresh") == 1
        assert socket_paths(proxy).count("events") == 2
    assert said.warnings == []


def _let_access_run_out(home: Path, hub: Hub) -> None:
    """The server's view of it; the file says that it is good for long."""
    text = (home / "credentials").read_text()
    opened = hub.open_login("mira")
    old = next(line for line in text.splitlines() if line.startswith("access ="))
    stale = f'access = "{hub.access_token(opened, lifetime=-60)}"'
    (home / "credentials").write_text(text.replace(old, stale))


def test_a_login_that_ended_waits_for_the_next(home: Path, own_hub: Hub, target: EventEmitter) -> None:
    delivering.log_in(home, own_hub)
    with living(home) as (session, said):
        connected(session)
        own_hub.change_user("mira")
        stores.steps(target, 2)
        session.wake()
        until(lambda: session.status == "Offline", what=lambda: f"{session.status} {said.warnings}")
        assert delivering.waiting(home) == told(home)
        delivering.log_in(home, own_hub)
        session.look_at_login()
        connected(session)
        all_delivered(home, own_hub)
    assert any("auth login" in warning for warning in said.warnings)


def test_another_login_is_followed_and_a_logout_too(home: Path, hub: Hub) -> None:
    delivering.log_in(home, hub)
    with living(home) as (session, said):
        connected(session)
        AuthClient(home).logout()
        session.look_at_login()
        until(lambda: session.status == "Offline")
        delivering.log_in(home, hub, name="rex")
        session.look_at_login()
        connected(session)
        assert stores.rows(home, "SELECT team FROM recipients WHERE present = 1") == [("dogs",)]
    assert said.warnings == []


def test_fresh_tokens_of_the_same_login_are_no_news(home: Path, hub: Hub) -> None:
    """The file changes with every refresh; only the login of somebody else after it connects anew."""
    with FaultProxy(hub.port) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        with living(home) as (session, _):
            connected(session)
            auth = AuthClient(home)
            auth.refresh(auth.current().access)
            session.look_at_login()
            delivering.log_in(home, hub, name="rex", url=proxy.url)
            session.look_at_login()
            until(lambda: stores.rows(home, "SELECT team FROM recipients WHERE present = 1") == [("dogs",)])
            connected(session)
        assert socket_paths(proxy).count("events") == 2


# Faults.


@pytest.mark.parametrize("fault", [Noise(), Say(200), Say(403), Say(500)])
def test_what_is_no_websocket(home: Path, hub: Hub, fault: Fault) -> None:
    """Answers that are none are attempts that failed."""
    faults = [fault, fault]

    def plan(path: str, number: int) -> Fault:
        return faults.pop() if path.startswith("/ws/") and faults else Pass()

    with FaultProxy(hub.port, plan=plan) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        with living(home, keep_alive=AT_ONCE) as (session, said):
            connected(session)
        assert socket_paths(proxy).count("events") == 3
    assert said.states == ["Reconnecting", "Connected", "Offline"]


def test_no_redirect_is_followed(home: Path, hub: Hub) -> None:
    """The token is for one server."""
    with FaultProxy(hub.port) as elsewhere, FaultProxy(hub.port) as proxy:
        away = Say(307, headers=(("Location", elsewhere.url.replace("http", "ws") + "/ws/v1/events/"),))
        proxy.plan = lambda path, number: away if path.startswith("/ws/") else Pass()
        delivering.log_in(home, hub, url=proxy.url)
        with living(home, keep_alive=AT_ONCE) as (session, _):
            until(lambda: session.status == "OfflineBatchMode")
        assert elsewhere.requests == []


def test_a_half_open_connection_is_noticed(home: Path, hub: Hub, target: EventEmitter) -> None:
    """The network swallows everything; nobody says that the connection is gone."""
    note_in_batches(home, 300)
    with FaultProxy(hub.port) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        with living(home, keep_alive=IMPATIENT) as (session, _):
            connected(session)
            proxy.stall()
            stores.steps(target, 5)
            session.wake()
            until(lambda: session.status == "Reconnecting")
            proxy.flow()
            connected(session)
            all_delivered(home, hub)


@amounts("groups", sample=15, most=60, campaign=2000)
def test_random_faults_of_messages(home: Path, hub: Hub, target: EventEmitter, groups: int) -> None:
    """Lost, repeated, reordered, cut off, with garbage in between: each event once at the hub, the queue ends empty."""
    note_in_batches(home)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    weights = {Do.PASS: 30, Do.LOSE: 4, Do.CUT: 1, Do.CUT_AFTER: 1, Do.HOLD: 4, Do.TWICE: 4, Do.NOISE: 4}

    def plan(sender: str, text: str, number: int) -> Do:
        return chance.choices(list(weights), list(weights.values()))[0]

    keep_alive = KeepAlive(ping=0.5, pong=2.0, ack=1.0, roll=lambda: -0.9)
    with SocketProxy(hub.port, plan=plan) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        with living(home, keep_alive=keep_alive) as (session, _):
            for number in range(groups):
                delivering.queue(target, 3, text=f"{seed} {number}")
                session.wake()
                until(lambda: len(delivering.waiting(home)) < 20, what=f"some to arrive; seed {seed}")
            all_delivered(home, hub, wake=session.wake)
        if groups >= 60:  # or it is left to chance
            assert len({do for _, _, do in proxy.messages}) > 4, f"seed {seed}"
            assert proxy.connections > 1


# Threads.


def test_stopping_sends_what_waits(home: Path, hub: Hub, target: EventEmitter) -> None:
    delivering.log_in(home, hub)
    with living(home) as (session, _):
        connected(session)
        delivering.queue(target, 700)  # nobody was woken
    all_delivered(home, hub, deadline=0.1)


def test_stopping_does_not_wait_for_a_silent_server(home: Path, hub: Hub, target: EventEmitter) -> None:
    """In the middle of an attempt; the attempt itself ends with its deadline, and holds up no exit."""
    delivering.log_in(home, hub)
    with FaultProxy(hub.port, plan=lambda path, number: Silence()) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        stores.steps(target, 1)
        session = Session(home, warn=stores.unexpected)
        session.start()
        until(lambda: proxy.requests)
        assert not session.stop(within=0.2)
        assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("kittywatch"))
        proxy.cut()


def test_a_login_that_comes_later_connects(home: Path, hub: Hub) -> None:
    """Without one, or with a file that can't be read, it is offline and says nothing; then it is told to look."""
    home.mkdir(mode=0o700)
    (home / "credentials").write_text("[tokens")
    with living(home) as (session, said):
        session.look_at_login()
        assert session.status == "Offline"
        delivering.log_in(home, hub)
        session.look_at_login()
        connected(session)
        (home / "credentials").write_text("[tokens")
        session.look_at_login()
        until(lambda: session.status == "Offline")
    assert said.warnings == []
