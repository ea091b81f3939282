"""Work packages as the reader gives them, snapshots and rules, for the tests of deriving."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

from kittywatch.derive.beside import Note
from kittywatch.derive.settle import Rules
from kittywatch.derive.snapshot import FeatureFacts, Origin, Snapshot
from kittywatch.derive.steps import Step
from kittywatch.derive.tellings import BesideTold, CompletedTold, FeatureTold, PackageTold, ResolvedTold, Telling
from kittywatch.emit.drafts import EnvelopeContext
from kittywatch.workpackages.features import Meta
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import WorkPackage, read_work_package
from tests.builders import FEATURE, record, work_package_text

NAMES = LaneNames()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
STAMP = EnvelopeContext("550e8400-e29b-41d4-a716-446655440000", "demo", "a1b2c3d4e5f6", "0123456789abcdef")
KEY = (FEATURE, "WP01")


def rules(mode: Literal["live", "history"] = "live") -> Rules:
    return Rules(NAMES, STAMP.event_id, mode)


def at(minute: int) -> str:
    """The time of a trail record, `minute` minutes after noon."""
    return f"{NOON + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"


def moved(minute: int, lane: str, agent: str = "claude") -> str:
    """A trail record."""
    return record(at(minute), lane, agent=agent)


def package(
    lane: str | None,
    trail: Sequence[str] = (),
    *,
    feature: str = FEATURE,
    wp_id: str = "WP01",
    agent: str | None = None,
    body: str = "",
) -> WorkPackage:
    """What the reader makes of a file with these fields."""
    text = work_package_text(lane=lane, trail=trail, wp_id=wp_id, agent=agent, body=body)
    found = read_work_package(f"kitty-specs/{feature}/tasks/{wp_id}.md", text.encode(), NAMES)
    assert isinstance(found, WorkPackage)
    return found


def snapshot(
    *packages: WorkPackage,
    minute: int = 0,
    commit: str | None = None,
    origin: Origin = "here",
    past: bool = False,
) -> Snapshot:
    """What one commit shows, or one look at a worktree."""
    features = {one.feature: FeatureFacts(Meta(), len(packages)) for one in packages}
    moment = NOON + timedelta(minutes=minute)
    return Snapshot(moment, packages, commit, origin, features=features, past=past)


def arrow(step: Step) -> str:
    return f"{step.previous}→{step.new}"


def said(tellings: Iterable[Telling]) -> list[str]:
    """Tellings in short: `feature F`, `WP01 created`, `WP01 planned→doing`, `broken PATH`."""
    words: list[str] = []
    for telling in tellings:
        if isinstance(telling, FeatureTold):
            words.append(f"feature {telling.feature}")
        elif isinstance(telling, PackageTold):
            step = telling.told.step
            words.append(f"{telling.told.package.wp_id} {arrow(step) if step else 'created'}")
        elif isinstance(telling, BesideTold):
            what = telling.beside.what
            name = f"{telling.beside.package.wp_id} "
            words.append(
                f"{name}{what.kind}: {what.content}"
                if isinstance(what, Note)
                else f"{name}{what.phase} by {what.agent}, {what.retry_count} before"
            )
        elif isinstance(telling, ResolvedTold):
            words.append(f"{telling.wp_id} waits no longer for {telling.cause.wp_id}, {telling.how}")
        elif isinstance(telling, CompletedTold):
            words.append(f"complete: {telling.work_packages}")
        else:
            words.append(f"broken {telling.broken.problem.path}")
    return words


def chain_holds(steps: Sequence[Step]) -> bool:
    """Whether each step begins where the one before it ended (rule O10)."""
    return all(later.previous == earlier.new for earlier, later in pairwise(steps))
