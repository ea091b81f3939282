"""Emissions beside those of spec-kitty-cli 2.1.3, whose commands call emit inline: import, first one, the next, and
eight processes at once.

Its environment is installed on the way; KITTYWATCH_FIELD_CLIENT names one that is there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.figure import Figure, main
from tests.store import stores

RELEASE = "2.1.3"
_RUNS, _EMISSIONS, _PROCESSES = 5, 100, 8
_OURS = "from kittywatch import emit_wp_status_changed as emit"
_FIELD = "from specify_cli.sync.events import emit_wp_status_changed as emit"
# One program for both. What it measures goes to a file: the other client prints what it likes.
_PROGRAM = """
import json, sys, time
target, name, count, ready = sys.argv[1:5]
start = time.perf_counter()
{importing}
seconds = [time.perf_counter() - start]
if ready == "wait":
    sys.stdin.readline()
lanes = {lanes}
clocks = []
for number in range(int(count)):
    start = time.perf_counter()
    event = emit(name, lanes[number % len(lanes)], lanes[(number + 1) % len(lanes)], feature_slug="001-part")
    seconds.append(time.perf_counter() - start)
    clocks.append(event["lamport_clock"] if event else None)
with open(target, "w") as file:
    json.dump([seconds, clocks], file)
"""


class _Client:
    """One of the two: its interpreter and its program, in a project of its own."""

    def __init__(self, place: Path, python: Path | str, importing: str, lanes: tuple[str, ...]) -> None:
        self._python = python
        self._program = _PROGRAM.format(importing=importing, lanes=lanes)
        self._root = place / "project"
        self._place = place
        self._environment = os.environ | {
            "HOME": str(place),
            "SPEC_KITTY_HOME": str(place / ".spec-kitty"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        (self._root / ".kittify").mkdir(parents=True)
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=self._root, env=self._environment, check=True)

    def run(self, *, processes: int = 1, count: int = 2) -> list[tuple[list[float], list[Any]]]:
        """What each of some processes measured that emit at once: seconds of import and emissions, and the ticks."""
        targets = [self._place / f"measured-{number}.json" for number in range(processes)]
        started = [
            subprocess.Popen(
                [str(self._python), "-c", self._program, target, f"WP{number + 1:02}", str(count), "wait"],
                cwd=self._root,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for number, target in enumerate(targets)
        ]
        for process in started:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.close()
        for process in started:
            process.wait()
        return [tuple(json.loads(target.read_bytes())) for target in targets if target.exists()]


def run(options: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        field_python = _field(place)
        ours = _Client(place / "ours", sys.executable, _OURS, stores.LANES)
        figures = _figures("emission", ours)
        if field_python is not None:
            field_lanes = ("planned", "in_progress", "for_review", "done")
            field = _Client(place / "field", field_python, _FIELD, field_lanes)
            figures += _figures(f"  inline, spec-kitty-cli {RELEASE}", field)
    return figures


def _figures(what: str, client: _Client) -> list[Figure]:
    alone = [client.run(count=_EMISSIONS)[0] for _ in range(_RUNS)]
    together = client.run(processes=_PROCESSES, count=_EMISSIONS)
    ticks = [tick for _, clocks in together for tick in clocks if tick is not None]
    return [
        Figure(f"{what}: import", statistics.median(seconds[0] for seconds, _ in alone) * 1e3, "ms"),
        Figure(f"{what}: the first one", statistics.median(seconds[1] for seconds, _ in alone) * 1e3, "ms"),
        Figure(
            f"{what}: the next ones", statistics.median(at for seconds, _ in alone for at in seconds[2:]) * 1e3, "ms"
        ),
        Figure(f"{what}: {_PROCESSES} processes with {_EMISSIONS} each", len(ticks), "events"),
        Figure(f"{what}: different Lamport values among them", len(set(ticks)), "values"),
    ]


def _field(place: Path) -> Path | None:
    """The other client's interpreter; None, with a note, where it can't be installed."""
    named = os.environ.get("KITTYWATCH_FIELD_CLIENT")
    if named:
        return Path(named) / "bin" / "python"
    venv = place / "field-client"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", f"spec-kitty-cli=={RELEASE}", "click"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"left out: spec-kitty-cli {RELEASE} cannot be installed here", file=sys.stderr)
        return None
    return python


if __name__ == "__main__":
    main(run)
