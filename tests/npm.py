"""Programs of the npm registry, with a node of their own: a machine's may be too old for them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kittywatch.store.lock import locked

NODE = "22.12.0"
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class Npm:
    """An installed package: how its program is called."""

    def __init__(self, directory: Path) -> None:
        self._modules = directory / "node_modules"

    @property
    def node(self) -> Path:
        return next(self._modules.glob("node-*/bin/node"))

    def command(self, package: str, script: str) -> list[str]:
        """The command of a program, by its package and the script in it."""
        return [str(self.node), str(self._modules / package / script)]

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs that starts others with node."""
        return {"PATH": f"{self.node.parent}{os.pathsep}{os.environ['PATH']}"}


def installed(package: str, root: Path) -> Npm:
    """A package as the registry has it, installed below `root`, or below KITTYWATCH_VENVS where that is set.

    The test is skipped where there is no npm, or where the registry has nothing for us.
    """
    npm = shutil.which("npm")
    machine = _MACHINES.get(platform.machine().lower())
    if npm is None or machine is None or sys.platform != "linux":
        pytest.skip("npm programs are tried on Linux, with npm; apt install npm")
    directory = Path(os.environ.get("KITTYWATCH_VENVS") or root) / package.replace("/", "-").replace("@", "at-")
    complete = directory / "complete"
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory.with_name(f"{directory.name}.lock")):  # of several tests at once, one installs it
        if not complete.exists():
            wanted = [package, f"node-linux-{machine}@{NODE}"]
            options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix", str(directory)]
            done = subprocess.run([str(npm), "install", *options, *wanted], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{package} cannot be installed here: {(done.stderr.strip().splitlines() or ['?'])[0]}")
            complete.touch()
    return Npm(directory)
