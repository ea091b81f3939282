"""How much memory clients can make the hub take: the same attack as one who has a login, with all that is allowed."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from kittywatch.hub.bodies import Budget, Share
from kittywatch.hub.errors import ThrottledError
from tests.hub.hubs import Hub, created
from tests.waiting import DEADLINE

MEGABYTES = 512


def peak(hub: Hub) -> int:
    """The most memory that a hub's process had, in MB."""
    assert hub.process is not None
    status = Path(f"/proc/{hub.process.pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


@pytest.fixture
def hub(sqlite_database: str, start_hub: Callable[..., Hub]) -> Iterator[Hub]:
    hub = start_hub(sqlite_database)
    yield hub
    assert peak(hub) < MEGABYTES


def batch(seed: int, *, count: int, size: int, mark: str = "") -> bytes:
    told = [
        created(
            f"WP{n % 100:02d}", mark + os.urandom(size // 2).hex(), lamport=n + 1, payload={"feature_slug": f"{seed}"}
        )
        for n in range(count)
    ]
    return gzip.compress(json.dumps({"events": told}, ensure_ascii=False).encode(), compresslevel=1)


async def attack(hub: Hub, tokens: list[str], bodies: list[bytes]) -> Counter[int]:
    """All of them at once, over connections of their own."""
    async with httpx.AsyncClient(base_url=hub.url, timeout=240, trust_env=False, limits=httpx.Limits()) as http:

        async def send(number: int, body: bytes) -> int:
            headers = {"Authorization": f"Bearer {tokens[number % len(tokens)]}", "Content-Encoding": "gzip"}
            answer = await http.post("/api/v1/events/batch/", content=body, headers=headers)
            return answer.status_code

        return Counter(await asyncio.gather(*(send(number, body) for number, body in enumerate(bodies))))


@pytest.mark.long
@pytest.mark.parametrize("mark", ["", "😺"], ids=["plain", "four bytes a character"])
@pytest.mark.parametrize("logins", [1, 6])
def test_legal_batches_at_once(hub: Hub, mark: str, logins: int) -> None:
    """48 of eleven megabytes each: some are stored, the others are told to come later."""
    tokens = [hub.access_token(hub.open_login("mira")) for _ in range(logins)]
    bodies = [batch(n, count=800, size=14_000, mark=mark) for n in range(4)] * 12
    statuses = asyncio.run(attack(hub, tokens, bodies))
    assert set(statuses) <= {200, 429}
    assert statuses[200] >= 1
    assert httpx.get(f"{hub.url}/healthz", timeout=DEADLINE, trust_env=False).status_code == 200
    assert asyncio.run(attack(hub, tokens, bodies[:1])) == {200: 1}


@pytest.mark.parametrize("inner", ["[]", "{}", '""', "1"])
def test_small_bodies_that_become_big_objects(hub: Hub, inner: str) -> None:
    text = '{"events":[' + ",".join([f"[{','.join([inner] * 100_000)}]"] * 50) + "]}"
    body = gzip.compress(text.encode()[: 15 << 20], compresslevel=1)
    tokens = [hub.access_token(hub.open_login("mira")) for _ in range(6)]
    assert set(asyncio.run(attack(hub, tokens, [body] * 24))) <= {400, 413, 429, 200}
    assert httpx.get(f"{hub.url}/healthz", timeout=DEADLINE, trust_env=False).status_code == 200


def test_messages_that_pile_up(hub: Hub) -> None:
    """Sockets that send the biggest messages as fast as they can, and read nothing of what is said to them."""
    message = json.dumps(created("WP01", os.urandom(100_000).hex(), lamport=1))
    token = hub.access_token(hub.open_login("mira"))

    async def flood() -> None:
        async with httpx.AsyncClient(base_url=hub.url, timeout=DEADLINE, trust_env=False) as http:
            answers = [
                await http.post("/api/v1/ws-token/", headers={"Authorization": f"Bearer {token}"}) for _ in range(20)
            ]

        async def send(ws_token: str) -> None:
            url = hub.url.replace("http", "ws", 1) + "/ws/v1/events/"
            headers = {"Authorization": f"Bearer {ws_token}"}
            async with connect(url, additional_headers=headers, proxy=None, compression=None) as socket:
                for _ in range(40):
                    await socket.send(message)
                for _ in range(41):
                    await socket.recv()

        await asyncio.gather(*(send(answer.json()["ws_token"]) for answer in answers))

    asyncio.run(flood())


Take = tuple[str, int]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60)), max_size=60))
def test_a_budget_is_never_exceeded_and_comes_back_whole(takes: list[Take]) -> None:
    budget = Budget(most=100, of_login=60)
    held: dict[str, int] = {}
    shares: list[Any] = []
    for login, size in takes:
        share = Share(budget, login)
        try:
            share.take(size)
        except ThrottledError:
            assert sum(held.values()) + size > 100 or held.get(login, 0) + size > 60
            continue
        shares.append(share)
        held[login] = held.get(login, 0) + size
        assert budget.taken == sum(held.values()) <= 100
        assert held[login] <= 60
    for share in shares:
        with share:
            pass
    assert budget.taken == 0
