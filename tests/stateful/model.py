"""What may be told and what must be, from the rules of the contract alone.

The model knows no logs of git and no cursors. It hears what was made: an edit, a lane that a command took back, a
conflict resolved to something of its own. From that it bounds what an observer tells:

- from above, always: each told step into a lane uses up one making of that lane (no phantom, no duplicate). What had
  been told when everything was last looked at can't be told again: makings that are left then are gone.
- from below, where a view's history is plain: the steps from what it last showed, commit by commit (D3, O4, O7), but
  for a beginning that another view told after this view last told something (O1).

Where a step was told by a view, nothing that was told before can stand for a later step of this view: its `floor`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

LANES = ("planned", "doing", "for_review", "done")
FIRST = "planned"

Step: TypeAlias = tuple[str, str]
"""From one lane to another."""

View: TypeAlias = tuple[str, str]
"""A checkout and a branch in it."""


@dataclass(frozen=True)
class Content:
    """What a work package says: its lane, and the records of its trail as (time, lane)."""

    lane: str
    trail: tuple[tuple[str, str], ...] = ()


State: TypeAlias = Mapping[str, Content]
"""The work packages that a commit or a worktree shows."""


def steps(before: Content | None, after: Content) -> list[Step]:
    """A difference resolved into its steps (rules D1 to D3)."""
    known = before or Content(FIRST)
    if known.lane == after.lane:
        return []
    appended = after.trail[len(known.trail) :]
    in_order = all(one[0] <= other[0] for one, other in pairwise(appended))
    if after.trail[: len(known.trail)] == known.trail and in_order:
        lanes = [known.lane]
        for _, lane in appended:
            if lane != lanes[-1]:
                lanes.append(lane)
        if len(lanes) > 1 and lanes[-1] == after.lane:
            return list(pairwise(lanes))
    return [(known.lane, after.lane)]


def along(contents: Iterable[Content | None]) -> list[Step]:
    """The steps along a plain history of contents; one that is None says nothing."""
    found: list[Step] = []
    last: Content | None = None
    for number, content in enumerate(contents):
        if content is not None:
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
    created: int = 0
    makings: Counter[str] = field(default_factory=Counter)
    creatable: bool = False
    lanes: set[str] = field(default_factory=set)
    """Lanes that some view here has shown, whoever brought them."""
    known: set[str] = field(default_factory=set)
    """Lanes that need not be told: there before kittywatch, or elsewhere's."""
    floors: dict[View, int] = field(default_factory=dict)


class Home:
    """One home: its ledger, for all checkouts that tell into it."""

    def __init__(self, baseline: State) -> None:
        self.packages: dict[str, Told] = {}
        for wp_id, content in baseline.items():
            told = self.of(wp_id)
            told.lanes.add(content.lane)
            told.known.add(content.lane)
        self.clock = 0
        self.ids: set[str] = set()

    def of(self, wp_id: str) -> Told:
        return self.packages.setdefault(wp_id, Told(known={FIRST}, lanes={FIRST}))

    # What happens.

    def made(self, wp_id: str, before: Content | None, after: Content) -> None:
        """Somebody here took a work package from one content to another."""
        told = self.of(wp_id)
        told.creatable = told.creatable or before is None
        told.makings.update(new for _, new in steps(before, after))
        told.lanes |= {after.lane, *(lane for _, lane in after.trail)}

    def changed(self, before: State, after: State) -> None:
        """The same for all work packages that differ; one whose file is gone is no event (rule D6)."""
        for wp_id, content in after.items():
            if before.get(wp_id) != content:
                self.made(wp_id, before.get(wp_id), content)

    def arrived(self, state: State) -> None:
        """Something came in from elsewhere: what it shows was told there (rule O3)."""
        for wp_id, content in state.items():
            told = self.of(wp_id)
            lanes = {content.lane, *(lane for _, lane in content.trail)}
            told.known |= lanes
            told.lanes |= lanes

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

    def hear(self, events: Sequence[Mapping[str, Any]]) -> dict[str, list[Step]]:
        """Check new events, in the ledger's order, from above; returns the steps by work package."""
        new: dict[str, list[Step]] = {}
        for event in events:
            if event["lamport_clock"] != self.clock + 1:
                raise BrokenRuleError(f"O8: lamport_clock {self.clock} is followed by {event['lamport_clock']}")
            self.clock += 1
            if event["event_id"] in self.ids:
                raise BrokenRuleError(f"O9: {event['event_id']} twice")
            self.ids.add(event["event_id"])
            if event["event_type"] == "WPCreated":
                self._hear_creation(event["payload"]["wp_id"])
            elif event["event_type"] == "WPStatusChanged":
                payload = event["payload"]
                step = payload["previous_status"], payload["new_status"]
                self._hear_step(payload["wp_id"], step)
                new.setdefault(payload["wp_id"], []).append(step)
            elif event["event_type"] == "ErrorLogged":
                raise BrokenRuleError(f"an error of which nobody is guilty: {event['payload']}")
        return new

    def _hear_creation(self, wp_id: str) -> None:
        told = self.of(wp_id)
        told.created += 1
        if not told.creatable or told.created > 1:
            raise BrokenRuleError(f"D2: {wp_id} was not created here, or told before")

    def _hear_step(self, wp_id: str, step: Step) -> None:
        told = self.of(wp_id)
        before, after = step
        if before == after:
            raise BrokenRuleError(f"D1: {wp_id} {step}")
        if not told.makings[after]:
            raise BrokenRuleError(f"O1-O4: {wp_id} {step} was not made here, or is told already: {told.steps}")
        if before not in told.lanes:
            raise BrokenRuleError(f"O10: no view of {wp_id} ever was at {before}: {step}")
        told.makings[after] -= 1
        told.steps.append(step)

    def must(self, wp_id: str, view: View, expected: Sequence[Step], new: Sequence[Step]) -> None:
        """Check one view's plain history from below: `new` is what its observation told."""
        told = self.of(wp_id)
        floor = min(told.floors.get(view, 0), len(told.steps) - len(new))
        ahead = {lane for _, lane in told.steps[floor : len(told.steps) - len(new)]} | (
            told.known - {FIRST} if view not in told.floors else set()
        )
        silent = len(expected) - len(new)
        if silent < 0 or list(expected[silent:]) != list(new):
            raise BrokenRuleError(f"O7, O10: {view} {wp_id}: {list(expected)} came, told was {list(new)}")
        if silent and expected[silent - 1][1] not in ahead:
            raise BrokenRuleError(
                f"O7: {view} {wp_id}: of {list(expected)} told is {list(new)}; before that {told.steps}, {floor=}"
            )

    def stands(self, wp_id: str, view: View) -> None:
        """A view has just told a step: whatever comes is after that."""
        told = self.of(wp_id)
        told.floors[view] = len(told.steps)

    def shows(self, wp_id: str, lane: str, view: View) -> None:
        """A view that was looked at shows a lane: somebody has told it (no loss)."""
        told = self.of(wp_id)
        if lane not in told.known | {new for _, new in told.steps}:
            raise BrokenRuleError(f"O7: {view} shows {wp_id} at {lane}, which nobody told: {told.steps}")
