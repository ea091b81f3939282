"""`watch --notify`: what a desktop's own program is started with."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.builders import work_package_text
from tests.cli.conftest import WP01, Command
from tests.history.script import Repository


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that writes down its arguments, in place of a desktop, which a test hasn't got."""
    directory = tmp_path / "bin"
    directory.mkdir()
    log = tmp_path / "calls"
    program = (
        f"import json, sys\nwith open({str(log)!r}, 'a') as file:\n    print(json.dumps(sys.argv[1:]), file=file)\n"
    )
    (directory / "recorder").write_text(f"#!{sys.executable}\n{program}", "utf-8")
    (directory / "recorder").chmod(0o755)
    git = shutil.which("git")
    assert git is not None
    (directory / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(directory))
    return log


def called(log: Path) -> list[list[str]]:
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []


def test_a_lane_change(kittywatch: Command, repository: Repository, calls: Path) -> None:
    """Of what was told before nothing is shown, of a creation neither."""
    (calls.parent / "bin" / "recorder").rename(calls.parent / "bin" / "notify-send")
    kittywatch("init")
    kittywatch("emit", "replay")
    repository.write(WP01, work_package_text(lane="done", agent="codex"))
    repository.write(WP01.replace("WP01", "WP02"), work_package_text(lane="planned", wp_id="WP02"))
    assert kittywatch("watch", "--once", "--notify").code == 0
    assert called(calls) == [
        ["--app-name", "kittywatch", "--", "kittywatch", "001-login  WP01  for_review → done  by codex"]
    ]


def test_hostile_text(kittywatch: Command, repository: Repository, calls: Path) -> None:
    """No shell, no markup, no escape sequence, no option, no novel."""
    (calls.parent / "bin" / "recorder").rename(calls.parent / "bin" / "notify-send")
    kittywatch("init")
    agent = "--help $(touch owned) `touch owned` <b>&amp; \\e[2J " + "x" * 5000
    repository.write(WP01, f'---\nlane: done\nagent: "{agent}"\n---\n')
    kittywatch("watch", "--once", "--notify")
    ((*options, title, text),) = called(calls)
    assert (options, title) == (["--app-name", "kittywatch", "--"], "kittywatch")
    assert "$(touch owned) `touch owned` &lt;b&gt;&amp;amp; \\u001b[2J" in text
    assert len(text) < 300
    assert not (repository.root / "owned").exists()


def test_many_at_once(kittywatch: Command, repository: Repository, calls: Path) -> None:
    """One notification, not a hundred."""
    (calls.parent / "bin" / "recorder").rename(calls.parent / "bin" / "osascript")
    kittywatch("init")
    for number in range(2, 22):
        repository.write(
            WP01.replace("WP01", f"WP{number:02}"), work_package_text(lane="doing", wp_id=f"WP{number:02}")
        )
    kittywatch("watch", "--once", "--notify")
    ((*script, title, text),) = called(calls)
    assert script[-1] == "--"
    assert not [word for word in script if "WP" in word]
    assert title == "kittywatch"
    assert text.startswith("20 events, the last one: ")


def test_no_program_for_it(kittywatch: Command, repository: Repository, calls: Path) -> None:
    kittywatch("init")
    repository.write(WP01, work_package_text(lane="done"))
    done = kittywatch("watch", "--once", "--notify")
    assert done.code == 0
    assert "neither notify-send nor osascript" in done.err
    assert "for_review → done" in done.out


def test_not_unless_asked_for(kittywatch: Command, repository: Repository, calls: Path) -> None:
    (calls.parent / "bin" / "recorder").rename(calls.parent / "bin" / "notify-send")
    kittywatch("init")
    repository.write(WP01, work_package_text(lane="done"))
    kittywatch("watch", "--once")
    assert called(calls) == []
    assert os.environ["PATH"] == str(calls.parent / "bin")
