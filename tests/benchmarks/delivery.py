"""Delivery: batches to a real hub, and what a login costs a commit while its server answers, is gone, or is silent."""

from __future__ import annotations

import argparse
import contextlib
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kittywatch.store import destinations
from kittywatch.store.store import Store
from kittywatch.sync.batch import batch_sync
from kittywatch.sync.flusher import delivering
from tests.benchmarks import hooks
from tests.benchmarks.figure import Figure, main
from tests.benchmarks.processes import Command, interleaved
from tests.hub.hubs import Hub, populate
from tests.store import stores
from tests.sync.delivering import log_in, pretend_login, queue
from tests.waiting import until

EVENTS = 20_000


def run(options: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory, _hub(Path(directory)) as hub:
        return [_batches(Path(directory), hub), *_commits(Path(directory), hub, options.runs)]


@contextlib.contextmanager
def _hub(directory: Path) -> Iterator[Hub]:
    """One without a rate limit."""
    database = f"sqlite:///{directory}/hub.db"
    populate(database, teams={"cats": ["mira"]})
    hub = Hub(database=database, log=directory / "hub.log", module="tests.sync.quick_hub").start()
    try:
        yield hub
    finally:
        hub.stop()


def _batches(place: Path, hub: Hub) -> Figure:
    home = place / "batches"
    target = stores.emitter(home, stores.unexpected)
    queue(target, EVENTS)
    auth = log_in(home, hub)
    start = time.perf_counter()
    summary = batch_sync(target.store, auth)
    seconds = time.perf_counter() - start
    target.store.close()
    assert summary.delivered == EVENTS, summary
    return Figure(f"delivery of {EVENTS:,} events in batches", EVENTS / seconds, "events/s", at_least=2000)


def _commits(place: Path, hub: Hub, runs: int) -> list[Figure]:
    """Commits of a lane change, the flushers of all homes idle before each."""
    names = {"out": "logged out", "in": "logged in", "dead": "server gone", "silent": "server silent"}
    repositories = {name: hooks.Repository(place / name).hooked() for name in names}

    def ready() -> None:
        # A flusher that waits for a silent server costs nothing; the others would fall on the next measurement.
        for name in ("in", "dead"):
            until(lambda name=name: _idle(repositories[name].home), deadline=60)  # type: ignore[misc]

    with socket.create_server(("127.0.0.1", 0)) as silent:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            dead_url = f"http://127.0.0.1:{gone.getsockname()[1]}"
        log_in(repositories["in"].home, hub)
        pretend_login(repositories["dead"].home, dead_url)
        pretend_login(repositories["silent"].home, f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name, url in (
            ("in", hub.url),
            ("dead", dead_url),
            ("silent", f"http://127.0.0.1:{silent.getsockname()[1]}"),
        ):
            _begin(repositories[name].home, url)
        commands = {name: _after(ready, one.commits(moving=True)) for name, one in repositories.items()}
        measured = interleaved(commands, runs)
    until(lambda: _idle(repositories["silent"].home), deadline=90)
    figures = [Figure("commit of a lane change, logged out", measured["out"].median * 1e3, "ms")]
    for name in ("in", "dead", "silent"):
        ratio = measured[name].median / measured["out"].median
        figures.append(Figure(f"  {names[name]}", ratio, "times", 1.1, "logged out"))
    return figures


def _begin(home: Path, url: str) -> None:
    store = Store(home, node_id=stores.NODE, warn=stores.unexpected)
    store.transact(lambda connection: destinations.set_present(connection, url, "cats"))
    store.close()


def _idle(home: Path) -> bool:
    with delivering(home) as free:
        return free


def _after(ready: Callable[[], None], command: Command) -> Command:
    def prepare() -> None:
        command.prepare()
        ready()

    return Command(command.words, command.directory, command.environment, command.data, prepare)


if __name__ == "__main__":
    main(run)
