"""Running commands: in this process, where what they print is captured, and as real processes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kittywatch.cli.main import main
from tests.builders import FEATURE, work_package_text
from tests.history.script import Repository

WP01 = f"kitty-specs/{FEATURE}/tasks/WP01.md"


@dataclass(frozen=True)
class Done:
    """What a command did: its exit code, and what it said where."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def kittywatch(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command line; `name` is what it was called by."""
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(*arguments: str | Path, name: str = "kittywatch") -> Done:
        monkeypatch.setattr(sys, "argv", [f"/usr/bin/{name}"])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        assert isinstance(stop.value.code, int)
        return Done(stop.value.code, said.out, said.err)

    return run


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A feature whose WP01 was planned, doing and for_review, in three commits; it is the current directory."""
    repository = Repository(tmp_path / "demo")
    for day, lane in enumerate(("planned", "doing", "for_review"), start=1):
        repository.commit(f"02-{day:02}", files={WP01: work_package_text(lane=lane)})
    monkeypatch.chdir(repository.root)
    return repository
