"""An abstract git: commits with parents, what each shows of one feature, and what each decides (rule D7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct, field

from kittywatch.derive.changes import CommitChanges, FeatureGraph, FeatureInfo, Key, PackageChange
from kittywatch.derive.steps import LaneState, lane_state
from kittywatch.workpackages.features import Meta
from kittywatch.workpackages.reader import WorkPackage
from tests.builders import FEATURE

Content: TypeAlias = Mapping[str, WorkPackage]


class Made(Struct, frozen=True):
    """A commit: its parents, author time and what it shows of each work package."""

    id: str
    parents: tuple[str, ...]
    moment: datetime
    shows: Content


class Graph(Struct):
    """Commits by their ids. `dependencies` are those of the work packages, in every commit."""

    commits: dict[str, Made] = field(default_factory=dict)
    dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reached: dict[str, frozenset[str]] = field(default_factory=dict)

    def add(self, parents: Iterable[str], moment: datetime, shows: Content, name: str = "") -> str:
        """Make a commit; returns its id."""
        made = Made(name or f"c{len(self.commits)}", tuple(parents), moment, shows)
        self.commits[made.id] = made
        self.reached[made.id] = frozenset({made.id}).union(*(self.reached[parent] for parent in made.parents))
        return made.id

    def precedes(self, old: str, new: str) -> bool:
        return old != new and old in self.reached.get(new, ())

    def walk(self, tip: str, without: Iterable[str] = ()) -> list[str]:
        """The commits that `tip` reaches and none of `without` does, in git's author-date order, reversed (rule B2)."""
        wanted = self.reached[tip].difference(*(self.reached[one] for one in without))
        children = Counter(parent for commit in wanted for parent in self.commits[commit].parents)
        ready, order = [tip] if tip in wanted else [], list[str]()
        while ready:
            commit = max(ready, key=lambda one: self.commits[one].moment)
            ready.remove(commit)
            order.append(commit)
            for parent in self.commits[commit].parents:
                children[parent] -= 1
                if parent in wanted and not children[parent]:
                    ready.append(parent)
        return order[::-1]

    def states(self, commit: str | None) -> dict[Key, LaneState]:
        """The states of all work packages at a commit."""
        found = self.commits[commit].shows if commit is not None else {}
        return {(FEATURE, wp_id): state for wp_id, one in found.items() if (state := lane_state(one)) is not None}

    def changes(self, commit: str) -> CommitChanges:
        """What a commit decides."""
        made = self.commits[commit]
        before = self.commits[made.parents[0]].shows if made.parents else {}
        packages = [
            PackageChange(one, before.get(wp_id), lane_state(before.get(wp_id)))
            for wp_id, one in made.shows.items()
            if before.get(wp_id) != one and not self._came_with(made, wp_id, before)
        ]
        begins = any(change.base is None for change in packages)
        graph = FeatureGraph(self.dependencies, {wp_id: one.lane for wp_id, one in made.shows.items()})
        return CommitChanges(
            commit,
            made.moment,
            tuple(packages),
            features={FEATURE: FeatureInfo(Meta(), len(made.shows))} if begins else {},
            graphs={FEATURE: graph} if any(change.package.lane == "done" for change in packages) else {},
            is_merge=len(made.parents) > 1,
        )

    def _came_with(self, merge: Made, wp_id: str, before: Content) -> bool:
        """Whether a merge shows its first parent's lane, or one to which another parent moved since their base."""
        if len(merge.parents) < 2:
            return False
        lane = merge.shows[wp_id].lane
        if wp_id in before and before[wp_id].lane == lane:
            return True
        for side in merge.parents[1:]:
            shown = self.commits[side].shows.get(wp_id)
            base = self.base(merge.parents[0], side).get(wp_id)
            if shown is None or shown.lane != lane:
                continue
            if base is None or base.lane != lane or any(one.lane != lane for one in shown.trail[len(base.trail) :]):
                return True
        return False

    def base(self, one: str, other: str) -> Content:
        """What the last common ancestor of two commits shows."""
        common = [commit for commit in self.walk(one) if commit in self.reached[other]]
        return self.commits[common[-1]].shows if common else {}
