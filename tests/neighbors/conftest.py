"""The neighbors' real programs, each in a world in the three modes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.npm import Npm, installed
from tests.scenarios.world import World

BACKLOG = "backlog.md@1.52.0"
OPENSPEC = "@fission-ai/openspec@1.13.2"


@pytest.fixture(scope="session")
def backlog_md(tmp_path_factory: pytest.TempPathFactory) -> Npm:
    return installed(BACKLOG, tmp_path_factory.mktemp("npm"))


@pytest.fixture(scope="session")
def open_spec(tmp_path_factory: pytest.TempPathFactory) -> Npm:
    return installed(OPENSPEC, tmp_path_factory.mktemp("npm"))


@pytest.fixture(params=["W", "H", "WH"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "a world", request.param)
    yield made
    made.stop()
