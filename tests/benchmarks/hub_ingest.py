"""How fast the hub takes events, shows them, and draws a big board: `python -m tests.benchmarks.hub_ingest`.

Three figures against their targets, on a real server process with SQLite: events a second in batches of 1,000; the
median time from sending an event to hearing of it on a connected board; the first page of a board of 10,000 cards.
Exits with 1 if a target is missed. The targets hold for two cores.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from tests.hub.hubs import Hub, Machine, created, moved, populate

BATCHES, BATCH_SIZE = 20, 1000
LEAST_EVENTS_PER_SECOND = 5000.0
MOST_SECONDS_TO_VISIBLE = 0.1
MOST_SECONDS_FOR_FIRST_PAGE = 1.0
CARDS = 10_000


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        database = f"sqlite:///{directory}/hub.db"
        populate(database, teams={"cats": ["mira"], "dogs": ["rex"]})
        hub = Hub(database=database, log=Path(directory) / "log").start()
        try:
            with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
                results = [
                    _report("events/s in batches of 1,000", ingest(machine), least=LEAST_EVENTS_PER_SECOND),
                    _report("s to visible, median", latency(hub, machine), most=MOST_SECONDS_TO_VISIBLE),
                ]
            with Machine(hub.url, hub.access_token(hub.open_login("rex"))) as machine:
                seconds = first_page(hub, machine)
                results.append(_report("s for a page of 10,000 cards", seconds, most=MOST_SECONDS_FOR_FIRST_PAGE))
        finally:
            hub.stop()
    return 0 if all(results) else 1


def ingest(machine: Machine) -> float:
    """Events a second over BATCHES batches that stand ready, sent one after another."""
    bodies = []
    for batch in range(BATCHES):
        told: list[Any] = []
        for n in range(BATCH_SIZE // 2):
            wp_id, feature = f"WP{n % 100:02d}", f"{batch:03d}-{n // 100}"
            place: dict[str, Any] = {"payload": {"feature_slug": feature}}
            told.append(created(wp_id, "Retry with jitter", lamport=2 * n + 1, needs=["WP01"], **place))
            told.append(moved(wp_id, "planned", "doing", lamport=2 * n + 2, **place))
        bodies.append(gzip.compress(json.dumps({"events": told}).encode()))
    headers = machine.headers | {"Content-Encoding": "gzip"}
    started = time.perf_counter()
    for body in bodies:
        response = machine.http.post("/api/v1/events/batch/", content=body, headers=headers)
        assert all(result["status"] == "success" for result in response.json()["results"])
    return BATCHES * BATCH_SIZE / (time.perf_counter() - started)


def latency(hub: Hub, machine: Machine) -> float:
    """Median seconds from sending an event to its card on a connected board."""
    cookie = hub.open_login("mira", kind="browser").secret
    headers = {"Cookie": f"kittywatch={cookie}", "Origin": hub.url}
    with httpx.Client(base_url=hub.url, headers=headers, trust_env=False) as browser:
        position = browser.get("/").text.split('data-position="')[1].split('"')[0]
    seconds = []
    url = f"{hub.url.replace('http', 'ws', 1)}/live?after={position}"
    with connect(url, additional_headers=headers, proxy=None, max_size=None) as board:
        board.recv(timeout=20)
        for n in range(1, 60):
            started = time.perf_counter()
            machine.statuses([created(f"WP{n:02d}", f"arrival {n}", lamport=n, payload={"feature_slug": "999-x"})])
            while f"arrival {n}" not in str(board.recv(timeout=20)):
                pass
            seconds.append(time.perf_counter() - started)
            time.sleep(0.11)  # below the rate limit
    return statistics.median(seconds)


def first_page(hub: Hub, machine: Machine) -> float:
    """Seconds for the first page of a board of CARDS cards, the worst of five."""
    for first in range(0, CARDS, BATCH_SIZE):
        told = [
            created(f"WP{n % 100:02d}", "Retry with jitter", lamport=n + 1, payload={"feature_slug": f"f{n // 100}"})
            for n in range(first, first + BATCH_SIZE)
        ]
        machine.statuses(told)
    cookies = {"kittywatch": hub.open_login("rex", kind="browser").secret}
    seconds = []
    with httpx.Client(base_url=hub.url, cookies=cookies, trust_env=False) as browser:
        for _ in range(5):
            started = time.perf_counter()
            assert "10000" in browser.get("/").text
            seconds.append(time.perf_counter() - started)
    return max(seconds)


def _report(name: str, measured: float, *, least: float | None = None, most: float | None = None) -> bool:
    met = measured >= least if least is not None else measured <= (most or 0)
    target = f"at least {least:g}" if least is not None else f"at most {most:g}"
    print(f"{name}: measured {measured:.4g}, target {target}: {'met' if met else 'MISSED'}")
    return met


if __name__ == "__main__":
    sys.exit(main())
