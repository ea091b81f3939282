"""The scheduler of an orchestration: what starts next, and what an agent's end does to a work package. A state machine.

    planned ── dependencies done ──▶ doing ── implemented ──▶ for_review ── accepted, merged ──▶ done
                                       ▲                          │
                                       └── changes, or a conflict ┘

An agent that fails is followed by another one, until `attempts` have failed in a row; then the work package is stuck,
and so is what depends on it, while the rest goes on. Who reviews is never who implemented. Nothing here knows of
processes, files or time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.natural import natural
from kittywatch.workpackages.lanes import Lane

Phase: TypeAlias = Literal["implementation", "review"]
Result: TypeAlias = Literal["succeeded", "failed", "timed out", "changes", "conflict"]


class Start(Struct, frozen=True):
    """An agent to start; `attempt` counts from 1 in its phase, `begins` says that the work package leaves planned."""

    wp_id: str
    phase: Phase
    agent: str
    attempt: int
    begins: bool = False


class Task(Struct, frozen=True):
    """A work package under orchestration.

    `agent` is who was on it last in the phase it is in, `implementer` who made what there is to review. `failures`
    are the agents that have failed in this phase, `rounds` how often something had to be changed, `stuck` says why it
    is given up.
    """

    wp_id: str
    lane: Lane
    needs: tuple[str, ...] = ()
    agent: str | None = None
    implementer: str | None = None
    failures: tuple[str, ...] = ()
    rounds: int = 0
    running: Start | None = None
    stuck: str | None = None

    @property
    def phase(self) -> Phase:
        return "review" if self.lane == "for_review" else "implementation"


class Team(Struct, frozen=True):
    """The agents of each phase in the order of preference, and the limits."""

    implementation: tuple[str, ...]
    review: tuple[str, ...]
    jobs: int = 2
    attempts: int = 3


Tasks: TypeAlias = Mapping[str, Task]


def next_starts(tasks: Tasks, team: Team) -> list[Start]:
    """The agents to start now: reviews first, then what was begun, then what is new, each by id."""
    order = {"for_review": 0, "doing": 1, "planned": 2, "done": 3}
    busy = [task.running.agent for task in tasks.values() if task.running is not None]
    starts: list[Start] = []
    for task in sorted(tasks.values(), key=lambda one: (order[one.lane], natural(one.wp_id))):
        if len(busy) >= team.jobs:
            break
        if is_ready(task, tasks):
            agent = choose(task, team, busy)
            starts.append(Start(task.wp_id, task.phase, agent, len(task.failures) + 1, task.lane == "planned"))
            busy.append(agent)
    return starts


def is_ready(task: Task, tasks: Tasks) -> bool:
    """Tell whether an agent can be started on a work package."""
    if task.running is not None or task.stuck is not None or task.lane == "done":
        return False
    return task.lane != "planned" or all(one in tasks and tasks[one].lane == "done" for one in task.needs)


def choose(task: Task, team: Team, busy: Sequence[str]) -> str:
    """Choose the next agent: failed least here, then was on it, then is least busy, then is preferred."""
    names = team.implementation if task.phase == "implementation" else team.review
    able = [name for name in names if task.phase == "implementation" or name != task.implementer] or list(names)
    return min(
        able, key=lambda name: (task.failures.count(name), name != task.agent, busy.count(name), names.index(name))
    )


def begun(tasks: Tasks, start: Start) -> Tasks:
    """Tasks after an agent has been started."""
    task = tasks[start.wp_id]
    if start.phase == "review":
        return _with(tasks, replace(task, running=start, agent=start.agent))
    return _with(tasks, replace(task, running=start, agent=start.agent, implementer=start.agent, lane="doing"))


def ended(tasks: Tasks, wp_id: str, result: Result, team: Team) -> Tasks:
    """Tasks after an agent has ended; a review that succeeded is merged too."""
    task = tasks[wp_id]
    assert task.running is not None
    phase, agent = task.running.phase, task.running.agent
    task = replace(task, running=None)
    if result == "succeeded":
        lane: Lane = "for_review" if phase == "implementation" else "done"
        return _with(tasks, replace(task, lane=lane, failures=(), agent=None))
    if result in ("changes", "conflict"):
        why = "the reviews ask for changes all the time" if result == "changes" else "it cannot be merged"
        rounds = task.rounds + 1
        stuck = why if rounds >= team.attempts else None
        again = replace(task, lane="doing", failures=(), rounds=rounds, agent=task.implementer, stuck=stuck)
        return _with(tasks, again)
    failures = (*task.failures, agent)
    stuck = f"{phase} failed {len(failures)} times" if len(failures) >= team.attempts else None
    return _with(tasks, replace(task, failures=failures, stuck=stuck))


def interrupted(tasks: Tasks, wp_id: str) -> Tasks:
    """Tasks after an agent was stopped, which counts as no failure."""
    return _with(tasks, replace(tasks[wp_id], running=None))


def is_over(tasks: Tasks, team: Team) -> bool:
    """Tell whether nothing runs and nothing can be started."""
    return not any(task.running for task in tasks.values()) and not next_starts(tasks, team)


def rehearsal(tasks: Tasks, team: Team) -> Iterator[list[Start]]:
    """Dry run: the agents that would be started, a wave at a time, if every one succeeded."""
    while starts := next_starts(tasks, team):
        yield starts
        for start in starts:
            tasks = begun(tasks, start)
        for start in starts:
            tasks = ended(tasks, start.wp_id, "succeeded", team)


def _with(tasks: Tasks, task: Task) -> Tasks:
    return {**tasks, task.wp_id: task}
