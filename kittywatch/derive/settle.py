"""One sighting of one work package against its log: what is to be told, and where the view stands afterwards.

This is where exactly once is decided (rules O1, O3, O4, O10). In this order:

1. No lane differs from what the view showed: nothing (D1).
2. The commit is known to have brought an entry ahead of the cursor: the cursor moves there. To a history any entry
   will do, for commits may have been put into another order than that in which they were told.
3. What came in with a merge's other side or a fast-forward was told wherever in the log it is found.
4. The steps are looked for ahead of the cursor, by event id and then by lane: what is found was told. By its lane no
   entry is found that the view's own history has brought before.
5. What is left is told, if it was made here.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from kittywatch.derive.log import Entry, Log, Phase, match
from kittywatch.derive.snapshot import Origin
from kittywatch.derive.steps import Shown, Step, shown, steps_between
from kittywatch.workpackages.lanes import Lane, LaneNames
from kittywatch.workpackages.reader import WorkPackage

_TICK = timedelta(microseconds=1)


class Known(Struct, frozen=True):
    """Where a view stands with a work package: what it last showed, and the entry of the log that it came with."""

    shown: Shown
    cursor: Entry | None


class Sighting(Struct, frozen=True):
    """One work package in one snapshot.

    `landed` are the entries that this commit is known to have brought, `behind` those that its own history has brought
    before. `past`, which only a history knows, says that it was there before the project's baseline.
    """

    package: WorkPackage
    moment: datetime
    commit: str | None = None
    origin: Origin = "here"
    landed: tuple[Entry, ...] = ()
    past: bool = False
    behind: frozenset[Entry] = frozenset()


class Told(Struct, frozen=True):
    """One thing to tell of a work package: its creation (`step` is None) or a step, and its entry in the log."""

    package: WorkPackage
    step: Step | None
    moment: datetime
    entry: Entry


class Assigned(Struct, frozen=True):
    """Who took a work package on; `retry_count` are those before in the same phase."""

    agent: str
    phase: Phase
    retry_count: int


Identify: TypeAlias = Callable[[WorkPackage, "Step | Assigned | None", datetime], str]
"""The event id of a creation, a step or an assignment at a moment (rule O9)."""


class Rules(Struct, frozen=True):
    """How to settle. `history` tells the past of a log: new entries go where the cursor stands, not to the end."""

    names: LaneNames
    identify: Identify
    mode: Literal["live", "history"] = "live"


class Settled(Struct):
    """What became of a sighting: where the view stands now, what is to be told, in order, and what is not.

    `already_told` counts what was found in the log, `withheld` what is not told because it was made elsewhere.
    `basis` is what the sighting was compared with. `taken_in` says that all of it was there before.
    """

    known: Known | None
    told: list[Told] = field(default_factory=list)
    already_told: int = 0
    withheld: int = 0
    basis: Known | None = None
    taken_in: bool = False


def settle(
    log: Log, known: Known | None, sighting: Sighting, rules: Rules, claimed: Set[Entry] = frozenset()
) -> Settled:
    """Settle one sighting.

    `claimed` are entries that later sightings of the same walk are known to have brought. Adds to `log`.
    """
    settled = Settled(known)
    now = shown(sighting.package)
    if now is None:
        return settled
    if known is None:
        known = _first_sight(log, sighting, now, rules, settled)
    settled.basis = known
    cursor = _past_baseline(log, known.cursor, sighting, rules)
    steps = steps_between(known.shown, sighting.package, rules.names)
    if steps:
        cursor = _advance(log, cursor, steps, sighting, rules, claimed, settled)
    settled.known = Known(now, cursor)
    return settled


def _first_sight(log: Log, sighting: Sighting, now: Shown, rules: Rules, settled: Settled) -> Known:
    """What a view knows of a work package that it has not shown before (rules D2, B1)."""
    first = log.entries[0] if log.entries else None
    unseen = Shown("planned")
    if first is not None and first.kind == "created":
        settled.already_told += 1
        return Known(unseen, first)
    if rules.mode == "live" and first is not None and _ours_after_all(first, sighting):
        return Known(unseen, _tell(log, None, sighting, None, rules, settled.told))
    if rules.mode == "live" and first is not None and not first.told:
        settled.taken_in = True
        return Known(replace(now, lane=first.lane), first)
    if sighting.origin == "elsewhere":
        if first is None and rules.mode == "live":
            marker = log.add(taken_in("elsewhere", sighting.package, now.lane, sighting.commit))
            return Known(replace(unseen, lane=now.lane), marker)
        settled.withheld += 1
        return Known(unseen, None)
    return Known(unseen, _tell(log, None, sighting, None, rules, settled.told))


def _ours_after_all(entry: Entry, sighting: Sighting) -> bool:
    """Whether a commit was made here that another clone on this machine had come upon before, as somebody else's."""
    elsewhere = entry.kind in ("elsewhere", "theirs")
    return elsewhere and sighting.origin == "here" and sighting.commit is not None and entry.commit == sighting.commit


def taken_in(
    kind: Literal["baseline", "elsewhere"], package: WorkPackage, lane: Lane, commit: str | None = None
) -> Entry:
    """The entry for what was there before (B1), or what others told (O3): the lane, and who had it by then."""
    agent = package.assigned if lane != "planned" else None
    return Entry(kind, lane, commit=commit, agent=agent, phase="implementation" if agent else None)


def _past_baseline(log: Log, cursor: Entry | None, sighting: Sighting, rules: Rules) -> Entry | None:
    """Once a history has passed the baseline, so has its cursor."""
    if rules.mode == "history" and not sighting.past:
        for entry in log.entries:
            if entry.kind == "baseline":
                return log.later(cursor, entry)
    return cursor


def _advance(
    log: Log,
    cursor: Entry | None,
    steps: tuple[Step, ...],
    sighting: Sighting,
    rules: Rules,
    claimed: Set[Entry],
    settled: Settled,
) -> Entry | None:
    start = log.position(cursor)
    ahead = [entry for entry in log.entries[start:] if entry in sighting.landed]
    if ahead or (sighting.landed and rules.mode == "history"):
        settled.already_told += len(steps)
        return ahead[0] if ahead else cursor
    ids = [rules.identify(sighting.package, step, step.moment or sighting.moment) for step in steps]
    if sighting.origin in ("side", "passed"):
        anywhere = sighting.landed[-1] if sighting.landed else log.told_step(ids[-1], steps[-1].new)
        if anywhere is not None:
            settled.already_told += len(steps)
            return log.later(cursor, anywhere)
    window = log.entries[start : _wall(log, start, sighting)]
    claim = [entry for entry in window if _ours_after_all(entry, sighting)]
    if claim:
        return _claim(log, cursor, steps, sighting, rules, claim, settled)
    taken = frozenset(at for at, entry in enumerate(window) if entry in claimed)
    known_steps, reached = match(window, ids, [step.new for step in steps], taken, sighting.behind)
    if reached:
        cursor = window[reached - 1]
    settled.already_told += known_steps
    if sighting.origin == "elsewhere":
        settled.withheld += len(steps) - known_steps
        return _noted(log, cursor, steps, ids, sighting) if rules.mode == "live" else cursor
    for step in steps[known_steps:]:
        cursor = _tell(log, cursor, sighting, step, rules, settled.told)
    return cursor


def _noted(log: Log, cursor: Entry | None, steps: tuple[Step, ...], ids: list[str], sighting: Sighting) -> Entry | None:
    """Note by their ids the steps that others tell, so that whoever comes upon them again finds them where they are."""
    if sighting.commit is None or cursor is None:
        return cursor
    for event_id, step in zip(ids, steps, strict=True):
        known = log.told_id(event_id)
        if known is None:
            cursor = log.add(Entry("theirs", step.new, event_id, sighting.commit), after=cursor)
        else:
            cursor = log.later(cursor, known)
    return cursor


def _claim(
    log: Log,
    cursor: Entry | None,
    steps: tuple[Step, ...],
    sighting: Sighting,
    rules: Rules,
    theirs: list[Entry],
    settled: Settled,
) -> Entry | None:
    """Tell steps that were taken for others', each in its place among what has been told of them since."""
    unknown = max(len(steps) - len(theirs), 0)
    places: list[Entry | None] = [*([None] * unknown), *theirs[-len(steps) :]]
    for step, entry in zip(steps, places, strict=True):
        moment = _moment(sighting, step)
        event_id = rules.identify(sighting.package, step, moment)
        if entry is None:
            entry = log.add(Entry("step", step.new, event_id, sighting.commit), after=cursor)
        else:
            log.claim(entry, event_id)
        settled.told.append(Told(sighting.package, step, moment, entry))
        cursor = entry
    return cursor


def _wall(log: Log, start: int, sighting: Sighting) -> int:
    """What happened before the baseline is not among the entries after it."""
    if sighting.past:
        for index in range(start, len(log.entries)):
            if log.entries[index].kind == "baseline":
                return index
    return len(log.entries)


def _tell(
    log: Log, cursor: Entry | None, sighting: Sighting, step: Step | None, rules: Rules, told: list[Told]
) -> Entry:
    """Add an entry for a step, or for the creation, which stands before all else, and tell it.

    The same step of the same work package twice within the resolution of git's clock has the same content, and so
    the same event id. They are two transitions; the later one is moved on by a microsecond, on every machine alike.
    """
    moment = _moment(sighting, step)
    event_id = rules.identify(sighting.package, step, moment)
    while log.told_id(event_id) is not None:
        moment += _TICK
        event_id = rules.identify(sighting.package, step, moment)
    entry = Entry("step" if step else "created", step.new if step else "planned", event_id, sighting.commit)
    log.add(entry, after=cursor if step is None or rules.mode == "history" else "all")
    told.append(Told(sighting.package, step, moment, entry))
    return entry


def _moment(sighting: Sighting, step: Step | None) -> datetime:
    """When it happened (rule D5). A creation has its record too: the first one, if it says planned."""
    if step is not None:
        return step.moment or sighting.moment
    trail = sighting.package.trail
    return trail[0].moment if trail and trail[0].lane == "planned" else sighting.moment
