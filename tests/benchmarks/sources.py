"""What kittywatch adds to a commit, and to the saving of a file, for each lane source beside a frontmatter lane.

A log of 10,000 lines of 300 work packages; 1,000 missions with a log of 20 lines each; a list of 5,000 boxes; a backlog
of 1,000 tasks.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from tests.benchmarks.figure import Figure, main
from tests.benchmarks.hooks import Repository
from tests.benchmarks.processes import Command, interleaved, watching

_BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
_LANES = ("planned", "claimed", "in_progress", "for_review", "in_review")
_FRONTMATTER = ("planned", "doing", "for_review", "done")
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ITEMS, _TASKS = 5_000, 1_000
_PAUSE = 0.02  # seconds between saves: people don't save in bursts


def run(options: argparse.Namespace) -> list[Figure]:
    runs = max(options.runs, 9)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        return [
            *_compared(place / "long", "a line added to a log of 10,000", _Logged, runs, (1, 300, 10_000), 1.3),
            *_compared(place / "many", "a line added to one of 1,000 logs", _Logged, runs, (1_000, 1, 20), 1.3),
            *_compared(place / "list", f"one of {_ITEMS:,} boxes", _Listed, runs, (1, 10, 0), 1.5),
            *_compared(place / "backlog", f"one of {_TASKS:,} tasks of Backlog.md", _Backlog, runs, (1, 10, 0), None),
        ]


def _compared(
    place: Path, what: str, kind: type[_Plain], runs: int, size: tuple[int, int, int], most: float | None
) -> list[Figure]:
    place.mkdir()
    ours, plain = kind(place / "source"), _Plain(place / "frontmatter")
    for repository in (ours, plain):
        repository.fill(*size)
    hooks = _by_hooks(ours, plain, runs)
    watched = _by_watcher(ours, plain, runs * 5)
    return [
        Figure(f"hooks, {what}", hooks[0] * 1e3, "ms"),
        Figure("  a frontmatter lane in as many features and work packages", hooks[1] * 1e3, "ms"),
        Figure("  ratio", hooks[0] / hooks[1], "times", most, "a frontmatter lane"),
        Figure(f"watcher, {what}, from close to row", watched[0] * 1e3, "ms"),
        Figure("  a frontmatter lane", watched[1] * 1e3, "ms"),
        Figure("  ratio", watched[0] / watched[1], "times", most, "a frontmatter lane"),
    ]


def _by_hooks(ours: _Plain, plain: _Plain, runs: int) -> tuple[float, float]:
    measured = interleaved({"ours": ours.command(), "plain": plain.command()}, runs)
    assert ours.told == plain.told == runs + 1, (ours.told, plain.told)
    # git itself takes longer to commit a long file; that is not ours, and left out.
    off = {"KITTYWATCH": "0"}
    alone = interleaved({"ours": ours.command(off), "plain": plain.command(off)}, runs)
    return measured["ours"].median - alone["ours"].median, measured["plain"].median - alone["plain"].median


def _by_watcher(ours: _Plain, plain: _Plain, saves: int) -> tuple[float, float]:
    """Seconds from the closing of a file to its committed row, in turns."""
    seconds: dict[_Plain, list[float]] = {ours: [], plain: []}
    with contextlib.ExitStack() as stack:
        rows: dict[_Plain, sqlite3.Connection] = {}
        before_of: dict[_Plain, int] = {}
        for one in seconds:
            stack.enter_context(watching(one.root, os.environ | one.environment))
            path = f"file:{one.home / 'queue.db'}?mode=ro"
            rows[one] = stack.enter_context(contextlib.closing(sqlite3.connect(path, uri=True)))
        for number in range(saves + 1):
            for one, taken in seconds.items():
                before = max(_count(rows[one]), before_of.get(one, 0))
                one.step(next(one.numbers))
                start = time.perf_counter()
                while _count(rows[one]) <= before:
                    time.sleep(0.0002)
                before_of[one] = before + 1
                if number:
                    taken.append(time.perf_counter() - start)
                time.sleep(_PAUSE)
    return statistics.median(seconds[ours]), statistics.median(seconds[plain])


def _count(connection: sqlite3.Connection) -> int:
    try:
        return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # the watcher is committing just now: look again


class _Plain(Repository):
    """Features whose lanes stand in frontmatter."""

    state = "lane: planned\n"

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.numbers = count(1)

    def fill(self, missions: int, packages: int, lines: int) -> None:
        for mission in range(missions):
            for number in range(1, packages + 1):
                self.write(_path(mission, number), _text(number, self.state))
            self.fill_mission(mission, packages, lines)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "all of it")
        self.hooked()

    def fill_mission(self, mission: int, packages: int, lines: int) -> None:
        """Add what a mission has beside its work packages."""

    def step(self, number: int) -> None:
        self.write(_path(0, 1), _text(1, f"lane: {_FRONTMATTER[number % 4]}\n"))

    def command(self, more: Mapping[str, str] | None = None) -> Command:
        command = ["git", "commit", "-q", "-a", "-m", "change"]
        environment = {**self.environment, **(more or {})}
        return Command(command, self.root, environment, prepare=lambda: self.step(next(self.numbers)))


class _Logged(_Plain):
    """Missions with an event log."""

    state = ""

    def fill_mission(self, mission: int, packages: int, lines: int) -> None:
        written = (_line(mission * lines + number, number % packages + 1) for number in range(lines))
        self.write(_log(mission), "".join(written))

    def step(self, number: int) -> None:
        with (self.root / _log(0)).open("a", encoding="utf-8") as file:
            file.write(_line(10_000_000 + number, 1))


class _Listed(_Plain):
    """A feature of spec-kit's with many boxes, beside features that are not touched."""

    def fill_mission(self, mission: int, packages: int, lines: int) -> None:
        self.ticked: set[int] = set()
        self._save()

    def step(self, number: int) -> None:
        self.ticked ^= {number % 7 * 700}
        self._save()

    def _save(self) -> None:
        marks = ("x" if number in self.ticked else " " for number in range(_ITEMS))
        items = (
            f"- [{mark}] T{number:04} [P] Part {number} in src/part{number}.py" for number, mark in enumerate(marks)
        )
        self.write("specs/001-list/tasks.md", "\n".join(["# Tasks", "", *items, ""]))


class _Backlog(_Plain):
    """A backlog with many tasks."""

    statuses = ("To Do", "In Progress", "Done")

    def fill_mission(self, mission: int, packages: int, lines: int) -> None:
        self.write("backlog/config.yml", f"project_name: demo\nstatuses: {json.dumps(self.statuses)}\n")
        for number in range(1, _TASKS + 1):
            self._save(number, "To Do")

    def step(self, number: int) -> None:
        self._save(1, self.statuses[number % 3])

    def _save(self, number: int, status: str) -> None:
        head = f"id: TASK-{number}\ntitle: Part {number}\nstatus: {status}\nassignee: []\ndependencies: []\n"
        self.write(f"backlog/tasks/task-{number} - Part.md", f"---\n{head}---\n\nDo it.\n")


def _path(mission: int, number: int) -> str:
    return f"kitty-specs/{mission:04}-part/tasks/WP{number:02}-part.md"


def _log(mission: int) -> str:
    return f"kitty-specs/{mission:04}-part/status.events.jsonl"


def _text(number: int, state: str) -> str:
    return f"---\nwork_package_id: WP{number:02}\ntitle: Part {number}\n{state}---\n\nDo it.\n"


def _line(number: int, package: int) -> str:
    name = "".join(_DIGITS[number >> shift & 31] for shift in range(50, -1, -5))
    fields = {
        "actor": "claude:opus:pedro:implementer",
        "at": (_BEGINS + timedelta(seconds=number)).isoformat(),
        "event_id": f"01KMD0000000000{name}",
        "evidence": None,
        "execution_mode": "worktree",
        "force": False,
        "from_lane": _LANES[number % len(_LANES)],
        "mission_slug": "0000-part",
        "policy_metadata": None,
        "reason": "as it is usual, one sentence of what was done and why it is ready now",
        "review_ref": None,
        "to_lane": _LANES[(number + 1) % len(_LANES)],
        "wp_id": f"WP{package:02}",
    }
    return json.dumps(fields, sort_keys=True) + "\n"


if __name__ == "__main__":
    main(run)
