"""What is found in a project: identity, hooks, watcher, ledger. Each fault is made for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kittywatch.githooks import installation
from tests.doctor.conftest import PROGRAM, Clinic
from tests.scenarios.world import Clone, Watching


def test_identity_missing(clinic: Clinic) -> None:
    """Made again with the uuid that is remembered; so it is the one that was committed."""
    (clinic.root / ".kittify" / "config.yaml").unlink()
    assert "project" in clinic.mended("identity", "is missing")


def test_identity_incomplete(clinic: Clinic) -> None:
    path = clinic.root / ".kittify" / "config.yaml"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "node_id" not in line), "utf-8")
    clinic.mended("identity", "states no valid node_id")


@pytest.mark.parametrize("text", ["project: [\n", "project: &x {uuid: *x}\n", "\x00", "- 1\n"])
def test_identity_malformed(clinic: Clinic, text: str) -> None:
    """Only `init` makes it anew, because something of somebody's is replaced."""
    path = clinic.root / ".kittify" / "config.yaml"
    path.write_text(text, "utf-8")
    finding = clinic.not_mended("identity", "config.yaml:")
    assert "kittywatch init" in finding["remedy"]
    assert path.read_text("utf-8") == text


def test_identity_not_committed(clinic: Clinic) -> None:
    clinic.git("rm", "-q", "--cached", ".kittify/config.yaml")
    clinic.git("commit", "-q", "-m", "forget")
    finding = clinic.not_mended("identity", "is not committed")
    subprocess.run(["sh", "-c", finding["remedy"].strip("`")], cwd=clinic.root, check=True, capture_output=True)
    assert clinic.found() == []


def test_identity_other_than_committed(clinic: Clinic) -> None:
    path = clinic.root / ".kittify" / "config.yaml"
    text = path.read_text("utf-8")
    uuid = next(line.split('"')[1] for line in text.splitlines() if "uuid" in line)
    path.write_text(text.replace(uuid, "550e8400-e29b-41d4-a716-446655440000"), "utf-8")
    findings = clinic.found()
    assert [one["topic"] for one in findings] == ["identity"]
    assert "another uuid than the commit" in findings[0]["finding"]


def test_two_projects_with_one_uuid(clinic: Clinic, tmp_path: Path) -> None:
    """Copied together with the configuration; a clone has the uuid by right."""
    clone = Clone(tmp_path / "clone", clinic.home)
    clinic.git("clone", "-q", str(clinic.root), str(clone.root))
    clone.run("emit", "scan")
    other = tmp_path / "other"
    shutil.copytree(clinic.root, other, ignore=shutil.ignore_patterns(".git"))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "a copy"]):
        subprocess.run(["git", *command], cwd=other, check=True)
    assert clinic.found() == []
    subprocess.run([*PROGRAM, "emit", "scan"], cwd=other, env=clinic.environment, check=True, capture_output=True)
    clinic.not_mended("identity", f"{other} is another project with the same uuid")
    shutil.rmtree(other)
    assert clinic.found() == []


def test_hooks_missing(clinic: Clinic) -> None:
    (clinic.root / ".git" / "hooks" / "post-merge").unlink()
    assert "post-merge" in clinic.mended("hooks", "hooks are missing in")
    clinic.run("hooks", "uninstall")
    clinic.mended("hooks", "nothing observes this checkout")


def test_a_watcher_does_the_hooks_work(clinic: Clinic) -> None:
    clinic.run("hooks", "uninstall")
    watching = Watching(clinic.root, clinic.environment)
    try:
        assert clinic.found() == []
    finally:
        watching.stop()
    clinic.only("hooks", "no watcher runs")


def test_hooks_stale(clinic: Clinic) -> None:
    """Of another version, not executable, of an interpreter that is gone."""
    path = clinic.root / ".git" / "hooks" / "post-commit"
    good = path.read_bytes()
    path.chmod(0o644)
    clinic.mended("hooks", "is not executable")
    path.write_bytes(good.replace(os.fsencode(sys.executable), b"/gone/python"))
    clinic.mended("hooks", "/gone/python is gone")
    path.write_bytes(good.replace(b"# <<< kittywatch", b"# what an older one had\n# <<< kittywatch"))
    clinic.mended("hooks", "another version's")
    assert path.read_bytes() == good


def test_a_foreign_hook_alone(clinic: Clinic) -> None:
    path = clinic.root / ".git" / "hooks" / "post-commit"
    path.write_bytes(b"#!/bin/sh\necho theirs\n")
    clinic.mended("hooks", "is another tool's")
    assert b"echo theirs" in path.read_bytes()


def test_a_hook_that_was_moved_aside_and_is_forgotten(clinic: Clinic) -> None:
    path = clinic.root / ".git" / "hooks" / "post-commit"
    ours = path.read_bytes()
    aside = installation.moved_aside(path, "post-commit")
    aside.parent.mkdir()
    aside.write_bytes(b"#!/bin/sh\n")
    path.write_bytes(ours.replace(b"#!/bin/sh\n", b"#!/bin/sh\necho another\n", 1))
    clinic.not_mended("hooks", "nothing runs")


def test_shadowed_hooks(clinic: Clinic) -> None:
    clinic.git("config", "core.hooksPath", ".husky")
    clinic.mended("hooks", "core.hooksPath is .husky, so git runs nothing of")
    assert (clinic.root / ".husky" / "post-commit").exists()


def test_hooks_in_a_directory_of_all_repositories(clinic: Clinic, tmp_path: Path) -> None:
    """Other repositories use it too: that is for a person to decide."""
    clinic.git("config", "core.hooksPath", str(tmp_path / "global"))
    clinic.not_mended("hooks", "core.hooksPath is")


def test_a_worktree_without_the_relative_hooks_directory(clinic: Clinic) -> None:
    """git runs nothing there, and says nothing."""
    clinic.git("config", "core.hooksPath", ".hooks")
    clinic.run("hooks", "install")
    clinic.git("worktree", "add", "-q", "../linked", "-b", "linked")
    clinic.run("emit", "scan")
    clinic.mended("hooks", "looks for its hooks in")
    assert (clinic.root.parent / "linked" / ".hooks" / "post-commit").exists()


def test_a_stale_mark_of_a_watcher(clinic: Clinic) -> None:
    """A watcher that was killed leaves one."""
    watching = Watching(clinic.root, clinic.environment)
    mark = clinic.root / ".git" / "kittywatch-watcher"
    assert mark.exists()
    watching.process.kill()
    watching.join()
    assert mark.exists()
    clinic.mended("watcher", "kittywatch-watcher is stale")
    assert not mark.exists()


@pytest.mark.parametrize(("name", "limit"), [("max_inotify_watches", 1), ("max_inotify_instances", 0)])
def test_inotify_limits(clinic: Clinic, name: str, limit: int) -> None:
    """A user namespace of its own has limits of its own."""
    setting = f"/proc/sys/user/{name}"
    for number in range(3):
        (clinic.root / "kitty-specs" / f"00{number + 2}-more").mkdir()
    may = ["unshare", "-Ur", "sh", "-c", f"echo 10 > {setting}"]
    if subprocess.run(may, capture_output=True, check=False).returncode:
        pytest.skip("user namespaces can't be had here")
    command = ["unshare", "-Ur", "sh", "-c", f'echo {limit} > {setting}; exec "$@"', "sh", *PROGRAM, "doctor"]
    environment = clinic.environment | {"PATH": clinic.search_path}
    done = subprocess.run(command, cwd=clinic.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("watcher: ")
    assert "polling every 1 s instead" in line
    assert "sysctl" in line


def test_commits_that_nobody_observed(clinic: Clinic) -> None:
    clinic.write("for_review")
    clinic.git("add", "-A")
    clinic.git("commit", "-q", "-m", "quietly", KITTYWATCH="0")
    clinic.not_mended("ledger", "since anybody observed this checkout")
    clinic.run("emit", "scan")
    assert clinic.found() == []


def test_commits_beside_all_work_packages_are_no_finding(clinic: Clinic) -> None:
    (clinic.root / "code.py").write_text("x = 1\n", "utf-8")
    clinic.git("add", "-A")
    clinic.git("commit", "-q", "-m", "code", KITTYWATCH="0")
    assert clinic.found() == []


def test_ledger_and_view_apart(clinic: Clinic) -> None:
    """Rule B3: another branch is further on."""
    clinic.git("checkout", "-q", "-b", "feature")
    clinic.move("for_review")
    assert clinic.found() == []
    clinic.git("checkout", "-q", "main")
    finding = clinic.not_mended("ledger", "WP01 was told to be for_review last, here it is doing")
    assert "emit reconcile" in finding["remedy"]
    before = len(clinic.events())
    clinic.run("emit", "reconcile")
    assert clinic.found() == []
    assert len(clinic.events()) == before + 1


def test_an_edit_that_is_not_committed_is_what_the_checkout_shows(clinic: Clinic) -> None:
    """Seen and told: the commit beneath it is no difference, and reconcile takes nothing back."""
    clinic.write("for_review")
    clinic.run("emit", "scan")
    assert clinic.found() == []
    clinic.run("emit", "reconcile")
    assert clinic.steps() == ["planned>doing", "doing>for_review"]


def test_in_the_middle_of_a_rebase_the_ledger_is_left_alone(clinic: Clinic) -> None:
    (clinic.root / ".git" / "rebase-merge").mkdir()
    assert clinic.found() == []


def test_a_linked_worktree(clinic: Clinic) -> None:
    clinic.git("worktree", "add", "-q", "../linked", "-b", "linked")
    clinic.root = clinic.root.parent / "linked"
    assert clinic.found() == []
