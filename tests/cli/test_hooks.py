"""`hooks …`: what it says and does; what the hooks themselves do is in tests/observe and tests/scenarios."""

from __future__ import annotations

import json

import pytest

from tests.builders import work_package_text
from tests.cli.conftest import WP01, Command
from tests.history.script import Repository

HOOKS = ["post-commit", "post-merge", "post-checkout", "post-rewrite", "post-applypatch"]


def _installed(repository: Repository) -> list[str]:
    return [name for name in HOOKS if (repository.root / ".git" / "hooks" / name).exists()]


def test_dry_run_changes_nothing(kittywatch: Command, repository: Repository) -> None:
    done = kittywatch("hooks", "install", "--dry-run")
    assert done.code == 0
    assert "would change" in done.err
    assert all(f"{name}: created" in done.err for name in HOOKS)
    assert _installed(repository) == []
    assert not (repository.root / ".kittify").exists()


def test_install_twice_and_uninstall_twice(kittywatch: Command, repository: Repository) -> None:
    first = kittywatch("hooks", "install")
    assert first.code == 0
    assert "taken in silently" in first.err
    assert _installed(repository) == HOOKS
    again = kittywatch("hooks", "install")
    assert all(f"{name}: as it is" in again.err for name in HOOKS)
    gone = kittywatch("hooks", "uninstall")
    assert all(f"{name}: removed" in gone.err for name in HOOKS)
    assert _installed(repository) == []
    assert "no hooks of kittywatch are installed" in kittywatch("hooks", "uninstall").err


@pytest.mark.parametrize("place", [".githooks", "ignored/hooks", "../elsewhere"])
def test_hooks_of_other_people(place: str, kittywatch: Command, repository: Repository) -> None:
    """An absolute interpreter is nothing to commit, nor for other repositories, without a word."""
    repository.git("config", "core.hooksPath", place)
    directory = repository.root / place
    directory.mkdir(parents=True)
    (directory / "pre-push").write_text("#!/bin/sh\n")
    if place == ".githooks":
        repository.git("add", place)
    said = kittywatch("hooks", "install", "--dry-run").err
    assert ("git tracks" in said) == (place == ".githooks")
    assert ("kittywatch hooks run" in said) == (place == ".githooks")
    assert ("lies outside" in said) == (place == "../elsewhere")


def test_status(kittywatch: Command, repository: Repository) -> None:
    before = kittywatch("hooks", "status")
    assert before.code == 1
    assert [line.split()[:2] for line in before.out.splitlines()] == [[name, "missing"] for name in HOOKS]
    kittywatch("hooks", "install")
    assert kittywatch("hooks", "status").code == 0
    (repository.root / ".git" / "hooks" / "post-merge").chmod(0o644)
    found = kittywatch("hooks", "status", "--json")
    assert found.code == 1
    states = {one["hook"]: one["state"] for one in json.loads(found.out)}
    assert states == {name: "stale" if name == "post-merge" else "installed" for name in HOOKS}


def test_run_observes(kittywatch: Command, repository: Repository) -> None:
    kittywatch("init")
    repository.commit("03-01", files={WP01: work_package_text(lane="done", agent="claude")})
    assert kittywatch("hooks", "run", "post-commit").code == 0
    assert json.loads(kittywatch("log", "--json").out.splitlines()[-1])["payload"]["new_status"] == "done"


def test_check(kittywatch: Command, repository: Repository) -> None:
    assert kittywatch("hooks", "check").code == 0
    path = repository.root / "kitty-specs" / "001-login" / "tasks" / "WP07-broken.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---\nlane: secret\n---\n")
    repository.git("add", "-A")
    done = kittywatch("hooks", "check")
    assert done.code == 1
    assert done.out.startswith("kitty-specs/001-login/tasks/WP07-broken.md:2: ")
    assert "secret" not in done.out + done.err


def test_wrong_words(kittywatch: Command) -> None:
    assert kittywatch("hooks", "run", "pre-push").code == 2
