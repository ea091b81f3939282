"""From commits to changes: what each commit decides about the work packages of a project (rules D1, D2, D7).

The commits of a walk come parents first; each is compared with its first parent, a merge with all of them. A tree
keeps which files a unit of a lane source consists of, so that a work package that moves, is copied or loses its place
to another file is compared by what counts before and after, not by its path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.derive.changes import (
    BrokenContent,
    CommitChanges,
    FeatureGraph,
    FeatureInfo,
    Key,
    PackageChange,
)
from kittywatch.derive.steps import LaneState, lane_state
from kittywatch.git.output import Commit, File
from kittywatch.git.repository import Git
from kittywatch.observe.likeness import is_same, may_matter_to_others, renamed_units
from kittywatch.observe.reader import SYMLINK, Reader, UnitTree, broken_content
from kittywatch.workpackages.event_log import Log
from kittywatch.workpackages.features import dependencies_of
from kittywatch.workpackages.lane_source import Unit
from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.reader import WorkPackage

_NOTHING = UnitTree({}, {})
_KEPT = 3  # versions of a unit: the one that is committed, and what a worktree showed last and shows now


class _Contents:
    """The contents of a unit's files, as the reader has them."""

    def __init__(self, reader: Reader, files: Mapping[str, File]) -> None:
        self._reader = reader
        self._files = files

    def said(self, path: str) -> tuple[object, str]:
        return self._reader.said(self._files[path])

    def log(self, path: str) -> Log:
        return self._reader.log(self._files[path])


class ProjectTree(Struct, frozen=True):
    """A project at a commit: the units of `base` (None: of nothing), but for those that a walk has changed since.

    `last` are the last states with a valid lane of work packages that have none now (rule D3).
    """

    base: str | None
    units: Mapping[Unit, UnitTree]
    last: Mapping[Key, LaneState]


class Difference(Struct, frozen=True):
    """What differs between two trees, for whoever wants to know what it is and not whose."""

    packages: tuple[PackageChange, ...] = ()
    broken: tuple[BrokenContent, ...] = ()
    features: Mapping[str, FeatureInfo] = {}
    graphs: Mapping[str, FeatureGraph] = {}
    renamed: Mapping[str, str] = {}


class History:
    """Reads the changes of commits; `is_known` says whether the ledger knows a work package.

    A work package that its parent lacks may have been there before: then its last lane is looked for in the history.
    """

    def __init__(self, reader: Reader, git: Git, is_known: Callable[[Key], bool] = lambda key: True) -> None:
        self._reader = reader
        self._git = git
        self._sources = git.sources
        self._is_known = is_known
        self._trees: dict[str, ProjectTree] = {}
        self._bases: dict[tuple[str | None, Unit], UnitTree] = {}
        self._began: dict[str, datetime] = {}

    # Trees.

    def tree(self, commit: str | None) -> ProjectTree:
        """The project at a commit, or nothing for None."""
        found = self._trees.get(commit) if commit is not None else None
        return found if found is not None else ProjectTree(commit, {}, {})

    def unit(self, tree: ProjectTree, unit: Unit) -> UnitTree:
        """A unit as a tree shows it; without files where it isn't there."""
        found = tree.units.get(unit)
        if found is not None:
            return found
        if tree.base is None:
            return _NOTHING
        if (tree.base, unit) not in self._bases:
            self._enter(tree.base, {unit})
        return self._bases[tree.base, unit]

    def package(self, tree: ProjectTree, key: Key) -> WorkPackage | None:
        """A work package as a tree shows it, None where its file is gone or can't be read."""
        unit, found = self._find(tree, key)
        return self._complete(found, unit) if found is not None else None

    def state(self, tree: ProjectTree, key: Key) -> LaneState | None:
        """The state of a work package when it last had a valid lane, None where it never had one."""
        now = lane_state(self._shown(tree, key))
        return now or tree.last.get(key) or (self._search(tree.base, key) if tree.base is not None else None)

    def _find(self, tree: ProjectTree, key: Key) -> tuple[UnitTree, WorkPackage | None]:
        """The first unit that has a work package, and the work package as it says."""
        for name in self._sources.units_of(key):
            unit = self.unit(tree, name)
            if (found := unit.packages.get(key)) is not None:
                return unit, found
        return _NOTHING, None

    def _shown(self, tree: ProjectTree, key: Key) -> WorkPackage | None:
        return self._find(tree, key)[1]

    def _enter(self, base: str, units: Set[Unit]) -> None:
        new = {unit for unit in units if (base, unit) not in self._bases}
        read = self._reader.files(base, new) if new else {}
        of = self._sources.unit_of
        kept = {unit: {file.path: file for file in files if of(file.path) == unit} for unit, files in read.items()}
        self._reader.prefetch(file for files in kept.values() for file in files.values())
        for unit, files in kept.items():
            self._bases[base, unit] = self._read(unit, files)

    def _search(self, base: str, key: Key) -> LaneState | None:
        """The last valid state in the first-parent history of a commit that shows none."""
        if not self._is_known(key):
            return None
        files = [glob.pathspec for unit in self._sources.units_of(key) for glob in self._sources.globs_of(unit)]
        for commit in self._git.touching(base, files):
            for parent in self._git.parents(commit)[:1]:
                state = lane_state(self._shown(ProjectTree(parent, {}, {}), key))
                if state is not None:
                    return state
        return None

    # Changes.

    def changes(self, commits: Sequence[Commit]) -> Iterator[CommitChanges]:
        """What each commit of a walk decides, parents first; a commit that decides nothing has empty changes."""
        self._reader.prefetch(file for commit in commits for file in commit.changed)
        left = Counter(parent for commit in commits for parent in commit.parents)
        kept = {commits[-1].id} if commits else set()
        for commit in commits:
            yield self._changes(commit)
            for parent in commit.parents:
                left[parent] -= 1
                if not left[parent] and parent not in kept:
                    self._trees.pop(parent, None)

    def _changes(self, commit: Commit) -> CommitChanges:
        before = self.tree(commit.parents[0] if commit.parents else None)
        if not commit.changed and not commit.removed:
            self._trees[commit.id] = before
            return CommitChanges(commit.id, commit.moment, is_merge=len(commit.parents) > 1)
        after, difference = self.difference(before, commit.changed, commit.removed, commit.moment, tip=commit.id)
        self._trees[commit.id] = after
        if len(commit.parents) > 1:
            difference = self._decided(commit, after, difference)
        return CommitChanges(
            commit.id,
            commit.moment,
            difference.packages,
            difference.broken,
            difference.features,
            difference.graphs,
            difference.renamed,
            is_merge=len(commit.parents) > 1,
        )

    def _decided(self, merge: Commit, after: ProjectTree, difference: Difference) -> Difference:
        """What a merge itself decides: lanes that are neither its first parent's nor one that another parent moved to
        since their merge base (rule D7).
        """
        own: list[PackageChange] = []
        bases: dict[str, ProjectTree] = {}
        for change in difference.packages:
            key = change.package.key
            lane = change.package.lane
            if change.package.stated:
                own += self._stated_by(merge, change)
                continue
            if lane is None or lane == (change.base.lane if change.base else None):
                continue
            if not any(self._came_from(merge, side, key, lane, bases) for side in merge.parents[1:]):
                own.append(change)
        features = {change.package.feature for change in own}
        return Difference(
            tuple(own),
            difference.broken,
            {name: info for name, info in difference.features.items() if name in features},
            {name: graph for name, graph in difference.graphs.items() if name in features},
            difference.renamed,
        )

    def _stated_by(self, merge: Commit, change: PackageChange) -> list[PackageChange]:
        """What a merge itself states of a work package: what none of its parents does."""
        sides = [self._shown(self.tree(side), change.package.key) for side in merge.parents[1:]]
        there = [one for one in (change.before, *sides) if one is not None]
        steps = {step.id: step for one in there for step in one.stated}
        if all(step.id in steps for step in change.package.stated) and any(
            one.notes == change.package.notes for one in there
        ):
            return []
        before = change.before or next(iter(there), None)
        return [replace(change, before=replace(before, stated=tuple(steps.values())) if before is not None else None)]

    def _came_from(self, merge: Commit, side: str, key: Key, lane: Lane, bases: dict[str, ProjectTree]) -> bool:
        shown = self._shown(self.tree(side), key)
        if shown is None or shown.lane != lane:
            return False
        if side not in bases:
            bases[side] = self.tree(self._git.merge_base(merge.parents[0], side))
        there = self._shown(bases[side], key)
        if there is None or there.lane != lane or self._went_round(there, shown):
            return True
        made = History(self._reader, self._git).changes(self._git.commits(side, without=merge.parents[:1]))
        moved = (one for changes in made for one in changes.packages if one.package.key == key)
        return any(one.package.lane == lane and one.base is not None and one.base.lane != lane for one in moved)

    def _went_round(self, before: WorkPackage, after: WorkPackage) -> bool:
        """Whether the records that were appended since say that it left its lane, and came back."""
        appended = after.trail[len(before.trail) :] if after.trail[: len(before.trail)] == before.trail else ()
        return any(self._reader.names.lane(record.lane) not in (None, before.lane) for record in appended)

    def difference(
        self,
        before: ProjectTree,
        changed: Iterable[File],
        removed: Iterable[str],
        moment: datetime,
        *,
        tip: str | None = None,
    ) -> tuple[ProjectTree, Difference]:
        """The tree after some files changed, and what differs; `tip` is a commit that has them, for its history."""
        after, touched = self._apply(before, list(changed), list(removed))
        renamed = renamed_units(touched, self._sources.states_lanes)
        packages: list[PackageChange] = []
        broken: list[BrokenContent] = []
        infos: dict[str, FeatureInfo] = {}
        graphs: dict[str, FeatureGraph] = {}
        for unit, (old, new) in touched.items():
            source = renamed.get(unit, unit)
            was = touched[source][0] if source in touched else old
            news: list[tuple[WorkPackage, WorkPackage | None]] = []
            for key, one in new.packages.items():
                then = key if source == unit else (source.feature or "", key[1])
                there = was.packages.get(then)
                if there is not one and not is_same(there, one):
                    news.append((one, there))
                    packages.append(PackageChange(self._complete(one, new), there, self.state(before, then)))
            broken += [one for one in new.broken if one not in old.broken]
            self._inform(new, news, moment, infos)
            for feature in {one.feature for one, there in news if may_matter_to_others(one, there)}:
                graphs[feature] = self._graph(unit, feature, new, before, tip)
        names = {str(unit.feature): str(source.feature) for unit, source in renamed.items()}
        return after, Difference(tuple(packages), tuple(broken), infos, graphs, names)

    def _inform(
        self,
        unit: UnitTree,
        news: list[tuple[WorkPackage, WorkPackage | None]],
        moment: datetime,
        infos: dict[str, FeatureInfo],
    ) -> None:
        """Say how large features are in which a work package is new, or has its first lane."""
        began = (one for one, there in news if there is None or there.lane is None or there.feature != one.feature)
        for feature in {one.feature for one in began}:
            counted = sum(1 for one in unit.packages.values() if one.lane and one.feature == feature)
            if counted:
                self._began.setdefault(feature, moment)
            infos[feature] = FeatureInfo(self._reader.meta(unit.meta, feature), counted)

    def _apply(
        self, before: ProjectTree, changed: Sequence[File], removed: Sequence[str]
    ) -> tuple[ProjectTree, dict[Unit, tuple[UnitTree, UnitTree]]]:
        """The tree after some changes, and each unit that they touch as it was and is."""
        self._reader.prefetch(changed)
        edits: dict[Unit, dict[str, File | None]] = {}
        for path, file in [*((path, None) for path in removed), *((file.path, file) for file in changed)]:
            unit = self._sources.unit_of(path)
            if unit is not None:
                edits.setdefault(unit, {})[path] = file
        if before.base is not None:
            self._enter(before.base, edits.keys() - before.units.keys())
        units, last = dict(before.units), dict(before.last)
        touched: dict[Unit, tuple[UnitTree, UnitTree]] = {}
        for unit, paths in edits.items():
            old = self.unit(before, unit)
            files = {path: file for path, file in {**old.files, **paths}.items() if file is not None}
            new = units[unit] = self._read(unit, files)
            touched[unit] = (old, new)
            for key, package in old.packages.items():
                one = new.packages.get(key)
                if (one is None or one.lane is None) and (state := lane_state(package)):
                    last[key] = state
        return ProjectTree(before.base, units, last), touched

    # One unit.

    def _read(self, unit: Unit, files: Mapping[str, File]) -> UnitTree:
        kept = self._reader.units.setdefault(unit, [])
        for known in kept:
            if known.files == files:
                return known
        made = self._put_together(unit, files)
        self._reader.units[unit] = [made, *kept[: _KEPT - 1]]
        return made

    def _put_together(self, unit: Unit, files: Mapping[str, File]) -> UnitTree:
        there = {path: file for path in files if (file := self._regular(path, files)) is not None}
        stated = self._sources[unit].together(unit, there, _Contents(self._reader, there))
        broken = tuple(
            broken_content(one.problem, one.content, stated.packages, stated.feature) for one in stated.faults
        )
        own = {path.rsplit("/", 1)[-1]: file for path, file in files.items() if path.count("/") == 2}
        return UnitTree(files, stated.packages, broken, own.get("meta.json"), own.get("tasks.md"))

    def _regular(self, path: str, files: Mapping[str, File]) -> File | None:
        """The file at a path; through a symbolic link what it leads to within its feature (rule R1)."""
        file = files[path]
        if file.is_regular:
            return file
        target = self._reader.link_target(file) if file.mode == SYMLINK else None
        found = files.get(target) if target else None
        return File(path, found.mode, found.blob) if found and found.is_regular else None

    def _graph(self, name: Unit, feature: str, unit: UnitTree, before: ProjectTree, tip: str | None) -> FeatureGraph:
        """What a feature's work packages wait for, with those of others in its unit that may wait for one of them."""
        own = [one for one in unit.packages.values() if one.feature == feature]
        home = own[0].home if own else None
        there = own if home is None else list(unit.packages.values())
        # One that can't be read now stays where it was last seen: a feature isn't complete without it.
        needs: dict[str, tuple[str, ...]] = {one.wp_id: () for one in unit.broken if one.wp_id is not None}
        unread = set(needs)
        needs |= {one.wp_id: self._complete(one, unit).dependencies or () for one in there}
        began = self._reader.meta(unit.meta, feature).created_at
        if began is None and all(one.lane is None or one.scheme.is_over(one.lane) for one in own):
            files = self._sources[name].beginnings(name, [one.path for one in own])
            walked = before.base is None
            moment = self._began.get(feature) if walked else self._reader.began(feature, files, tip or before.base)
            began = moment.isoformat() if moment else None
        lanes: dict[str, Lane | None] = {one.wp_id: one.lane for one in there}
        for wp_id in unread - {wp_id for wp_id, lane in lanes.items() if lane is not None}:
            state = self.state(before, (home or feature, wp_id))
            lanes[wp_id] = state.lane if state is not None else None
        schemes = {one.wp_id: one.scheme for one in there}
        others = {one.wp_id: one.feature for one in there if one.feature != feature} if home is not None else {}
        return FeatureGraph(needs, lanes, began, schemes, others, home)

    def _complete(self, package: WorkPackage, unit: UnitTree) -> WorkPackage:
        if package.dependencies is not None:
            return package
        return replace(package, dependencies=dependencies_of(package, self._reader.dependencies(unit.tasks)))
