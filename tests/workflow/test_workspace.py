"""Editing beside others: what somebody else has written meanwhile is never lost."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kittywatch.errors import GitError, WorkflowError
from kittywatch.project import Project
from kittywatch.workflow.agents import Approvals, Settings, filled, fingerprint
from kittywatch.workflow.feature import Feature
from kittywatch.workflow.moves import Move, Signature, move
from kittywatch.workflow.schedule import Team
from kittywatch.workflow.workspace import Workspace
from tests.builders import FEATURE, PATH, record, work_package_text


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    root = tmp_path / "project"
    for wp_id in ("WP01", "WP02"):
        path = root / PATH.replace("WP01", wp_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(work_package_text(wp_id=wp_id), "utf-8")
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    project = Project.find(root, lambda text: None)
    yield Workspace(project, "test", root)
    project.store.close()


def test_an_editor_that_saves_in_between_keeps_its_edit(workspace: Workspace) -> None:
    path = workspace.root / PATH
    calls = 0

    def work(feature: Feature) -> Mapping[str, bytes]:
        nonlocal calls
        calls += 1
        if calls == 1:
            path.write_bytes(path.read_bytes() + b"An editor's line.\n")
        return {PATH: feature.files[PATH].replace(b"planned", b"doing")}

    workspace.edit(FEATURE, work)
    assert calls == 2
    assert path.read_text("utf-8") == work_package_text(lane="doing") + "An editor's line.\n"


def test_a_file_that_never_rests_is_left_alone(workspace: Workspace) -> None:
    path = workspace.root / PATH

    def work(feature: Feature) -> Mapping[str, bytes]:
        path.write_bytes(path.read_bytes() + b"x")
        return {PATH: feature.files[PATH].replace(b"planned", b"doing")}

    with pytest.raises(WorkflowError, match="change all the time"):
        workspace.edit(FEATURE, work)
    assert path.read_bytes().rstrip(b"x") == work_package_text().encode()


def test_of_several_files_all_change_or_none(workspace: Workspace) -> None:
    """A hook refuses the commit, after both are written."""
    hook = workspace.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    before = {path: path.read_bytes() for path in workspace.root.rglob("*.md")}
    with pytest.raises(GitError):
        move(workspace, workspace.feature(None), ["WP01", "WP02"], Move("doing", "x", Signature()), commits=True)
    assert {path: path.read_bytes() for path in workspace.root.rglob("*.md")} == before


def test_records_are_never_alike_and_never_run_backwards(workspace: Workspace) -> None:
    """Two moves within a second would be one event, for its id is made of its content."""
    path = workspace.root / PATH
    late = record("2999-01-01T00:00:00.5Z", "planned", agent="user")
    path.write_text(work_package_text(trail=[late]), "utf-8")
    for lane in ("doing", "planned", "doing", "planned", "doing"):
        move(
            workspace,
            workspace.feature(None),
            ["WP01"],
            Move("doing" if lane == "doing" else "planned", "x", Signature()),
        )
    trail = workspace.load(FEATURE).packages["WP01"].trail
    moments = [one.moment for one in trail]
    assert moments == sorted(moments)
    assert len({one.key for one in trail}) == len(trail) == 6


def test_what_a_value_says_is_no_placeholder() -> None:
    values = {"prompt": "{wp} {file}", "wp": "WP01", "feature": "f", "phase": "p", "file": "/x", "worktree": "/w"}
    assert filled(("a", "{prompt}", "--{wp}={other}", "{"), values) == ["a", "{wp} {file}", "--WP01={other}", "{"]


def test_consent_is_to_exact_lists_in_one_clone(tmp_path: Path) -> None:
    def mark(*command: str, common: str = "/project/.git") -> str:
        return fingerprint(Settings(Team(("a",), ("a",)), {"a": command}), Path(common))

    approvals = Approvals(tmp_path / "home")
    approvals.add(mark("git", "a b"))
    assert approvals.has(mark("git", "a b"))
    assert not approvals.has(mark("git", "a", "b"))
    assert not approvals.has(mark("git", "a b", common="/other/.git"))
    (tmp_path / "home" / "approved-agents.json").write_text("[", "ascii")
    assert not approvals.has(mark("git", "a b"))
