"""How fast the hub takes events, shows them, and draws a big board: a real server process with SQLite."""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from tests.benchmarks.figure import Figure, main
from tests.hub.hubs import Hub, Machine, created, moved, populate

BATCHES, BATCH_SIZE = 20, 1000
ARRIVALS = 60
CARDS = 10_000


def run(options: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        database = f"sqlite:///{directory}/hub.db"
        populate(database, teams={"cats": ["mira"], "dogs": ["rex"]})
        hub = Hub(database=database, log=Path(directory) / "log").start()
        try:
            with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
                rate = ingest(machine)
                seconds = latency(hub, machine)
                answer = small_answer(machine)
            with Machine(hub.url, hub.access_token(hub.open_login("rex"))) as machine:
                page = first_page(hub, machine, options.runs)
        finally:
            hub.stop()
    return [
        Figure(f"hub: events taken, in batches of {BATCH_SIZE:,}", rate, "events/s", at_least=5000),
        Figure("hub: event sent to card on a connected page, median", seconds * 1e3, "ms", 100),
        Figure("hub: answer to /healthz on an open connection, median", answer * 1e3, "ms", 10),
        Figure(f"hub: first page of a board of {CARDS:,} cards, slowest", page, "s", 1),
    ]


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
        for n in range(1, ARRIVALS + 1):
            started = time.perf_counter()
            machine.statuses([created(f"WP{n:02d}", f"arrival {n}", lamport=n, payload={"feature_slug": "999-x"})])
            while f"arrival {n}" not in str(board.recv(timeout=20)):
                pass
            seconds.append(time.perf_counter() - started)
            time.sleep(0.11)  # below the rate limit
    return statistics.median(seconds)


def small_answer(machine: Machine) -> float:
    """Median seconds of an answer in parts, which would wait 40 ms for an acknowledgement with Nagle's algorithm."""
    seconds = []
    for _ in range(ARRIVALS):
        started = time.perf_counter()
        assert machine.http.get("/healthz").status_code == 200
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def first_page(hub: Hub, machine: Machine, runs: int) -> float:
    """Seconds for the first page of a board of CARDS cards, the slowest of `runs`."""
    for first in range(0, CARDS, BATCH_SIZE):
        told = [
            created(f"WP{n % 100:02d}", "Retry with jitter", lamport=n + 1, payload={"feature_slug": f"f{n // 100}"})
            for n in range(first, first + BATCH_SIZE)
        ]
        machine.statuses(told)
    cookies = {"kittywatch": hub.open_login("rex", kind="browser").secret}
    seconds = []
    with httpx.Client(base_url=hub.url, cookies=cookies, trust_env=False) as browser:
        for _ in range(runs):
            started = time.perf_counter()
            assert "10000" in browser.get("/").text
            seconds.append(time.perf_counter() - started)
    return max(seconds)


if __name__ == "__main__":
    main(run)
