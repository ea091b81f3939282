"""The line of a work package's edits: as long as each begins where the one before ended, told is an order of it.

Whatever git makes of the commits, the steps that a home tells go along the line, never back, each once (O1, O10); and
a view that shows the line's end has told it all (O7). A step may pass over what no observer saw. Where edits fork, a
conflict mixes them, or somebody takes one back, the line is no longer straight, and says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.stateful.model import FIRST, BrokenRuleError, Content, Heard, Key, Step, steps


@dataclass
class Unit:
    """One step's end: its lane, the clone that has to tell it, the homes that may, lanes from which a copy made it at
    once, and the time of its record, if it has one.
    """

    lane: str
    owner: str = ""
    time: str | None = None
    makers: set[str] = field(default_factory=set)
    copied_from: set[str] = field(default_factory=set)

    def is_made_by(self, step: Step) -> bool:
        """Whether a step that some other difference resolves into may be this one."""
        return step.new == self.lane and (self.time is None or step.time in (None, self.time))


class Line:
    """One work package's line in all clones. `told` is, by home, where in the line what was told may have ended."""

    def __init__(self, key: Key, first: Content | None) -> None:
        self.key = key
        self.units = [Unit((first.lane if first else None) or FIRST)]
        self.ends: dict[Content | None, int] = {first: 0}
        self.straight = True
        self._told: dict[str, set[int]] = {}

    def bend(self) -> None:
        """From now on the line says nothing."""
        self.straight = False

    def edited(self, before: Content | None, after: Content, owner: str, home: str) -> None:
        """Somebody wrote a new content."""
        if before == after:
            return
        if self.ends.get(before) != len(self.units) - 1 or after in self.ends:
            self.bend()
        self.units += [Unit(step.new, owner, step.time, {home}) for step in steps(before, after)]
        self.ends[after] = len(self.units) - 1

    def follows(self, before: Content | None, after: Content) -> bool:
        """Whether the steps that a difference resolves into are some of the line's, in its order.

        They are not where a trail was replaced meanwhile: its records tell steps of their own to whom it is new.
        """
        if not self.straight:
            return False
        start, end = self.ends.get(before), self.ends.get(after)
        if start is None or end is None:
            return True
        units = iter(self.units[start + 1 : end + 1])
        return end < start or all(any(unit.is_made_by(step) for unit in units) for step in steps(before, after))

    def hides(self, before: Content | None, after: Content) -> bool:
        """Whether a difference between two contents says nothing of the steps in between, by its lane or its trail."""
        start, end = self.ends.get(before), self.ends.get(after)
        if start is None or end is None or before is None or before.trail != after.trail:
            return False
        return end > start + 1 and before.lane == after.lane

    def copied(self, before: Content | None, after: Content | None, home: str) -> list[str]:
        """Somebody committed anew what was made elsewhere, which makes it theirs too: the lanes that are new so."""
        start, end = self.ends.get(before), self.ends.get(after)
        if start is None or end is None:
            return []
        told = max(self._told.get(home, {0}))
        copies = [(at, self.units[at]) for at in range(start + 1, end + 1)]
        # One copy may be known for what it is, by its commit, and the next one not, when nothing but its lane says it.
        found = [at for at, one in copies if home not in one.makers or (one.copied_from and at > told)]
        if any(at <= told for at in found):
            self.bend()  # what came after it is told already
        for at in found:
            self.units[at].makers.add(home)
            self.units[at].copied_from.add(self.units[start].lane)
        return [self.units[at].lane for at in found]

    def heard(self, heard: Heard, home: str) -> None:
        """A home tells a step; BrokenRuleError where it is none along the line."""
        if not self.straight:
            return
        before = self._told.get(home, {0})
        after = {
            end
            for start in before
            for end in range(start + 1, len(self.units))
            if self.units[end].lane == heard.step.new
            and home in self.units[end].makers
            and heard.step.old in {unit.lane for unit in self.units[start:end]} | self.units[end].copied_from
        }
        if not after:
            raise BrokenRuleError(f"O1, O10: {heard} goes not along {self._lanes()}, of which {home} was at {before}")
        self._told[home] = after

    def looked_at(self, content: Content, view: object, owner: str, home: str) -> None:
        """A clone was looked at where it shows a content; BrokenRuleError where it hasn't told what it made so far."""
        end = self.ends.get(content)
        if not self.straight or end is None:
            return
        before = self._told.get(home, {0})
        enough = {
            start
            for start in before
            if start >= end
            or self.units[start].lane == self.units[end].lane
            or not any(unit.owner == owner for unit in self.units[start + 1 : end + 1])
        }
        if not enough:
            told = f"{home} told as far as {before}"
            raise BrokenRuleError(f"O7: {view} shows {self.key} at {end} of {self._lanes()}, {told}")
        if any(start < end and self.units[start].lane == self.units[end].lane for start in enough):
            enough.add(end)  # a round that nobody saw is behind it
        self._told[home] = enough

    def _lanes(self) -> list[str]:
        return [unit.lane for unit in self.units]
