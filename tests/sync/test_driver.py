"""The WebSocket's driver alone, on a connection that says what a test wants: no server answers so, and then."""

from __future__ import annotations

import json
import queue
import threading

from kittywatch.errors import KittywatchError
from kittywatch.store.delivery import Outgoing
from kittywatch.store.destinations import Destination
from kittywatch.sync.websocket import Opened, WebSocketClient
from tests.store import stores
from tests.waiting import DEADLINE, until


class Spoken:
    """A connection on which a test speaks."""

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.sent: list[str] = []
        self.closed = threading.Event()

    def send(self, message: str) -> None:
        self.sent.append(json.loads(message)["event_id"])

    def recv(self) -> str:
        said = self.said.get()
        if said is None:
            raise EOFError
        return said

    def close(self) -> None:
        self.closed.set()
        self.said.put(None)


class Shared:
    """A share of a queue with some events in it; what became of them."""

    def __init__(self, *event_ids: str, error: Exception | None = None) -> None:
        self._left = [
            Outgoing(key, one, json.dumps({"event_id": one}), 1, stores.UUID, "shop")
            for key, one in enumerate(event_ids, start=1)
        ]
        self._error = error
        self.delivered: list[str] = []
        self.refused: dict[str, str] = {}
        self.waiting: list[int] = []

    def take(self, destination: int, *, limit: int, after: int) -> list[Outgoing]:
        if self._error is not None:
            raise self._error
        return [one for one in self._left if one.key > after][:limit]

    def settle(
        self, *, delivered: list[str], refused: dict[str, str], waiting: list[int], sent_at: float | None
    ) -> int:
        self.delivered += delivered
        self.refused |= refused
        self.waiting += waiting
        return 0

    def move_clock(self, values: list[int]) -> None:
        raise AssertionError("nobody said a clock")


def test_each_answer_has_its_consequence() -> None:
    """Delivered leaves the queue, refused counts, the rest is given back, whether it is answered or not."""
    connection, queue = Spoken(), Shared("A", "B", "C", "D")
    client = WebSocketClient(lambda: Opened(connection, Destination(1, "https://a", "cats")), queue, roll=lambda: 0.0)
    client.start()
    client.login()
    connection.said.put('{"type":"snapshot","work_packages":[]}')
    until(lambda: connection.sent == ["A", "B", "C", "D"])
    for event_id, status in (("A", "success"), ("B", "rejected"), ("C", "queued")):
        connection.said.put(json.dumps({"type": "ack", "event_id": event_id, "status": status, "error_message": "no"}))
    until(lambda: (queue.delivered, queue.refused, queue.waiting) == (["A"], {"B": "no"}, [3]))
    assert client.stop(within=1)  # it waits as long for an answer to D
    assert queue.waiting == [3, 4]
    assert connection.closed.is_set()


def test_a_bug_ends_the_connection_and_says_so() -> None:
    """Batches go on without it; nobody's events or secrets are in what it says."""
    connection, troubles = Spoken(), list[KittywatchError]()
    queue = Shared("A", error=ZeroDivisionError("SECRET"))
    opened = Opened(connection, Destination(1, "https://a", "cats"))
    client = WebSocketClient(lambda: opened, queue, on_trouble=troubles.append)
    client.start()
    client.login()
    connection.said.put('{"type":"snapshot","work_packages":[]}')
    until(lambda: troubles and client.status == "Offline" and connection.closed.is_set())
    (trouble,) = troubles
    assert "ZeroDivisionError" in str(trouble)
    assert "SECRET" not in str(trouble)
    assert "batches" in trouble.remedy
    assert client.stop(within=DEADLINE)


def test_a_connection_that_opens_too_late_is_closed() -> None:
    """Its login has gone meanwhile, or its driver: nobody else would close it."""
    for end in ("logout", "stop"):
        connection, opens = Spoken(), threading.Event()

        def connect(connection: Spoken = connection, opens: threading.Event = opens) -> Opened:
            assert opens.wait(DEADLINE)
            return Opened(connection, Destination(1, "https://a", "cats"))

        client = WebSocketClient(connect, Shared("A"))
        client.start()
        client.login()
        until(lambda client=client: client.status == "Reconnecting" or client._caller is not None)  # type: ignore[misc]
        if end == "stop":
            assert not client.stop(within=0.1)
        else:
            client.logout()
            until(lambda client=client: client.status == "Offline")  # type: ignore[misc]
        opens.set()
        until(connection.closed.is_set)
        assert client.stop(within=DEADLINE)
        assert connection.sent == []
