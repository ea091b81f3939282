"""OpenSpec as it is made by its own program: a change, its tasks, and its archive."""

from __future__ import annotations

import pytest

from tests.neighbors.program import Program
from tests.npm import Npm
from tests.scenarios.table import check, converges
from tests.scenarios.world import World

pytestmark = pytest.mark.long  # a program of others

TASKS = "## 1. Photos\n\n- [ ] 1.1 Store them\n- [ ] 1.2 Show them\n"
TICKED = ["planned>done"]


@pytest.fixture
def openspec(world: World, open_spec: Npm) -> Program:
    program = Program(world, open_spec, open_spec.command("@fission-ai/openspec", "bin/openspec.js"))
    program("init", "--tools", "none", ".")
    program("new", "change", "add-photos")
    change = world.root / "openspec/changes/add-photos"
    (change / "proposal.md").write_text("## Why\nBecause they are there.\n\n## What Changes\n- photos\n")
    (change / "tasks.md").write_text(TASKS)
    world.commit("a change")
    world.settle()
    return program


def test_a_change_that_is_archived(world: World, openspec: Program) -> None:
    """Archived it is the same feature: nothing is told anew, and what was not ticked can be still."""
    tasks = world.root / "openspec/changes/add-photos/tasks.md"
    tasks.write_text(TASKS.replace("[ ] 1.1", "[x] 1.1"))
    world.commit("1.1")
    openspec("archive", "add-photos", "-y", "--skip-specs", "--no-validate")
    world.commit("archived")
    (archived,) = (world.root / "openspec/changes/archive").glob("*-add-photos/tasks.md")
    archived.write_text(TASKS.replace("[ ]", "[x]"))
    world.commit("1.2")
    check(world, {"1.1": TICKED, "1.2": TICKED})
    assert {one["payload"]["feature_slug"] for one in world.events()} == {"add-photos"}
    assert [one["payload"]["feature_slug"] for one in world.events("FeatureCompleted")] == ["add-photos"]
    world.replay_adds()
    converges(world, {"1.1": TICKED, "1.2": TICKED})
