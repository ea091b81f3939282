"""What git's commands take with kittywatch's hooks, beside the same commands with hooks that do next to nothing.

The interpreter needs kittywatch installed: hooks take no module from the current directory or from PYTHONPATH.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from tests.benchmarks.figure import Figure, main
from tests.benchmarks.processes import Command, Runs, interleaved, watching
from tests.store import stores

_LANES = ("planned", "doing", "for_review", "done")
_WP = "kitty-specs/001-part/tasks/WP01-part.md"
_PICKED, _TOUCHING = 100, 10
_NO_OP = "#!/bin/sh\nexit 0\n"
_BARE = f"#!/bin/sh\nexec '{sys.executable}' -c pass\n"
_SETTLED_SECONDS = 0.1


def run(options: argparse.Namespace) -> list[Figure]:
    runs = max(options.runs, 9)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        return [*_untouched(place, runs * 3), *_lanes(place, runs * 2), *_watched(place, runs), *_rebase(place, runs)]


class Repository:
    """A repository with a planned work package and, where one is given, a post-commit hook."""

    def __init__(self, root: Path, hook: str | None = None) -> None:
        self.root = root
        self.home = root.with_name(root.name + " home")
        self.environment = {
            "SPEC_KITTY_HOME": str(self.home),
            "PRE_COMMIT_HOME": str(self.home / "pre-commit"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        self._numbers = count(1)
        root.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "A")
        self.git("config", "user.email", "a@example.invalid")
        self.write("README.md", "# A project\n")
        self.write(_WP, _text("planned"))
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "start")
        if hook is not None:
            path = root / ".git" / "hooks" / "post-commit"
            path.parent.mkdir(exist_ok=True)
            path.write_text(hook)
            path.chmod(0o755)

    def git(self, *words: str) -> None:
        self.call("git", *words)

    def kittywatch(self, *words: str) -> None:
        self.call(sys.executable, "-m", "kittywatch.cli.main", "-q", *words)

    def hooked(self) -> Repository:
        """With kittywatch's hooks, as a person installs them."""
        self.kittywatch("init")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "identity")
        self.kittywatch("hooks", "install")
        return self

    def call(self, *words: str | Path) -> None:
        subprocess.run(words, cwd=self.root, env=os.environ | self.environment, check=True, stdout=subprocess.DEVNULL)

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def other(self) -> None:
        """Stage what no work package is in."""
        self.write("README.md", f"# A project\n\nEdition {next(self._numbers)}.\n")
        self.git("add", "README.md")

    def move(self) -> None:
        """Stage the work package's next lane."""
        self.write(_WP, _text(_LANES[next(self._numbers) % 4]))
        self.git("add", _WP)

    @property
    def told(self) -> int:
        transitions = "SELECT count(*) FROM events WHERE event_type = 'WPStatusChanged'"
        return int(str(stores.rows(self.home, transitions)[0][0]))

    def commits(self, *, moving: bool, pause: float = 0.0) -> Command:
        """A commit of one more change. `pause` is for what a watcher still does when git is done."""

        def prepare() -> None:
            (self.move if moving else self.other)()
            time.sleep(pause)

        return Command(["git", "commit", "-q", "-m", "change"], self.root, self.environment, prepare=prepare)


def _untouched(place: Path, runs: int) -> list[Figure]:
    ours, no_op = Repository(place / "untouched").hooked(), Repository(place / "untouched no-op", _NO_OP)
    measured = interleaved({"ours": ours.commits(moving=False), "no-op": no_op.commits(moving=False)}, runs)
    assert ours.told == 0, ours.told
    return [
        Figure("commit beside all work packages, with hooks", measured["ours"].median * 1e3, "ms"),
        Figure("  with a hook that does nothing", measured["no-op"].median * 1e3, "ms"),
        _ratio(measured, "no-op", 1.6, "a hook that does nothing"),
    ]


def _lanes(place: Path, runs: int) -> list[Figure]:
    ours, bare = Repository(place / "lanes").hooked(), Repository(place / "lanes bare", _BARE)
    commands = {"ours": ours.commits(moving=True), "bare": bare.commits(moving=True)}
    framework = _framework(place)
    if framework is not None:
        commands["framework"] = framework.commits(moving=True)
    measured = interleaved(commands, runs)
    assert ours.told == runs + 1, ours.told
    figures = [
        Figure("commit of a lane change, with hooks", measured["ours"].median * 1e3, "ms"),
        Figure("  with a hook that is bare Python", measured["bare"].median * 1e3, "ms"),
        _ratio(measured, "bare", 5, "a hook that is bare Python"),
    ]
    if framework is not None:
        figures += [
            Figure("  with the pre-commit framework, empty", measured["framework"].median * 1e3, "ms"),
            _ratio(measured, "framework", 0.45, "the pre-commit framework, empty"),
        ]
    return figures


def _framework(place: Path) -> Repository | None:
    """With the pre-commit framework's hook, which has nothing to run; None, with a note, where it can't be installed.

    KITTYWATCH_VENVS names a directory that keeps its environment from one run to the next.
    """
    kept = os.environ.get("KITTYWATCH_VENVS")
    venv = (Path(kept) if kept else place) / "pre-commit-framework"
    python = venv / "bin" / "python"
    complete = venv / "complete"
    if not complete.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pre-commit"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            print("left out: pre-commit cannot be installed here", *done.stderr.splitlines()[-1:], file=sys.stderr)
            return None
        complete.touch()
    repository = Repository(place / "lanes framework")
    repository.write(".pre-commit-config.yaml", "repos: []\n")
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "configuration")
    repository.call(python, "-m", "pre_commit", "install", "-t", "post-commit")
    return repository


def _watched(place: Path, runs: int) -> list[Figure]:
    ours, no_op = Repository(place / "watched").hooked(), Repository(place / "watched no-op", _NO_OP)
    commands = {
        name: repository.commits(moving=True, pause=_SETTLED_SECONDS)
        for name, repository in {"ours": ours, "no-op": no_op}.items()
    }
    with watching(ours.root, os.environ | ours.environment):
        measured = interleaved(commands, runs)
    assert ours.told == runs + 1, ours.told
    return [
        Figure("commit of a lane change, with hooks and a watcher", measured["ours"].median * 1e3, "ms"),
        Figure("  with a hook that does nothing, no watcher", measured["no-op"].median * 1e3, "ms"),
        _ratio(measured, "no-op", 1.6, "a hook that does nothing"),
    ]


def _rebase(place: Path, runs: int) -> list[Figure]:
    ours, plain = Repository(place / "rebase").hooked(), Repository(place / "rebase plain")
    no_op = Repository(place / "rebase no-op", _NO_OP)
    measured = interleaved({"ours": _rebased(ours), "plain": _rebased(plain), "no-op": _rebased(no_op)}, runs)
    assert ours.told > 0
    return [
        Figure(f"rebase of {_PICKED} commits, {_TOUCHING} with lane changes", measured["ours"].median * 1e3, "ms"),
        Figure("  without hooks", measured["plain"].median * 1e3, "ms"),
        _ratio(measured, "plain", 1.3, "without hooks"),
        Figure("  with a post-commit hook that does nothing", measured["no-op"].median * 1e3, "ms"),
        _ratio(measured, "no-op", None, "a post-commit hook that does nothing"),
    ]


def _rebased(repository: Repository) -> Command:
    """A rebase of a branch that is checked out afresh, and so observed, before each time."""
    stream = []
    for number in range(1, _PICKED + 1):
        stream += [
            "commit refs/heads/topic",
            f"author A <a@example.invalid> {1_767_225_600 + number} +0000",
            f"committer A <a@example.invalid> {1_767_225_600 + number} +0000",
            "data 1\nx",
        ]
        stream += ["from refs/heads/main^0"] if number == 1 else []
        path, text = f"src/{number:03}.txt", f"Part {number}.\n"
        if number % (_PICKED // _TOUCHING) == 0:
            path, text = _WP, _text(_LANES[number * _TOUCHING // _PICKED % 4])
        stream += [f"M 100644 inline {path}", f"data {len(text)}\n{text}"]
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=repository.root, input="\n".join(stream) + "\n", text=True, check=True
    )
    repository.git("tag", "before", "topic")
    repository.other()
    repository.git("commit", "-q", "-m", "what they are put upon")

    def prepare() -> None:
        repository.git("checkout", "-q", "-B", "topic", "before")

    return Command(["git", "rebase", "-q", "main"], repository.root, repository.environment, prepare=prepare)


def _ratio(measured: dict[str, Runs], other: str, target: float | None, against: str) -> Figure:
    return Figure("  ratio", measured["ours"].median / measured[other].median, "times", target, against)


def _text(lane: str) -> str:
    return f"---\nwork_package_id: WP01\ntitle: Part\nlane: {lane}\n---\n\n# Part\n"


if __name__ == "__main__":
    main(run)
