"""Row 36 of the contract's table, and how the watcher itself behaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kittywatch.observe.watcher import Watcher
from kittywatch.project import Project
from tests.scenarios.table import row
from tests.scenarios.world import Clone, Watching, World
from tests.waiting import DEADLINE, until
from tests.warm import PROGRAM

P_D, D_R, R_D = "planned>doing", "doing>for_review", "for_review>done"


@pytest.fixture
def watched(make_world: Callable[[str], World]) -> World:
    return make_world("W")


def test_broken_file_is_told_once_it_has_settled(watched: World) -> None:
    """R5: still broken after 250 ms without a write; told once for the content, and the lane goes on from there."""
    text = watched.path().read_text("utf-8")
    watched.path().write_text(text.replace("lane: planned", "lane: [doing"), "utf-8")
    until(lambda: watched.events("ErrorLogged"), what="the error")
    watched.path().write_text(watched.path().read_text("utf-8") + "\nmore text\n", "utf-8")
    watched.settle()
    watched.commit("broken as it is")
    watched.settle()
    assert len(watched.events("ErrorLogged")) == 1
    watched.move("doing")
    watched.expect(P_D)
    watched.replay_adds_nothing()


def _eight_scans(world: World) -> None:
    processes = [
        subprocess.Popen(
            [*PROGRAM, "emit", "scan"],
            cwd=world.root,
            env=world.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(8)
    ]
    said = [process.communicate(timeout=DEADLINE)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, said


@row("36")
def test_36_eight_at_the_same_moment(make_world: Callable[[str], World]) -> None:
    world = make_world("")
    world.write("doing", trail=[("2026-01-01T10:00:00Z", "doing")])
    _eight_scans(world)
    world.expect(P_D)
    world.commit()
    world.run("emit", "scan")
    world.expect(P_D)
    world.replay_adds_nothing()


@pytest.mark.long
@row("36")
def test_36_eight_come_upon_several_commits(make_world: Callable[[str], World]) -> None:
    """A plan that was made before another process carried its own out is made again, or steps would run backwards."""
    world = make_world("")
    for lane in ("doing", "for_review", "planned", "for_review"):
        world.move(lane)
    _eight_scans(world)
    world.expect(P_D, D_R, "for_review>planned", "planned>for_review")
    world.replay_adds_nothing()


def test_second_watcher_says_who_runs(watched: World) -> None:
    second = Watching(watched.root, watched.environment)
    first = watched.watching[0].process.pid
    try:
        assert any(f"process {first} watches this project already" in line for line in second.said), second.said
        watched.move("doing")
        watched.expect(P_D)
    finally:
        assert second.stop() == 0
    watched.replay_adds_nothing()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ends_in_order(watched: World, number: signal.Signals) -> None:
    watching = watched.watching.pop()
    watching.process.send_signal(number)
    assert watching.join() == 0
    assert watching.said[-1] == "stopped\n"
    assert not (watched.root / ".git" / "kittywatch-watcher").exists()
    assert not (watched.root / ".git" / "kittywatch-watch.pid").exists()


def test_closed_terminal_ends_it(watched: World) -> None:
    """What reads the output goes away: the watcher ends, and what it had told stays told."""
    process = subprocess.Popen(
        [*PROGRAM, "watch"],
        cwd=watched.root,
        env=watched.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    until(lambda: f"{process.pid} " in _marks(watched), what="the second watcher")
    process.stdout.close()
    watched.move("doing")
    watched.expect(P_D)
    assert process.wait(DEADLINE) in (0, 1)


def _marks(world: World) -> str:
    path = world.root / ".git" / "kittywatch-watcher"
    return path.read_text("utf-8") if path.exists() else ""


def test_prints_one_line_an_event(watched: World) -> None:
    command = [*PROGRAM, "watch"]
    process = subprocess.Popen(
        command,
        cwd=watched.root,
        env=watched.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or []))
    reader.start()
    until(lambda: f"{process.pid} " in _marks(watched), what="the second watcher")
    watched.write("doing", trail=[("2026-01-01T10:00:00Z", "doing")])
    watched.expect(P_D)
    watched.git("commit", "-q", "-a", "-m", "x")
    watched.settle()
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 0
    reader.join()
    process.stdout.close()
    about = [line for line in lines if "WP01" in line and "001-login" in line]
    assert len(about) == 1
    assert "planned → doing  by agent" in about[0]
    assert "watcher" in about[0]


def test_json_prints_the_envelope(watched: World) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "watch", "--json"],
        cwd=watched.root,
        env=watched.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    until(lambda: f"{process.pid} " in _marks(watched), what="the second watcher")
    watched.write("doing")
    event = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 0
    process.stdout.close()
    assert event == watched.events()[0]


def test_worktree_that_appears_later(watched: World) -> None:
    path = watched.directory / "later"
    watched.git("worktree", "add", "-q", "-b", "later", str(path))
    linked = Clone(path, watched.home)
    linked.write("doing")
    watched.expect(P_D)
    linked.commit()
    watched.git("worktree", "remove", "--force", str(path))
    watched.settle()
    watched.git("merge", "-q", "later")
    watched.settle()
    watched.expect(P_D)
    watched.replay_adds_nothing()


def test_specs_directory_that_appears_later(watched: World) -> None:
    watched.git("rm", "-r", "-q", "kitty-specs")
    watched.git("commit", "-q", "-m", "all gone")
    assert not (watched.root / "kitty-specs").exists()
    watched.write("doing")
    watched.expect(P_D)


def test_project_directory_deleted_and_made_again(watched: World) -> None:
    aside = watched.directory / "aside"
    watched.root.rename(aside)
    watched.run_elsewhere("queue", "list")
    aside.rename(watched.root)
    watched.write("doing")
    watched.expect(P_D)


def test_polling(make_world: Callable[[str], World]) -> None:
    world = make_world("")
    world.mode = "W"
    world.watching.append(Watching(world.root, world.environment, "--poll"))
    world.move("doing")
    world.expect(P_D)
    world.write("for_review")
    world.expect(P_D, D_R)


def test_once(make_world: Callable[[str], World]) -> None:
    world = make_world("")
    world.write("doing")
    done = world.run("watch", "--once", "--json")
    assert [json.loads(line)["payload"]["new_status"] for line in done.stdout.splitlines()] == ["doing"]
    assert world.run("watch", "--once").stdout == ""
    world.expect(P_D)


def test_switched_off(make_world: Callable[[str], World]) -> None:
    world = make_world("")
    world.environment = world.environment | {"KITTYWATCH": "0"}
    assert "nothing is watched" in world.run("watch").stderr


@pytest.mark.long
def test_lost_events_are_made_up_for_by_a_rescan(make_world: Callable[[str], World]) -> None:
    """An overflow of the kernel's queue: 20,000 events while the watcher is stopped, and the change among them."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    world = make_world("W")
    process = world.watching[0].process
    process.send_signal(signal.SIGSTOP)
    noise = world.path().parent / "noise.txt"
    for number in range(limit // 2 + 1000):
        noise.write_text(str(number % 2))
        noise.unlink()
    world.write("doing")
    process.send_signal(signal.SIGCONT)
    world.expect(P_D)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system has no signals of threads")
def test_a_signal_that_does_not_end_the_wait(
    make_world: Callable[[str], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that comes just before the wait, or to another thread, is heard of all the same."""
    world = make_world("")
    monkeypatch.setenv("SPEC_KITTY_HOME", str(world.home))
    project = Project.find(world.root, print)
    watcher = Watcher(project, lambda _: None)
    ready = threading.Event()

    def send() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        assert ready.wait(DEADLINE)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: watcher.stop())
    thread = threading.Thread(target=send)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        thread.start()
        watcher.run(ready.set)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGTERM, before)
        thread.join()
        project.store.close()
