"""Projects of the neighbors in a world: their files as their programs write them, and a table of scenarios for all.

A story knows of two tasks, A and B, and of two lanes: `0`, in which they begin, and `1`. What they are called in
Backlog.md, in a list with boxes or in a record is the tool's to say, so one row is a scenario for each of them.
"""

from __future__ import annotations

import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.scenarios.table import MakeWorld, Story, check, converges
from tests.scenarios.world import Clone, World
from tests.selection import CAMPAIGN

Steps = Mapping[str, Sequence[str]]
"""Steps of A and B: `0>1`, or with lanes that the tool alone has."""


class Tool(ABC):
    """What a neighbor calls the tasks and lanes of a story, and how it writes them."""

    name: str
    ids: ClassVar[Mapping[str, str]]
    lanes: tuple[str, str]
    feature: str
    source: str

    def save(self, clone: Clone, *, end: str = "\n", mark: str = "", order: str = "AB", **lanes: int) -> None:
        """Write the tasks in their lanes; `end` ends lines, `mark` begins the files, `order` is that of a list."""
        for path, text in self.texts(order, lanes).items():
            target = clone.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((mark + text.replace("\n", end)).encode())

    def path(self, clone: Clone, task: str = "A") -> Path:
        """The file that a task stands in."""
        return clone.root / self._path(task)

    @abstractmethod
    def texts(self, order: str, lanes: Mapping[str, int]) -> dict[str, str]:
        """The files with what is in them."""

    @abstractmethod
    def _path(self, task: str) -> str: ...

    def named(self, steps: Steps) -> dict[str, list[str]]:
        """The steps as they are told."""

        def told(step: str) -> str:
            return ">".join(self.lanes[int(lane)] if lane.isdigit() else lane for lane in step.split(">"))

        return {self.ids[task]: [told(step) for step in some] for task, some in steps.items()}


class BacklogMd(Tool):
    name = "backlog.md"
    ids: ClassVar = {"A": "BACK-1", "B": "BACK-2.1"}
    lanes = ("to_do", "in_progress")
    feature = "Demo"
    source = "markdown"
    statuses = ("To Do", "In Progress", "Done")

    def texts(self, order: str, lanes: Mapping[str, int]) -> dict[str, str]:
        settings = {"backlog/config.yml": f'project_name: "Demo"\nstatuses: {json.dumps(list(self.statuses))}\n'}
        return settings | {self._path(task): self.text(task, self.statuses[lanes[task]]) for task in order}

    def text(self, task: str, status: str, **fields: str) -> str:
        more = "".join(f"{key}: {value}\n" for key, value in fields.items())
        head = f"id: {self.ids[task]}\ntitle: Task {task}\nstatus: {status}\nassignee: []\ndependencies: []\n"
        return f"---\n{head}{more}---\n\n## Description\n\nDo it.\n"

    def _path(self, task: str) -> str:
        return f"backlog/tasks/{self.ids[task].lower()} - Task-{task}.md"


class SpecKit(Tool):
    name = "spec-kit"
    ids: ClassVar = {"A": "T001", "B": "T002"}
    lanes = ("planned", "done")
    feature = "003-photos"
    source = "checklist"
    file = "specs/003-photos/tasks.md"

    def texts(self, order: str, lanes: Mapping[str, int]) -> dict[str, str]:
        boxes = [f"## Phase\n\n- [{'x' if lanes[task] else ' '}] {self.item(task)}\n" for task in order]
        return {self.file: "# Tasks: Photos\n\n" + "\nSome words between, as there are.\n\nAnd more.\n\n".join(boxes)}

    def item(self, task: str) -> str:
        return f"{self.ids[task]} [P] [US1] Task {task} in src/{task}.py"

    def _path(self, task: str) -> str:
        return self.file


class OpenSpec(SpecKit):
    name = "openspec"
    ids: ClassVar = {"A": "1.1", "B": "2.1"}
    feature = "add-photos"
    file = "openspec/changes/add-photos/tasks.md"

    def item(self, task: str) -> str:
        return f"{self.ids[task]} Task {task}"


class TaskMaster(Tool):
    name = "task-master"
    ids: ClassVar = {"A": "1", "B": "2.1"}
    lanes = ("pending", "in_progress")
    feature = "master"
    source = "records"

    def texts(self, order: str, lanes: Mapping[str, int]) -> dict[str, str]:
        made = {
            "A": {"id": 1, "title": "Task A", "status": self._status(lanes["A"]), "dependencies": [], "subtasks": []},
            "B": {
                "id": 2,
                "title": "Task B's",
                "status": "pending",
                "dependencies": [],
                "subtasks": [{"id": 1, "title": "Task B", "status": self._status(lanes["B"]), "dependencies": []}],
            },
        }
        tasks = [made[task] for task in order]
        return {self._path(""): json.dumps({"master": {"tasks": tasks, "metadata": {}}}, indent=2) + "\n"}

    @staticmethod
    def _status(lane: int) -> str:
        return ("pending", "in-progress")[lane]

    def _path(self, task: str) -> str:
        return ".taskmaster/tasks/tasks.json"


class Bmad(Tool):
    name = "bmad"
    ids: ClassVar = {"A": "1-1-sign-in", "B": "1-2-sign-out"}
    lanes = ("backlog", "in_progress")
    feature = "epic-1"
    source = "records"

    def texts(self, order: str, lanes: Mapping[str, int]) -> dict[str, str]:
        stories = "".join(f"  {self.ids[task]}: {('backlog', 'in-progress')[lanes[task]]}\n\n" for task in order)
        head = "# Sprint\nproject: Demo\n\ndevelopment_status:\n  epic-1: in-progress\n\n"
        return {self._path(""): f"{head}{stories}  epic-1-retrospective: optional\n"}

    def _path(self, task: str) -> str:
        return "_bmad-output/implementation-artifacts/sprint-status.yaml"


TOOLS: tuple[Tool, ...] = (BacklogMd(), SpecKit(), OpenSpec(), TaskMaster(), Bmad())


_TURN = itertools.cycle(TOOLS)


def neighbors(
    *tools: str,
    every: Steps | None = None,
    elsewhere: Steps | None = None,
    **modes: Steps,
) -> Callable[[Story], Story]:
    """A row for some tools, by their names: the steps that are told in each mode, as in `scenario`.

    Without names it is the next tool in turn, so that all rows together have all tools; in a campaign each row has all.
    The story begins with A and B in lane 0, committed.
    """
    wanted = modes if every is None else dict.fromkeys(("W", "H", "WH"), every) | modes
    everyone = TOOLS if CAMPAIGN else (next(_TURN),)
    chosen = [tool for tool in TOOLS if tool.name in tools] if tools else everyone
    cases = [
        pytest.param(tool, mode, want, id=f"{tool.name}-{mode}") for tool in chosen for mode, want in wanted.items()
    ]

    def decorate(story: Story) -> Story:
        def test(make_world: MakeWorld, tool: Tool, mode: str, want: Steps) -> None:
            world = make_world(mode)
            begin(world, tool)
            story(world, tool)
            check(world, tool.named(want))
            world.replay_adds()
            converges(world, tool.named(want if elsewhere is None else elsewhere))
            assert_stated(world, tool)

        test.__name__, test.__doc__ = story.__name__, story.__doc__
        tests: Story = pytest.mark.parametrize(("tool", "mode", "want"), cases)(test)
        return tests

    return decorate


def begin(world: World, tool: Tool) -> None:
    """A and B in their first lane, committed and told."""
    tool.save(world, A=0, B=0)
    world.commit("tasks")
    world.settle()


def assert_stated(world: World, tool: Tool) -> None:
    """Both tasks were created once, and every transition says where it came from and what its lanes mean."""
    for task in tool.ids.values():
        created = [one["payload"] for one in world.events("WPCreated")]
        features = [one["feature_slug"] for one in created if one["wp_id"] == task]
        assert len(features) == len(set(features)), f"{task} was created more than once: {features}"
    for event in world.events():
        fields: dict[str, Any] = event["payload"]
        if fields["wp_id"] in tool.ids.values():
            assert event["schema_version"] == "1.1.0"
            assert event["source"] == tool.source
            assert {fields["previous_category"], fields["new_category"]} <= {"backlog", "active", "done"}
