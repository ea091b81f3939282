"""`watch` with a login: the connection inline, and events of other processes at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub.hubs import Hub
from tests.scenarios.world import World
from tests.sync import delivering
from tests.sync.conftest import own_hub
from tests.waiting import DEADLINE, until
from tests.warm import PROGRAM

__all__ = ["own_hub"]
HINT = "Events queued locally; run spec-kitty auth login to enable real-time sync"


class Watch:
    """A watcher whose stdout and stderr go to files."""

    def __init__(self, world: World, *options: str) -> None:
        self._out, self._err = world.directory / "out", world.directory / "err"
        command = [*PROGRAM, "watch", *options]
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(command, cwd=world.root, env=world.environment, stdout=out, stderr=err)
        until(lambda: "watching" in self.said, what=lambda: self.said)

    @property
    def said(self) -> str:
        return self._err.read_text()

    @property
    def data(self) -> list[str]:
        return self._out.read_text().splitlines()

    def says(self, text: str, *, times: int = 1) -> None:
        until(lambda: self.said.count(text) >= times, what=lambda: f"{text!r} in {self.said}")

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(DEADLINE) == 0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, "")


@pytest.fixture
def watch(world: World) -> Iterator[Callable[..., Watch]]:
    watching: list[Watch] = []

    def start(*options: str) -> Watch:
        watching.append(Watch(world, *options))
        return watching[-1]

    yield start
    for one in watching:
        if one.process.poll() is None:
            one.end()


def all_at(hub: Hub, world: World, count: int) -> None:
    until(lambda: len(delivering.taken(hub)) == count, what=lambda: f"{delivering.taken(hub)}")
    until(lambda: delivering.waiting(world.home) == [])


def test_states_are_shown_as_they_change_and_with_each_event(
    world: World, watch: Callable[..., Watch], own_hub: Hub
) -> None:
    delivering.log_in(world.home, own_hub)
    watcher = watch()
    watcher.says("[Connected]")
    world.write("doing")
    all_at(own_hub, world, 1)
    until(lambda: len(watcher.data) == 1)
    assert watcher.data[0].endswith("planned → doing  by user  watcher  [Connected]")
    own_hub.stop(signal.SIGKILL)
    watcher.says("[Reconnecting]")
    world.write("for_review")
    until(lambda: len(watcher.data) == 2)
    assert watcher.data[1].endswith("[Reconnecting]")
    own_hub.start()
    watcher.says("[Connected]", times=2)
    all_at(own_hub, world, 2)
    assert HINT not in watcher.said
    watcher.end()
    assert watcher.said.splitlines()[-1] == "stopped"


def test_who_is_logged_out_is_told_once_and_a_login_connects(
    world: World, watch: Callable[..., Watch], own_hub: Hub
) -> None:
    watcher = watch()
    assert "watching; Ctrl-C ends it  [Offline]" in watcher.said
    watcher.says(HINT)
    world.write("doing")
    until(lambda: len(watcher.data) == 1)
    assert watcher.data[0].endswith("watcher  [Offline]")
    delivering.log_in(world.home, own_hub)
    watcher.says("[Connected]")
    all_at(own_hub, world, 1)
    assert watcher.said.count(HINT) == 1


def test_json_is_events_and_nothing_else(world: World, watch: Callable[..., Watch], own_hub: Hub) -> None:
    delivering.log_in(world.home, own_hub)
    watcher = watch("--json")
    watcher.says("[Connected]")
    world.write("doing")
    until(lambda: len(watcher.data) == 1)
    world.write("for_review")
    until(lambda: len(watcher.data) == 2)
    assert [json.loads(line)["event_type"] for line in watcher.data] == ["WPStatusChanged"] * 2


def test_events_of_other_processes_go_out_through_the_watcher(
    world: World, watch: Callable[..., Watch], own_hub: Hub
) -> None:
    """Nobody starts a flusher beside it, and it doesn't wait for its next batch either."""
    delivering.log_in(world.home, own_hub)
    watcher = watch()
    watcher.says("[Connected]")
    status = json.loads(world.run("sync", "status", "--json").stdout)
    assert status["connection"] == "Connected"
    program = "import kittywatch; kittywatch.emit_history_added('WP01', 'note', 'by another process')"
    subprocess.run([sys.executable, "-c", program], cwd=world.root, env=world.environment, check=True)
    all_at(own_hub, world, 1)
    assert json.loads(world.run("sync", "status", "--json").stdout)["queue_length"] == 0
    until(lambda: json.loads(world.run("sync", "status", "--json").stdout)["last_sync_at"] is not None)


def test_auto_start_off_watches_and_sends_nothing(world: World, watch: Callable[..., Watch], own_hub: Hub) -> None:
    delivering.log_in(world.home, own_hub)
    config = world.root / ".kittify" / "config.yaml"
    config.write_text(config.read_text() + "sync:\n  auto_start: false\n")
    watcher = watch()
    watcher.says("auto_start is off")
    world.write("doing")
    until(lambda: len(watcher.data) == 1)
    assert watcher.data[0].endswith("[Offline]")
    watcher.end()
    assert len(delivering.waiting(world.home)) == 1
