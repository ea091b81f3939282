"""Row 40 of the contract's table: repositories that are not as usual."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.table import row
from tests.scenarios.world import Clone, World

P_D, D_R, R_D = "planned>doing", "doing>for_review", "for_review>done"


def _project(root: Path, home: Path) -> Clone:
    root.mkdir(parents=True)
    clone = Clone(root, home)
    clone.git("init", "-q", "-b", "main")
    return clone


@row("40")
def test_40_no_commit_yet(tmp_path: Path) -> None:
    project = _project(tmp_path / "new", tmp_path / "h")
    project.run("hooks", "install")
    project.run("emit", "scan")
    project.write("doing", trail=[("2026-01-01T10:00:00Z", "doing")])
    project.run("emit", "scan")
    assert project.steps() == [P_D]
    project.commit("first")
    assert project.steps() == [P_D]
    project.move("for_review")
    assert project.steps() == [P_D, D_R]


@row("40")
def test_40_first_commit_is_the_first_observation(tmp_path: Path) -> None:
    """B1: where a hook is the first to observe, the baseline is the state before its operation."""
    project = _project(tmp_path / "new", tmp_path / "h")
    project.run("hooks", "install")
    (project.home / "queue.db").unlink()
    project.write("doing")
    project.commit("first")
    assert project.steps() == [P_D]
    assert len(project.events("WPCreated")) == 1


def test_hook_is_the_first_to_observe(tmp_path: Path) -> None:
    project = _project(tmp_path / "old", tmp_path / "h")
    project.move("planned")
    project.move("doing")
    project.run("hooks", "install")
    (project.home / "queue.db").unlink()
    (project.root / ".git" / "kittywatch-observed").unlink()
    project.move("for_review")
    assert project.steps() == [D_R]
    assert project.events("WPCreated") == []


@row("40")
def test_40_detached_head(world: World) -> None:
    world.git("checkout", "-q", "--detach")
    world.move("doing")
    world.expect(P_D)
    world.git("checkout", "-q", "-b", "kept")
    world.settle()
    world.move("for_review")
    world.expect(P_D, D_R)
    world.replay_adds_nothing()


@row("40")
def test_40_bare_repository(tmp_path: Path) -> None:
    """A hook of a bare repository has nothing to look at; a command says so."""
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    clone = Clone(bare, tmp_path / "h")
    done = clone.run("init", check=False)
    assert done.returncode == 1
    assert "worktree" in done.stderr
    assert "Traceback" not in done.stderr


@row("40")
def test_40_shallow_clone(make_world: Callable[[str], World]) -> None:
    world = make_world("")
    for lane in ("doing", "for_review"):
        world.move(lane)
    mate = world.clone("unused")
    shallow = Clone(world.directory / "shallow", world.directory / "home-shallow")
    origin = (world.directory / "origin.git").as_uri()
    subprocess.run(["git", "clone", "-q", "--depth", "1", origin, str(shallow.root)], check=True, env=mate.environment)
    shallow.clock = world.clock
    shallow.run("hooks", "install")
    shallow.move("done")
    assert shallow.steps() == [R_D]
    refused = shallow.run("emit", "replay", check=False)
    assert refused.returncode == 1
    assert "git fetch --unshallow" in refused.stderr
    assert shallow.steps() == [R_D]


@row("40")
def test_40_submodule(make_world: Callable[[str], World]) -> None:
    """A project inside of another one's submodule is a project of its own."""
    world = make_world("")
    world.clone("unused")
    outer = _project(world.directory / "outer", world.directory / "home-outer")
    (outer.root / "README").write_text("x")
    outer.commit("outer")
    origin = str(world.directory / "origin.git")
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", origin, "inner")
    inner = Clone(outer.root / "inner", outer.home)
    inner.clock = world.clock
    inner.run("hooks", "install")
    inner.git("checkout", "-q", "-b", "topic")
    inner.move("doing")
    assert inner.steps() == [P_D]
    outer.commit("moves the submodule")
    assert inner.steps() == [P_D]


@row("40")
def test_40_worktree_on_another_file_system(world: World) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == world.root.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    path = shared / f"kittywatch-test-{world.root.stat().st_ino}"
    world.git("worktree", "add", "-q", "-b", "far", str(path))
    try:
        far = Clone(path, world.home)
        far.clock = world.clock
        far.move("doing")
        world.expect(P_D)
    finally:
        world.git("worktree", "remove", "--force", str(path))
    world.replay_adds_nothing()


@row("40")
def test_40_no_reflog(world: World) -> None:
    """Without a reflog: made here is what no remote-tracking branch reaches."""
    world.git("config", "core.logAllRefUpdates", "false")
    subprocess.run(["rm", "-rf", str(world.root / ".git" / "logs")], check=True)
    world.move("doing")
    world.move("for_review")
    world.expect(P_D, D_R)
    mate = world.clone("mate")
    mate.move("done")
    mate.git("push", "-q")
    world.git("pull", "-q", "--ff-only")
    world.settle()
    world.expect(P_D, D_R)
    world.replay_adds_nothing()
