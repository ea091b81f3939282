"""What may stand in place of a file: pipes, devices, links, submodules, names. Nothing waits, nothing leaves."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import work_package_text
from tests.history.script import Repository
from tests.waiting import DEADLINE

TASKS = "kitty-specs/001-login/tasks"
PROGRAM = [sys.executable, "-P", "-m", "kittywatch.cli.main"]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that is not the project's, and would make a work package."""
    path = tmp_path / "outside" / "WP09.md"
    path.parent.mkdir()
    path.write_text(work_package_text(lane="done", title="secret"), "utf-8")
    return path


@pytest.fixture
def odd(tmp_path: Path, outside: Path) -> Repository:
    """A project with everything odd beside one work package."""
    repository = Repository(tmp_path / "odd")
    repository.commit("04-01", files={f"{TASKS}/WP01.md": work_package_text(lane="planned")})
    run(repository, "init")
    links = {
        f"{TASKS}/WP02.md": "/dev/zero",
        f"{TASKS}/WP03.md": "/dev/stdin",
        f"{TASKS}/WP04.md": str(outside),
        f"{TASKS}/WP05.md": "../../../../outside/WP09.md",
        f"{TASKS}/WP06.md": "WP06.md",
        f"{TASKS}/WP07.md": "WP01.md/../WP01.md",
        f"{TASKS}/doing": str(outside.parent),
        "kitty-specs/002-linked": str(outside.parent.parent),
        "kitty-specs/003-itself": "../kitty-specs",
        "kitty-specs/004-proc/tasks": "/proc/self/fd",
        "kitty-specs/001-login/meta.json": "/dev/zero",
    }
    for path, target in links.items():
        repository.link(path, target)
    repository.commit("04-02")
    os.mkfifo(repository.root / TASKS / "WP10.md")
    os.mkfifo(repository.root / "kitty-specs" / "001-login" / "tasks.md")
    (repository.root / "kitty-specs" / "005-pipe").mkdir()
    os.mkfifo(repository.root / "kitty-specs" / "005-pipe" / "tasks")
    (repository.root / TASKS / "WP11.md").mkdir()
    with socket.socket(socket.AF_UNIX) as unix, _Inside(repository.root / TASKS):
        unix.bind("WP12.md")
    with (repository.root / TASKS / "WP13.md").open("wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    for name in ("WP14\n.md", "WP15 \x1b[2J.md", "WP16 \u202e.md", "WP17" + "x" * 200 + ".md"):
        (repository.root / TASKS / name).write_text(work_package_text(lane="planned", wp_id=None), "utf-8")
    (repository.root / TASKS / os.fsdecode(b"WP18\xff.md")).write_text(work_package_text(wp_id=None), "utf-8")
    inner = Repository(tmp_path / "inner")
    inner.commit("04-01", files={f"{TASKS}/WP01.md": work_package_text(lane="done")})
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.root), "kitty-specs/006-sub")
    return repository


class _Inside:
    """A directory for a while: the path of a socket may not be long."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._before = directory, Path.cwd()

    def __enter__(self) -> None:
        os.chdir(self._directory)

    def __exit__(self, *_: object) -> None:
        os.chdir(self._before)


def run(repository: Repository, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command with a pipe as stdin that never ends; one that waits for it, or for another, is ended."""
    reading, writing = os.pipe()
    try:
        done = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=repository.root,
            stdin=reading,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_nothing_waits_and_nothing_is_told_of_others(odd: Repository) -> None:
    """One real change among all that is told, once; what lies outside is not."""
    odd.write(f"{TASKS}/WP01.md", work_package_text(lane="doing"))
    for command in (["watch", "--once"], ["emit", "replay"], ["emit", "reconcile"]):
        run(odd, *command)
    events = [json.loads(line) for line in run(odd, "log", "--json").stdout.splitlines()]
    steps = [event["payload"] for event in events if event["event_type"] == "WPStatusChanged"]
    assert [(one["wp_id"], one["new_status"]) for one in steps if one["wp_id"] == "WP01"] == [("WP01", "doing")]
    told = {event["payload"].get("title") for event in events}
    assert "secret" not in told
    assert {event["payload"].get("feature_slug") for event in events} <= {"001-login"}


def test_nothing_odd_is_shown(odd: Repository) -> None:
    shown = run(odd, "board")
    assert "secret" not in shown.stdout
    assert "\x1b" not in shown.stdout + shown.stderr
    assert [line for line in shown.stdout.splitlines() if "WP04" in line or "WP05" in line or "WP09" in line] == []


def test_checks_before_a_commit(odd: Repository) -> None:
    odd.git("add", "-A", f"{TASKS}/WP01.md")
    run(odd, "hooks", "check")


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "config.yaml", "/etc/passwd"])
def test_a_configuration_that_is_no_file_of_the_project(tmp_path: Path, target: str) -> None:
    """A repository may bring it: nothing is read from there without end, nothing is written there."""
    repository = Repository(tmp_path / "project")
    repository.link(".kittify/config.yaml", target)
    repository.commit("04-01", files={f"{TASKS}/WP01.md": work_package_text(lane="doing")})
    said = run(repository, "init").stderr
    assert "has no identity until it can be written" in said
    assert (repository.root / ".kittify" / "config.yaml").is_symlink()
    assert sorted(path.name for path in (repository.root / ".kittify").iterdir()) == ["config.yaml"]


def test_a_configuration_directory_that_leads_elsewhere(tmp_path: Path) -> None:
    """Its file of another program's stays as it is."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.yaml").write_text("mine: true\n", "utf-8")
    repository = Repository(tmp_path / "project")
    repository.link(".kittify", str(other))
    repository.commit("04-01", files={f"{TASKS}/WP01.md": work_package_text(lane="doing")})
    assert "it leads out of the project" in run(repository, "init").stderr
    run(repository, "emit", "replay")
    assert (other / "config.yaml").read_text("utf-8") == "mine: true\n"
    assert list(other.iterdir()) == [other / "config.yaml"]


def test_a_pipe_as_configuration(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "project")
    (repository.root / ".kittify").mkdir()
    os.mkfifo(repository.root / ".kittify" / "config.yaml")
    assert "it is no regular file" in run(repository, "init").stderr


def test_hooks_that_are_devices_and_pipes(tmp_path: Path) -> None:
    """With core.hooksPath in the project, its hooks are what the repository brings."""
    repository = Repository(tmp_path / "project")
    repository.link(".hooks/post-commit", "/dev/zero")
    repository.commit("04-01")
    os.mkfifo(repository.root / ".hooks" / "post-merge")
    repository.git("config", "core.hooksPath", ".hooks")
    run(repository, "hooks", "status", code=1)
    run(repository, "hooks", "install")
    run(repository, "hooks", "uninstall")
    assert os.readlink(repository.root / ".hooks" / "post-commit") == "/dev/zero"
    assert (repository.root / ".hooks" / "post-merge").is_fifo()
