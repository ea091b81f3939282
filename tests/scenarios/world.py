"""A real project on real git, with the observers that a scenario asks for, and what they told."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kittywatch.githooks import installation
from tests import warm
from tests.waiting import DEADLINE, until

FEATURE = "001-login"


class Watching:
    """A watcher as a process of its own."""

    def __init__(self, root: Path, environment: Mapping[str, str], *options: str, module: str = warm.MAIN) -> None:
        reading, writing = os.pipe()
        self._errors = open(reading, encoding="utf-8")  # noqa: SIM115
        with open(os.devnull, "rb+", buffering=0) as nothing, open(writing, "wb") as errors:
            files = (nothing.fileno(), nothing.fileno(), errors.fileno())
            command = ["watch", "--json", *options]
            self.process = warm.start(command, files=files, cwd=root, environment=environment, module=module)
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        until(lambda: any(line.startswith("watching") for line in self.said), what=lambda: f"watching: {self.said}")

    def stop(self) -> int:
        self.process.terminate()
        return self.join()

    def join(self) -> int:
        code = self.process.wait(DEADLINE)
        self._reader.join()
        return code

    def _read(self) -> None:
        with self._errors:
            for line in self._errors:
                self.said.append(line)


class Clone:
    """One clone of the project, or one of its linked worktrees."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.home = home
        self.environment = dict(os.environ) | {"SPEC_KITTY_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
        self.clock = 1_767_225_600
        self._ticks = 1
        self._switch: dict[str, str] = {}

    def git(self, *command: str, check: bool = True, **environment: str) -> str:
        """Run git as a person would; commits are a second apart, as people's are at least."""
        self.clock += self._ticks
        date = {"GIT_AUTHOR_DATE": f"{self.clock} +0100", "GIT_COMMITTER_DATE": f"{self.clock} +0100"}
        done = subprocess.run(
            ["git", *command],
            cwd=self.root,
            env=self.environment
            | date
            | self._switch
            | {"GIT_EDITOR": "true", "GIT_MERGE_AUTOEDIT": "no"}
            | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"git {' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    @contextlib.contextmanager
    def clock_held(self) -> Iterator[None]:
        """Commits in one second of git's clock."""
        self.clock, self._ticks = self.clock + 1, 0
        try:
            yield
        finally:
            self._ticks = 1

    @contextlib.contextmanager
    def hooks_off(self) -> Iterator[None]:
        """Git as a tool that runs no hooks of kittywatch's."""
        self._switch = {"KITTYWATCH": "0"}
        try:
            yield
        finally:
            self._switch = {}

    def run(self, *command: str, check: bool = True, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run kittywatch, with `given` on its standard input."""
        done = warm.run(command, cwd=self.root, environment=self.environment, given=given)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done

    def run_elsewhere(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run kittywatch outside of the project, which fails; for waiting a process's time."""
        return warm.run(command, cwd=self.root.parent, environment=self.environment)

    def scan(self) -> None:
        """Have somebody look at this checkout and its worktrees once."""
        self.run("emit", "scan")

    def path(self, wp_id: str = "WP01", feature: str = FEATURE) -> Path:
        return self.root / "kitty-specs" / feature / "tasks" / f"{wp_id}-work.md"

    def write(
        self,
        lane: str | None,
        *,
        trail: Sequence[tuple[str, str]] = (),
        wp_id: str = "WP01",
        body: str = "Do it.",
        feature: str = FEATURE,
    ) -> None:
        """Save a work package; `trail` are (time, lane) records."""
        path = self.path(wp_id, feature)
        path.parent.mkdir(parents=True, exist_ok=True)
        records = "".join(f"- {time} – agent – lane={to} – moved\n" for time, to in trail)
        stated = f"lane: {lane}\n" if lane else ""
        text = (
            f"---\nwork_package_id: {wp_id}\ntitle: Work {wp_id}\n{stated}---\n\n{body}\n\n## Activity Log\n\n{records}"
        )
        path.write_text(text, "utf-8")

    def after_a_moment(self) -> None:
        """A tenth of a second, the pause of a tool that saves a file twice: the subject of scenario 56."""
        time.sleep(0.1)

    def commit(self, message: str = "commit", *options: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, *options)

    def move(self, lane: str, *, wp_id: str = "WP01", **options: Any) -> None:
        """Edit a lane and commit it."""
        self.write(lane, wp_id=wp_id, **options)
        self.commit(f"{wp_id} {lane}")

    def events(self, kind: str | None = "WPStatusChanged") -> list[dict[str, Any]]:
        """What was told, in the order in which it was told."""
        found: list[dict[str, Any]] = [
            json.loads(data) for (data,) in self.rows("SELECT data FROM events ORDER BY seq")
        ]
        return [event for event in found if kind is None or event["event_type"] == kind]

    def created(self, feature: str = FEATURE) -> list[str]:
        """The work packages of a feature whose creation was told."""
        found = [event["payload"] for event in self.events("WPCreated")]
        return [one["wp_id"] for one in found if one["feature_slug"] == feature]

    def ids(self) -> list[str]:
        """The ids of the transitions told, in their order."""
        return [event["event_id"] for event in self.events()]

    def aliases(self) -> dict[str, str]:
        """Further ids of transitions told, each with the id that it was told with (rule O11)."""
        known = self.rows("SELECT 1 FROM sqlite_master WHERE name = 'aliases'")
        return dict(self.rows("SELECT alias, event_id FROM aliases") if known else [])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query of the store says; nothing where there is no store yet."""
        path = self.home / "queue.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def steps(self, wp_id: str = "WP01") -> list[str]:
        """The transitions told of a work package: `planned>doing`."""
        return self.all_steps().get(wp_id, [])

    def all_steps(self) -> dict[str, list[str]]:
        """The transitions told, by work package; none of them has none."""
        found: dict[str, list[str]] = {}
        for event in self.events():
            fields = event["payload"]
            found.setdefault(fields["wp_id"], []).append(f"{fields['previous_status']}>{fields['new_status']}")
        return found


def shown(*machines: Clone) -> dict[str, dict[str, Any]]:
    """The transitions that a server shows which has heard of all of them, by id: each once, whatever ids it has."""
    heard = {event["event_id"]: event for machine in machines for event in machine.events()}
    aliases = {alias: told for machine in machines for alias, told in machine.aliases().items()}
    return {told: event for told, event in heard.items() if aliases.get(told, told) not in heard.keys() - {told}}


@functools.cache
def _begun() -> tuple[Path, int]:
    """A project whose first commit has an identity and WP01 at planned, and its clock; made once for all worlds."""
    directory = Path(tempfile.mkdtemp(prefix="kittywatch-world-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    made = Clone(directory / "project", directory / "home")
    made.root.mkdir()
    made.git("init", "-q", "-b", "main")
    made.write("planned")
    made.run("init")  # makes the identity, which is committed as people do
    made.commit("start")
    return made.root, made.clock


class World(Clone):
    """A project with WP01 at planned, committed and baselined, and observers as the mode says."""

    def __init__(self, directory: Path, mode: str) -> None:
        super().__init__(directory / "project", directory / "home")
        self.directory = directory
        self.mode = mode
        self.watching: list[Watching] = []
        self.clones: list[Clone] = []
        self.beacons = 0
        begun, self.clock = _begun()
        shutil.copytree(begun, self.root)
        self.run("init")
        if self.hooked:  # what `hooks install` does, without a process; there is nothing to look at yet
            installation.apply(installation.plan_install(self.root / ".git" / "hooks"))
        self.watch()

    @property
    def watched(self) -> bool:
        return "W" in self.mode

    @property
    def hooked(self) -> bool:
        return "H" in self.mode

    def observe(self) -> None:
        """Start what the mode asks for."""
        if self.hooked:
            self.run("hooks", "install")
        self.watch()

    def watch(self) -> None:
        """Start the watcher, if the mode asks for one."""
        if self.watched:
            self.watching.append(Watching(self.root, self.environment))

    def watch_patiently(self) -> None:
        """Have the watcher, if there is one, take its time with files that are being written."""
        if self.watched:
            self.stop()
            self.watching.append(Watching(self.root, self.environment, module="tests.scenarios.patient"))

    def stop(self) -> None:
        while self.watching:
            self.watching.pop().stop()

    @contextlib.contextmanager
    def unobserved(self) -> Iterator[None]:
        """Nobody looks: hooks are off, and the watcher starts again afterwards."""
        self.stop()
        with self.hooks_off():
            yield
        self.watch()

    def look(self) -> None:
        """Let whoever observes look: the watcher has seen everything, and a hook runs."""
        self.settle()
        if self.hooked:
            self.git("commit", "-q", "--allow-empty", "-m", "touches no work package")

    def start_over(self) -> None:
        """As if kittywatch came only now: it knows nothing of the project, and takes a baseline."""
        self.stop()
        shutil.rmtree(self.home)
        (self.root / ".git" / "kittywatch-observed").unlink()
        self.run("init")
        self.observe()

    def expect(self, *steps: str, wp_id: str = "WP01") -> None:
        """Wait until just these transitions have been told; hooks have told when git returns."""
        want = list(steps)
        if self.watched:
            until(lambda: self.steps(wp_id) == want, what=lambda: f"{self.mode}: {want}, told: {self.steps(wp_id)}")
        told = self.steps(wp_id)
        assert told == want, f"{self.mode}: {told}"

    def settle(self) -> None:
        """Wait until the watcher has seen everything that is there: a work package made for this is told of."""
        if not self.watched:
            return
        self.beacons += 1
        feature = "999-beacon"
        tip = self.git("rev-parse", "HEAD").strip()

        def seen() -> bool:
            path = self.path(f"WP{self.beacons:02}", feature)
            told = [one["payload"] for one in self.events("WPCreated")]
            return path.exists() and any(
                one["feature_slug"] == feature and one["wp_id"] == path.name[:4] for one in told
            )

        self.write("planned", wp_id=f"WP{self.beacons:02}", feature=feature)
        until(seen, what="the beacon")
        self.path(f"WP{self.beacons:02}", feature).unlink()
        assert self.git("rev-parse", "HEAD").strip() == tip

    def replay_adds_nothing(self, revision: str = "HEAD") -> None:
        """After each scenario a replay of the branch tells no transition more."""
        self.replay_adds(revision=revision)

    def replay_adds(self, *steps: str, revision: str = "HEAD") -> None:
        """Assert which transitions a replay adds; lamport_clock has no gap and no repeat."""
        before = self.ids()
        self.run("emit", "replay", revision)
        added = [event["payload"] for event in self.events() if event["event_id"] not in before]
        told = [f"{one['previous_status']}>{one['new_status']}" for one in added]
        assert told == list(steps), f"{self.mode}: a replay adds {added}"
        clocks = [event["lamport_clock"] for event in self.events(None)]
        assert clocks == list(range(1, len(clocks) + 1)), "a gap or a repeat in lamport_clock"

    def fresh_replay(self, revision: str = "HEAD") -> Clone:
        """Another machine, with a home of its own, where just a replay of what is committed here has been told."""
        number = len(list(self.directory.glob("fresh*")))
        made = Clone(self.directory / f"fresh{number}", self.directory / f"home-of-fresh{number}")
        command = ["git", "clone", "-q", "--no-local", str(self.root), str(made.root)]
        subprocess.run(command, check=True, env=made.environment)
        made.run("emit", "replay", revision if revision == "HEAD" else f"origin/{revision}")
        return made

    def clone(self, name: str, *, home: Path | None = None, source: Path | None = None) -> Clone:
        """Another clone, by default of a bare `origin` that this project pushes to, with a home of its own."""
        origin = self.directory / "origin.git"
        if not origin.exists():
            subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(origin)], check=True)
            self.git("remote", "add", "origin", str(origin))
            self.git("push", "-q", "-u", "origin", "main")
        made = Clone(self.directory / name, home or self.directory / f"home-{name}")
        subprocess.run(["git", "clone", "-q", str(source or origin), str(made.root)], check=True, env=self.environment)
        made.clock = self.clock + 1000
        self.clones.append(made)
        return made

    def sibling(self, name: str) -> Clone:
        """Another clone on this machine: one ledger, and hooks where this one has them."""
        made = self.clone(name, home=self.home)
        if self.hooked:
            made.run("hooks", "install")
        return made

    def linked(self, branch: str, start: str = "main") -> Clone:
        """A linked worktree with a branch of its own."""
        path = self.directory / f"linked {branch}"
        self.git("worktree", "add", "-q", "-b", branch, str(path), start)
        made = Clone(path, self.home)
        made.clock = self.clock + 100
        return made

    def mate(self) -> Clone:
        """A teammate's clone, with hooks and a ledger of its own."""
        mate = self.clone("mate")
        mate.run("init")
        mate.run("hooks", "install")
        return mate
