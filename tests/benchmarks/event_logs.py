"""What kittywatch adds to a commit that appends to an event log, beside one that edits a frontmatter lane.

One mission of 300 work packages, whose log has 10,000 lines; and 1,000 missions with a log of 20 lines each.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from tests.benchmarks.figure import Figure, main
from tests.benchmarks.hooks import Repository
from tests.benchmarks.processes import Command, interleaved

_BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
_LANES = ("planned", "claimed", "in_progress", "for_review", "in_review")
_FRONTMATTER = ("planned", "doing", "for_review", "done")
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def run(options: argparse.Namespace) -> list[Figure]:
    runs = max(options.runs, 9)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        long = _figures(place / "long", runs, missions=1, packages=300, lines=10_000)
        many = _figures(place / "many", runs, missions=1_000, packages=1, lines=20)
    return [
        Figure("hooks, for a line appended to a log of 10,000, 300 work packages", long[0] * 1e3, "ms"),
        Figure("  for a frontmatter lane, 300 work packages", long[1] * 1e3, "ms"),
        Figure("  ratio", long[0] / long[1], "times", 1.3, "a frontmatter lane"),
        Figure("hooks, for a line appended to one of 1,000 missions' logs", many[0] * 1e3, "ms"),
        Figure("  for a frontmatter lane in one of 1,000 features", many[1] * 1e3, "ms"),
        Figure("  ratio", many[0] / many[1], "times", 1.3, "a frontmatter lane"),
    ]


def _figures(place: Path, runs: int, *, missions: int, packages: int, lines: int) -> tuple[float, float]:
    place.mkdir()
    logged, plain = _Logged(place / "log"), _Plain(place / "frontmatter")
    for repository in (logged, plain):
        repository.fill(missions, packages, lines)
    measured = interleaved({"log": logged.command(), "frontmatter": plain.command()}, runs)
    assert logged.told == plain.told == runs + 1, (logged.told, plain.told)
    # git itself takes longer to commit a long file; that is not ours, and left out.
    off = {"KITTYWATCH": "0"}
    alone = interleaved({"log": logged.command(off), "frontmatter": plain.command(off)}, runs)
    return measured["log"].median - alone["log"].median, measured["frontmatter"].median - alone["frontmatter"].median


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
