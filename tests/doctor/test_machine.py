"""What is found on the machine: files, database, clock, programs, queue. Each fault is made for real."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.doctor.conftest import Clinic


def sql(home: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(home / "queue.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()


def test_health_is_said_in_a_line(clinic: Clinic) -> None:
    done = clinic.doctor()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing is wrong\n")


@pytest.mark.parametrize("name", ["", "queue.db", "clock.json", "credentials", "claims", "kittywatch-bug-1.txt"])
def test_files_that_others_may_read(clinic: Clinic, name: str) -> None:
    path = clinic.home / name
    if name == "claims":
        path.mkdir()
    elif not path.exists():
        path.write_text("", "utf-8")
    path.chmod(0o755 if path.is_dir() else 0o644)
    clinic.mended("files", "is open to others")
    assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_files_of_others_in_the_home_are_theirs(clinic: Clinic) -> None:
    (clinic.home / "theirs").write_text("x", "utf-8")
    (clinic.home / "theirs").chmod(0o644)
    (clinic.home / "kittywatch-bug-2.txt").symlink_to("/etc/passwd")
    assert clinic.found() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user(clinic: Clinic) -> None:
    os.chown(clinic.home / "clock.lock", 12345, -1)
    clinic.not_mended("files", "belongs to another user")


def test_a_damaged_database(clinic: Clinic) -> None:
    """Found by looking, which changes nothing; mended as every command mends it, and what was told stays told."""
    path = clinic.home / "queue.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events_of_project'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    data[(root - 1) * size : (root - 1) * size + 64] = b"\xff" * 64
    path.write_bytes(data)
    assert clinic.only("database", "is damaged")["fixable"]
    assert path.read_bytes() == bytes(data)
    assert "set aside as queue.db.corrupt-" in clinic.mended("database", "is damaged")
    assert clinic.steps() == ["planned>doing"]


def test_no_database_at_all(clinic: Clinic) -> None:
    (clinic.home / "queue.db").write_bytes(b"not a database, whoever wrote it" * 40)
    clinic.only("database", "is damaged")
    clinic.found("--fix")
    assert list(clinic.home.glob("queue.db.corrupt-*"))


def test_a_database_that_was_being_mended(clinic: Clinic) -> None:
    """Between two renames of a mending that was killed."""
    (clinic.home / "queue.db").rename(clinic.home / "queue.db.rebuilt")
    clinic.mended("database", "was being mended")
    assert clinic.steps() == ["planned>doing"]


def test_wal(clinic: Clinic) -> None:
    sql(clinic.home, "PRAGMA journal_mode = WAL")
    clinic.mended("database", "journal mode wal")


def test_a_newer_database(clinic: Clinic) -> None:
    sql(clinic.home, "PRAGMA user_version = 99")
    topics = {one["topic"] for one in clinic.found()}
    assert "database" in topics
    assert any("newer kittywatch" in one["finding"] for one in clinic.found("--fix"))


def test_a_locked_database_is_a_finding_and_no_crash(clinic: Clinic) -> None:
    with contextlib.closing(sqlite3.connect(clinic.home / "queue.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        findings = clinic.found()
    assert any("locked by another process" in one["finding"] for one in findings)


def test_the_clock_behind_the_log(clinic: Clinic) -> None:
    sql(clinic.home, "UPDATE clock SET value = 0")
    (clinic.home / "clock.json").unlink()
    assert "stands at 1" in clinic.mended("clock", "was used already")


def test_the_clock_behind_its_copy(clinic: Clinic) -> None:
    path = clinic.home / "clock.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"value": 41}), "utf-8")
    assert "stands at 41" in clinic.mended("clock", "before 41")
    clinic.move("for_review")
    assert [event["lamport_clock"] for event in clinic.events()] == [1, 42]


@pytest.mark.parametrize("text", [None, "{", '{"value": 0}'])
def test_the_copy_behind_the_clock(clinic: Clinic, text: str | None) -> None:
    path = clinic.home / "clock.json"
    path.unlink() if text is None else path.write_text(text, "utf-8")
    clinic.mended("clock", "the clock is at 1")


def test_the_machines_clock_set_back(clinic: Clinic) -> None:
    sql(clinic.home, f"UPDATE events SET told_at = {time.time() + 7200}")
    assert "timedatectl" in clinic.not_mended("clock", "behind the last event")["remedy"]


def test_a_long_queue(clinic: Clinic) -> None:
    clinic.move("for_review")
    (clinic.home / "config.toml").write_text("[sync]\nmax_queue_size = 1\n", "utf-8")
    clinic.not_mended("queue", "2 events wait")


def test_an_old_queue(clinic: Clinic) -> None:
    """Only where there is a server that could have taken it."""
    sql(clinic.home, "UPDATE events SET told_at = told_at - 200000")
    assert clinic.found() == []
    (clinic.home / "config.toml").write_text("[sync]\nserver_url = 'https://hub.invalid'\n", "utf-8")
    assert any("was told 2 days" in one["finding"] for one in clinic.found() if one["topic"] == "queue")


def script(directory: Path, module: str, version: str, *, name: str = "spec-kitty", moment: float = 0) -> Path:
    """A script as pip writes it, in an environment with its package."""
    package = {"specify_cli": "spec_kitty_cli", "kittywatch.cli.main": "kittywatch"}[module]
    (directory / "bin").mkdir(parents=True)
    (directory / "lib" / "python3.11" / "site-packages" / f"{package}-{version}.dist-info").mkdir(parents=True)
    path = directory / "bin" / name
    path.write_text(f"#!{directory}/bin/python\nimport sys\nfrom {module} import main\nsys.exit(main())\n", "utf-8")
    path.chmod(0o755)
    os.utime(path, (moment, moment))
    return path


def test_two_scripts_of_one_name(clinic: Clinic, tmp_path: Path) -> None:
    """Which one PATH finds, which one is newer; nothing is run."""
    theirs = script(tmp_path / "theirs", "specify_cli", "2.1.3", moment=1000)
    ours = script(tmp_path / "ours", "kittywatch.cli.main", "0.1.0", moment=2000)
    clinic.search_path = os.pathsep.join([str(theirs.parent), str(ours.parent), clinic.search_path])
    finding = clinic.not_mended("programs", f"PATH finds {theirs} (spec-kitty-cli 2.1.3)")
    assert f"{ours} is newer; behind it {ours} (kittywatch 0.1.0)" in finding["finding"]
    clinic.search_path = os.pathsep.join([str(ours.parent), str(theirs.parent), clinic.search_path])
    assert "the newer one" in clinic.only("programs", f"PATH finds {ours}")["finding"]


def test_two_versions_of_one_program(clinic: Clinic, tmp_path: Path) -> None:
    """Numbers count, not when it was installed."""
    old = script(tmp_path / "old", "kittywatch.cli.main", "0.9.0", name="kittywatch", moment=2000)
    new = script(tmp_path / "new", "kittywatch.cli.main", "0.10.0", name="kittywatch", moment=1000)
    clinic.search_path = os.pathsep.join([str(old.parent), str(new.parent), clinic.search_path])
    assert f"{new} is newer" in clinic.only("programs", "kittywatch is there 2 times")["finding"]


def test_one_script_by_two_ways_is_one(clinic: Clinic, tmp_path: Path) -> None:
    """As pipx links them; and what is no absolute directory is not looked at."""
    only = script(tmp_path / "only", "specify_cli", "2.1.3")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "spec-kitty").symlink_to(only)
    (clinic.root / "spec-kitty").write_text("#!/bin/sh\ntouch /tmp/was-run\n", "utf-8")
    (clinic.root / "spec-kitty").chmod(0o755)
    places = [".", "", str(only.parent), str(tmp_path / "linked"), clinic.search_path]
    clinic.search_path = os.pathsep.join(places)
    assert clinic.found() == []


def test_outside_of_a_project(clinic: Clinic, tmp_path: Path) -> None:
    """The machine is examined all the same."""
    (clinic.home / "queue.db").chmod(0o644)
    project, clinic.root = clinic.root, tmp_path
    done = clinic.doctor()
    assert done.returncode == 1
    assert done.stdout.startswith("files: ")
    assert "only the machine was examined" in done.stderr
    assert clinic.doctor("--fix").returncode == 1
    clinic.root = project
    assert clinic.found() == []


def test_looking_changes_nothing(clinic: Clinic, tmp_path: Path) -> None:
    """Neither a home that is not there is made, nor anything in one that is."""
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in clinic.home.rglob("*")}
    clinic.found()
    assert before == {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in clinic.home.rglob("*")}
    clinic.home = tmp_path / "nowhere"
    clinic.found()
    assert not (tmp_path / "nowhere").exists()


def test_hostile_text_never_reaches_a_terminal(clinic: Clinic) -> None:
    hostile = clinic.root / ".git" / "worktrees"
    subprocess.run(
        ["git", "-c", "core.hooksPath=x", "worktree", "add", "-q", "../w\x1b[2J", "-b", "other"],
        cwd=clinic.root,
        check=True,
    )
    (next(hostile.iterdir()) / "kittywatch-watcher").write_text("1 1 \n", "utf-8")
    subprocess.run(["git", "config", "core.hooksPath", ".hooks"], cwd=clinic.root, check=True)
    done = clinic.doctor()
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr


def test_a_home_that_is_none(clinic: Clinic, tmp_path: Path) -> None:
    """What cannot be looked at is a finding, not an end."""
    clinic.home = tmp_path / "file"
    clinic.home.write_text("x", "utf-8")
    done = clinic.doctor()
    assert done.returncode == 1
    assert done.stdout
