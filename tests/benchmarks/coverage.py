"""Coverage of the parts that decide what is told, once: branches taken in every process that the tests start.

`python -m tests.benchmarks.coverage` runs all tests, with the hooks, watchers and flushers that they start measured as
well as the tests themselves, and prints what is missed and a line for each part. It fails where a test fails, or where
a part has less than 95 % of its lines or of its branches. What stands behind the command goes to pytest, as in
`python -m tests.benchmarks.coverage -n 2`.

Processes that end by SIGKILL tell nothing of what they ran. Measuring costs a process 0.1 s and changes nothing in it:
the environment says where to write, and coverage's own start-up file does the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).parents[2]
PARTS = ("derive", "emit", "git", "githooks", "store", "observe", "sync")
LEAST = 95.0


@dataclass(frozen=True)
class Part:
    """What of a part of the package was run: lines and branches, each of how many."""

    name: str
    lines: tuple[int, int]
    branches: tuple[int, int]

    @property
    def is_enough(self) -> bool:
        return min(_percent(self.lines), _percent(self.branches)) >= LEAST

    def __str__(self) -> str:
        return (
            f"{self.name:<8} {_percent(self.branches):5.1f} % of {self.branches[1]} branches, "
            f"{_percent(self.lines):5.1f} % of {self.lines[1]} lines{'' if self.is_enough else '  BELOW'}"
        )


def run(arguments: list[str], data: Path) -> int:
    """Run pytest and all that it starts under coverage, which writes beside `data`; returns pytest's exit code."""
    measured = [sys.executable, "-m", "coverage", "run", f"--data-file={data}"]
    command = [*measured, "-m", "pytest", "-p", "tests.benchmarks.tracing", "-m", "", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def parts(data: Path, directory: Path) -> list[Part]:
    """Put together what the processes wrote; prints what was missed in the parts."""
    measured = Coverage(data_file=os.fspath(data), config_file=os.fspath(ROOT / "pyproject.toml"))
    measured.combine([os.fspath(data.parent)])
    included = [os.fspath(ROOT / "kittywatch" / name / "*") for name in PARTS]
    measured.report(include=included)
    said = directory / "coverage.json"
    measured.json_report(outfile=os.fspath(said), include=included)
    files = json.loads(said.read_bytes())["files"]
    return [
        _part(name, [file["summary"] for at, file in files.items() if Path(at).parent.name == name]) for name in PARTS
    ]


def _part(name: str, files: list[dict[str, int]]) -> Part:
    def total(of: str) -> int:
        return sum(file[of] for file in files)

    return Part(
        name,
        (total("covered_lines"), total("num_statements")),
        (total("covered_branches"), total("num_branches")),
    )


def _percent(of: tuple[int, int]) -> float:
    return 100 * of[0] / of[1] if of[1] else 100.0


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="kittywatch-coverage-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        place.chmod(0o777)  # some tests start processes as another user
        data = place / "data"
        data.mkdir()
        data.chmod(0o777)
        code = run(sys.argv[1:], data / "coverage")
        found = parts(data / "coverage", place)
    print(*found, sep="\n")
    sys.exit(code or not all(part.is_enough for part in found))


if __name__ == "__main__":
    main()
