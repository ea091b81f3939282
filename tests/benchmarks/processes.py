"""Whole processes, measured in turns so that a slow moment of the machine falls on all of them alike."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Runs:
    """What the runs of one command took: seconds each, and the most memory that any of its processes had, in MB."""

    seconds: list[float] = field(default_factory=list)
    megabytes: float = 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Command:
    """A command to measure. `prepare` runs before each time, unmeasured; `data` is a file for its standard input."""

    words: Sequence[str | Path]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    data: Path = Path(os.devnull)
    prepare: Callable[[], None] = lambda: None


def interleaved(commands: Mapping[str, Command], runs: int) -> dict[str, Runs]:
    """Run each command `runs` times, in turns, after one time that doesn't count."""
    measured = {name: Runs() for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            command.prepare()
            seconds, megabytes = _run(command)
            measured[name].megabytes = max(measured[name].megabytes, megabytes)
            if number:
                measured[name].seconds.append(seconds)
    return measured


def _run(command: Command) -> tuple[float, float]:
    with command.data.open("rb") as data:
        start = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command.words)),
            cwd=command.directory,
            env={**os.environ, **command.environment},
            stdin=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command.words))}: exit {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


@contextlib.contextmanager
def watching(root: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A watcher as a process of its own, from when it watches until it has ended in order."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kittywatch.cli.main", "watch"],
        cwd=root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("watching"):
            break
    drain = threading.Thread(target=process.stderr.read)
    drain.start()
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        drain.join()
        process.stderr.close()
