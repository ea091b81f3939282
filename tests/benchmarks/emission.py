"""One durable emission: the ledger's step, the tick, the queued event and the clock's copy."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from tests.benchmarks.figure import Figure, main
from tests.store import stores

_EMISSIONS = 300


def run(options: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        target = stores.emitter(Path(directory) / "home", stores.unexpected)
        seconds = []
        for index in range(_EMISSIONS):
            before, after = stores.LANES[index % 4], stores.LANES[(index + 1) % 4]
            start = time.perf_counter()
            event = target.emit_wp_status_changed("WP01", before, after, feature_slug=stores.FEATURE)
            seconds.append(time.perf_counter() - start)
            assert event is not None
        target.store.close()
        bare = _synced(Path(directory) / "file")
    emission = statistics.median(seconds)
    return [
        Figure("one durable emission, median", emission * 1e3, "ms", 5),
        Figure("  one write with fsync, median", bare * 1e3, "ms"),
        Figure("  ratio", emission / bare, "times", None, "a write with fsync"),
    ]


def _synced(path: Path) -> float:
    """What the disk alone takes to keep a page."""
    seconds = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_EMISSIONS):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    main(run)
