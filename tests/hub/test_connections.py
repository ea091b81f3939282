"""Strangers who hold connections: they run into limits, whoever means well gets through, the log stays short."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import connect

from kittywatch.hub.accepting import Acceptor
from kittywatch.hub.addresses import network_of
from kittywatch.hub.connections import Connections, Entry
from kittywatch.hub.logs import Seldom
from tests.hub.hubs import Hub, Machine, created
from tests.waiting import DEADLINE, until

HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


def address_of(hub: Hub) -> tuple[str, int]:
    return ("127.0.0.1", hub.port)


@contextmanager
def files(count: int) -> Iterator[None]:
    """So many files at least for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(count, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(4096) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest.fixture
def hub(sqlite_database: str, start_hub: Callable[..., Hub]) -> Hub:
    return start_hub(sqlite_database)


@pytest.mark.long
def test_half_requests_take_nobody_elses_place(hub: Hub, machine: Machine) -> None:
    """1,500 of them, held open by one stranger, who begins anew as soon as one is closed."""
    with files(4096), ExitStack() as held:
        strangers = [
            held.enter_context(socket.create_connection(address_of(hub), timeout=DEADLINE)) for _ in range(1500)
        ]
        for stranger in strangers:
            try:
                stranger.sendall(HALF)
            except ConnectionError:
                continue
        assert httpx.get(f"{hub.url}/healthz", timeout=DEADLINE, trust_env=False).status_code == 200
        assert machine.statuses([created("WP01", lamport=1)]) == ["success"]
        headers = {"Authorization": f"Bearer {machine.ws_token()}"}
        url = hub.url.replace("http", "ws", 1) + "/ws/v1/events/"
        with connect(url, additional_headers=headers, proxy=None) as it:
            assert json.loads(it.recv(timeout=DEADLINE))["type"] == "snapshot"
            for _ in range(300):  # more than an address may have: the socket of somebody with a login stays
                strangers.append(held.enter_context(socket.create_connection(address_of(hub), timeout=DEADLINE)))
            it.send(json.dumps(created("WP02", lamport=2)))
            assert json.loads(it.recv(timeout=DEADLINE))["status"] == "success"
        assert sum(map(is_closed, strangers)) > 1500
        until(lambda: all(map(is_closed, strangers)), what="the hub to give up on the rest")
    assert len(hub.output().splitlines()) < 100


@pytest.mark.parametrize(
    "begun",
    [
        HALF,
        pytest.param(b"", marks=pytest.mark.long),  # for what it waits
        pytest.param(HALF.replace(b"/healthz", b"/static/base.css"), marks=pytest.mark.long),
    ],
)
def test_headers_that_trickle_have_their_time(hub: Hub, begun: bytes) -> None:
    """From the connection on, and after an answer; each byte that comes gives no more time."""
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with (
        socket.create_connection(address_of(hub), timeout=DEADLINE) as first,
        socket.create_connection(address_of(hub), timeout=DEADLINE) as second,
    ):
        second.sendall(whole)
        assert second.recv(4096).startswith(b"HTTP/1.1 200")
        for connection in (first, second):
            connection.sendall(begun or b"G")

        def trickled() -> bool:
            for connection in (first, second):
                try:
                    connection.setblocking(True)
                    connection.sendall(b"x")
                except ConnectionError:
                    continue
            return is_closed(first) and is_closed(second)

        until(trickled, what="both to be closed")


@pytest.mark.long  # for what it waits
def test_a_body_that_trickles_has_its_time(hub: Hub, machine: Machine) -> None:
    head = "POST /api/v1/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
    with socket.create_connection(address_of(hub), timeout=DEADLINE) as connection:
        connection.sendall(head.encode())

        def answered() -> bytes:
            connection.setblocking(True)
            connection.sendall(b" ")
            connection.setblocking(False)
            try:
                return connection.recv(4096)
            except BlockingIOError:
                return b""

        answers: list[bytes] = []
        until(lambda: answers.append(answered()) or any(answers), what="an answer")  # type: ignore[func-returns-value]
        assert b" 408 " in b"".join(answers)


def test_a_hub_with_few_files_turns_away_and_lives(
    sqlite_database: str, start_hub: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hub = start_hub(sqlite_database)
    hub.stop()
    assert hub.process is not None
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        hub.start()
        resource.prlimit(hub.process.pid, resource.RLIMIT_NOFILE, (200, 200))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with ExitStack() as held:
        for _ in range(1000):
            held.enter_context(socket.create_connection(address_of(hub), timeout=DEADLINE)).sendall(HALF)
    assert httpx.get(f"{hub.url}/healthz", timeout=DEADLINE, trust_env=False).status_code == 200
    assert len(hub.output().splitlines()) < 100


@pytest.mark.long  # for what it waits
def test_a_reader_that_does_not_read_is_cut_off(hub: Hub, machine: Machine, other_machine: Machine) -> None:
    """Others' events go to it until its buffers are full; then it goes, and whoever reads hears all."""
    url = hub.url.replace("http", "ws", 1) + "/ws/v1/events/"
    headers = {"Authorization": f"Bearer {other_machine.ws_token()}"}
    still = socket.create_connection(address_of(hub), timeout=DEADLINE)
    still.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with connect(url, additional_headers=headers, proxy=None, sock=still, max_queue=1, compression=None) as it:
        assert json.loads(it.recv(timeout=DEADLINE))["type"] == "snapshot"
        for batch in range(20):
            told = [
                created(
                    f"WP{n:02d}",
                    os.urandom(10_000).hex(),
                    lamport=batch * 60 + n + 1,
                    payload={"feature_slug": f"{batch}-x"},
                )
                for n in range(60)
            ]
            assert set(machine.statuses(told)) == {"success"}

        def connections() -> float:
            text = httpx.get(f"{hub.url}/metrics", timeout=DEADLINE, trust_env=False).text
            return float(
                next(line for line in text.splitlines() if line.startswith("kittywatch_connections ")).split()[1]
            )

        until(lambda: connections() == 0, what="the reader to be dropped")


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_answers_do_not_wait_for_acknowledgements(family: socket.AddressFamily) -> None:
    """Nagle's algorithm is off for what is taken, also from a listener that was made without naming TCP."""
    found: list[int] = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            taken = transport.get_extra_info("socket")
            found.append(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async def take() -> None:
        connections = Connections(most=9, strangers=9, at_network=9, of_login=9, is_shared=lambda network: False)
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.bind(("::1" if family is socket.AF_INET6 else "127.0.0.1", 0))
            accepting = asyncio.create_task(Acceptor(listener, connections, lambda entry: Protocol(), tls=None).run())
            await asyncio.sleep(0)
            _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            await asyncio.to_thread(until, lambda: found, what="the connection to be taken")
            writer.close()
            await writer.wait_closed()
            accepting.cancel()

    asyncio.run(take())
    assert len(found) == 1
    assert found[0] != 0


@given(st.lists(st.tuples(st.sampled_from("arbl"), st.integers(0, 30)), max_size=200))
def test_the_limits_hold_whatever_happens(steps: list[tuple[str, int]]) -> None:
    """Admitted, removed, busy, logged in, in any order: never more than allowed; nobody with a login gives way."""
    connections = Connections(most=12, strangers=8, at_network=3, of_login=4, is_shared=lambda network: network == "p")
    alive: list[Entry] = []
    for step, number in steps:
        if step == "a":
            entry = connections.admit("abcp"[number % 4])
            if entry is not None:
                alive.append(entry)

                def close(entry: Entry = entry) -> None:
                    assert entry.session_id is None
                    assert not entry.is_busy
                    alive.remove(entry)

                entry.close = close
        elif alive:
            entry = alive[number % len(alive)]
            if step == "r":
                connections.remove(entry)
                alive.remove(entry)
            elif step == "b":
                entry.is_busy = not entry.is_busy
            else:
                connections.show_login(entry, f"login {number % 3}")
        strangers = [entry for entry in alive if entry.session_id is None]
        assert len(connections) == len(alive) <= 12
        assert len(strangers) <= 8
        for network in "abc":
            assert sum(entry.network == network for entry in strangers) <= 3
        for login in {entry.session_id for entry in alive} - {None}:
            assert sum(entry.session_id == login for entry in alive) <= 4


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_networks(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_log_says_the_same_a_few_times_and_counts() -> None:
    import logging

    now = 0.0
    seldom = Seldom(clock=lambda: now)

    def say(text: str, *values: object) -> str | None:
        record = logging.LogRecord("kittywatch.hub", logging.WARNING, "x.py", 1, text, values, None)
        return record.getMessage() if seldom.filter(record) else None

    said = [say("broke %d", n) for n in range(1000)]
    assert said[:10] == [f"broke {n}" for n in range(10)]
    assert set(said[10:]) == {None}
    assert say("another") == "another"
    now = 11.0
    assert say("broke %d", 5) == "broke 5 (and 990 times more)"
