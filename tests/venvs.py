"""Virtual environments with other programs of the field, as the package index has them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MakeVenv = Callable[[str], Path]


def programs_of(requirement: str, root: Path, *, name: str | None = None) -> Path:
    """The directory of the programs of an environment below `root`, `name` or as required, that holds what is required.

    KITTYWATCH_VENVS names a directory that keeps them from one run to the next, in place of `root`. The test is skipped
    where the index has nothing for us, and fails in CI.
    """
    directory = Path(os.environ.get("KITTYWATCH_VENVS") or root) / (name or requirement.replace("==", "-"))
    programs = directory / ("Scripts" if os.name == "nt" else "bin")
    complete = directory / "complete"
    if complete.exists():
        return programs
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
    result = subprocess.run(install, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or ["no reason given"]
        missing = f"{requirement} cannot be installed here: {errors[-1]}"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    complete.touch()
    return programs
