"""Real clones of a real project, with observers that are called where a hook would run or a watcher would look."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import kittywatch
from kittywatch.observe.observation import Observed, Observer
from kittywatch.observe.replay import Replay
from kittywatch.project import Project
from tests.scenarios.world import Clone, Watching
from tests.stateful.model import Content, State

FEATURE = "001-login"
TASKS = f"kitty-specs/{FEATURE}/tasks"
_PACKAGE = str(Path(kittywatch.__file__).parent)
_LONG_AGO = 1_000_000_000


class Checkout(Clone):
    """A worktree of a clone, the main one or a linked one, and the watcher's eye on it."""

    def __init__(self, name: str, root: Path, clone: Repository) -> None:
        super().__init__(root, clone.home)
        self.environment = clone.environment
        self.name = name
        self.clone = clone
        self._observer: Observer | None = None

    def git(self, *command: str, check: bool = True, **environment: str) -> str:
        self.clock = self.clone.bench.tick()
        return super().git(*command, check=check, **(self.clone.switch | environment))

    def does(self, *command: str, **environment: str) -> bool:
        """Whether git did what it was asked to."""
        try:
            self.git(*command, check=True, **environment)
        except AssertionError:
            return False
        return True

    def file(self, wp_id: str) -> Path:
        return self.root / TASKS / f"{wp_id}-work.md"

    @property
    def directory(self) -> Path:
        """The git directory of this worktree."""
        place = self.root / ".git"
        return place if place.is_dir() else Path(place.read_text("utf-8").removeprefix("gitdir: ").strip())

    @property
    def branch(self) -> str:
        """The branch that is checked out, "" when HEAD is detached."""
        head = (self.directory / "HEAD").read_text("utf-8").strip()
        return head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else ""

    @property
    def tip(self) -> str:
        return self.git("rev-parse", "HEAD").strip()

    def shows(self) -> dict[str, Content]:
        """What the files of the worktree say."""
        found = sorted((self.root / TASKS).glob("WP*.md"))
        return {path.name[:4]: parse(path.read_text("utf-8")) for path in found}

    # Observers.

    def observe(self, *, hook: str | None = None) -> Observed:
        """Look as a watcher does, or as a hook of that name; an index that was just written counts as old."""
        with self._at_home():
            if hook is not None:
                observer = self._new_observer(f"hook:{hook}")
                try:
                    return observer.observe(worktree=False, hook=hook)
                finally:
                    observer.project.store.close()
            if self._observer is None:
                self._observer = self._new_observer("watcher")
            with contextlib.suppress(OSError):
                os.utime(self.directory / "index", (_LONG_AGO, _LONG_AGO))
            return self._observer.observe()

    def observe_and_die(self, line: int, *, hook: str | None) -> bool:
        """An observation in a process of its own, killed before that line; whether it was."""
        self.close()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _die_at(line)
                self.observe(hook=hook)
                status = 0
            finally:
                sys.settrace(None)
                os._exit(status)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the observation failed"
        return os.WIFSIGNALED(status)

    def replay(self, revision: str) -> list[Any]:
        """The events that a replay would add."""
        with self._at_home():
            project = Project.find(self.root, _unexpected)
            try:
                replay = Replay(project.git, project.names, project.emitter)
                return [event for events in replay.run(revision, dry_run=True) for event in events]
            finally:
                project.store.close()

    def close(self) -> None:
        if self._observer is not None:
            self._observer.project.store.close()
            self._observer = None

    def _new_observer(self, name: str) -> Observer:
        return Observer(Project.find(self.root, _unexpected), name)

    @contextlib.contextmanager
    def _at_home(self) -> Iterator[None]:
        before = os.environ["SPEC_KITTY_HOME"]
        os.environ["SPEC_KITTY_HOME"] = str(self.home)
        try:
            yield
        finally:
            os.environ["SPEC_KITTY_HOME"] = before


class Repository:
    """A clone with its worktrees and a home; `switch` is what its commands have in their environment."""

    def __init__(self, name: str, bench: Bench, home: Path) -> None:
        self.name = name
        self.bench = bench
        self.home = home
        self.environment = dict(os.environ) | {
            "SPEC_KITTY_HOME": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_COMMITTER_NAME": name,
        }
        self.switch = {"KITTYWATCH": "0"}
        self.watching: Watching | None = None
        self.main = Checkout(name, bench.directory / name, self)
        self.linked: list[Checkout] = []

    @property
    def checkouts(self) -> list[Checkout]:
        return [self.main, *self.linked]

    def branches(self) -> dict[str, str]:
        """Each local branch with its tip."""
        lines = self.main.git("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads").splitlines()
        return {name: tip for tip, _, name in (line.partition(" ") for line in lines)}

    def state(self, commit: str) -> State:
        """What a commit says; remembered, for a commit never changes."""
        known = self.bench.states
        if commit not in known:
            found: dict[str, Content] = {}
            for line in self.main.git("ls-tree", "-z", commit, f"{TASKS}/").split("\0"):
                if line:
                    about, _, path = line.partition("\t")
                    text = self.main.git("cat-file", "blob", about.split()[2])
                    found[path.rsplit("/", 1)[1][:4]] = parse(text)
            known[commit] = found
        return known[commit]

    def between(self, old: str, new: str) -> list[str] | None:
        """The commits on the first-parent chain after `old`, oldest first; None where it doesn't reach `old`."""
        if old == new:
            return []
        chain = self.main.git("log", "--first-parent", "--format=%H %P", new).splitlines()
        found: list[str] = []
        for line in chain:
            commit, *parents = line.split()
            if commit == old:
                return found[::-1]
            if len(parents) > 1:
                return None
            found.append(commit)
        return None

    def close(self) -> None:
        if self.watching is not None:
            self.watching.stop()
            self.watching = None
        for checkout in self.checkouts:
            checkout.close()


class Bench:
    """Two clones with two homes, and a third that tells into the first one's home, of one origin."""

    def __init__(self, directory: Path, template: Path) -> None:
        self.directory = directory
        self._clock = 1_767_225_600
        self.states: dict[str, State] = {}
        shutil.copytree(template, directory, symlinks=True)
        homes = {"ann": "home-ann", "bob": "home-bob", "cat": "home-ann"}
        self.repositories = [Repository(name, self, directory / home) for name, home in homes.items()]
        for repository in self.repositories:
            path = repository.main.root / ".git" / "config"
            path.write_text(path.read_text("utf-8").replace(str(template), str(directory)), "utf-8")

    def tick(self) -> int:
        self._clock += 1
        return self._clock

    def events(self, home: Path, after: int) -> list[dict[str, Any]]:
        """What a home told after the first `after` events."""
        with contextlib.closing(sqlite3.connect(home / "queue.db", timeout=30)) as connection:
            rows = connection.execute("SELECT data FROM events ORDER BY seq LIMIT -1 OFFSET ?", (after,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def close(self) -> None:
        for repository in self.repositories:
            repository.close()
        shutil.rmtree(self.directory)


def make_template(directory: Path) -> Path:
    """An origin and three clones of a project with two work packages, never observed."""
    directory.mkdir(parents=True)

    def git(*command: str, cwd: Path = directory) -> None:
        subprocess.run(["git", *command], cwd=cwd, check=True, capture_output=True)

    start = directory / "ann"
    git("init", "-q", "--template=", "-b", "main", str(start))
    (start / TASKS).mkdir(parents=True)
    for wp_id in ("WP01", "WP02"):
        (start / TASKS / f"{wp_id}-work.md").write_text(render(wp_id, Content("planned"), "Do it."), "utf-8")
    (start / ".gitignore").write_text(".worktrees/\n", "utf-8")
    made = Clone(start, directory / "home-made")
    made.run("init")
    git("add", "-A", cwd=start)
    git("commit", "-q", "-m", "start", cwd=start)
    shutil.rmtree(directory / "home-made")
    git("init", "-q", "--template=", "--bare", "-b", "main", str(directory / "origin.git"))
    git("remote", "add", "origin", str(directory / "origin.git"), cwd=start)
    git("push", "-q", "-u", "origin", "main", cwd=start)
    for name in ("bob", "cat"):
        git("clone", "-q", "--template=", str(directory / "origin.git"), str(directory / name))
    for name in ("ann", "bob", "cat"):
        git("config", "gc.auto", "0", cwd=directory / name)
        git("config", "advice.detachedHead", "false", cwd=directory / name)
        git("config", "core.fsync", "none", cwd=directory / name)
        for leftover in (directory / name / ".git").glob("kittywatch-*"):
            leftover.unlink()
    return directory


def render(wp_id: str, content: Content, body: str) -> str:
    records = "".join(f"- {time} – agent – lane={lane} – moved\n" for time, lane in content.trail)
    head = f"---\nwork_package_id: {wp_id}\ntitle: Work\nlane: {content.lane}\n---\n"
    return f"{head}\n{body}\n\n## Activity Log\n\n{records}"


def parse(text: str) -> Content:
    """The inverse of `render`."""
    lines = text.splitlines()
    lane = next(line.removeprefix("lane: ") for line in lines if line.startswith("lane: "))
    records = [line.split(" – ") for line in lines if line.startswith("- ")]
    return Content(lane, tuple((one[0].removeprefix("- "), one[2].removeprefix("lane=")) for one in records))


def _unexpected(text: str) -> None:
    raise AssertionError(f"a warning: {text}")


def _die_at(line: int) -> None:
    left = line

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
