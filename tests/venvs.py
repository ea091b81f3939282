"""Virtual environments with other programs of the field, as the package index has them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kittywatch.store.lock import locked

MakeVenv = Callable[[str], Path]


def programs_of(requirement: str, root: Path, *, name: str | None = None) -> Path:
    """The directory of the programs of an environment below `root`, `name` or as required, that holds what is required.

    KITTYWATCH_VENVS names a directory that keeps them from one run to the next, in place of `root`. The test is skipped
    where the index has nothing for us.
    """
    directory = Path(os.environ.get("KITTYWATCH_VENVS") or root) / (name or requirement.replace("==", "-"))
    programs = directory / ("Scripts" if os.name == "nt" else "bin")
    complete = directory / "complete"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with locked(directory.with_name(f"{directory.name}.lock")):  # of several tests at once, one makes it
        if not complete.exists():
            _make(directory, programs, requirement)
            complete.touch()
    return programs


def _make(directory: Path, programs: Path, requirement: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
    result = subprocess.run(install, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or ["no reason given"]
        pytest.skip(f"{requirement} cannot be installed here: {errors[-1]}")
