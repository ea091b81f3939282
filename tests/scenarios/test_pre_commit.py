"""The real pre-commit framework: check before a commit, tell after it, and native hooks beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.scenarios.world import World

pytestmark = pytest.mark.long  # an environment of pre-commit's own

PROJECT = Path(__file__).parents[2]
STAGES = ("pre-commit", "post-commit", "post-merge", "post-checkout", "post-rewrite")
P_D, D_R = "planned>doing", "doing>for_review"


@pytest.fixture(scope="session")
def framework(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where pre-commit keeps its environments, with one for kittywatch's hooks made from what is committed here."""
    kept = os.environ.get("KITTYWATCH_VENVS")
    home = Path(kept) / "pre-commit" if kept else tmp_path_factory.mktemp("pre-commit")
    environment = {"PRE_COMMIT_HOME": str(home), "PRE_COMMIT_COLOR": "never"}
    where = tmp_path_factory.mktemp("framework")
    subprocess.run(["git", "init", "-q", str(where)], check=True)
    (where / ".pre-commit-config.yaml").write_text(_configuration())
    command = [sys.executable, "-m", "pre_commit", "install-hooks"]
    done = subprocess.run(command, cwd=where, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr)
        pytest.skip("pre-commit can't make its environment here: no package index, or a checkout that isn't committed")
    return environment


def _configuration() -> str:
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=True)
    example = yaml.safe_load((PROJECT / "examples" / "pre-commit-config.yaml").read_text("utf-8"))
    (repository,) = example["repos"]
    repository |= {"repo": str(PROJECT), "rev": revision.stdout.strip()}
    return yaml.safe_dump(example)


@pytest.fixture
def world(make_world: Callable[[str], World], framework: dict[str, str]) -> World:
    world = make_world("")
    world.environment |= framework
    (world.root / ".pre-commit-config.yaml").write_text(_configuration())
    world.commit("configuration")
    world.run("emit", "scan")
    return world


def _install(world: World) -> None:
    stages = [part for stage in STAGES for part in ("-t", stage)]
    command = [sys.executable, "-m", "pre_commit", "install", *stages]
    subprocess.run(command, cwd=world.root, env=world.environment, check=True, capture_output=True)


def _commit(world: World) -> tuple[bool, str]:
    """Commit what is staged: whether that was refused, and what was said."""
    command = ["git", "commit", "-m", "as it is"]
    done = subprocess.run(command, cwd=world.root, env=world.environment, capture_output=True, text=True, check=False)
    return done.returncode != 0, done.stdout + done.stderr


def test_check_refuses_with_file_and_line(world: World) -> None:
    _install(world)
    world.write("secret lane")
    world.git("add", "-A")
    done = subprocess.run(
        ["git", "commit", "-m", "broken"],
        cwd=world.root,
        env=world.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "kitty-specs/001-login/tasks/WP01-work.md:4: the lane is none of planned, doing, for_review, done" in said
    assert "secret" not in said
    world.write("doing")  # the index counts, not the worktree
    assert subprocess.run(
        ["git", "commit", "-q", "-m", "still broken"],
        cwd=world.root,
        env=world.environment,
        capture_output=True,
        check=False,
    ).returncode
    world.git("commit", "-q", "-a", "-m", "mended")
    world.expect(P_D)


def test_emit_tells(world: World) -> None:
    _install(world)
    world.move("doing")
    world.expect(P_D)
    world.git("checkout", "-q", "-b", "topic")
    world.move("for_review")
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "topic")
    world.expect(P_D, D_R)
    world.write("done")
    world.git("commit", "-q", "-a", "--amend", "-m", "amended")
    world.expect(P_D, D_R, "for_review>done")
    world.replay_adds_nothing()


@pytest.mark.parametrize("native_first", [True, False])
def test_beside_native_hooks_tells_once(world: World, native_first: bool) -> None:
    if native_first:
        world.run("hooks", "install")
        _install(world)
    else:
        _install(world)
        world.run("hooks", "install")
    world.move("doing")
    world.move("for_review")
    world.expect(P_D, D_R)
    world.replay_adds_nothing()
    world.run("hooks", "uninstall")
    world.move("done")
    world.expect(P_D, D_R, "for_review>done")


def test_rebase(world: World) -> None:
    _install(world)
    world.git("checkout", "-q", "-b", "topic")
    world.move("doing")
    world.git("checkout", "-q", "main")
    (world.root / "README").write_text("x")
    world.commit("main moves")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "main")
    world.move("for_review")
    world.expect(P_D, D_R)
    world.replay_adds_nothing()
