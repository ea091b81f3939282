"""The watcher: from the closing of a file to the committed queue row, its start, and what it costs when idle."""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from tests.benchmarks.figure import Figure, main
from tests.benchmarks.processes import watching

_LANES = ("doing", "for_review", "done", "planned")
_IDLE_SECONDS = 10.0


def run(options: argparse.Namespace) -> list[Figure]:
    figures: list[Figure] = []
    for features, each in ((1, 10), (1000, 10)):
        with tempfile.TemporaryDirectory() as directory:
            project = _Project(Path(directory), features, each)
            figures += project.measure(saves=max(options.runs * 10, 50))
    return figures


class _Project:
    """A project with `features` × `each` work packages, all committed at planned."""

    def __init__(self, place: Path, features: int, each: int) -> None:
        self.root = place / "repository"
        self.home = place / "home"
        self.count = features * each
        self.environment = os.environ | {"SPEC_KITTY_HOME": str(self.home)}
        self.root.mkdir()
        self._git("init", "-q", "-b", "main")
        self._git("config", "user.name", "A")
        self._git("config", "user.email", "a@example.invalid")
        for feature in range(features):
            tasks = self.root / "kitty-specs" / f"{feature:03}-part" / "tasks"
            tasks.mkdir(parents=True)
            for number in range(1, each + 1):
                (tasks / f"WP{number:02}-part.md").write_text(work_package("planned", number))
        self._git("add", "-A")
        self._git("commit", "-q", "-m", "all")
        os.sync()  # else the first commits of the database wait for these files, which nobody has just made in life

    def measure(self, saves: int) -> list[Figure]:
        name = f"{self.count:,} WPs"
        first = self._start_once()
        later = statistics.median(self._start_once() for _ in range(3))
        with watching(self.root, self.environment) as process:
            seconds = self._save(saves)
            before = cpu_seconds(process.pid)
            time.sleep(_IDLE_SECONDS)
            busy = cpu_seconds(process.pid) - before
            resident = resident_megabytes(process.pid)
        raw = statistics.median(self._save_for_watchdog(saves))
        cuts = statistics.quantiles(seconds, n=100)
        large = self.count > 1000
        return [
            Figure(
                f"watcher, {name}: file closed to row committed, median", statistics.median(seconds) * 1e3, "ms", 10
            ),
            Figure(f"watcher, {name}: the same, 99th percentile", cuts[98] * 1e3, "ms", 50),
            Figure(f"watcher, {name}: raw watchdog's callback, median", raw * 1e3, "ms"),
            Figure(
                f"watcher, {name}: file closed to row committed",
                statistics.median(seconds) / raw,
                "×",
                None,
                "raw watchdog",
            ),
            Figure(f"watcher, {name}: first start", first, "s", 3 if large else None),
            Figure(f"watcher, {name}: later starts", later, "s", 0.7 if large else None),
            Figure(f"watcher, {name}: CPU while idle", busy / _IDLE_SECONDS * 100, "%", 0.1),
            Figure(f"watcher, {name}: memory while idle", resident, "MB", 60),
        ]

    def _start_once(self) -> float:
        start = time.perf_counter()
        with watching(self.root, self.environment):
            return time.perf_counter() - start

    def _save(self, saves: int) -> list[float]:
        """Seconds from the return of close() to the row being there for another connection."""
        path = self.root / "kitty-specs" / "000-part" / "tasks" / "WP01-part.md"
        seconds = []
        with contextlib.closing(sqlite3.connect(f"file:{self.home / 'queue.db'}?mode=ro", uri=True)) as connection:
            rows = _rows(connection)
            for number in range(saves):
                with path.open("w") as file:
                    file.write(work_package(_LANES[number % 4], 1))
                start = time.perf_counter()
                while _rows(connection) <= rows:
                    time.sleep(0.0002)
                seconds.append(time.perf_counter() - start)
                rows += 1
                time.sleep(0.02)  # people don't save in bursts, and the next save must not wait for this one
        return seconds

    def _save_for_watchdog(self, saves: int) -> list[float]:
        """Seconds from the return of close() to watchdog's own callback, on the same file, with nothing done in it."""
        path = self.root / "kitty-specs" / "000-part" / "tasks" / "WP01-part.md"
        closed: queue.SimpleQueue[float] = queue.SimpleQueue()

        class Heard(FileSystemEventHandler):
            def on_closed(self, event: FileSystemEvent) -> None:
                closed.put(time.perf_counter())

        observer = Observer()
        observer.schedule(Heard(), str(self.root / "kitty-specs"), recursive=True)
        observer.start()
        try:
            seconds = []
            for number in range(saves):
                with path.open("w") as file:
                    file.write(work_package(_LANES[number % 4], 1))
                start = time.perf_counter()
                seconds.append(max(closed.get(timeout=10) - start, 0.0))
                time.sleep(0.02)
            return seconds
        finally:
            observer.stop()
            observer.join()

    def _git(self, *command: str) -> None:
        subprocess.run(["git", *command], cwd=self.root, check=True)


def work_package(lane: str, number: int) -> str:
    """The text of a work package."""
    body = "Text that a work package has.\n" * 40
    return f"---\nwork_package_id: WP{number:02}\ntitle: Part {number}\nlane: {lane}\n---\n\n{body}"


def _rows(connection: sqlite3.Connection) -> int:
    try:
        return int(connection.execute("SELECT count(*) FROM queue").fetchone()[0])
    except sqlite3.OperationalError:
        return -1  # the watcher is committing just now


def cpu_seconds(process: int) -> float:
    """What a process has had of the processors."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(process: int) -> float:
    """What a process has in memory."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError("no VmRSS")


if __name__ == "__main__":
    main(run)
