"""Hubs and queues for tests of delivery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from tests.hub.hubs import Hub, populate
from tests.store import stores

TEAMS = {"cats": ["mira"], "dogs": ["rex"]}


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One server process for all tests of delivery that leave it alive."""
    directory = tmp_path_factory.mktemp("hub")
    yield from serve(directory)


@pytest.fixture
def own_hub(tmp_path: Path) -> Iterator[Hub]:
    """A server process for one test, which may kill it."""
    yield from serve(tmp_path)


def serve(directory: Path) -> Iterator[Hub]:
    database = f"sqlite:///{directory / 'hub.db'}"
    populate(database, teams=TEAMS)
    hub = Hub(database=database, log=directory / "hub.log", module="tests.sync.quick_hub").start()
    yield hub
    hub.stop()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "kitty"


@pytest.fixture
def target(home: Path) -> Iterator[EventEmitter]:
    """An emitter whose events wait in `home`."""
    target = stores.emitter(home, stores.unexpected)
    yield target
    target.store.close()
