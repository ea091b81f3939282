"""O6: what git is in the middle of, as real git leaves it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kittywatch.git.state import busy

Run = Callable[..., int]


@pytest.fixture
def git(tmp_path: Path) -> Run:
    root = tmp_path / "repository"
    root.mkdir()

    def run(*command: str, **environment: str) -> int:
        variables = dict(os.environ) | {"GIT_EDITOR": "true"} | environment
        return subprocess.run(["git", *command], cwd=root, capture_output=True, check=False, env=variables).returncode

    def commit(text: str) -> None:
        (root / "file").write_text(text)
        run("add", "-A")
        run("commit", "-q", "-m", text)

    run("init", "-q", "-b", "main")
    commit("base")
    run("checkout", "-q", "-b", "topic")
    commit("one")
    commit("two")
    run("checkout", "-q", "main")
    commit("other")
    return run


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "repository" / ".git"


@pytest.mark.parametrize(
    ("command", "doing", "end"),
    [
        (["merge", "topic"], "merge", ["merge", "--abort"]),
        (["rebase", "topic"], "rebase", ["rebase", "--abort"]),
        (["rebase", "--apply", "topic"], "rebase", ["rebase", "--abort"]),
        (["cherry-pick", "topic~1"], "cherry-pick", ["cherry-pick", "--abort"]),
        (["cherry-pick", "main..topic"], "sequence of picks", ["cherry-pick", "--abort"]),
        (["revert", "--no-edit", "topic"], "revert", ["revert", "--abort"]),
        (["bisect", "start"], "bisect", ["bisect", "reset"]),
    ],
)
def test_in_the_middle_and_afterwards(
    git: Run, directory: Path, command: list[str], doing: str, end: list[str]
) -> None:
    assert busy(directory) is None
    git(*command)
    assert busy(directory) == doing
    assert git(*end) == 0
    assert busy(directory) is None


def test_index_lock(directory: Path, git: Run) -> None:
    (directory / "index.lock").touch()
    assert busy(directory) == "index.lock"
    assert busy(directory, "post-commit") is None, "a hook runs inside of git"


def test_what_a_hook_takes_for_an_end(directory: Path, git: Run) -> None:
    (directory / "rebase-merge").mkdir()
    assert busy(directory, "post-commit") == "rebase"
    assert busy(directory, "post-rewrite") is None
    (directory / "rebase-merge").rmdir()
    (directory / "sequencer").mkdir()
    (directory / "sequencer" / "todo").write_text("pick 1 a\npick 2 b\n")
    assert busy(directory, "post-commit") == "sequence of picks"
    (directory / "sequencer" / "todo").write_text("# the last one\npick 2 b\n")
    assert busy(directory, "post-commit") is None
    assert busy(directory) == "sequence of picks"


def test_a_list_of_picks_that_is_gone_has_none_left(directory: Path, git: Run) -> None:
    (directory / "sequencer").mkdir()
    assert busy(directory, "post-commit") is None
    assert busy(directory) == "sequence of picks"
