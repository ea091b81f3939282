"""Repositories with hooks for tests: foreign ones, ours, and an interpreter that only records that it was called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kittywatch.git.repository import Git
from kittywatch.githooks import installation
from kittywatch.observe.traces import note_observed

Tree = dict[str, tuple[str, int, int]]


class Repository:
    """A repository whose git runs as a person's would."""

    def __init__(self, root: Path, *, fresh: bool = True) -> None:
        self.root = root
        if fresh:
            root.mkdir(parents=True)
            self.git("init", "-q", "-b", "main")
            self.git("commit", "-q", "--allow-empty", "-m", "start")

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["git", *command],
            cwd=self.root,
            env={**os.environ, "GIT_EDITOR": "true", "GIT_MERGE_AUTOEDIT": "no", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def git(self, *command: str, **environment: str) -> str:
        return self.run(*command, check=True, **environment).stdout

    @property
    def hooks(self) -> Path:
        return installation.hooks_directory(self.git("rev-parse", "--git-path", "hooks").rstrip("\n"), self.root)

    @property
    def directory(self) -> Path:
        return Path(self.git("rev-parse", "--absolute-git-dir").rstrip("\n"))

    def write(self, text: str, path: str = "kitty-specs/001-x/tasks/WP01.md") -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")

    def lane(self, lane: str) -> None:
        self.write(f"---\nwork_package_id: WP01\nlane: {lane}\n---\n")

    def commit(self, message: str = "commit", *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.git("add", "-A")
        return self.run("commit", "-q", "-m", message, *options, check=True, **environment)

    def install(self, python: Path | str = sys.executable) -> None:
        installation.apply(installation.plan_install(self.hooks, str(python)))

    def uninstall(self) -> None:
        installation.apply(installation.plan_uninstall(self.hooks))

    def observed(self) -> None:
        """Say that the commit that is checked out was looked at, as an observation does."""
        note_observed(Git.find(self.root), self.git("rev-parse", "HEAD").strip())


class Recorder:
    """An interpreter that writes down that it was called, for which hook and with which arguments."""

    def __init__(self, directory: Path) -> None:
        self.python = directory / "recorder python"
        self._log = directory / "called"
        self.python.write_text(f"#!/bin/sh\nshift 4\necho \"$@\" >>'{self._log}'\n")
        self.python.chmod(0o755)

    def take(self) -> list[str]:
        """The calls since the last time."""
        try:
            lines = self._log.read_text().splitlines()
        except FileNotFoundError:
            return []
        self._log.unlink()
        return lines


def tree(directory: Path) -> Tree:
    """Every file in a directory: bytes or where a link leads, mode, and when it was written."""
    found: Tree = {}
    for path in sorted(directory.rglob("*")):
        about = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes().hex() if path.is_file() else "directory"
        found[str(path.relative_to(directory))] = content, about.st_mode, about.st_mtime_ns
    return found


def without_times(files: Tree) -> dict[str, tuple[str, int]]:
    return {name: (content, mode) for name, (content, mode, _) in files.items()}


def needs(program: str) -> str:
    """The path of a program that tests need; where it is missing the test is skipped."""
    beside = Path(sys.executable).with_name(program)
    found = str(beside) if beside.exists() else shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def put(path: Path, content: bytes | str, mode: int = 0o755) -> None:
    """Write an executable file, and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
