"""The real spec-kitty-cli 3.2.7, in an environment of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.spec_kitty.mission import Mission
from tests.venvs import programs_of

RELEASE = "spec-kitty-cli==3.2.7"
PROJECT = Path(__file__).parents[2]
MakeMission = Callable[[str, str], Mission]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return programs_of(RELEASE, tmp_path_factory.mktemp("venvs"))


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with spec-kitty-cli and, installed after it, kittywatch as it is here."""
    programs = programs_of(RELEASE, tmp_path_factory.mktemp("venvs"), name=f"kittywatch-after-{RELEASE}")
    install(programs, str(PROJECT))
    return programs


def install(programs: Path, *what: str) -> None:
    subprocess.run([str(programs / "python"), "-m", "pip", "install", "-q", *what], check=True, capture_output=True)


@pytest.fixture
def make_mission(programs: Path, tmp_path: Path) -> Iterator[MakeMission]:
    """Makes a project with a mission to be, by topology and mode, and stops its watcher."""
    made: list[Mission] = []

    def make(topology: str, mode: str) -> Mission:
        made.append(Mission(tmp_path / f"mission {len(made)}", programs, topology, mode))
        return made[-1]

    yield make
    for one in made:
        one.stop()
