"""A neighbor's program, called in a world."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from tests.npm import Npm
from tests.scenarios.world import World


class Program:
    """One program in one project, with a home of its own and nothing that it tells others."""

    def __init__(self, world: World, npm: Npm, command: Sequence[str]) -> None:
        home = world.directory / "home of programs"
        home.mkdir(exist_ok=True)
        (home / ".gitconfig").write_text("[user]\n\tname = A\n\temail = a@example.invalid\n")
        self.world = world
        self.command = list(command)
        self.environment = {
            **world.environment,
            **npm.environment,
            "HOME": str(home),
            "OPENSPEC_TELEMETRY": "0",
            "DO_NOT_TRACK": "1",
            "NO_COLOR": "1",
        }

    def __call__(self, *arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=self.world.root,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it for a conversation."""
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=self.world.root,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
