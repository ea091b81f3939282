"""What happened to a checkout's views since they were last looked at, as snapshots with whose news they are.

A view is a branch in a checkout, or the checkout's detached HEAD. Planning asks git and reads files; it runs outside of
any transaction, from rows that may have changed by the time the plan is carried out, which then is thrown away.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.derive.snapshot import Key, Origin, Snapshot
from kittywatch.git import reflog
from kittywatch.git.output import Commit
from kittywatch.git.repository import Git
from kittywatch.observe.changes import Changes, squashed
from kittywatch.observe.history import Reader, Walk
from kittywatch.observe.merges import merged_away, movers, sides
from kittywatch.observe.origins import Origins, horizon
from kittywatch.observe.plans import AdoptedStart, CopiedStart, ViewPlan, keys_of
from kittywatch.store.views import DETACHED, View
from kittywatch.workpackages.reader import WorkPackage


class _Joined(Struct, frozen=True):
    """A commit that was looked at, and the merge that brought it into another first-parent chain.

    `before` are the commits of that chain up to the merge, `own` the work packages that the looked-at side had changed.
    """

    old: str
    merge: str
    before: frozenset[str]
    own: frozenset[Key]


class Planner:
    """Plans for one checkout.

    `entries` are what its HEAD log says since it was last looked at, `landings` the commits that are known to have
    brought entries of some work packages, `told` those of some commits that are known to have brought any.
    """

    def __init__(
        self,
        git: Git,
        reader: Reader,
        *,
        now: datetime,
        entries: Sequence[reflog.Entry],
        landings: Callable[[Set[Key]], set[str]],
        told: Callable[[Set[str]], set[str]],
    ) -> None:
        self.git = git
        self.reader = reader
        self.now = now
        self.origins = Origins(git, entries, told)
        self._landings = landings
        self._planned: set[str] = set()
        self._last = entries[-1] if entries else None

    # Where a view begins.

    def baseline(self, ref: str, commit: str | None) -> ViewPlan:
        """The first view of a project: what is there at `commit` is taken in silently (rule B1)."""
        return ViewPlan(ref, commit, self._adopted("baseline", commit))

    def first_look(self, ref: str, tip: str | None, observed: Sequence[View]) -> ViewPlan:
        """A view that was never looked at: it is read from where it left what was observed (rule O7).

        `observed` are the views of the project that show a commit, the latest first.
        """
        if tip is None:
            return ViewPlan(ref, None, AdoptedStart("elsewhere", None, None))
        present = [view for view in observed if view.tip and self.git.exists(view.tip)]
        if not present:
            return self._first_look_at_clone(ref, tip)
        chain = self.git.first_parents(tip, without=[view.tip for view in present if view.tip])
        base = tip if not chain else self._parent(chain[0])
        plan = self._continued(ViewPlan(ref, tip), base, tip) if chain else ViewPlan(ref, tip)
        plan.start = self._start_at(base, present)
        return plan

    def arrived(self, ref: str, start: str, tip: str, observed: Sequence[View]) -> ViewPlan:
        """A detached HEAD that was brought to `start`: not what it showed elsewhere counts, but what came after."""
        plan = self.first_look(ref, start, observed)
        since = self.continued(ref, start, tip)
        plan.tip = tip
        plan.snapshots += since.snapshots
        plan.horizons += since.horizons
        plan.undone, plan.back, plan.landed = since.undone, since.back, since.landed
        return plan

    def _first_look_at_clone(self, ref: str, tip: str) -> ViewPlan:
        """Another clone of an observed project: what others made is known there; only what was made here counts."""
        chain = self.git.first_parents(tip)
        origins = self.origins.of(chain)
        last = next((at for at in range(len(chain), 0, -1) if origins[chain[at - 1]] == "elsewhere"), 0)
        base = chain[last - 1] if last else None
        plan = self._continued(ViewPlan(ref, tip), base, tip)
        plan.start = self._adopted("elsewhere", base)
        return plan

    def _start_at(self, base: str | None, views: Sequence[View]) -> CopiedStart | AdoptedStart:
        if base is None:
            return AdoptedStart("elsewhere", None, None)
        source = next((view for view in views if view.tip == base), None)
        if source is not None:
            return CopiedStart(source)
        source = next((one for one in views if one.tip and self.git.is_ancestor(base, one.tip)), views[0])
        assert source.tip is not None
        snapshot = self._walk(source.tip).change(*self.git.difference(source.tip, base), self.now)
        packages, gone = (snapshot.packages, snapshot.gone) if snapshot else ((), frozenset())
        # One that states no lane there is not seen yet (rule D2), wherever the other view has it by now.
        gone |= {(one.feature, one.wp_id) for one in packages if one.lane is None and one.problem is None}
        differ = keys_of(snapshot) if snapshot else set()
        back = frozenset(self._last_changes(source.tip, base).moved.keys() - differ - gone)
        return CopiedStart(source, packages, gone, back, self._landed(differ | back, base))

    # What came since.

    def continued(self, ref: str, old: str | None, new: str | None, observed: Sequence[View] | None = None) -> ViewPlan:
        """A view that was looked at when it showed `old`.

        `observed` are the project's views, for a branch that has nothing but the name in common with that one.
        """
        plan = ViewPlan(ref, new)
        if old == new or new is None:
            return plan
        commits = self.reader.commits_between(old, new) if old is not None else None
        if commits is not None or old is None or self.git.is_ancestor(old, new):
            return self._continued(plan, old, new, commits)
        if observed is not None and reflog.begun_anew(self.git.common, ref, old):
            return self.first_look(ref, new, observed)
        if not self.git.exists(old):
            return self._replaced(plan, new)
        return self._diverged(plan, old, new)

    def _continued(self, plan: ViewPlan, old: str | None, new: str, commits: list[Commit] | None = None) -> ViewPlan:
        """Each commit on the first-parent chain counts, oldest first (rule O4); None: git is asked for them.

        Where a merge brought the chain together with `old`, commits before it are another branch's. What `old` had
        made of a work package itself, they don't come after: of that, the difference that the merge makes counts.
        """
        straight = old is None or old == new or commits is not None
        commits = list(self.git.history(new, since=old)) if commits is None else commits
        origins = self.origins.of(commit.id for commit in commits)
        plan.horizons += horizon(origins)
        origins |= dict.fromkeys(self._passed(plan.ref, old, origins), "passed")
        walk = self._walk_from(commits)
        joined = None if straight or old is None else self._joined(commits, old, new)
        for commit in commits:
            if joined is not None and commit.id not in joined.before:
                self._join(plan, joined, origins)
                joined = None
            origin = origins[commit.id]
            snapshot = walk.step(commit, origin=origin)
            if snapshot is None:
                continue
            if joined is not None:
                snapshot = snapshot.without(joined.own)
            if len(commit.parents) > 1 and origin != "elsewhere":
                snapshot = self._merged(plan, commit, snapshot)
            plan.snapshots.append(snapshot)
        if joined is not None:
            self._join(plan, joined, origins)
        return plan

    def _passed(self, ref: str, old: str | None, origins: Mapping[str, Origin]) -> set[str]:
        log = reflog.head_log(self.git.directory) if ref == DETACHED else self.git.common / "logs" / ref
        return self.origins.told_before(origins, log, old)

    def _joined(self, commits: Sequence[Commit], old: str, new: str) -> _Joined | None:
        """Where a merge brought the first-parent chain together with `old`, None where the chain goes through it."""
        if commits and old in commits[0].parents[:1]:
            return None
        chain = self.git.first_parents(new, without=[old])
        start = self._parent(chain[0])
        if start is None or start == old:
            return None
        at = bisect.bisect_left(chain, True, key=lambda commit: self.git.is_ancestor(old, commit))
        base = self.git.merge_base(start, old)
        net = self._walk(base).change(*self.git.difference(base, old), self.now) if base is not None else None
        own = {(one.feature, one.wp_id) for one in net.packages} | net.gone if net is not None else set()
        return _Joined(old, chain[at], frozenset(chain[: at + 1]), frozenset(own))

    def _join(self, plan: ViewPlan, joined: _Joined, origins: Mapping[str, Origin]) -> None:
        """What differs after a merge from what some work packages were before, with whoever made it."""
        net = self._walk(joined.old).change(*self.git.difference(joined.old, joined.merge), self.now)
        if net is None or (net := net.within(joined.own)) is None:
            return
        came = self._last_changes(joined.merge, joined.old).moved
        merged = self.origins.of([joined.merge])[joined.merge]
        for package in net.packages:
            commit, origin = came.get((package.feature, package.wp_id), (None, merged))
            part = replace(net, packages=(package,), origin=origin)
            if commit is not None:
                origin = origins.get(commit.id, origin)
                part = replace(part, commit=commit.id, moment=commit.moment, origin=origin)
            plan.snapshots.append(part)

    def _merged(self, plan: ViewPlan, merge: Commit, snapshot: Snapshot) -> Snapshot:
        """Put the other sides of a merge into the plan, and return what the merge adds to all of them."""
        came: frozenset[Key] = frozenset()
        for side, brought in sides(self.git, self.reader, merge, keys_of(snapshot), self.now):
            came |= brought
            self._plan_side(plan, side, merge, replace(snapshot, brought=brought))
        return replace(snapshot, brought=came)

    def _plan_side(self, plan: ViewPlan, side: str, merge: Commit, snapshot: Snapshot) -> None:
        """Put what one side brought into the plan, which may have come there with merges in its turn."""
        commits = list(self.git.history(side, since=merge.parents[0]))
        origins = self.origins.of(commit.id for commit in commits)
        plan.horizons += horizon(origins)
        walk = self._walk_from(commits)
        left = snapshot.brought
        for commit in commits:
            whose: Origin = "side" if origins[commit.id] == "here" else "elsewhere"
            whole = walk.step(commit, origin=whose)
            if whole is not None and whose == "elsewhere":
                plan.snapshots.append(replace(whole, only_known=True))
            # A commit that moves no lane shows the side's old one, which the branch that is merged into has left.
            left -= whole.moved if whole is not None else frozenset()
            if whole is not None and (part := whole.within(snapshot.brought & whole.moved)) is not None:
                part = replace(part, rosters=snapshot.rosters)
                plan.snapshots.append(self._merged(plan, commit, part) if len(commit.parents) > 1 else part)
        away = merged_away(self.git, self.reader, side, merge, left, self.origins.of, self.now)
        if (part := snapshot.within(away)) is not None:
            plan.snapshots.append(replace(part, origin="elsewhere"))

    def _diverged(self, plan: ViewPlan, old: str, new: str) -> ViewPlan:
        """The net difference alone counts (rule O4), for each work package with whoever made it."""
        net = self._walk(old).change(*self.git.difference(old, new), self.now) or Snapshot(self.now, ())
        came = self._last_changes(new, old)
        went = self._last_changes(old, new)
        plan.horizons += came.horizon
        back = went.moved.keys() - came.moved.keys() - net.moved
        plan.back = frozenset(back - (squashed(self.git, self.reader, back, old, new) if back else set()))
        self._plan_difference(plan, net, came, went, since=old)
        if net.broken:
            plan.snapshots.append(replace(net, packages=()))
        plan.landed = self._landed((keys_of(plan.undone) if plan.undone else set()) | plan.back, new)
        before = went.moments
        if any(one.moment not in before for one in came.here):  # it may be of the other side of a merge
            before = self.git.moments(old, since=new)
        plan.copies = [one for one in came.here if one.moment in before]
        return plan

    def _plan_difference(self, plan: ViewPlan, net: Snapshot, came: Changes, went: Changes, *, since: str) -> None:
        """A difference by whoever made it. What others made of work packages that `old` had left alone comes first, as
        with a fast-forward: what is told here then is what came after it, even if that is back where `old` was.
        """
        pulled = self._pulled(plan.tip)
        left_alone, differing = went.changed.keys(), keys_of(net)
        plan.snapshots += came.others(without=left_alone)
        over = came.over_others(without=left_alone)
        plan.snapshots += [part for key, part in over.items() if key not in differing]
        merged = net.moved - came.moved.keys() - went.moved.keys()
        theirs = pulled | (merged if merged and self._others_came(plan.tip, since) else set())
        undone: list[WorkPackage] = []
        for package in net.packages:
            key = (package.feature, package.wp_id)
            moves = key in net.moved or key in over
            if (by := came.last(key, moves=moves)) is not None:
                commit, origin = by
                part = replace(
                    net, packages=(package,), broken=(), commit=commit.id, moment=commit.moment, origin=origin
                )
                plan.snapshots.append(part)
            elif key in theirs or ((by := went.last(key, moves=moves)) is not None and by[1] == "elsewhere"):
                plan.snapshots.append(replace(net, packages=(package,), broken=(), origin="elsewhere"))
            else:
                undone.append(package)
        if undone:
            plan.undone = replace(net, packages=tuple(undone), broken=())

    def _others_came(self, tip: str | None, since: str) -> bool:
        """Whether others made commits of a chain. What no commit of it moved, a merge of theirs took from the rest."""
        chain = self.git.first_parents(tip, without=[since]) if tip is not None else []
        return "elsewhere" in self.origins.of(chain).values()

    def _pulled(self, tip: str | None) -> frozenset[Key]:
        """What came in with a pull that brought HEAD to `tip`, after something that nobody looked at took it away."""
        last = self._last
        if last is None or tip is None or not last.arrived or last.new != tip or not self.git.exists(last.old):
            return frozenset()
        moved = self._last_changes(tip, last.old).moved
        return frozenset(key for key, (_, origin) in moved.items() if origin == "elsewhere")

    def _last_changes(self, tip: str, since: str) -> Changes:
        """The last commit on a side that moved each work package's lane or changed it, and whose it was."""
        commits = list(self.git.history(tip, since=since))
        origins = self.origins.of(commit.id for commit in commits)
        walk = self._walk_from(commits)
        changes = Changes(horizon=horizon(origins), moments={commit.moment for commit in commits})
        for commit in commits:
            snapshot = walk.step(commit)
            if snapshot is None:
                continue
            by = commit, origins[commit.id]
            changes.moved |= dict.fromkeys(snapshot.moved, by)
            changes.changed |= {(one.feature, one.wp_id): by for one in snapshot.packages}
            if by[1] == "elsewhere":
                changes.elsewhere.append(replace(snapshot, origin="elsewhere"))
                continue
            if (moved := snapshot.within(snapshot.moved)) is not None:
                changes.here.append(moved)
            if len(commit.parents) > 1:
                changes.moved |= self._movers(commit, snapshot.moved)
        return changes

    def _movers(self, merge: Commit, keys: Set[Key]) -> dict[Key, tuple[Commit, Origin]]:
        """Who moved what a merge made here brought in from its other sides."""
        found: dict[Key, tuple[Commit, Origin]] = {}
        for side, brought in sides(self.git, self.reader, merge, keys, self.now):
            found |= movers(self.git, self.reader, side, merge, brought, self.origins.of, self.now)
        return found

    def _replaced(self, plan: ViewPlan, new: str) -> ViewPlan:
        """What was observed is gone from the repository: all of what is there is compared with what was known."""
        snapshot = self._whole(new)
        if snapshot is not None:
            plan.snapshots.append(replace(snapshot, origin=self.origins.of([new])[new]))
        return plan

    # Helpers.

    def remember(self, plan: ViewPlan) -> None:
        """What a plan tells has landed when the next plan is carried out."""
        self._planned |= {snapshot.commit for snapshot in plan.snapshots if snapshot.commit}

    def _walk(self, commit: str | None) -> Walk:
        return Walk(self.reader, commit)

    def _walk_from(self, commits: Sequence[Commit]) -> Walk:
        """A walk that begins where the first of some commits does."""
        return self._walk(commits[0].parents[0] if commits and commits[0].parents else None)

    def _landed(self, keys: Set[Key], tip: str) -> frozenset[str]:
        """The commits that are known to have brought entries of some work packages, and that `tip` reaches."""
        if not keys:
            return frozenset()
        landings = self._landings(keys)
        return frozenset(self.git.reached(landings | self._planned, tip))

    def _adopted(self, kind: Literal["baseline", "elsewhere"], commit: str | None) -> AdoptedStart:
        snapshot = self._whole(commit)
        landed = self._landed(keys_of(snapshot), commit) if snapshot and commit else frozenset()
        return AdoptedStart(kind, snapshot, commit, landed)

    def _whole(self, commit: str | None) -> Snapshot | None:
        if commit is None:
            return None
        return Walk(self.reader).change(self.git.files(commit), (), self.now, commit=commit)

    def _parent(self, commit: str) -> str | None:
        parents = self.git.parents(commit)
        return parents[0] if parents else None


def ref_name(ref: str | None) -> str:
    """The name of a view in the store."""
    return ref if ref is not None else DETACHED
