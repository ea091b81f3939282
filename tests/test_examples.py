"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.builders import work_package_text
from tests.history.script import Repository

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_an_agent(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "project")
    path = "kitty-specs/001-sign-in/tasks/WP01.md"
    repository.commit("02-01", files={path: work_package_text(lane="planned")})
    command = [sys.executable, str(EXAMPLES / "agent.py"), "WP01", "001-sign-in"]
    done = subprocess.run(command, cwd=repository.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kinds = [line.split()[1] for line in done.stdout.splitlines()]
    assert kinds == ["WPStatusChanged", "WPAssigned", "HistoryAdded", "ErrorLogged"]
