"""A project whose work packages are worked on by processes that act as a plan says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.scenarios.world import FEATURE, World
from tests.warm import PROGRAM

ACTING = Path(__file__).parents[1] / "workflow" / "acting.py"
ALL = ["planned>doing", "doing>for_review", "for_review>done"]


class Company:
    """A world with agents that act as a plan says."""

    def __init__(self, world: World, names: Sequence[str] = ("ada", "bob", "cyd")) -> None:
        self.world = world
        self.place = world.directory / "agents"
        self.place.mkdir()
        self.plan({})
        agents = "".join(
            f'    {name}: ["{sys.executable}", -S, "{ACTING}", {name}, "{self.place}", "{{prompt}}"]\n'
            for name in names
        )
        config = world.root / ".kittify" / "config.yaml"
        text = config.read_text("utf-8")
        config.write_text(f"{text}orchestrate:\n  jobs: 3\n  agents:\n{agents}", "utf-8")

    def plan(self, behaviours: Mapping[str, Sequence[str]]) -> None:
        (self.place / "plan.json").write_text(json.dumps(behaviours), "utf-8")

    def packages(self, needs: Mapping[int, Sequence[int]]) -> None:
        for number, others in needs.items():
            wp_id = f"WP{number:02}"
            self.world.write("planned", wp_id=wp_id)
            path = self.world.path(wp_id)
            stated = ", ".join(f"WP{other:02}" for other in others)
            path.write_text(path.read_text("utf-8").replace("lane:", f"dependencies: [{stated}]\nlane:"), "utf-8")
        self.world.commit("plan")
        self.world.run("emit", "scan")

    def journal(self) -> list[str]:
        path = self.place / "journal"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def start(self, *options: str) -> subprocess.Popen[str]:
        command = [*PROGRAM, "orchestrate", "--yes", "--json", *options]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.world.root, env=self.world.environment, stdout=pipe, stderr=pipe, text=True
        )

    def run(self, *options: str, code: int = 0) -> dict[str, Any]:
        process = self.start(*options)
        out, said = process.communicate(timeout=120)
        assert process.returncode == code, said + "\n".join(self.journal())
        found: dict[str, Any] = json.loads(out) if out else {}
        return found

    def killed(self, seconds: float) -> bool:
        """Start a run and kill it after a time; whether it was, and hadn't come to its end."""
        process = self.start()
        try:
            said = process.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True
        assert process.returncode == 0, said
        return False

    def lanes(self) -> set[str]:
        files = (self.world.root / "kitty-specs" / FEATURE / "tasks").glob("WP*.md")
        return {line for file in files for line in file.read_text("utf-8").splitlines() if line.startswith("lane:")}

    def in_order(self, *wp_ids: str) -> None:
        """Everything is done, merged and tidy, and no two agents were ever at one work package."""
        world = self.world
        assert self.lanes() == {"lane: done"}
        assert world.git("status", "--porcelain", "kitty-specs") == ""
        assert world.git("worktree", "list").count("\n") == 1
        assert world.git("branch").split() == ["*", "main"]
        assert {path.name for path in (world.root / "code").iterdir()} == set(wp_ids)
        assert [line for line in self.journal() if line.startswith("OVERLAP")] == []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
