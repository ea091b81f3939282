"""A mission that the real spec-kitty-cli 3.x makes and works through, with kittywatch looking on."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.scenarios.world import Clone, Watching

BRANCH = "feat/demo"
_OTHERS = {"event_type", "event_name", "kind"}
TOPOLOGIES = ("single_branch", "lanes", "coord", "lanes_with_coord")
_PURPOSE = "A mission that shows which lanes the program writes, and where"
_SPEC = """# Demo

## Requirements

### Functional Requirements

| ID | Title | User Story | Priority | Status |
| --- | --- | --- | --- | --- |
"""
_PLAN = """# Plan of the demo

## Summary

Each part writes a file of its own.

## Technical Context

**Language/Version**: Python 3.11
**Primary Dependencies**: none
**Testing**: pytest
**Target Platform**: Linux
**Project Type**: single
"""
_PACKAGE = """---
work_package_id: "{wp}"
title: "Part {wp}"
task_type: "implement"
execution_mode: "code_change"
dependencies: []
requirement_refs: ["FR-00{number}"]
subtasks: ["T00{number}"]
owned_files: ["src/{wp}/**"]
create_intent: ["src/{wp}/**"]
authoritative_surface: "src/{wp}/"
agent: ""
assignee: ""
shell_pid: ""
---

# {wp}: its part

Write `src/{wp}/done.txt`.

## Activity Log

"""
_SECTION = """## Work Package {wp}: Part {wp}

**Requirement Refs**: FR-00{number}

### Included Subtasks

- T00{number} Write the file

### Dependencies

- None
"""


class Mission(Clone):
    """A project with one mission in a topology; `mode` says who observes: W, H or both."""

    def __init__(self, directory: Path, programs: Path, topology: str, mode: str) -> None:
        super().__init__(directory / "project", directory / "home")
        self.programs = programs
        self.topology = topology
        self.mode = mode
        self.slug = ""
        self.watching: Watching | None = None
        # git calls the program by name, as the merge driver of event logs.
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        self.environment |= {"PATH": path, "SPEC_KITTY_NON_INTERACTIVE": "1", "NO_COLOR": "1"}

    # The project and the plan.

    def prepare(self) -> None:
        """A project of spec-kitty's with an identity of ours, and observers as the mode says."""
        self.root.mkdir(parents=True)
        self.git("init", "-q")
        (self.root / "README.md").write_text("# Demo\n")
        self.commit("first")
        self.spec_kitty("init", "--ai", "claude", "--non-interactive")
        self.run("init")
        self.commit("init")
        if "H" in self.mode:
            self.run("hooks", "install")
        if "W" in self.mode:
            self.watching = Watching(self.root, self.environment)

    def plan(self, packages: Sequence[str]) -> None:
        """Specify and plan work packages, up to where they can be implemented."""
        made = self.spec_kitty(
            *("agent", "mission", "create", "demo", "--friendly-name", "Demo", "--purpose-tldr", "A demo"),
            *("--purpose-context", _PURPOSE, "--branch-strategy", "already-confirmed", "--start-branch", BRANCH),
            *("--topology", self.topology, "--json"),
        )
        self.slug = str(_last_json(made)["mission_slug"])
        numbered = list(enumerate(packages, start=1))
        rows = [
            f"| FR-00{n} | Part {n} | As a user, I want part {n} to be there. | High | Open |\n" for n, _ in numbered
        ]
        (self.specs / "spec.md").write_text(_SPEC + "".join(rows))
        self.commit("spec")
        self._mission("setup-plan", "--json")
        (self.specs / "plan.md").write_text(_PLAN)
        tasks = ["# Work Packages: Demo\n"]
        for n, wp in numbered:
            tasks.append(_SECTION.format(wp=wp, number=n))
            (self.specs / "tasks" / f"{wp}-part.md").write_text(_PACKAGE.format(wp=wp, number=n))
        (self.specs / "tasks.md").write_text("\n".join(tasks))
        self.commit("plan")
        self._mission("setup-plan", "--json")
        self._mission("finalize-tasks", "--json")
        report = self.root.parent / "analysis.md"
        report.write_text("# Analysis\n\nNothing is wrong.\n")
        self._mission("record-analysis", "--input-file", str(report), "--agent", "claude", "--json")

    def stop(self) -> None:
        if self.watching is not None:
            self.watching.stop()

    # What is called for a work package.

    def implement(self, wp: str, agent: str = "claude") -> None:
        self.spec_kitty("agent", "action", "implement", wp, "--mission", self.slug, "--agent", agent)

    def work(self, wp: str) -> None:
        """What an agent does in the worktree that `implement` made, with a commit."""
        lane = self._lane(wp)
        done = lane / "src" / wp / "done.txt"
        done.parent.mkdir(parents=True, exist_ok=True)
        with done.open("a") as file:
            file.write("done\n")
        self.git("-C", str(lane), "add", "src")
        self.git("-C", str(lane), "commit", "-q", "-m", f"feat({wp}): its part")
        self._tasks("mark-status", f"T00{wp[-1]}", "--status", "done")

    def hand_over(self, wp: str, agent: str = "claude") -> None:
        self._clean_lane(wp)
        self._tasks("move-task", wp, "--to", "for_review", "--agent", agent, "--note", "ready")

    def review(self, wp: str) -> None:
        self.spec_kitty("agent", "action", "review", wp, "--mission", self.slug, "--agent", "codex")

    def reject(self, wp: str) -> None:
        feedback = self.root.parent / "feedback.md"
        feedback.write_text("# Review\n\nThe file says too little.\n")
        self._tasks("move-task", wp, "--to", "planned", "--agent", "codex", "--review-feedback-file", str(feedback))

    def approve(self, wp: str) -> None:
        self._clean_lane(wp)
        said = ("--reviewer", "codex", "--approval-ref", f"review:{wp}", "--note", "fine")
        self._tasks("move-task", wp, "--to", "approved", "--agent", "codex", *said)

    def finish(self, criteria: int) -> None:
        for number in range(1, criteria + 1):
            self._mission("acceptance-verdict", "--criterion", f"FR-00{number}", "--result", "pass")
        self.tidy()
        self.spec_kitty("accept", "--mission", self.slug, "--mode", "local", "--actor", "tester", "--lenient")
        self.spec_kitty("merge", "--mission", self.slug, "--yes")

    # What came of it.

    def lane_lines(self) -> list[dict[str, Any]]:
        """The lines of the log on the mission's branch that are transitions, by rules E1, E4 and E5."""
        data = self.git("show", f"{BRANCH}:kitty-specs/{self.slug}/status.events.jsonl")
        lines: list[dict[str, Any]] = [json.loads(line) for line in data.splitlines()]
        lanes = [one for one in lines if "wp_id" in one and "to_lane" in one and not _OTHERS & one.keys()]
        return [one for one in lanes if one["from_lane"] not in (one["to_lane"], "genesis")]

    def told(self) -> list[dict[str, Any]]:
        """The transitions that `kittywatch log` shows."""
        events = [json.loads(line) for line in self.run("log", "--json").stdout.splitlines()]
        return [one for one in events if one["event_type"] == "WPStatusChanged"]

    def tidy(self) -> None:
        """Commit what the program has left uncommitted, such as annotations in the log."""
        for where in (self.root, self.root / ".worktrees" / f"{self.slug}-coord"):
            if where.exists() and self.git("-C", str(where), "status", "--porcelain", "kitty-specs"):
                self.git("-C", str(where), "add", "kitty-specs")
                self.git("-C", str(where), "commit", "-q", "-m", "what was left")

    def _clean_lane(self, wp: str) -> None:
        """Take out of the lane's branch what the program merged into it, and then objects to: its own remedy."""
        if "coord" in self.topology:
            self.tidy()
            lane = str(self._lane(wp))
            restore = ("restore", f"--source={BRANCH}", "--staged", "--worktree", "--ignore-skip-worktree-bits")
            self.git("-C", lane, *restore, "kitty-specs/")
            self.git("-C", lane, "commit", "-q", "--allow-empty", "-m", "no planning in a lane")

    def _lane(self, wp: str) -> Path:
        """The worktree of the lane that the program has put a work package in."""
        lanes = json.loads((self.specs / "lanes.json").read_text())["lanes"]
        lane = next(one["lane_id"] for one in lanes if wp in one["wp_ids"])
        return self.root / ".worktrees" / f"{self.slug}-{lane}"

    def _tasks(self, command: str, *options: str) -> None:
        self.spec_kitty("agent", "tasks", command, *options, "--mission", self.slug, "--json")

    def spec_kitty(self, *command: str, where: Path | None = None, check: bool = True) -> str:
        """Run a command of spec-kitty-cli."""
        done = subprocess.run(
            [str(self.programs / "spec-kitty"), *command],
            cwd=where or self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"spec-kitty {' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def specs(self) -> Path:
        return self.root / "kitty-specs" / self.slug

    def _mission(self, command: str, *options: str) -> str:
        return self.spec_kitty("agent", "mission", command, "--mission", self.slug, *options)


def _last_json(said: str) -> dict[str, Any]:
    for line in reversed(said.splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    raise AssertionError(f"no JSON in {said!r}")
