"""The one detached process that delivers for hooks and commands."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.git.repository import Git
from kittywatch.project import Project
from kittywatch.store import delivery, destinations
from kittywatch.sync import flusher
from kittywatch.sync.clock import Clock
from kittywatch.sync.flusher import delivering
from tests.builders import FEATURE, work_package_text
from tests.history.script import Repository
from tests.hub.hubs import Hub
from tests.store import stores
from tests.sync import delivering as parts
from tests.sync.fault_proxy import Cut, FaultProxy, Silence
from tests.waiting import until

WP01 = f"kitty-specs/{FEATURE}/tasks/WP01.md"
Logged = Callable[..., None]


def idle(home: Path) -> bool:
    """Whether nobody delivers."""
    if not home.exists():
        return True
    with delivering(home) as free:
        return free


def flushers(home: Path) -> list[Path]:
    """The processes in /proc that are flushers of a home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if b"kittywatch.sync.flusher" in command and os.fsencode(home) in (process / "environ").read_bytes():
                found.append(process)
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def no_flusher_left(home: Path) -> Iterator[None]:
    """No orphans: whatever the test did, its flusher ends by itself."""
    yield
    until(lambda: not flushers(home), what="the flusher to end")


@pytest.fixture
def logged_in(home: Path, hub: Hub, target: EventEmitter) -> Logged:
    """Logs in as `auth login` does, at the hub or through a proxy."""

    def log_in(url: str = "") -> None:
        parts.log_in(home, hub, url=url)
        target.store.transact(lambda connection: destinations.set_present(connection, url or hub.url, "cats"))

    return log_in


@pytest.fixture
def project(tmp_path: Path, target: EventEmitter) -> Project:
    repository = Repository(tmp_path / "demo")
    repository.commit("02-01", files={"README": "x"})
    return Project(Git.find(repository.root), target.store, stores.unexpected, writes=False)


def test_it_delivers_and_ends(home: Path, hub: Hub, target: EventEmitter, logged_in: Logged, project: Project) -> None:
    logged_in()
    told = parts.queue(target, 5)
    assert flusher.hand_over(project)
    until(lambda: not parts.waiting(home), what="the queue to be empty")
    until(lambda: idle(home), what="the flusher to end")
    assert set(told) <= set(parts.taken(hub))


def test_it_has_nothing_of_whoever_started_it(
    home: Path, target: EventEmitter, logged_in: Logged, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor, no session, no directory, no GIT_*, no secret; and no second one beside it."""
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    with FaultProxy(0, lambda path, number: Silence()) as proxy:
        logged_in(proxy.url)
        parts.queue(target, 1)
        assert flusher.hand_over(project)
        until(lambda: proxy.requests, what="the flusher to deliver")
        assert not flusher.hand_over(project)
        (process,) = flushers(home)
        opened = {os.readlink(link) for link in (process / "fd").iterdir()}
        assert all(name.startswith(("/dev/null", "socket:", "anon_inode:", str(home))) for name in opened), opened
        assert os.getsid(int(process.name)) == int(process.name)
        assert (process / "cwd").resolve() == home
        environment, command = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
        assert b"GIT_DIR" not in environment
        secret = (home / "credentials").read_text("utf-8").split('access = "')[1].split('"')[0].encode()
        assert secret not in environment + command


def test_a_commit_in_a_pipe_does_not_wait_for_it(
    tmp_path: Path, home: Path, hub: Hub, target: EventEmitter, logged_in: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the real hooks: the server keeps silent, and the commit is done while the flusher still waits."""
    monkeypatch.setenv("SPEC_KITTY_HOME", str(home))
    repository = Repository(tmp_path / "hooked")
    repository.commit("02-01", files={WP01: work_package_text(lane="planned")})
    for command in (["init"], ["hooks", "install"]):
        subprocess.run(
            [sys.executable, "-m", "kittywatch.cli.main", "-q", *command],
            cwd=repository.root,
            env=os.environ | {"PYTHONPATH": str(stores.ROOT)},
            check=True,
        )
    with FaultProxy(hub.port, lambda path, number: Silence()) as proxy:
        logged_in(proxy.url)
        (repository.root / WP01).write_text(work_package_text(lane="doing"), "utf-8")
        done = subprocess.run(
            ["git", "commit", "-am", "move"], cwd=repository.root, capture_output=True, text=True, check=True
        )
        assert "kittywatch" not in done.stderr
        until(lambda: proxy.requests, what="the flusher to deliver")
        assert flushers(home)
        assert parts.waiting(home)


def test_when_it_is_not_started(
    home: Path, hub: Hub, target: EventEmitter, logged_in: Logged, project: Project, tmp_path: Path
) -> None:
    def started() -> bool:
        return flusher.hand_over(project)

    def remember(**changes: object) -> None:
        target.store.transact(lambda connection: delivery.remember(connection, **changes))

    parts.queue(target, 1)
    assert not started(), "nobody is logged in"
    logged_in()
    config = tmp_path / "demo" / ".kittify" / "config.yaml"
    config.parent.mkdir(exist_ok=True)
    for text in ("false", "False", "no"):
        config.write_text(f"sync:\n  auto_start: {text}\n", "utf-8")
        assert not flusher.hand_over(Project(project.git, target.store, stores.unexpected, writes=False)), (
            "switched off"
        )
    config.unlink()
    row = target.store.transact(target.ensure_row)
    target.store.transact(lambda connection: delivery.opt(connection, row, out=True))
    assert not started(), "opted out"
    target.store.transact(lambda connection: delivery.opt(connection, row, out=False))
    remember(failure={"kind": "auth", "said": "", "remedy": ""})
    assert not started(), "the login has ended"
    remember(failure=None, next_try_at=time.time() + 20)
    assert not started(), "it is too early"
    remember(next_try_at=None)
    with delivering(home):
        assert not started(), "a watcher delivers"
    stores.execute(home, "UPDATE queue SET claim = 'x'")
    assert not started(), "somebody sends it"
    stores.execute(home, "DELETE FROM queue")
    assert not started(), "nothing waits"
    parts.queue(target, 1, text="at last")
    remember(next_try_at=time.time() + 86400)  # from before the clock was set back
    assert started()


def test_it_ends_when_delivery_has_to_wait_and_tells_so_once(
    home: Path, hub: Hub, target: EventEmitter, logged_in: Logged, project: Project
) -> None:
    with FaultProxy(0, lambda path, number: Cut()) as proxy:
        logged_in(proxy.url)
        parts.queue(target, 1)
        for _ in range(2):
            assert flusher.hand_over(project)
            until(lambda: target.store.read(delivery.notes).get("next_try_at"), what="it to give up")
            until(lambda: idle(home), what="the flusher to end")
            assert not flusher.hand_over(project), "it has to wait"
            target.store.transact(lambda connection: delivery.remember(connection, next_try_at=None))
    assert stores.rows(home, "SELECT event_type FROM queue ORDER BY id") == [("HistoryAdded",), ("ErrorLogged",)]
    notes = target.store.read(delivery.notes)
    assert notes["failure"]["kind"] == "network"


def test_where_there_is_no_project_any_more_nobody_reports(
    home: Path, target: EventEmitter, logged_in: Logged, tmp_path: Path
) -> None:
    """The flusher's checkout was removed while it delivered: no error of its own, and no event."""
    with FaultProxy(0, lambda path, number: Cut()) as proxy:
        logged_in(proxy.url)
        parts.queue(target, 1)
        flusher.flush(home, tmp_path / "gone")
    assert stores.rows(home, "SELECT event_type FROM events") == [("HistoryAdded",)]
    assert target.store.read(delivery.notes)["failure"]["kind"] == "network"


def test_what_is_queued_while_it_ends_is_delivered(
    home: Path, hub: Hub, target: EventEmitter, logged_in: Logged, project: Project
) -> None:
    """Each hand-over finds it running, and then it looks once more, or starts it."""
    logged_in()
    told: list[str] = []
    for number in range(12):
        told += parts.queue(target, 1, text=f"late {number}")
        flusher.hand_over(project)
        threading.Event().wait(random.uniform(0, 0.3))
    until(lambda: not parts.waiting(home), what="the queue to be empty")
    assert set(told) <= set(parts.taken(hub))


class LateClock(Clock):
    """Queues one more event as soon as the queue is empty, which is when a run has looked for the last time."""

    def __init__(self, home: Path, queue: Callable[[], object]) -> None:
        super().__init__()
        self._home = home
        self._queue: Callable[[], object] | None = queue

    def now(self) -> float:
        queue, waits = self._queue, parts.waiting(self._home)
        if queue is not None and not waits:
            self._queue = None
            queue()
        return super().now()


def test_what_is_queued_at_the_last_moment_is_delivered(home: Path, target: EventEmitter, logged_in: Logged) -> None:
    """Whoever queued it found the lock taken, and started none."""
    logged_in()
    parts.queue(target, 2)
    flusher.flush(home, None, clock=LateClock(home, lambda: parts.queue(target, 1, text="late")))
    assert parts.waiting(home) == []
    assert stores.rows(home, "SELECT count(*) FROM events WHERE delivered_at IS NOT NULL") == [(3,)]


def test_it_ends_when_its_home_is_gone(
    home: Path, hub: Hub, target: EventEmitter, logged_in: Logged, project: Project
) -> None:
    with FaultProxy(0, lambda path, number: Silence()) as proxy:
        logged_in(proxy.url)
        parts.queue(target, 1)
        assert flusher.hand_over(project)
        until(lambda: proxy.requests, what="the flusher to deliver")
        shutil.rmtree(home)
    until(lambda: not flushers(home), what="the flusher to end")
    assert not home.exists(), "it made it again"
