"""Rows 37 and 39 of the contract's table: kills, many at once."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.scenarios.table import row
from tests.scenarios.world import World
from tests.selection import CAMPAIGN, amounts
from tests.waiting import until

KILLING = Path(__file__).with_name("killing.py")
_WORLD = 100  # commits
FIRST = int(os.environ.get("KITTYWATCH_LINE", "0"))
CYCLE = ("doing", "for_review", "done", "planned")


def _start(world: World, line: int, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", str(KILLING), str(line), *command],
        cwd=world.root,
        env=world.environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _sound(world: World) -> None:
    with contextlib.closing(sqlite3.connect(world.home / "queue.db", timeout=30)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    clocks = [event["lamport_clock"] for event in world.events(None)]
    assert clocks == list(range(1, len(clocks) + 1)), "a gap or a repeat in lamport_clock"


def _chain(number: int) -> list[str]:
    lanes = ["planned", *(CYCLE[at % 4] for at in range(number))]
    return [f"{a}>{b}" for a, b in pairwise(lanes)]


@row("37")
@amounts("stride", sample=241, most=61)
@pytest.mark.parametrize("command", [("hook",), ("emit", "scan")])
def test_37_killed_at_every_step(make_world: Callable[[str], World], command: tuple[str, ...], stride: int) -> None:
    """Each time another line of the observation is the last one; the next observation makes up for it.

    A run takes lines so far apart, from another first one each time; a campaign takes all, from KITTYWATCH_LINE on. It
    goes on in new worlds now and then: what there is to read grows with what was told, and the last line would never be
    reached.
    """
    world = make_world("")
    stride = 1 if CAMPAIGN else stride
    line, commits, kills, died = FIRST or random.randint(1, stride), 0, 0, True
    while died:
        if commits == _WORLD:
            _sound(world)
            world, commits = make_world(""), 0
        world.move(CYCLE[commits % 4], body=f"{commits}")
        commits += 1
        died = _start(world, line, *command).wait() == -signal.SIGKILL
        kills += died
        line += stride
        world.run("emit", "scan")
        assert world.steps() == _chain(commits), f"killed at the line before {line}"
    assert kills > 2, "the observation was hardly ever killed"
    _sound(world)
    world.replay_adds_nothing()


@row("37")
@amounts("rounds", sample=5, most=40, campaign=1000)
def test_37_killed_at_random_moments(make_world: Callable[[str], World], rounds: int) -> None:
    """SIGKILL from outside, whenever; 1,000 times in a campaign."""
    world = make_world("")
    chance = random.Random(int(CAMPAIGN) or 37)
    for number in range(rounds):
        world.move(CYCLE[number % 4], body=f"{number}")
        process = _start(world, 1 << 60, "hook")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.02, 0.4))
        process.kill()
        process.wait()
        if chance.random() < 0.3:
            world.run("emit", "scan")
            assert world.steps() == _chain(number + 1)
    world.run("emit", "scan")
    assert world.steps() == _chain(rounds)
    _sound(world)
    world.replay_adds_nothing()


@row("37")
@amounts("stride", sample=641, most=211)
def test_37_watcher_killed_at_every_step(make_world: Callable[[str], World], stride: int) -> None:
    """One edit is there when the watcher starts, another one comes while it runs; somebody else makes up for both.

    A run takes lines so far apart, from another first one each time; a campaign takes all, from KITTYWATCH_LINE on.
    """
    world = make_world("")
    stride = 1 if CAMPAIGN else stride
    line, edits, kills, died = FIRST or random.randint(1, stride), 0, 0, True
    while died:
        if edits >= _WORLD:
            _sound(world)
            world, edits = make_world(""), 0
        process = _start(world, line, "watch")
        for _ in range(2):
            if process.poll() is None:
                edits += 1
                world.write(CYCLE[(edits - 1) % 4], body=f"{edits}")
                until(lambda: process.poll() is not None or len(world.steps()) == edits, what="told, or dead")  # noqa: B023
        died = process.poll() == -signal.SIGKILL
        process.kill()
        process.wait()
        kills += died
        line += stride
        world.run("emit", "scan")
        assert world.steps() == _chain(edits), f"killed at the line before {line}"
    assert kills > 1, "the watcher was hardly ever killed"
    _sound(world)
    world.commit("all of it")
    world.run("emit", "scan")
    world.replay_adds_nothing()
    print(f"killed before each line up to {line}")


@row("37")
@amounts("rounds", sample=2, most=8, campaign=200)
def test_37_watcher_killed(make_world: Callable[[str], World], rounds: int) -> None:
    world = make_world("W")
    for number in range(rounds):
        world.write(CYCLE[number % 4])
        watching = world.watching.pop()
        if number % 2:
            until(lambda number=number: len(world.steps()) == number + 1, what="the edit to be told")  # type: ignore[misc]
        watching.process.kill()
        watching.join()
        world.observe()
        world.expect(*_chain(number + 1))
    _sound(world)


def test_git_killed_between_ref_update_and_hook(make_world: Callable[[str], World]) -> None:
    """O7: HEAD has moved, the reflog is written, and no hook ran."""
    world = make_world("H")
    world.move("doing")
    hook = world.root / ".git" / "hooks" / "post-commit"
    stub = hook.read_bytes()
    hook.write_text("#!/bin/sh\nkill -9 $PPID\n")
    world.write("for_review")
    world.git("add", "-A")
    world.git("commit", "-q", "-m", "killed", check=False)
    hook.write_bytes(stub)
    assert world.steps() == ["planned>doing"]
    world.move("done")
    world.expect("planned>doing", "doing>for_review", "for_review>done")
    world.replay_adds_nothing()


@row("39")
def test_39_two_hundred_at_once(make_world: Callable[[str], World]) -> None:
    """All of one commit is one transaction: killed anywhere, either all of it is told or nothing."""
    world = make_world("")
    features = [f"{number:03}-many" for number in range(10, 20)]
    for feature in features:
        for number in range(1, 21):
            world.write("planned", wp_id=f"WP{number:02}", feature=feature)
    world.commit("200")
    world.run("emit", "scan")
    for feature in features:
        for number in range(1, 21):
            world.write("doing", wp_id=f"WP{number:02}", feature=feature)
    world.commit("200 at once")
    seen = set()
    for line in range(2000, 60000, 4000):
        _start(world, line, "hook").wait()
        seen.add(len(world.events()))
    world.run("emit", "scan")
    seen.add(len(world.events()))
    assert seen <= {0, 200}
    assert len(world.events()) == 200
    assert len({event["correlation_id"] for event in world.events()}) == 1
    _sound(world)
    world.replay_adds_nothing()


@pytest.mark.long
def test_eight_worktrees_with_watcher_and_hooks(make_world: Callable[[str], World]) -> None:
    """Eight worktrees, hooks and a watcher started in each, work at the same time: every transition once."""
    from tests.scenarios.world import Clone, Watching

    world = make_world("H")
    for number in range(1, 9):
        world.write("planned", wp_id=f"WP{number:02}")
    world.commit("eight")
    moves = 125 if CAMPAIGN else 5
    clones: list[Clone] = []
    for number in range(1, 9):
        path = world.directory / f"tree{number}"
        world.git("worktree", "add", "-q", "-b", f"branch{number}", str(path))
        clone = Clone(path, world.home)
        clone.clock = world.clock + 10_000 * number
        clones.append(clone)
    watchers = [Watching(clone.root, clone.environment) for clone in clones]
    try:
        for turn in range(moves):
            for number, clone in enumerate(clones, start=1):
                clone.move(CYCLE[turn % 4], wp_id=f"WP{number:02}", body=f"{turn}")
        until(lambda: len(world.events()) >= 8 * moves, what=lambda: f"{len(world.events())} events")
    finally:
        for watcher in watchers:
            watcher.stop()
    for number in range(1, 9):
        assert world.steps(f"WP{number:02}") == _chain(moves), number
    _sound(world)
    assert json.dumps(world.events()[0])
