"""`uninstall`: hooks of this repository and, on confirmation, local state; nothing else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import work_package_text
from tests.cli.conftest import WP01, Command
from tests.githooks.hooked import Tree, tree, without_times
from tests.history.script import Repository
from tests.scenarios.world import Watching
from tests.waiting import DEADLINE


def state(repository: Repository, home: Path) -> Tree:
    """Every file below the project and the home of this user, but for what git itself writes."""
    found = tree(repository.root) | {f"home/{name}": about for name, about in tree(home).items()}
    return {name: about for name, about in found.items() if not name.startswith((".git/index", ".git/logs"))}


@pytest.fixture
def foreign(repository: Repository) -> Repository:
    """A repository with hooks of others: a script, and a program."""
    hooks = repository.root / ".git" / "hooks"
    (hooks / "post-commit").write_bytes(b"#!/bin/sh\necho theirs >>theirs.log\n")
    (hooks / "post-merge").write_bytes(b"#!/usr/bin/env python3\nprint('theirs')\n")
    for name in ("post-commit", "post-merge"):
        (hooks / name).chmod(0o755)
    return repository


@pytest.fixture
def installed(foreign: Repository, kittywatch: Command, own_home: Path) -> Repository:
    kittywatch("init")
    kittywatch("hooks", "install")
    kittywatch("emit", "replay")
    return foreign


def test_the_machine_as_it_was(kittywatch: Command, foreign: Repository, own_home: Path) -> None:
    """Byte for byte: hooks, git directory, project and home."""
    before = without_times(state(foreign, own_home))
    kittywatch("init")
    kittywatch("hooks", "install")
    kittywatch("emit", "replay")
    foreign.write(WP01, work_package_text(lane="done"))
    kittywatch("watch", "--once")
    foreign.git("checkout", "-q", "--", ".")
    kittywatch("emit", "scan")
    assert without_times(state(foreign, own_home)) != before
    done = kittywatch("uninstall", "--yes")
    assert (done.code, done.out) == (0, "")
    assert "7 events not delivered yet would be lost" in done.err
    assert without_times(state(foreign, own_home)) == before


def test_dry_run_changes_nothing(kittywatch: Command, installed: Repository, own_home: Path) -> None:
    before = tree(installed.root / ".git" / "hooks"), tree(own_home)
    done = kittywatch("uninstall", "--dry-run")
    assert done.code == 0
    assert "would change" in done.err
    assert "queue.db" in done.err
    assert (tree(installed.root / ".git" / "hooks"), tree(own_home)) == before
    assert kittywatch("hooks", "status").code == 0


def test_without_a_word_local_state_stays(kittywatch: Command, installed: Repository, own_home: Path) -> None:
    """Nobody can be asked: the hooks go, the ledger stays."""
    told = kittywatch("log", "--json").out
    done = kittywatch("uninstall")
    assert done.code == 0
    assert "uninstall --yes" in done.err
    assert kittywatch("hooks", "status").code == 1
    assert kittywatch("log", "--json").out == told


@pytest.mark.parametrize(("answer", "stays"), [(b"y\n", False), (b"n\n", True), (b"\n", True)])
def test_somebody_is_asked(installed: Repository, own_home: Path, answer: bytes, stays: bool) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "kittywatch.cli.main", "uninstall"]
    process = subprocess.Popen(
        command, cwd=installed.root, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    os.write(ours, answer)
    out, err = process.communicate(timeout=DEADLINE)
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, out) == (0, b"")
    assert b"take it away?" in err
    assert (own_home / ".spec-kitty" / "queue.db").exists() == stays


def test_nothing_else_is_touched(kittywatch: Command, installed: Repository, own_home: Path) -> None:
    """Files of others in the home, settings, an identity that is committed or has other keys beside it."""
    home = own_home / ".spec-kitty"
    (home / "config.toml").write_text("[sync]\n", "utf-8")
    (home / "queue.db.notes").write_text("mine", "utf-8")
    (home / "clock.json.d").mkdir()
    installed.git("add", "-f", ".kittify/config.yaml")
    installed.git("commit", "-q", "-m", "identity")
    kittywatch("uninstall", "--yes")
    assert sorted(path.name for path in home.iterdir()) == ["clock.json.d", "config.toml", "queue.db.notes"]
    assert (installed.root / ".kittify" / "config.yaml").exists()


@pytest.mark.parametrize("more", ["# mine\n", "sync:\n  auto_start: true\n"])
def test_an_identity_with_something_beside_it_stays(kittywatch: Command, installed: Repository, more: str) -> None:
    path = installed.root / ".kittify" / "config.yaml"
    text = path.read_text("utf-8") + more
    path.write_text(text, "utf-8")
    kittywatch("uninstall", "--yes")
    assert path.read_text("utf-8") == text


def test_twice(kittywatch: Command, installed: Repository) -> None:
    assert kittywatch("uninstall", "-y").code == 0
    done = kittywatch("uninstall", "-y")
    assert done.code == 0
    assert "no hooks of kittywatch are installed" in done.err
    assert "nothing else" in done.err


def test_hooks_from_before_hookspath(kittywatch: Command, installed: Repository) -> None:
    """They are in the way no more, but they are there."""
    installed.git("config", "core.hooksPath", ".husky")
    kittywatch("hooks", "install")
    kittywatch("uninstall")
    for directory in (installed.root / ".git" / "hooks", installed.root / ".husky"):
        assert not [path for path in directory.glob("post-*") if b"kittywatch" in path.read_bytes()]


def test_not_while_a_watcher_runs(kittywatch: Command, installed: Repository) -> None:
    watching = Watching(installed.root, os.environ)
    try:
        done = kittywatch("uninstall", "--yes")
        assert done.code == 1
        assert f"process {watching.process.pid} watches" in done.err
        assert kittywatch("hooks", "status").code == 0
    finally:
        watching.stop()
    assert kittywatch("uninstall", "--yes").code == 0


def test_other_repositories_are_named(kittywatch: Command, installed: Repository, tmp_path: Path) -> None:
    """Their state goes too, and their hooks stay."""
    other = Repository(tmp_path / "other")
    other.commit("02-01", files={WP01: work_package_text(lane="doing")})
    kittywatch("-C", other.root, "hooks", "install")
    os.chdir(installed.root)
    assert f"{other.root}/.git was observed too" in kittywatch("uninstall", "--dry-run").err
