"""The commits that came to a view since it was last looked at, and what they change.

A range goes from the commit that a view showed to a newer one. Where the newer one doesn't descend from it, history was
rewritten, and what was left behind is read as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from msgspec import Struct

from kittywatch.derive.changes import BrokenContent, CommitChanges, FeatureGraph, Key, Provenance
from kittywatch.git import reflog
from kittywatch.git.output import Commit
from kittywatch.git.repository import Git
from kittywatch.observe.head_moves import Visit
from kittywatch.observe.history import History
from kittywatch.observe.provenance import Origins
from kittywatch.observe.reader import Reader
from kittywatch.store.views import DETACHED
from kittywatch.workpackages.reader import WorkPackage


class CommitRange(Struct):
    """A view's commits from the one that it showed, `old`, to a newer one, parents first.

    `changes` are those that decide something, `recorded` the commits among them that a reflog records as made here.
    `left` are the keys of work packages that a rewrite left commits of behind, None where nothing was rewritten.
    `earlier` are commits from before the baseline that the view left behind, or that some that came are copies of.
    `pulled` are the work packages that others' commits moved that a pull brought last.
    """

    ref: str
    old: str | None
    new: str
    commits: Sequence[Commit]
    changes: Sequence[CommitChanges]
    provenance: Mapping[str, Provenance]
    recorded: Set[str]
    left: frozenset[Key] | None = None
    earlier: Sequence[CommitChanges] = ()
    pulled: frozenset[Key] = frozenset()


class RangeReader:
    """Reads the ranges of one checkout's views.

    `tips` are the commits that its views showed, and are brought up to date; `boundaries` those that the other views of
    the clone show, `baselines` those of the project.
    """

    def __init__(
        self,
        git: Git,
        reader: Reader,
        history: History,
        origins: Origins,
        *,
        tips: dict[str, str | None],
        boundaries: Iterable[str],
        baselines: Sequence[str],
    ) -> None:
        self.git = git
        self.reader = reader
        self.history = history
        self.origins = origins
        self.tips = tips
        self.boundaries = tuple(boundaries)
        self.baselines = baselines

    def visited(self, visit: Visit) -> list[CommitRange]:
        """The ranges of one visit of HEAD, in their order; none where nothing came."""
        tip, old = visit.tip, self.tips.get(visit.ref)
        self.tips[visit.ref] = tip
        if tip is None:
            return []
        if visit.ref == DETACHED and visit.came is not None and self.git.exists(visit.came):
            # Not what a detached HEAD showed elsewhere counts, but where it came to, and what came after.
            ranges = [self._range(visit.ref, None, visit.came)]
            return ranges if visit.came == tip else [*ranges, self._range(visit.ref, visit.came, tip)]
        return [] if old == tip else [self._range(visit.ref, old, tip)]

    def _range(self, ref: str, old: str | None, new: str) -> CommitRange:
        commits = self.reader.commits_between(old, new) if old is not None else None
        aside: list[CommitChanges] | None = None
        if commits is None:
            rewritten = old is not None and not self.git.is_ancestor(old, new)
            if rewritten and (not self.git.exists(str(old)) or reflog.begun_anew(self.git.common, ref, str(old))):
                rewritten, old = False, None
            shown = (tip for name, tip in self.tips.items() if tip and name != ref)
            boundary = [old] if old is not None else [*self.boundaries, *shown]
            commits = self.git.commits(new, without=[*boundary, *self.baselines])
            if rewritten and old is not None:
                aside = self._aside(old, new, {commit.id for commit in commits})
        changes = [one for one in self.history.changes(commits) if one]
        ids = [one.commit for one in changes]
        found = CommitRange(ref, old, new, commits, changes, self.origins.of(ids), self.origins.recorded(ids))
        found.earlier = self._earlier(changes, aside or ())
        if aside is not None:
            found.left, found.pulled = frozenset(keys_of(aside)), self._pulled(new)
        return found

    def _aside(self, old: str, new: str, walked: Set[str]) -> list[CommitChanges]:
        """What a rewrite left behind, and what the new tip has from before the baseline."""
        left = self.git.commits(old, without=[new])
        if self.baselines:
            left += [one for one in self.git.commits(new, without=[old]) if one.id not in walked]
        return [one for one in self.history.changes(left) if one]

    def _pulled(self, tip: str) -> frozenset[Key]:
        """What came in with a pull that brought HEAD to `tip`, after something that nobody looked at took it away."""
        before = self.origins.pulled(tip)
        if before is None or not self.git.exists(before):
            return frozenset()
        changes = [one for one in self.history.changes(self.git.commits(tip, without=[before])) if one]
        whose = self.origins.of(one.commit for one in changes)
        return frozenset(keys_of(one for one in changes if whose[one.commit] is Provenance.REMOTE))

    def _earlier(self, came: Sequence[CommitChanges], aside: Sequence[CommitChanges]) -> list[CommitChanges]:
        """Commits from before the baseline that matter: those of both sides of a rewrite, and what was copied since.

        A copy keeps the author time. Only one that is older than the baseline can be a copy of what was there before.
        """
        if not self.baselines or not (came or aside):
            return []
        ids = {one.commit for one in aside}
        after = self.git.not_reached(ids, self.baselines) if ids else set()
        earlier = [one for one in aside if one.commit not in after]
        newest = self.reader.newest(self.baselines)
        copied = {one.moment for one in came if newest is not None and one.moment <= newest}
        if copied:
            for baseline in self.baselines:
                there = self.git.commits(baseline) if self.git.exists(baseline) else []
                earlier += History(self.reader, self.git).changes([one for one in there if one.moment in copied])
        return earlier


def keys_of(changes: Iterable[CommitChanges]) -> set[Key]:
    """The work packages that some changes are about, by the names in the files."""
    found: set[Key] = set()
    for one in changes:
        found |= of_packages([one]) | of_graphs(one.graphs) | of_broken(one.broken)
    return found


def of_packages(changes: Iterable[CommitChanges]) -> set[Key]:
    return {change.package.key for one in changes for change in one.packages}


def of_features(packages: Iterable[WorkPackage]) -> set[Key]:
    """The features of work packages that are kept under a home, which the ledger is asked for by themselves."""
    return {(one.feature, "") for one in packages if one.home is not None}


def of_graphs(graphs: Mapping[str, FeatureGraph]) -> set[Key]:
    return {(graph.home or feature, wp_id) for feature, graph in graphs.items() for wp_id in graph.dependencies}


def of_broken(broken: Iterable[BrokenContent]) -> set[Key]:
    return {(one.feature, one.wp_id or "") for one in broken}
