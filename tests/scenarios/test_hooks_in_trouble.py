"""A hook that can't do its work: git goes on, one line says so, and the next observation makes up for it."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kittywatch.githooks import installation
from tests.scenarios.world import World

_RUN = "entry.run(sys.argv[1], sys.argv[2:])"


def _hooks(world: World, python: Path, code: str) -> None:
    """Install hooks whose interpreter runs them after some code."""
    program = f"import sys; from kittywatch.githooks import entry; {code}; {_RUN}"
    python.write_text(f"""#!/bin/sh\nshift 4\nexec '{sys.executable}' -P -c "{program}" "$@"\n""")
    python.chmod(0o755)
    installation.apply(installation.plan_install(world.root / ".git" / "hooks", str(python)))


def _commit(world: World, lane: str) -> list[str]:
    """Commit a lane; returns the lines that were said."""
    world.write(lane)
    world.git("add", "-A")
    done = subprocess.run(
        ["git", "commit", "-q", "-m", lane],
        cwd=world.root,
        env=world.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_locked_database(make_world: Callable[[str], World], tmp_path: Path) -> None:
    world = make_world("H")
    _hooks(world, tmp_path / "impatient", "entry.WAIT_SECONDS = 0.2")
    with contextlib.closing(sqlite3.connect(world.home / "queue.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        said = _commit(world, "doing")
        connection.execute("ROLLBACK")
    assert len(said) == 1
    assert said[0].startswith("kittywatch: ")
    assert "queue.db" in said[0]
    assert "next observation" in said[0]
    assert world.steps() == []
    assert _commit(world, "for_review") == []
    world.expect("planned>doing", "doing>for_review")
    world.replay_adds_nothing()


def test_bug(make_world: Callable[[str], World], tmp_path: Path) -> None:
    world = make_world("H")
    bug = "import kittywatch.project as broken; broken.Project.at = lambda *_, **__: [][0]"
    _hooks(world, tmp_path / "broken", bug)
    assert _commit(world, "doing") == [
        "kittywatch: a bug (IndexError) kept this hook from observing; the next observation makes up for it"
    ]
    assert world.steps() == []
    _hooks(world, tmp_path / "mended", "pass")
    assert _commit(world, "for_review") == []
    world.expect("planned>doing", "doing>for_review")
    world.replay_adds_nothing()
