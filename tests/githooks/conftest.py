"""Repositories whose hooks are installed and run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.githooks.hooked import Recorder, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "a 'project' \"ü\"")


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)
