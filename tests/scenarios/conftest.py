"""Worlds for scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios.world import World


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[[str], World]]:
    """Makes worlds by mode, and stops their watchers."""
    made: list[World] = []

    def make(mode: str) -> World:
        made.append(World(tmp_path / f"world {len(made)} ü'", mode))
        return made[-1]

    yield make
    for world in made:
        world.stop()


@pytest.fixture(params=["W", "H", "WH"])
def world(request: pytest.FixtureRequest, make_world: Callable[[str], World]) -> World:
    """A world in each of the three modes: watcher, hooks, both."""
    return make_world(request.param)
