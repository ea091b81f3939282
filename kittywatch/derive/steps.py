"""From a difference between lanes to its steps (rules D1 to D4)."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from msgspec import Struct

from kittywatch.workpackages.lanes import Lane, LaneNames
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.stated import StatedStep
from kittywatch.workpackages.trail import Record, digest

DEFAULT_AGENT = "user"


class LaneState(Struct, frozen=True):
    """What a work package showed with a valid lane: the lane, and its trail as a length and a fingerprint."""

    lane: Lane
    records: int = 0
    trail: str = ""


class Step(Struct, frozen=True):
    """One transition. `moment` is the trail record's time, None where no record states it.

    `stated` is the step as the source states it, with an id, and `lane_now` then the lane that the source gives as a
    whole, where a later step was emitted before this one (rule E4).
    """

    previous: Lane
    new: Lane
    agent: str
    moment: datetime | None
    stated: StatedStep | None = None
    lane_now: Lane | None = None


def lane_state(package: WorkPackage | None) -> LaneState | None:
    """The state to remember of a work package, None where it states no valid lane."""
    if package is None or package.lane is None:
        return None
    return LaneState(package.lane, len(package.trail), digest(package.trail))


def steps_between(before: LaneState | None, package: WorkPackage, names: LaneNames) -> tuple[Step, ...]:
    """The steps from what was known to what `package` shows now; none where no lane differs.

    `before` is None for a work package that was in no lane before: its steps then begin in the first one (rule D2).
    """
    if package.lane is None or package.stated:
        return ()  # what a source states by ids is no difference (stated.py)
    first = before.lane if before else package.scheme.first
    if package.lane == first:
        return ()
    fallback = package.agent or DEFAULT_AGENT
    recorded = _recorded(before, package, names)
    if recorded is None:
        return (Step(first, package.lane, fallback, None),)
    lanes = [first, *(lane for lane, _ in recorded)]
    return tuple(
        Step(previous, new, record.agent or fallback, record.moment)
        for (previous, new), (_, record) in zip(pairwise(lanes), recorded, strict=True)
    )


def _recorded(before: LaneState | None, package: WorkPackage, names: LaneNames) -> list[tuple[Lane, Record]] | None:
    """The appended records that move the lane from `before` to now, None where they don't explain it (rule D3)."""
    known = before.records if before else 0
    if before and digest(package.trail[:known]) != before.trail:
        return None
    appended = package.trail[known:]
    if any(later.moment < earlier.moment for earlier, later in pairwise(appended)):
        return None
    moved: list[tuple[Lane, Record]] = []
    current = before.lane if before else "planned"
    for record in appended:
        lane = names.lane(record.lane)
        if lane is None:
            return None
        if lane != current:
            moved.append((lane, record))
            current = lane
    return moved if moved and current == package.lane else None
