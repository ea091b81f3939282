"""What a caller may send to keep the hub busy: every check takes linear time, and the event loop goes on meanwhile."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from collections.abc import Callable

import httpx
import pytest
from starlette.requests import HTTPConnection
from websockets.sync.client import connect

from kittywatch.hub import credentials
from kittywatch.hub.limits import Limits
from kittywatch.hub.parsing import Accepted, Refused, open_batch, open_event
from tests.hub.hostile import HOSTILE
from tests.hub.hubs import FEATURE, Hub, Machine, created, event
from tests.waiting import DEADLINE


def seconds(work: Callable[[], object]) -> float:
    """The best of five, of this process's own time, each long enough to be measured.

    Without the garbage collector, which goes through all that other tests have left as often as objects are made.
    """
    best = float("inf")
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            before = time.process_time()
            for _ in range(3):
                work()
            best = min(best, time.process_time() - before)
    finally:
        gc.enable()
    return best + 1e-4


@pytest.mark.long
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_parsing_takes_linear_time(hostile: Callable[[int], bytes]) -> None:
    """Sixteen times as much takes about sixteen times as long; what is quadratic takes 256 times."""
    limits = Limits()
    small, large = hostile(15_000), hostile(240_000)

    def parse(data: bytes) -> Callable[[], object]:
        return lambda: open_event(data, team_slug="cats", limits=limits)

    assert seconds(parse(large)) < 64 * seconds(parse(small))


def test_looking_for_a_cookie_takes_linear_time() -> None:
    def find(size: int) -> Callable[[], object]:
        headers = [(b"cookie", b'other="' + b"\\a" * size + b'"; kittywatch=secret')]
        connection = connection_with(headers)
        return lambda: credentials.cookie_of(connection)

    assert find(10)() == "secret"
    assert seconds(find(60_000)) < 64 * seconds(find(3_750))


def connection_with(headers: list[tuple[bytes, bytes]]) -> HTTPConnection:
    return HTTPConnection({"type": "http", "scheme": "http", "headers": headers})


@pytest.mark.parametrize("item", [b"1,", b'"",', b"[],"])
def test_a_batch_of_millions_is_refused_before_it_is_made(item: bytes) -> None:
    data = b'{"events":[' + item * 1_000_000 + b"1]}"
    tracemalloc.start()
    try:
        with pytest.raises(Exception, match="too big"):
            open_batch(data, team_slug="cats", limits=Limits())
        assert tracemalloc.get_traced_memory()[1] < len(data)
    finally:
        tracemalloc.stop()


def test_a_batch_of_texts_with_many_commas_is_taken() -> None:
    told = [created(f"WP{n:02d}", ",[{" * 40_000, lamport=n + 1) for n in range(3)]
    items = open_batch(json.dumps({"events": told}).encode(), team_slug="cats", limits=Limits())
    assert [type(item) for item in items] == [Accepted] * 3


@pytest.mark.parametrize("title", ["\\u0000", "a\\\\u0000", 'a"\\u0000', "\\\\\\u0000"])
def test_a_text_that_spells_nul_is_no_nul(title: str) -> None:
    """It is written with the backslash escaped; only NUL itself, which is written with one backslash, is refused."""
    item = open_event(json.dumps(created("WP01", title, lamport=1)).encode(), team_slug="cats", limits=Limits())
    assert isinstance(item, Accepted)
    assert item.event.payload.title == title  # type: ignore[union-attr]
    nul = open_event(json.dumps(created("WP01", title + "\0", lamport=1)).encode(), team_slug="cats", limits=Limits())
    assert isinstance(nul, Refused)


def test_numbers_that_nothing_counts_are_refused() -> None:
    completed = {
        "feature_slug": FEATURE,
        "total_wps": 10**300,
        "completed_at": "2026-03-02T00:00:00Z",
        "total_duration": None,
    }
    assigned = {"wp_id": "WP01", "agent_id": "a", "phase": "review", "retry_count": 10**300, "feature_slug": FEATURE}
    for kind, payload in (("FeatureCompleted", completed), ("WPAssigned", assigned)):
        one = event(kind, payload, lamport=1)
        for text in (json.dumps(one), json.dumps(one).replace("1" + "0" * 300, "1" + "0" * 5000)):
            item = open_event(text.encode(), team_slug="cats", limits=Limits())
            assert isinstance(item, Refused)
            assert "0000" not in item.reason


@pytest.mark.parametrize("feature", [".", ".."])
def test_a_feature_is_called_as_a_directory_can_be(feature: str) -> None:
    told = created("WP01", lamport=1, payload={"feature_slug": feature})
    item = open_event(json.dumps(told).encode(), team_slug="cats", limits=Limits())
    assert isinstance(item, Refused)
    assert "feature_slug" in item.reason


def test_one_message_does_not_stop_the_others(hub: Hub, machine: Machine, other_machine: Machine) -> None:
    """A quarter of a megabyte of every kind, on one socket; another login delivers meanwhile, and all is answered."""
    headers = {"Authorization": f"Bearer {machine.ws_token()}"}
    url = hub.url.replace("http", "ws", 1) + "/ws/v1/events/"
    messages = [hostile(240_000) for hostile in HOSTILE.values()]
    with connect(url, additional_headers=headers, proxy=None, max_size=None, compression=None) as socket:
        assert json.loads(socket.recv(timeout=DEADLINE))["type"] == "snapshot"
        for message in messages:
            socket.send(message)
        assert httpx.get(f"{hub.url}/healthz", timeout=DEADLINE, trust_env=False).status_code == 200
        assert other_machine.statuses([created("WP01", lamport=1)]) == ["success"]
        answered = 0
        while answered < len(messages):
            answered += json.loads(socket.recv(timeout=DEADLINE))["type"] == "ack"
