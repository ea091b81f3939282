"""What may be told and what must be, from the rules of the contract alone.

The model knows no logs of git and no cursors. It hears what was made: an edit, a lane that a command took back, a
conflict resolved to something of its own. From that it bounds what an observer tells:

- from above, always: each told step into a lane uses up one making of that lane (no phantom, no duplicate). What had
  been told when everything was last looked at can't be told again: makings that are left then are gone.
- from below, where a view's history is plain: the steps from what it last showed, commit by commit (D3, O4, O7), but
  for a beginning that another view told after this view last told something (O1).
- exactly, where a work package's edits follow one another (`line.py`), whatever git makes of the commits.

Where a step was told by a view, nothing that was told before can stand for a later step of this view: its `floor`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

LANES = ("planned", "doing", "for_review", "done")
ALIASES = {"in_progress": "doing", "claimed": "doing", "in_review": "for_review", "approved": "for_review"}
FIRST = "planned"

Key: TypeAlias = tuple[str, str]
"""Feature and work package."""

View: TypeAlias = tuple[str, str]
"""A checkout and a branch in it, "" where HEAD is detached."""


@dataclass(frozen=True)
class Content:
    """What a work package says: its lane, None where none is valid, its trail as (time, lane as written), and a number
    of its own for each edit that changes either.
    """

    lane: str | None
    trail: tuple[tuple[str, str], ...] = ()
    serial: int = 0


@dataclass(frozen=True)
class Step:
    """From one lane to another; `time` is the trail record's, None where no record tells it.

    `undoes` says that an edit was discarded with it.
    """

    old: str
    new: str
    time: str | None = None
    undoes: bool = False


@dataclass(frozen=True)
class Heard:
    """A transition that was told: an event."""

    key: Key
    step: Step
    timestamp: str


State: TypeAlias = Mapping[Key, Content]
"""The work packages that a commit or a worktree shows."""


def lane_of(written: str) -> str | None:
    """The lane that a name stands for (rule R3)."""
    return written if written in LANES else ALIASES.get(written)


def steps(before: Content | None, after: Content) -> list[Step]:
    """A difference resolved into its steps (rules D1 to D3)."""
    known = before if before is not None and before.lane is not None else Content(FIRST)
    if after.lane is None or known.lane is None or known.lane == after.lane:
        return []
    appended = after.trail[len(known.trail) :]
    lanes = [lane_of(lane) for _, lane in appended]
    in_order = all(one[0] <= other[0] for one, other in pairwise(appended))
    if after.trail[: len(known.trail)] == known.trail and in_order and None not in lanes:
        found: list[Step] = []
        at = known.lane
        for (time, _), lane in zip(appended, lanes, strict=True):
            if lane is not None and lane != at:
                found.append(Step(at, lane, time))
                at = lane
        if found and at == after.lane:
            return found
    return [Step(known.lane, after.lane)]


def along(contents: Iterable[Content | None]) -> list[Step]:
    """The steps along a plain history of contents; one that is None, or states no valid lane, says nothing."""
    found: list[Step] = []
    last: Content | None = None
    for number, content in enumerate(contents):
        if content is not None and content.lane is not None:
            if number:
                found += steps(last, content)
            last = content
    return found


class BrokenRuleError(AssertionError):
    """What was told, or wasn't, is against the contract."""


@dataclass
class Told:
    """What the ledger of one home has told of one work package, in its order."""

    steps: list[Step] = field(default_factory=list)
    views: list[View | None] = field(default_factory=list)
    """For each step the view that told it, None where that isn't sure."""
    created: int = 0
    makings: Counter[str] = field(default_factory=Counter)
    creatable: bool = False
    lanes: set[str] = field(default_factory=set)
    """Lanes that some view here has shown, whoever brought them."""
    known: set[str] = field(default_factory=set)
    """Lanes that need not be told: there before kittywatch, or elsewhere's."""
    elsewhere: set[str] = field(default_factory=set)
    """Lanes to which others moved it."""
    unrecorded: set[str] = field(default_factory=set)
    """Those of them to which others moved it without a record."""
    records: set[str] = field(default_factory=set)
    """The times of the records in all trails that it had, to the second."""
    floors: dict[View, int] = field(default_factory=dict)


class Home:
    """One home: its ledger, for all checkouts that tell into it."""

    def __init__(self, baseline: State) -> None:
        self.packages: dict[Key, Told] = {}
        self.features = {feature for feature, _ in baseline}
        self.told_features: set[str] = set()
        for key, content in baseline.items():
            told = self.of(key)
            told.lanes.add(content.lane or FIRST)
            told.known.add(content.lane or FIRST)
        self.odd: set[Key] = set()
        """Work packages that had two files, or a broken one, of which an error may be told (rules R5, R6)."""
        self.clock = 0
        self.ids: set[str] = set()

    def of(self, key: Key) -> Told:
        return self.packages.setdefault(key, Told(known={FIRST}, lanes={FIRST}))

    # What happens.

    def made(self, key: Key, before: Content | None, after: Content) -> None:
        """Somebody here took a work package from one content to another."""
        told = self.of(key)
        told.creatable = told.creatable or before is None
        told.makings.update(step.new for step in steps(before, after))
        self._shown(key, after)

    def made_again(self, key: Key, content: Content) -> None:
        """A commit comes again after a command took it back: each of its lanes may be told once more."""
        self.of(key).makings.update(self._shown(key, content))

    def came_back(self, key: Key, content: Content) -> None:
        """A file that was gone, which was no event, is there again, and may differ from what was shown last."""
        if content.lane is not None:
            self.of(key).makings[content.lane] += 1

    def changed(self, before: State, after: State) -> None:
        """The same for all work packages that differ; one whose file is gone is no event (rule D6)."""
        for key, content in after.items():
            if before.get(key) != content:
                self.made(key, before.get(key), content)

    def arrived(self, state: State, parents: Sequence[State]) -> None:
        """A commit came in from elsewhere: what it shows was told there (rule O3)."""
        for key, content in state.items():
            told = self.of(key)
            shown = self._shown(key, content)
            told.known |= shown
            told.elsewhere |= shown
            moved = [step for one in parents or [{}] for step in steps(one.get(key), content)]
            told.unrecorded |= {step.new for step in moved if step.time is None}

    def _shown(self, key: Key, content: Content) -> set[str]:
        lanes = {lane for lane in (content.lane, *(lane_of(lane) for _, lane in content.trail)) if lane}
        self.of(key).lanes |= lanes
        self.of(key).records |= {time[:19] for time, _ in content.trail}
        return lanes

    def all_looked_at(self) -> None:
        """Everything that was made has been told by now."""
        for told in self.packages.values():
            told.makings.clear()

    def unsure(self, view: View) -> None:
        """A view went back to where it may stand anywhere in what was told."""
        for told in self.packages.values():
            told.floors.pop(view, None)

    def copied(self, view: View, new: View) -> None:
        """A branch begins where another one is."""
        for told in self.packages.values():
            if view in told.floors:
                told.floors[new] = told.floors[view]
            else:
                told.floors.pop(new, None)

    # What is told.

    def hear(self, events: Sequence[Mapping[str, Any]], view: View | None) -> list[Heard]:
        """Check new events, in the ledger's order, from above; returns the transitions.

        `view` is the one that told them, None where several may have.
        """
        heard: list[Heard] = []
        for event in events:
            if event["lamport_clock"] != self.clock + 1:
                raise BrokenRuleError(f"O8: lamport_clock {self.clock} is followed by {event['lamport_clock']}")
            self.clock += 1
            if event["event_id"] in self.ids:
                raise BrokenRuleError(f"O9: {event['event_id']} twice")
            self.ids.add(event["event_id"])
            payload = event["payload"]
            if event["event_type"] == "FeatureCreated":
                self._hear_feature(event["aggregate_id"])
            elif event["event_type"] == "WPCreated":
                self._hear_creation((payload["feature_slug"], payload["wp_id"]))
            elif event["event_type"] == "WPStatusChanged":
                key = payload["feature_slug"], payload["wp_id"]
                recorded = event["timestamp"] if event["timestamp"][:19] in self.of(key).records else None
                step = Step(payload["previous_status"], payload["new_status"], recorded)
                one = Heard(key, step, event["timestamp"])
                self._hear_step(one, view)
                heard.append(one)
            elif event["event_type"] != "ErrorLogged":
                continue  # what goes along with transitions is told once: its id was not there before
            elif (payload["feature_slug"], payload["wp_id"]) not in self.odd:
                raise BrokenRuleError(f"an error of which nobody is guilty: {payload}")
        return heard

    def _hear_feature(self, feature: str) -> None:
        ours = any(told.creatable for key, told in self.packages.items() if key[0] == feature)
        if not ours or feature in self.features or feature in self.told_features:
            raise BrokenRuleError(f"{feature} was not created here, or told before")
        self.told_features.add(feature)

    def _hear_creation(self, key: Key) -> None:
        told = self.of(key)
        told.created += 1
        if not told.creatable or told.created > 1:
            raise BrokenRuleError(f"D2: {key} was not created here, or told before")

    def _hear_step(self, heard: Heard, view: View | None) -> None:
        told, step = self.of(heard.key), heard.step
        if step.old == step.new:
            raise BrokenRuleError(f"D1: {heard}")
        if not told.makings[step.new]:
            raise BrokenRuleError(f"O1-O4: {heard} was not made here, or is told already: {told.steps}")
        if step.old not in told.lanes:
            raise BrokenRuleError(f"O10: no view ever was there: {heard}")
        told.makings[step.new] -= 1
        told.steps.append(step)
        told.views.append(view)

    def must(self, key: Key, view: View, expected: Sequence[Step], new: Sequence[Heard]) -> None:
        """Check one view's plain history from below: `new` is what its observation told.

        A step may be left out if it was told since this view last told something, or before that by another view: then
        one of the two has no record, for a concurrent commit made the same move (rule B2), and such an edit takes
        nothing back.
        """
        told = self.of(key)
        count = len(told.steps) - len(new)
        floor = min(told.floors.get(view, 0), count)
        ahead = {step.new for step in told.steps[floor:count]}
        if view not in told.floors:
            ahead |= told.known - {FIRST}
        # Where HEAD was detached twice it was two views.
        others = [told.steps[at] for at in range(count) if told.views[at] != view or not view[1]]
        concurrent = told.elsewhere | {step.new for step in others}
        unrecorded = told.unrecorded | {step.new for step in others if step.time is None}

        def fits(expected: Sequence[Step], new: Sequence[Heard]) -> bool:
            if not expected:
                return not new
            if new and _same(expected[0], new[0]) and fits(expected[1:], new[1:]):
                return True
            first = expected[0]
            known = first.new in ahead or first.new in (concurrent if first.time is None else unrecorded)
            return (known or (first.undoes and first.old in concurrent)) and fits(expected[1:], new)

        starts = [0, *(at for at, step in enumerate(expected, start=1) if step.new in ahead)]
        if not any(fits(expected[start:], new) for start in starts):
            raise BrokenRuleError(
                f"D3, O7, O10: {view} {key}: {list(expected)} came, told was {list(new)}; before that {told.steps}, "
                f"{floor=}"
            )

    def stands(self, key: Key, view: View) -> None:
        """A view has just told a step: whatever comes is after that."""
        told = self.of(key)
        told.floors[view] = len(told.steps)

    def shows(self, key: Key, lane: str, view: View) -> None:
        """A view that was looked at shows a lane: somebody has told it (no loss)."""
        told = self.of(key)
        if lane not in told.known | {step.new for step in told.steps}:
            raise BrokenRuleError(f"O7: {view} shows {key} at {lane}, which nobody told: {told.steps}")


def _same(step: Step, heard: Heard) -> bool:
    """Whether an event tells a step; a record's time may have been moved on by microseconds."""
    times = step.time is None or heard.timestamp[:19] == step.time[:19]
    return (step.old, step.new) == (heard.step.old, heard.step.new) and times
