"""The field's own spec-kitty-cli, installed for real, in one environment with kittywatch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.beside.kitty import Kitty

RELEASE = "spec-kitty-cli==0.13.28"
PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a venv with spec-kitty-cli and, installed after it, kittywatch.

    KITTYWATCH_SPEC_KITTY names that venv, else one is made from the package index.
    """
    given = os.environ.get("KITTYWATCH_SPEC_KITTY")
    venv = Path(given) if given else tmp_path_factory.mktemp("both") / "venv"
    if not given:
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)
        for what in (RELEASE, str(PROJECT)):
            command = [str(venv / "bin" / "pip"), "install", "-q", what]
            done = subprocess.run(command, check=False, capture_output=True, timeout=280)
            _must_have(done.returncode == 0)
    _must_have((venv / "bin" / "spec-kitty").exists())
    return venv / "bin"


def _must_have(there: bool) -> None:
    if not there:
        pytest.skip(f"{RELEASE} cannot be installed here: no package index")


@pytest.fixture
def make_kitty(both: Path, tmp_path: Path) -> Iterator[Callable[[str], Kitty]]:
    """Makes projects of spec-kitty's by mode, and stops their watchers."""
    made: list[Kitty] = []

    def make(mode: str) -> Kitty:
        made.append(Kitty(tmp_path / f"kitty {len(made)}", both, mode))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(params=["W", "H", "WH"])
def kitty(request: pytest.FixtureRequest, make_kitty: Callable[[str], Kitty]) -> Kitty:
    """A project in each of the three modes: watcher, hooks, both."""
    return make_kitty(request.param)
