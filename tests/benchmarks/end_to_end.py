"""From a saved lane to the card in its new lane on the hub's page: a real watcher, WebSocket, hub, and browser."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.figure import Figure, main
from tests.benchmarks.watching import cpu_seconds, resident_megabytes, work_package
from tests.hub.browsers import is_live, launch, sign_in
from tests.hub.hubs import Hub, populate
from tests.sync import delivering

_LANES = ("doing", "for_review", "done", "planned")
_IDLE_SECONDS = 10.0
_PAUSE = 0.1  # people don't save in bursts
# Notes in which lane the card is, and since when, as soon as the page has it.
_WATCH = """() => {
    window.seen = [];
    const look = () => {
        const cards = [...document.querySelectorAll('.card')];
        const card = cards.find((one) => one.querySelector('.id').textContent === 'WP01');
        const lane = card?.closest('[id^=lane-]')?.id;
        const now = performance.timeOrigin + performance.now();
        if (lane && lane !== window.seen.at(-1)?.[0]) window.seen.push([lane, now]);
    };
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true });
    look();
}"""


def run(options: argparse.Namespace) -> list[Figure]:
    if not (os.environ.get("KITTYWATCH_CHROMIUM") or shutil.which("chromium")):
        return []
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        place = Path(directory)
        database = place / "hub.db"
        populate(f"sqlite:///{database}", teams={"cats": ["mira"]})
        hub = Hub(database=f"sqlite:///{database}", log=place / "hub.log").start()
        stack.callback(hub.stop)
        home, root = place / "home", place / "repository"
        delivering.log_in(home, hub)
        _make_project(root)
        watcher = stack.enter_context(_watching(root, home))
        page = launch(stack.enter_context(sync_playwright())).new_page()
        sign_in(page, hub.url)
        is_live(page)
        whole, there = _measure(page, root, database, edits=max(options.runs * 15, 100))
        before = cpu_seconds(watcher)
        time.sleep(_IDLE_SECONDS)
        idle, resident = (cpu_seconds(watcher) - before) / _IDLE_SECONDS, resident_megabytes(watcher)
    cuts = statistics.quantiles(whole, n=100)
    return [
        Figure("end to end: lane saved to card moved in a browser, median", statistics.median(whole) * 1e3, "ms", 60),
        Figure("end to end: the same, 99th percentile", cuts[98] * 1e3, "ms", 500),
        Figure("end to end: lane saved to event at the hub, median", statistics.median(there) * 1e3, "ms"),
        Figure("watcher with a connection: CPU while idle", idle * 100, "%", 0.1),
        Figure("watcher with a connection: memory while idle", resident, "MB", 60),
    ]


def _measure(page: Page, root: Path, database: Path, *, edits: int) -> tuple[list[float], list[float]]:
    """Seconds from the return of close() to the card's move, and to the hub's having the event."""
    path = root / "kitty-specs" / "000-part" / "tasks" / "WP01-part.md"
    _save(path, "doing")  # the first brings the card
    page.wait_for_selector("#lane-doing .card", timeout=30_000)
    page.evaluate(_WATCH)
    saved = []
    for number in range(1, edits + 1):
        lane = _LANES[number % 4]
        saved.append(_save(path, lane))
        page.wait_for_function("lane => window.seen.at(-1)?.[0] === 'lane-' + lane", arg=lane, timeout=30_000)
        time.sleep(_PAUSE)
    moved = [at / 1000 for _, at in page.evaluate("window.seen")][1:]
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT received_at FROM events WHERE event_type = 'WPStatusChanged' ORDER BY position DESC LIMIT ?"
        received = [row[0] for row in connection.execute(query, (edits,))][::-1]
    assert len(moved) == len(saved) == len(received)
    return (
        [then - start for start, then in zip(saved, moved, strict=True)],
        [then - start for start, then in zip(saved, received, strict=True)],
    )


def _save(path: Path, lane: str) -> float:
    """Write a work package; returns when it was closed, in seconds since 1970."""
    with path.open("w") as file:
        file.write(work_package(lane, 1))
    return time.time()


def _make_project(root: Path) -> None:
    tasks = root / "kitty-specs" / "000-part" / "tasks"
    tasks.mkdir(parents=True)
    for number in range(1, 11):
        (tasks / f"WP{number:02}-part.md").write_text(work_package("planned", number))
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.invalid"]
        subprocess.run(["git", *identity, *command], cwd=root, check=True)


@contextlib.contextmanager
def _watching(root: Path, home: Path) -> Iterator[int]:
    """A watcher with a live connection; yields its process number."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kittywatch.cli.main", "watch"],
        cwd=root,
        env=os.environ | {"SPEC_KITTY_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("[Connected]"):
            break
    drain = threading.Thread(target=process.stderr.read)
    drain.start()
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        drain.join()
        process.stderr.close()


if __name__ == "__main__":
    main(run)
