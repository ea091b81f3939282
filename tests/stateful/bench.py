"""Real clones of a real project with real hooks, whose git and worktrees are looked at from outside."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from kittywatch.githooks import installation
from kittywatch.observe.observation import Observed, Observer
from kittywatch.observe.replay import Replay
from kittywatch.project import Project
from tests.scenarios.world import Clone, Watching
from tests.stateful.contents import FEATURE, OTHER_FEATURE, Made, Objects, files_in, references, render, state_of
from tests.stateful.hook_server import DIE, HookServer, die_at
from tests.stateful.model import Content, State

CLOCK = 1_000_000_000  # commits and records are of 2001, so that no time of observation looks like one of theirs
_LONG_AGO = 900_000_000
_NAMES = {"ann": "home-ann", "bob": "home-bob", "cat": "home-ann"}
_MIDDLE = ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "sequencer", "BISECT_START")


@dataclass(frozen=True)
class Situation:
    """Where a checkout is: its branch ("" when detached), its commit, and which files differ from it.

    `status` are git's two letters by path, `paths` the files of the work packages that the worktree has.
    """

    branch: str
    tip: str
    status: dict[str, str]
    paths: dict[str, str]
    files: State
    committed: State

    @property
    def staged(self) -> bool:
        return any(letters[0] not in ".?u" for letters in self.status.values())

    @property
    def unstaged(self) -> bool:
        return any(letters[1] not in ".?u" for letters in self.status.values())

    @property
    def clean(self) -> bool:
        """Whether no tracked file differs."""
        return all(letters == "??" for letters in self.status.values())

    @property
    def pristine(self) -> bool:
        return not self.status


class Checkout(Clone):
    """A worktree of a clone, the main one or a linked one, and the watcher's eye on it."""

    def __init__(self, name: str, root: Path, clone: Repository) -> None:
        super().__init__(root, clone.home)
        self.environment = clone.environment
        self.name = name
        self.clone = clone
        self._observer: Observer | None = None
        self._situation: Situation | None = None

    def git(self, *command: str, check: bool = True, **environment: str) -> str:
        self.clock = self.clone.bench.tick(self.clone)
        return super().git(*command, check=check, **(self.clone.switch | environment))

    def does(self, *command: str, **environment: str) -> bool:
        """Whether git did what it was asked to."""
        try:
            self.git(*command, check=True, **environment)
        except AssertionError:
            return False
        return True

    @property
    def directory(self) -> Path:
        """The git directory of this worktree."""
        place = self.root / ".git"
        return place if place.is_dir() else Path(place.read_text("utf-8").removeprefix("gitdir: ").strip())

    @property
    def middle(self) -> bool:
        """Whether git is in the middle of something."""
        return any((self.directory / name).exists() for name in _MIDDLE)

    # From outside.

    def now(self) -> Situation:
        """Where the checkout is; remembered until `forget`."""
        if self._situation is None:
            self._situation = self._look()
        return self._situation

    def forget(self) -> None:
        self._situation = None

    def _look(self) -> Situation:
        command = ["git", "status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=all"]
        quiet = {"GIT_OPTIONAL_LOCKS": "0"}
        out = subprocess.run(
            command, cwd=self.root, env=self.environment | quiet, capture_output=True, text=True, check=True
        ).stdout
        tip = branch = ""
        status: dict[str, str] = {}
        for line in out.split("\0"):
            if line.startswith("# branch.oid "):
                tip = line.split(" ")[2]
            elif line.startswith("# branch.head "):
                branch = line.split(" ", 2)[2].replace("(detached)", "")
            elif line[:1] in ("1", "u"):
                fields = line.split(" ", 8 if line[0] == "1" else 10)
                status[fields[-1]] = "uu" if line[0] == "u" else fields[1]
            elif line[:1] == "?":
                status[line[2:]] = "??"
        paths = files_in(self.root)
        return Situation(branch, tip, status, paths, state_of(paths), self.clone.objects.state(tip))

    # Observers.

    def observe(self) -> Observed:
        """Look as a watcher does; an index or a broken file that was just written counts as old."""
        with self._at_home():
            if self._observer is None:
                self._observer = Observer(Project.find(self.root, _unexpected), "watcher")
            self._age_index()
            self.clone.bench.observed += 1
            seen = self._observer.observe()
            if not seen.unsettled:
                return seen
            for path in seen.unsettled:
                os.utime(self.root / path, (_LONG_AGO, _LONG_AGO))
            settled = self._observer.observe()
            return replace(settled, events=[*seen.events, *settled.events])

    def observe_many(self, number: int, line: int | None = None) -> int:
        """Some observations at the same moment, each in a process of its own; `line` is where they are killed.

        Returns how many were.
        """
        self.close()
        self._age_index()
        start, go = os.pipe()
        children = [self._observe_in_child(start, go, line) for _ in range(number)]
        os.close(start)
        os.close(go)
        killed = 0
        for child in children:
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the observation failed"
            killed += os.WIFSIGNALED(status)
        return killed

    def _observe_in_child(self, start: int, go: int, line: int | None) -> int:
        child = os.fork()
        if child:
            return child
        status = 1
        try:
            os.close(go)
            with self._at_home():
                observer = Observer(Project.find(self.root, _unexpected), "watcher")
                os.read(start, 1)  # until the parent has closed its end
                if line is not None:
                    die_at(line)
                observer.observe()
            status = 0
        finally:
            sys.settrace(None)
            os._exit(status)

    def _age_index(self) -> None:
        with contextlib.suppress(OSError):
            os.utime(self.directory / "index", (_LONG_AGO, _LONG_AGO))

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

    @contextlib.contextmanager
    def _at_home(self) -> Iterator[None]:
        before = os.environ["SPEC_KITTY_HOME"]
        os.environ["SPEC_KITTY_HOME"] = str(self.home)
        try:
            yield
        finally:
            os.environ["SPEC_KITTY_HOME"] = before


class Repository:
    """A clone with its worktrees and a home; `hooked` says whether its hooks are switched on."""

    def __init__(self, name: str, bench: Bench) -> None:
        self.name = name
        self.bench = bench
        self.home = bench.directory / _NAMES[name]
        self.environment = dict(os.environ) | {
            "SPEC_KITTY_HOME": str(self.home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_COMMITTER_NAME": name,
            "GIT_AUTHOR_NAME": name,
        }
        self.hooked = False
        self.dies: int | None = None
        self.watching: Watching | None = None
        self.main = Checkout(name, bench.directory / name, self)
        self.linked: list[Checkout] = []
        self.objects = Objects(self.main.root, bench.commits, bench.files)

    @property
    def switch(self) -> dict[str, str]:
        """What its git commands have in their environment."""
        dies = {DIE: str(self.dies)} if self.dies is not None else {}
        return {"KITTYWATCH": "1" if self.hooked else "0"} | dies

    @property
    def checkouts(self) -> list[Checkout]:
        return [self.main, *self.linked]

    def branches(self) -> dict[str, str]:
        """Each local branch with its tip."""
        return self._references("refs/heads/")

    def remotes(self) -> dict[str, str]:
        """Each remote-tracking branch with its tip."""
        return self._references("refs/remotes/origin/")

    def _references(self, start: str) -> dict[str, str]:
        found = references(self.main.root / ".git")
        return {name.removeprefix(start): tip for name, tip in sorted(found.items()) if name.startswith(start)}

    def stashes(self) -> int:
        log = self.main.root / ".git" / "logs" / "refs" / "stash"
        return len(log.read_bytes().splitlines()) if log.exists() else 0

    def ran(self) -> list[str]:
        """The hooks that git has run since the last time."""
        log = self.main.root / ".git" / "ran"
        if not log.exists():
            return []
        names = log.read_text().split()
        log.unlink()
        return names

    def forget(self) -> None:
        for checkout in self.checkouts:
            checkout.forget()

    def close(self) -> None:
        if self.watching is not None:
            self.watching.stop()
            self.watching = None
        for checkout in self.checkouts:
            checkout.close()
        self.objects.close()


class Bench:
    """Two clones with two homes, and a third that tells into the first one's home, of one origin.

    `directory` is where the template was made: hooks and homes name it.
    """

    def __init__(self, directory: Path, template: Path) -> None:
        self.directory = directory
        self.clock = CLOCK + 1_000
        self.ticks: dict[int, Repository] = {}
        self.authors: dict[str, Repository] = {}
        self.observed = 0
        self.commits: dict[str, Made] = {}
        self.files: dict[str, dict[str, str]] = {}
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(template, directory, symlinks=True)
        self.repositories = [Repository(name, self) for name in _NAMES]

    def tick(self, repository: Repository) -> int:
        """A second goes by, in which that repository does something."""
        self.clock += 1
        self.ticks[self.clock] = repository
        self.authors[self.moment(self.clock)] = repository
        return self.clock

    @staticmethod
    def moment(tick: int) -> str:
        """A tick as an event's timestamp says it, to the second."""
        return datetime.fromtimestamp(tick, UTC).strftime("%Y-%m-%dT%H:%M:%S")

    def events(self, home: Path, after: int) -> list[dict[str, Any]]:
        """What a home told after the first `after` events."""
        with contextlib.closing(sqlite3.connect(home / "queue.db", timeout=30)) as connection:
            rows = connection.execute("SELECT data FROM events ORDER BY seq LIMIT -1 OFFSET ?", (after,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def close(self) -> None:
        for repository in self.repositories:
            repository.close()
        shutil.rmtree(self.directory)


def make_template(directory: Path, template: Path, server: HookServer) -> None:
    """An origin and three clones of a project with three work packages and hooks; made in one place, kept in another.

    The hooks of kittywatch stand in scripts that write down which hook git ran.
    """
    directory.mkdir(parents=True)

    def git(*command: str, cwd: Path = directory) -> None:
        subprocess.run(["git", *command], cwd=cwd, check=True, capture_output=True)

    start = directory / "ann"
    git("init", "-q", "--template=", "-b", "main", str(start))
    for feature, wp_ids in ((FEATURE, ("WP01", "WP02")), (OTHER_FEATURE, ("WP01",))):
        tasks = start / "kitty-specs" / feature / "tasks"
        tasks.mkdir(parents=True)
        for wp_id in wp_ids:
            (tasks / f"{wp_id}-work.md").write_text(render(wp_id, Content("planned")), "utf-8")
    (start / ".gitignore").write_text(".worktrees/\n", "utf-8")
    Clone(start, directory / "home-made").run("init")
    git("add", "-A", cwd=start)
    date = {"GIT_AUTHOR_DATE": f"{CLOCK} +0100", "GIT_COMMITTER_DATE": f"{CLOCK} +0100"}
    subprocess.run(["git", "commit", "-q", "-m", "start"], cwd=start, env=dict(os.environ) | date, check=True)
    shutil.rmtree(directory / "home-made")
    git("init", "-q", "--template=", "--bare", "-b", "main", str(directory / "origin.git"))
    git("remote", "add", "origin", str(directory / "origin.git"), cwd=start)
    git("push", "-q", "-u", "origin", "main", cwd=start)
    for name in ("bob", "cat"):
        git("clone", "-q", "--template=", str(directory / "origin.git"), str(directory / name))
    for name in _NAMES:
        clone = directory / name
        for setting, value in (("gc.auto", "0"), ("advice.detachedHead", "false"), ("core.fsync", "none")):
            git("config", setting, value, cwd=clone)
        _install(clone, server)
    directory.rename(template)


def _install(clone: Path, server: HookServer) -> None:
    for leftover in (clone / ".git").glob("kittywatch-*"):
        leftover.unlink()
    place = clone / ".git" / "hooks"
    place.mkdir()
    for name in installation.HOOKS:
        script = place / name
        script.write_text(f"#!/bin/sh\necho {name} >>'{clone / '.git' / 'ran'}'\n", "utf-8")
        script.chmod(0o755)
    installation.apply(installation.plan_install(place, str(server.client)))


def _unexpected(text: str) -> None:
    raise AssertionError(f"a warning: {text}")
