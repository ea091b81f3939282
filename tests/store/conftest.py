"""What the tests of the store share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from tests.store import stores


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "kitty"


@pytest.fixture
def quick_home(tmp_path: Path) -> Iterator[Path]:
    """A home in memory, where there is such a place: a killed process doesn't show what a disk does with a sync."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as directory:
        yield Path(directory) / "kitty"


@pytest.fixture
def emitter_at() -> Iterator[Callable[..., EventEmitter]]:
    """Makes emitters, and closes them when the test is over."""
    made: list[EventEmitter] = []

    def make(
        home: Path, warn: Callable[[str], None] = stores.unexpected, *, wait_seconds: float = 30.0
    ) -> EventEmitter:
        made.append(stores.emitter(home, warn, wait_seconds=wait_seconds))
        return made[-1]

    yield make
    for one in made:
        one.store.close()
