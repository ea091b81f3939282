"""The workflow's commands where lanes are in spec-kitty 3's event log: they refuse, and say what to call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kittywatch.workflow.upstream import COMMANDS
from tests.builders import FEATURE
from tests.cli.conftest import WP01, Command
from tests.history.script import Repository

CALLS = {
    "implement": ["implement", "WP01"],
    "merge": ["merge", "WP01"],
    "accept": ["accept", "WP01"],
    "move-task": ["agent", "tasks", "move-task", "WP01", "--to", "planned", "--force"],
    "mark-status": ["agent", "tasks", "mark-status", "T001", "--status", "done"],
    "add-history": ["agent", "tasks", "add-history", "WP01", "--note", "x"],
    "finalize-tasks": ["agent", "feature", "finalize-tasks"],
    "orchestrate": ["orchestrate"],
}
LOG = f"kitty-specs/{FEATURE}/status.events.jsonl"
CREATED = json.dumps(
    {"event_type": "MissionCreated", "payload": {"wp_count": 1}, "event_id": "01M8G9HSDA66APQXE46VZYKA18"}
)
LINE = json.dumps(
    {
        "event_id": "01M8G9HSDBKZVZW3BCK5MT6NF9",
        "wp_id": "WP01",
        "from_lane": "planned",
        "to_lane": "claimed",
        "at": "2026-11-28T05:28:00+00:00",
        "actor": "claude",
    }
)


def _in_checkout(repository: Repository) -> None:
    repository.write(LOG, f"{CREATED}\n{LINE}\n")


def _in_coordination_worktree(repository: Repository) -> None:
    where = repository.root / ".worktrees" / f"{FEATURE}-coord"
    repository.git("worktree", "add", "-q", "-b", "anything", str(where))
    (where / LOG).write_text(f"{LINE}\n")


def _on_coordination_branch(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", f"kitty/mission-{FEATURE}")
    repository.commit("03-01", files={LOG: f"{LINE}\n"})
    repository.git("checkout", "-q", "-")


def test_each_command_has_what_to_call_instead() -> None:
    assert CALLS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("command", CALLS)
def test_a_command_refuses(kittywatch: Command, repository: Repository, command: str) -> None:
    _in_checkout(repository)
    before = (repository.root / WP01).read_bytes()
    done = kittywatch(*CALLS[command])
    assert done.code == 1
    assert f"the lanes of {FEATURE} are in its event log" in done.err
    assert f"`spec-kitty {COMMANDS[command].format(slug=FEATURE, wp='WP01')}`" in done.err
    assert (repository.root / WP01).read_bytes() == before


@pytest.mark.parametrize("place", [_in_checkout, _in_coordination_worktree, _on_coordination_branch])
def test_wherever_the_log_is(kittywatch: Command, repository: Repository, place: object) -> None:
    assert callable(place)
    place(repository)
    assert "event log" in kittywatch("accept", "WP01", "--force", "--commit").err
    assert 'lane: "for_review"' in (repository.root / WP01).read_text()


def test_also_from_a_worktree_of_a_lane(
    kittywatch: Command, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    _on_coordination_branch(repository)
    where = repository.root / ".worktrees" / f"{FEATURE}-lane-a"
    repository.git("worktree", "add", "-q", "-b", "lane", str(where))
    monkeypatch.chdir(where)
    assert "event log" in kittywatch("implement", "WP01", "--feature", FEATURE).err


def test_a_log_that_states_no_lane(kittywatch: Command, repository: Repository) -> None:
    """As spec-kitty 2 begins one: the lane is still in frontmatter."""
    repository.write(LOG, f"{CREATED}\n")
    assert kittywatch("accept", "WP01").code == 0
    assert 'lane: "done"' in (repository.root / WP01).read_text()


@pytest.mark.parametrize(("head", "installed"), [("from specify_cli import main", True), ("import other", False)])
def test_what_to_install(
    kittywatch: Command,
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    head: str,
    installed: bool,
) -> None:
    """Said where no `spec-kitty` on PATH reaches spec-kitty-cli."""
    script = tmp_path / "programs" / "spec-kitty"
    script.parent.mkdir()
    script.write_text(f"#!/usr/bin/env python3\n{head}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
    _in_checkout(repository)
    assert ("pip install spec-kitty-cli" in kittywatch("accept").err) is not installed
