"""Random histories on the abstract git: moves on branches, merges, rebases and cherry-picks, observed as they go."""

from __future__ import annotations

import random

from tests.builders import record
from tests.derive.graphs import Content
from tests.derive.packages import moved
from tests.derive.world import World

LANES = ("planned", "doing", "for_review", "done")
_OPERATIONS = ("move",) * 5 + ("branch",) + ("switch",) * 2 + ("merge",) * 3 + ("rebase", "pick", "forward")
_MOST_BRANCHES = 4


class History:
    """What a seed stands for: done in `world`, told in `log`. All branches are merged into main at the end.

    No lane is amended and nothing is squashed: there git forgets what was emitted.
    """

    def __init__(self, seed: int) -> None:
        self.drawn = random.Random(seed)
        self.world = World(self.drawn.choice(("H", "H", "W", "WH")))
        self.branches = ["main"]
        self.lanes = LANES[: self.drawn.choice((2, 3, 4, 4))]
        self.records = self.drawn.choice((0.0, 0.5, 1.0))  # how many of the moves have one
        self.log = [f"seed {seed}, {self.world.mode}"]
        for minute in range(1, self.drawn.randint(4, 16)):
            getattr(self, f"_{self.drawn.choice(_OPERATIONS)}")(minute)
        self.world.checkout("main")
        for branch in self.branches[1:]:
            self._merge_with(branch)
        self.world.observe()

    def _note(self, text: str) -> None:
        self.log.append(f"{self.world.branch}: {text} ({self.world.tip})")

    def _other(self) -> str:
        """Another branch, main if there is none."""
        return self.drawn.choice([one for one in self.branches if one != self.world.branch] or ["main"])

    # Operations.

    def _move(self, minute: int) -> None:
        lane = self.drawn.choice(self.lanes)
        shown = self.world.shown()["WP01"]
        if lane == shown.lane:
            return
        has_record = self.drawn.random() < self.records
        before = [record(f"{one.moment:%Y-%m-%dT%H:%M:%SZ}", one.lane, agent=one.agent) for one in shown.trail]
        self.world.move(lane, [*before, moved(minute, lane)] if has_record else None)
        self._note(f"to {lane}{' with a record' if has_record else ''}")

    def _branch(self, _: int) -> None:
        if len(self.branches) < _MOST_BRANCHES:
            self.branches.append(f"b{len(self.branches)}")
            self.world.checkout(self.branches[-1])
            self._note("branch")

    def _switch(self, _: int) -> None:
        self.world.checkout(self._other())
        self._note("switch")

    def _merge(self, _: int) -> None:
        self._merge_with(self._other())

    def _merge_with(self, branch: str) -> None:
        world, theirs = self.world, self.world.refs[branch]
        if theirs in world.graph.reached[world.tip]:
            return
        ours, shown = world.shown(), world.shown(theirs)
        merged = _merged(world.graph.base(world.tip, theirs), ours, shown)
        world.merge(branch, merged or self.drawn.choice((ours, shown)))
        self._note(f"merge {branch}{'' if merged else ' with a conflict'}")

    def _forward(self, _: int) -> None:
        branch = self._other()
        if self.world.graph.precedes(self.world.tip, self.world.refs[branch]):
            self.world.merge(branch, ff=True)
            self._note(f"fast-forward to {branch}")

    def _pick(self, _: int) -> None:
        world, branch = self.world, self._other()
        commit = world.refs[branch]
        parents = world.graph.commits[commit].parents
        if len(parents) != 1 or commit in world.graph.reached[world.tip]:
            return
        picked = _merged(world.shown(parents[0]), world.shown(), world.shown(commit))
        if picked is not None and picked != world.shown():
            world.go(world.copy(commit, world.tip, picked))
            self._note(f"cherry-pick {commit}")

    def _rebase(self, _: int) -> None:
        """Onto another branch, without what that has by now; not where there is a conflict."""
        world, branch = self.world, self._other()
        at, pairs = world.refs[branch], dict(world.pairs)
        for commit in world.graph.walk(world.tip, [at]):
            parents = world.graph.commits[commit].parents
            if len(parents) != 1:
                continue
            before, shown = world.shown(parents[0]), world.shown(commit)
            rebased = _merged(before, world.shown(at), shown)
            if rebased is None:
                return
            if rebased == world.shown(at) and before != shown:
                continue
            if parents[0] == at:
                at = commit
                continue
            at = world.copy(commit, at, rebased)
            pairs[at] = {commit, *pairs.get(commit, ())}
        if at != world.tip and world.refs[branch] not in world.graph.reached[world.tip]:
            world.pairs = pairs
            world.go(at)
            self._note(f"rebase onto {branch}")


def _merged(base: Content, ours: Content, theirs: Content) -> Content | None:
    """What a three-way merge makes of two sides, None where they are in conflict."""
    if theirs in (base, ours):
        return ours
    return theirs if ours == base else None
