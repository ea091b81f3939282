"""How soon an event is on the last of many connected pages of a big board: a real server process with SQLite."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.benchmarks.figure import Figure, main
from tests.hub.hubs import Hub, Machine, created, moved, populate

PAGES = 300
FEATURES = 500
EVENTS = 40
_PAUSE = 0.25  # below the rate limit, and each event by itself


def run(options: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        database = f"sqlite:///{directory}/hub.db"
        populate(database, teams={"cats": ["mira"]})
        hub = Hub(database=database, log=Path(directory) / "log").start()
        try:
            with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
                fill(machine)
                whole, sent = page_bytes(hub)
                last, size = asyncio.run(_arrivals(hub, machine))
        finally:
            hub.stop()
    board = f"board with {FEATURES} features"
    return [
        Figure(f"hub: event sent to the last of {PAGES} pages, {board}, median", statistics.median(last) * 1e3, "ms"),
        Figure("hub: the same, slowest", max(last) * 1e3, "ms", 300),
        Figure("hub: what such an event sends to each page", size / 1e3, "kB", 10),
        Figure(f"hub: page of a {board}, as sent", sent / 1e3, "kB", against=f"{whole / 1e3:.0f} kB inflated"),
    ]


def fill(machine: Machine) -> None:
    for first in range(0, FEATURES, 250):
        told = [
            created(f"WP{n:02d}", "Retry with jitter", lamport=4 * k + n, payload={"feature_slug": f"{k:03d}-part"})
            for k in range(first, first + 250)
            for n in range(1, 5)
        ]
        assert set(machine.statuses(told)) == {"success"}


def page_bytes(hub: Hub) -> tuple[int, int]:
    """The bytes of the board's page, and those that were sent for it."""
    with httpx.Client(base_url=hub.url, headers=_headers(hub), trust_env=False) as browser:
        with browser.stream("GET", "/") as response:
            sent = sum(len(chunk) for chunk in response.iter_raw())
        return len(browser.get("/").content), sent


async def _arrivals(hub: Hub, machine: Machine) -> tuple[list[float], float]:
    """For each event the seconds until the last page had it; and the median bytes of a message."""
    headers = _headers(hub)
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(httpx.AsyncClient(headers=headers, trust_env=False))
        position = (await browser.get(hub.url)).text.split('data-position="')[1].split('"')[0]
        url = f"{hub.url.replace('http', 'ws', 1)}/live?after={position}"
        pages: list[ClientConnection] = []
        for _ in range(PAGES):
            page = connect(url, additional_headers=headers, proxy=None, max_size=None)
            pages.append(await stack.enter_async_context(page))
            await pages[-1].recv()
        seconds, sizes = [], []
        for n in range(1, EVENTS + 1):
            before, after = ("planned", "doing") if n % 2 else ("doing", "planned")
            place = {"feature_slug": f"{n % FEATURES:03d}-part"}
            told = moved("WP01", before, after, lamport=10_000 + n, by=f"arrival {n}!", payload=place)
            waiting = [asyncio.create_task(_hear(page, f"arrival {n}!")) for page in pages]
            await asyncio.sleep(_PAUSE)
            started = time.perf_counter()
            await asyncio.to_thread(machine.statuses, [told])
            heard = await asyncio.gather(*waiting)
            seconds.append(max(at for at, _ in heard) - started)
            sizes += [size for _, size in heard]
    return seconds, statistics.median(sizes)


async def _hear(page: ClientConnection, what: str) -> tuple[float, int]:
    """When a page got the message that has a text in it, and how long that was."""
    while what not in (message := str(await asyncio.wait_for(page.recv(), 20))):
        pass
    return time.perf_counter(), len(message)


def _headers(hub: Hub) -> dict[str, str]:
    cookie = hub.open_login("mira", kind="browser").secret
    return {"Cookie": f"kittywatch={cookie}", "Origin": hub.url}


if __name__ == "__main__":
    main(run)
