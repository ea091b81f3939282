"""`init`: an identity, and what is there taken in silently."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kittywatch.sync.identity import CONFIG, identity_in, read_config
from tests.builders import work_package_text
from tests.cli.conftest import WP01, Command
from tests.history.script import Repository


def test_init(kittywatch: Command, repository: Repository) -> None:
    """B1: says how many were taken in, and what tells their history; all of that on stderr."""
    done = kittywatch("init")
    identity = identity_in(read_config(repository.root))
    assert (done.code, done.out) == (0, "")
    assert identity.complete
    assert str(identity.project_uuid) in done.err
    assert "emit replay" in done.err
    assert "1 work package" in done.err
    assert kittywatch("queue", "list", "--json").out == ""


def test_init_again(kittywatch: Command, repository: Repository) -> None:
    """The same identity; nothing is taken in a second time."""
    first = json.loads(kittywatch("init", "--json").out)
    second = json.loads(kittywatch("init", "--json").out)
    assert (first.pop("baseline"), second.pop("baseline")) == (1, None)
    assert first == second


def test_init_json(kittywatch: Command, repository: Repository) -> None:
    """One JSON value."""
    fields = json.loads(kittywatch("init", "--json").out)
    identity = identity_in(read_config(repository.root))
    assert fields["project_uuid"] == identity.project_uuid
    assert fields["project_slug"] == "demo"
    assert fields["node_id"] == identity.node_id
    assert fields["config"] == str(repository.root / CONFIG)


def test_init_from_a_subdirectory(kittywatch: Command, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository.root / "kitty-specs")
    assert kittywatch("init").code == 0
    assert (repository.root / CONFIG).is_file()
    assert not (repository.root / "kitty-specs" / ".kittify").exists()


def test_edits_belong_to_the_baseline(kittywatch: Command, repository: Repository) -> None:
    """B1: what is there includes what isn't committed."""
    repository.write(WP01, work_package_text(lane="done"))
    repository.write(WP01.replace("WP01", "WP02"), work_package_text(lane="doing", wp_id="WP02"))
    assert json.loads(kittywatch("init", "--json").out)["baseline"] == 2
    assert kittywatch("log").out == ""


def test_without_a_commit(kittywatch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Repository(tmp_path / "empty").root)
    assert json.loads(kittywatch("init", "--json").out)["baseline"] == 0


def test_a_bare_repository(kittywatch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenario 40: a clear refusal."""
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare.git"], check=True)
    monkeypatch.chdir(tmp_path / "bare.git")
    done = kittywatch("init")
    assert (done.code, done.out) == (1, "")
    assert "not in a git repository with a worktree" in done.err


def test_while_git_is_busy(kittywatch: Command, repository: Repository) -> None:
    """O6: the identity is made, work packages are taken in when git is done."""
    (repository.root / ".git" / "index.lock").touch()
    done = kittywatch("init")
    assert done.code == 0
    assert "in the middle of something" in done.err
    (repository.root / ".git" / "index.lock").unlink()
    assert json.loads(kittywatch("init", "--json").out)["baseline"] == 1


def test_a_malformed_configuration(kittywatch: Command, repository: Repository) -> None:
    """A warning, and the command goes on."""
    repository.write(str(CONFIG), "project: [\n")
    done = kittywatch("init")
    assert done.code == 0
    assert done.err.startswith("warning: ")
    assert "kept as config.yaml.malformed-" in done.err
    assert identity_in(read_config(repository.root)).complete


def test_a_hostile_name(kittywatch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory's name reaches no terminal as it is."""
    monkeypatch.chdir(Repository(tmp_path / "evil\x1b[2Jname").root)
    done = kittywatch("init")
    assert done.code == 0
    assert "\x1b" not in done.err
    assert "\\u001b[2J" in done.err
