"""Work packages as the reader gives them, and facts in short, for the tests of deriving."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from kittywatch.derive.facts import (
    AnnotationFact,
    CompletionFact,
    ErrorFact,
    Fact,
    FeatureFact,
    Note,
    ResolutionFact,
    TransitionFact,
)
from kittywatch.derive.resolve import Rules
from kittywatch.derive.steps import Step
from kittywatch.emit.drafts import EnvelopeContext
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import WorkPackage, read_work_package
from tests.builders import FEATURE, record, work_package_text

NAMES = LaneNames()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONTEXT = EnvelopeContext("550e8400-e29b-41d4-a716-446655440000", "demo", "a1b2c3d4e5f6", "0123456789abcdef")
KEY = (FEATURE, "WP01")
RULES = Rules(NAMES, CONTEXT.event_id)


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


def arrow(step: Step) -> str:
    return f"{step.previous}→{step.new}"


def said(facts: Iterable[Fact]) -> list[str]:
    """Facts in short: `feature F`, `WP01 created`, `WP01 planned→doing`, `broken PATH`."""
    return [_said(fact) for fact in facts]


def _said(fact: Fact) -> str:
    match fact:
        case FeatureFact():
            return f"feature {fact.feature}"
        case TransitionFact():
            step = fact.emitted.step
            return f"{fact.emitted.package.wp_id} {arrow(step) if step else 'created'}"
        case AnnotationFact():
            what, wp_id = fact.annotation.what, fact.annotation.package.wp_id
            if isinstance(what, Note):
                return f"{wp_id} {what.kind}: {what.content}"
            return f"{wp_id} {what.phase} by {what.agent}, {what.retry_count} before"
        case ResolutionFact():
            return f"{fact.wp_id} waits no longer for {fact.cause.wp_id}, {fact.how}"
        case CompletionFact():
            return f"complete: {fact.work_packages}"
        case ErrorFact():
            return f"broken {fact.broken.problem.path}"


def chain_holds(steps: Sequence[Step]) -> bool:
    """Whether each step begins where the one before it ended (rule O10)."""
    return all(later.previous == earlier.new for earlier, later in pairwise(steps))
