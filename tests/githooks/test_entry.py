"""What an installed hook runs, and what one runs that an older version installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kittywatch.githooks import installation
from tests.githooks.hooked import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "project")
    made.install()
    return made


def _call(repository: Repository, module: bytes) -> None:
    """Have the hooks call a module, as those of another version do."""
    for name in installation.HOOKS:
        path = repository.hooks / name
        content = path.read_bytes()
        assert b"from kittywatch.githooks.entry import main" in content
        path.write_bytes(content.replace(b"kittywatch.githooks.entry", module))


def test_hooks_of_an_older_version_go_on_observing_until_they_are_updated(repository: Repository) -> None:
    _call(repository, b"kittywatch.hook")
    assert {one.state for one in installation.status(repository.hooks)} == {"stale"}
    repository.lane("planned")
    assert repository.commit().stderr == ""
    assert (Path(os.environ["SPEC_KITTY_HOME"]) / "queue.db").exists()
    assert (repository.directory / "kittywatch-observed").read_text() == repository.git("rev-parse", "HEAD")
    repository.install()
    assert {one.state for one in installation.status(repository.hooks)} == {"installed"}
    assert b"import kittywatch.hook" not in (repository.hooks / "post-commit").read_bytes()


def test_an_interpreter_with_an_older_version_does_not_serve_these_hooks(
    repository: Repository, tmp_path: Path
) -> None:
    older = tmp_path / "python"
    older.write_text("#!/bin/sh\n[ \"$4\" = 'import kittywatch.hook' ]\n")
    older.chmod(0o755)
    repository.install(older)
    faults = {one.fault for one in installation.status(repository.hooks)}
    assert faults == {f"its interpreter {older} is gone or lacks kittywatch"}
