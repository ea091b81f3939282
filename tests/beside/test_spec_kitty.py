"""The real spec-kitty-cli 0.13.28 beside us: its commands, commits and worktrees give just the events they should.

With hooks only, a watcher only, and both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.beside.kitty import FEATURE, Kitty

pytestmark = pytest.mark.long  # a program of others

OF = ("--feature", FEATURE)


def _move(kitty: Kitty, wp_id: str, lane: str, *options: str) -> None:
    kitty.spec_kitty("agent", "tasks", "move-task", wp_id, "--to", lane, "--force", *OF, *options)


def _work(kitty: Kitty, wp_id: str) -> None:
    """What an agent does in the worktree that `implement` made."""
    worktree = kitty.root / ".worktrees" / f"{FEATURE}-{wp_id}"
    assert not (worktree / "kitty-specs").exists(), "spec-kitty's worktrees leave the specifications out"
    (worktree / f"{wp_id}.txt").write_text("done\n")
    kitty.git("-C", str(worktree), "add", "-A")
    kitty.git("-C", str(worktree), "commit", "-q", "--no-verify", "-m", f"feat({wp_id}): done")


def test_a_feature_from_its_creation_to_its_merge(kitty: Kitty) -> None:
    kitty.plan()
    kitty.expect("FeatureCreated", "WP01 created", "WP02 created")
    kitty.spec_kitty("agent", "feature", "finalize-tasks", "--json")
    kitty.spec_kitty("implement", "WP01", *OF)
    kitty.expect("WP01 planned>doing")
    _work(kitty, "WP01")
    kitty.spec_kitty("agent", "tasks", "add-history", "WP01", "--note", "Half of it", "--agent", "claude", *OF)
    note = ["WP01 note: Half of it"]
    if "W" in kitty.mode:
        kitty.expect(*note)  # add-history commits nothing: a hook tells it with the next commit
        note = []
    _move(kitty, "WP01", "for_review", "--agent", "claude")
    kitty.expect(*note, "WP01 implementation claude", "WP01 doing>for_review")
    feedback = kitty.root.parent / "feedback.md"
    feedback.write_text("Names are missing.\n")
    _move(kitty, "WP01", "planned", "--review-feedback-file", str(feedback), "--reviewer", "rita", "--agent", "rita")
    kitty.expect("WP01 review rita", "WP01 for_review>planned", f"WP01 review: {_feedback(kitty)}")
    _move(kitty, "WP01", "doing", "--agent", "claude")
    kitty.expect("WP01 planned>doing", "WP01 implementation claude")
    _move(kitty, "WP01", "for_review")
    kitty.expect("WP01 doing>for_review")
    _move(kitty, "WP01", "done", "--assignee", "claude")
    kitty.expect("WP01 for_review>done", "WP02 waited for WP01")
    kitty.spec_kitty("implement", "WP02", *OF, "--base", "WP01")
    kitty.expect("WP02 planned>doing")
    _work(kitty, "WP02")
    _move(kitty, "WP02", "for_review", "--agent", "claude", "--assignee", "claude")
    kitty.expect("WP02 implementation claude", "WP02 doing>for_review")
    _move(kitty, "WP02", "done")
    kitty.expect("WP02 for_review>done", "FeatureCompleted")
    kitty.spec_kitty("accept", *OF, "--mode", "local", "--json")
    kitty.spec_kitty("merge", *OF)
    assert (kitty.root / "WP01.txt").exists()
    assert (kitty.root / "WP02.txt").exists()
    kitty.run("emit", "scan")
    kitty.run("emit", "replay")
    assert kitty.told() == kitty.expected


def _feedback(kitty: Kitty) -> str:
    text = next((kitty.root / "kitty-specs" / FEATURE / "tasks").glob("WP01*")).read_text()
    return text.split("## Review Feedback")[1].split("\n##")[0].strip()


def test_commands_that_are_theirs_alone(make_kitty: Callable[[str], Kitty], both: Path) -> None:
    """Both in one environment: `spec-kitty` is ours, and what it does not know goes on to spec-kitty-cli."""
    kitty = make_kitty("")
    assert "kittywatch" in (both / "spec-kitty").read_text()
    assert "Mission" in kitty.one_program("mission", "list")
