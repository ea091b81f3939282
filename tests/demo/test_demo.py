"""The demonstration as somebody runs it who has nothing but kittywatch."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from kittywatch.demo.board import Board
from kittywatch.demo.scratch import Scratch
from tests.waiting import DEADLINE, until

DEMO = [sys.executable, "-P", "-m", "kittywatch.cli.main", "demo"]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary directories are made."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr("tempfile.tempdir", None)
    return place


def _processes(place: Path) -> list[str]:
    """The command lines of processes that work in a directory, or speak of it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(place) in command or where.startswith(str(place)):
            found.append(command.replace("\0", " "))
    return found


def test_the_three_numbers_are_equal_and_nothing_stays(temporary: Path, tmp_path: Path) -> None:
    before = {path.name for path in tmp_path.rglob("*")}
    done = subprocess.run([*DEMO, "--headless"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    numbers = re.fullmatch(r"(\d+) transitions made, (\d+) events told, (\d+) at the hub", last)
    assert numbers is not None, last
    assert set(numbers.groups()) == {"32"}  # 20 of the feature with frontmatter, 12 of the mission with a log
    assert "[Connected]" in done.stdout
    assert "git rebase main" in done.stdout
    told = re.findall(r"search-01KMD0X5 +WP01 +(\w+) . (\w+)", done.stdout)
    steps = ["planned", "claimed", "in_progress", "for_review", "in_review", "approved", "done"]
    assert told == list(pairwise(steps))
    assert list(temporary.iterdir()) == []
    assert _processes(temporary) == []
    assert {path.name for path in tmp_path.rglob("*")} == before


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_broken_off_nothing_stays_either(temporary: Path, tmp_path: Path, how: signal.Signals) -> None:
    with subprocess.Popen([*DEMO, "--headless"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "worktree add" in line:
                process.send_signal(how)
                break
        rest = threading.Thread(target=process.stdout.read)
        rest.start()
        code = process.wait(DEADLINE)
        rest.join()
    assert code == 130
    until(lambda: _processes(temporary) == [], what=lambda: f"the processes to end: {_processes(temporary)}")
    assert list(temporary.iterdir()) == []


def test_the_door_lets_one_browser_in(temporary: Path) -> None:
    with Scratch() as scratch:
        board = Board(scratch)
        try:
            address = board.door()
            with httpx.Client(trust_env=False) as browser:
                assert browser.get(address.rsplit("/", 1)[0] + "/guess").status_code == 404
                entered = browser.get(address, follow_redirects=True)
                assert entered.status_code == 200
                assert str(entered.url).startswith(board.url)
                assert "sign-in" not in str(entered.url)
                assert browser.get(address).status_code == 404
        finally:
            board.close()
