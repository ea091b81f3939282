"""A project that spec-kitty-cli made and works in, with kittywatch looking on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.scenarios.world import Clone, Watching
from tests.waiting import until

FEATURE = "001-sign-in"
_META = {
    "feature_number": "001",
    "slug": FEATURE,
    "friendly_name": "Sign in",
    "mission": "software-dev",
    "source_description": "Let people sign in",
    "created_at": "2026-01-01T00:00:00Z",
    "target_branch": "main",
    "vcs": "git",
}
_TASKS = "# Tasks\n\n## Work Package WP01: Form\n\n## Work Package WP02: Session\n\nDepends on WP01\n"
# What spec-kitty's own template makes of a work package, in short.
_PACKAGE = """---
work_package_id: "{0}"
title: "Part {0}"
lane: "planned"
dependencies: []
subtasks: []
agent: ""
assignee: ""
shell_pid: ""
---

# Work Package {0}

## Review Feedback

> **Populated by `/spec-kitty.review`** – Reviewers add detailed feedback here.

*[This section is empty initially.]*

## Activity Log

- 2026-01-01T10:00:00Z – system – lane=planned – Prompt created.
"""
_THEIRS = "import sys; sys.argv[0] = 'spec-kitty'; from specify_cli import main; main()"


class Kitty(Clone):
    """Made by spec-kitty's `init` and `agent feature create-feature`; `mode` says who observes: W, H or both."""

    def __init__(self, directory: Path, programs: Path, mode: str) -> None:
        super().__init__(directory / "project", directory / "home")
        self.programs = programs
        self.mode = mode
        self.watching: Watching | None = None
        self.expected: list[str] = []
        self.root.mkdir(parents=True)
        self.git("init", "-q")
        self.spec_kitty("init", ".", "--ai", "claude", "--force", "--non-interactive")
        ignored = self.root / ".gitignore"
        ignored.write_text(ignored.read_text() + "\n.kittify/workspaces/\n.worktrees/\n")
        for convention in ("src", "tests", "contracts", "docs"):
            (self.root / convention).mkdir()
            (self.root / convention / ".gitkeep").touch()
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "-m", "init")
        self.run("init")
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "-m", "identity")
        origin = directory / "origin.git"  # spec-kitty's merge pulls first
        self.git("init", "-q", "--bare", str(origin))
        self.git("remote", "add", "origin", str(origin))
        self.git("push", "-q", "-u", "origin", "main")
        if "H" in mode:
            self.run("hooks", "install")
        if "W" in mode:
            self.watching = Watching(self.root, self.environment)

    def stop(self) -> None:
        """Stop the watcher, and the dashboard that spec-kitty's init started."""
        if self.watching is not None:
            self.watching.stop()
        self.spec_kitty("dashboard", "--kill")

    def spec_kitty(self, *command: str, where: Path | None = None) -> str:
        """Run a command of spec-kitty-cli itself."""
        return self._run([str(self.programs / "python"), "-c", _THEIRS, *command], where)

    def one_program(self, *command: str) -> str:
        """Run the `spec-kitty` of the environment, which is kittywatch's, installed later."""
        return self._run([str(self.programs / "spec-kitty"), *command], None)

    def _run(self, command: list[str], where: Path | None) -> str:
        done = subprocess.run(
            command,
            cwd=where or self.root,
            env=self.environment | {"SPEC_KITTY_NON_INTERACTIVE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command[1:]}: {done.stdout}{done.stderr}"
        return done.stdout

    def plan(self) -> None:
        """What an agent writes between the commands: a specification, and two work packages."""
        self.spec_kitty("agent", "feature", "create-feature", "sign-in", "--json")
        feature = self.root / "kitty-specs" / FEATURE
        (feature / "meta.json").write_text(json.dumps(_META))
        (feature / "spec.md").write_text("# Specification\n")
        (feature / "plan.md").write_text("# Plan\n")
        (feature / "tasks.md").write_text(_TASKS)
        for wp_id in ("WP01", "WP02"):
            whole = feature / f"{wp_id}.new"
            whole.write_text(_PACKAGE.format(wp_id))
            whole.replace(feature / "tasks" / f"{wp_id}-part.md")
        self.commit("tasks")

    def told(self) -> list[str]:
        """What was told, in short."""
        return [_short(event["event_type"], event["payload"]) for event in self.events(None)]

    def expect(self, *words: str) -> None:
        """Wait until just these were told after what was expected before."""
        self.expected += words
        until(
            lambda: len(self.told()) >= len(self.expected),
            what=lambda: f"{self.mode}: {self.expected}, told: {self.told()}",
        )
        assert self.told() == self.expected, f"{self.mode}: {self.told()}"


def _short(kind: str, payload: dict[str, str]) -> str:
    match kind:
        case "WPStatusChanged":
            return f"{payload['wp_id']} {payload['previous_status']}>{payload['new_status']}"
        case "WPAssigned":
            return f"{payload['wp_id']} {payload['phase']} {payload['agent_id']}"
        case "HistoryAdded":
            return f"{payload['wp_id']} {payload['entry_type']}: {payload['entry_content']}"
        case "DependencyResolved":
            return f"{payload['wp_id']} waited for {payload['dependency_wp_id']}"
        case "WPCreated":
            return f"{payload['wp_id']} created"
        case _:
            return kind
