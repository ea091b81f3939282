"""`log --follow`: each event as it is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import work_package_text
from tests.cli.conftest import WP01, Command
from tests.history.script import Repository
from tests.waiting import DEADLINE, until


class Following:
    """`log --follow` as a process of its own."""

    def __init__(self, root: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kittywatch.cli.main", "log", "--follow", *options],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, count: int) -> None:
        until(lambda: len(self.lines) >= count, what=lambda: f"{count} lines: {self.lines}")
        assert len(self.lines) == count

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(how)
        assert self.process.stderr is not None
        said = self.process.stderr.read()
        code = self.process.wait(DEADLINE)
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code, said


@pytest.fixture
def following(repository: Repository, kittywatch: Command) -> Iterator[list[Following]]:
    running: list[Following] = []
    yield running
    for one in running:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def test_what_is_there_and_what_comes(kittywatch: Command, repository: Repository, following: list[Following]) -> None:
    """Told by another process; ends on Ctrl-C, and costs nothing while nothing happens."""
    kittywatch("init")
    kittywatch("emit", "replay")
    follow = Following(repository.root)
    following.append(follow)
    follow.wait_for(4)
    before = follow.processor_seconds()
    for lane, count in (("done", 6), ("planned", 7)):
        repository.write(WP01, work_package_text(lane=lane))
        kittywatch("emit", "scan")
        follow.wait_for(count)
    assert "done → planned" in follow.lines[-1]
    assert follow.processor_seconds() - before < 1
    code, said = follow.end()
    assert (code, said.strip()) == (130, "interrupted")


def test_the_newest_and_json_and_a_part(
    kittywatch: Command, repository: Repository, following: list[Following]
) -> None:
    kittywatch("init")
    kittywatch("emit", "replay")
    follow = Following(repository.root, "--json", "-n", "1", "--wp", "WP01")
    following.append(follow)
    follow.wait_for(1)
    other = work_package_text(wp_id="WP02", lane="planned")
    repository.commit("02-07", files={WP01.replace("WP01", "WP02"): other, WP01: work_package_text(lane="done")})
    kittywatch("emit", "scan")
    follow.wait_for(2)
    assert [json.loads(line)["payload"]["new_status"] for line in follow.lines] == ["for_review", "done"]


def test_before_anything_was_told(kittywatch: Command, repository: Repository, following: list[Following]) -> None:
    """There is no database yet, and its directory is made for its owner alone."""
    follow = Following(repository.root)
    following.append(follow)
    home = Path(os.environ["SPEC_KITTY_HOME"])
    until(home.exists, what="the home")
    assert home.stat().st_mode & 0o777 == 0o700
    # Whether it already listens can't be seen from here: another event comes until it does.
    lanes = iter(["planned", "doing"] * 50)

    def heard() -> bool:
        repository.write(WP01, work_package_text(lane=next(lanes)))
        kittywatch("emit", "scan")
        return bool(follow.lines)

    until(heard, what="the first event")


def test_a_reader_that_has_gone(kittywatch: Command, repository: Repository) -> None:
    """`log --follow | head -n 1`: the next event ends it, without a word."""
    kittywatch("init")
    kittywatch("emit", "replay")
    command = [sys.executable, "-P", "-m", "kittywatch.cli.main", "log", "--follow", "-n", "1"]
    process = subprocess.Popen(command, cwd=repository.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert b"for_review" in process.stdout.readline()
    process.stdout.close()
    repository.write(WP01, work_package_text(lane="done"))
    kittywatch("emit", "scan")
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(DEADLINE) == 1


def test_a_home_that_cannot_be_made(
    kittywatch: Command, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kittywatch("init")
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SPEC_KITTY_HOME", str(tmp_path / "file" / "home"))
    done = kittywatch("log", "--follow")
    assert done.code == 1
    assert "SPEC_KITTY_HOME" in done.err
