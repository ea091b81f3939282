"""What a reader hands over: the work packages that one commit changes, and what a worktree shows beyond its commit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from msgspec import Struct, field

from kittywatch.derive.steps import LaneState, lane_state
from kittywatch.workpackages.features import Meta
from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.reader import Problem, WorkPackage
from kittywatch.workpackages.schemes import SPEC_KITTY_2, Scheme

Key: TypeAlias = tuple[str, str]
"""Feature and work package id; the feature under the first name that it had (scenario 58)."""


class Provenance(Enum):
    """Whose news a commit is (rule O3)."""

    LOCAL = "local"  # made here
    REMOTE = "remote"  # made elsewhere, where it was emitted
    HISTORY = "history"  # from before the project's baseline; only a replay comes by (rules B1, B2)
    OUT_OF_SCOPE = "out of scope"  # a replay was asked to leave it out; nothing of it is kept


class FeatureInfo(Struct, frozen=True):
    """A feature's own files at a commit; `work_packages` counts those with a valid lane."""

    meta: Meta
    work_packages: int


class FeatureGraph(Struct, frozen=True):
    """All work packages of a feature at a commit: what each depends on, and its lane, None where none is stated.

    `created_at` is the feature's, ISO 8601, None where neither its files nor its commits say. `others` are work
    packages of other features that may wait for one of this one's, with their features, `home` the name that all of
    them are kept under, None for the feature's.
    """

    dependencies: Mapping[str, tuple[str, ...]]
    lanes: Mapping[str, Lane | None]
    created_at: str | None = None
    schemes: Mapping[str, Scheme] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    home: str | None = None

    def scheme(self, wp_id: str) -> Scheme:
        """The lane scheme of a work package."""
        return self.schemes.get(wp_id, SPEC_KITTY_2)


class BrokenContent(Struct, frozen=True):
    """A file that cannot count, and the id of the content for which that is emitted once (rule R5)."""

    problem: Problem
    feature: str
    wp_id: str | None
    content: str


class PackageChange(Struct, frozen=True):
    """One work package that a commit changes. `before` is what its first parent shows, None where it has none.

    `base` is the state that lanes and trail are compared with: the last one with a valid lane (rule D3), None where
    the work package was never in one.
    """

    package: WorkPackage
    before: WorkPackage | None
    base: LaneState | None

    @property
    def wp_id(self) -> str:
        return self.package.wp_id


class CommitChanges(Struct, frozen=True):
    """What a commit decides about work packages (rule D7): a function of the commit and its parents.

    `moment` is the author time. `features` has the features in which a work package reaches its first valid lane,
    `graphs` those in which one may have reached done, `renamed` the directories that were renamed, new name to old.
    """

    commit: str
    moment: datetime
    packages: tuple[PackageChange, ...] = ()
    broken: tuple[BrokenContent, ...] = ()
    features: Mapping[str, FeatureInfo] = field(default_factory=dict)
    graphs: Mapping[str, FeatureGraph] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    is_merge: bool = False

    def __bool__(self) -> bool:
        return bool(self.packages or self.broken or self.renamed)


class WorktreeLook(Struct, frozen=True):
    """What a worktree shows at a moment, and the commit that is checked out there.

    `edited` differ from that commit, `clean` don't; a work package in neither has no file, or one that says nothing
    now, and stays as it was. `committed` are the states of all of them in the commit. `written` are fingerprints of
    the files that were looked at, `young` the work packages whose file was written less than 250 ms ago, `unsettled`
    paths of files that somebody may still be writing. `held` are edits that waited for their record and moved on
    instead, to be resolved first (rule D3b). `before` is what the commit shows of the edited ones.
    """

    tip: str | None
    moment: datetime
    edited: Mapping[Key, WorkPackage] = field(default_factory=dict)
    clean: Mapping[Key, WorkPackage] = field(default_factory=dict)
    committed: Mapping[Key, LaneState] = field(default_factory=dict)
    broken: tuple[BrokenContent, ...] = ()
    features: Mapping[str, FeatureInfo] = field(default_factory=dict)
    graphs: Mapping[str, FeatureGraph] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    unsettled: tuple[str, ...] = ()
    written: Mapping[Key, str] = field(default_factory=dict)
    young: frozenset[Key] = frozenset()
    held: Mapping[Key, WorkPackage] = field(default_factory=dict)
    before: Mapping[Key, WorkPackage] = field(default_factory=dict)

    def shows(self, key: Key) -> LaneState | None:
        """What is there of a work package now, None where nothing is."""
        package = self.edited.get(key) or self.clean.get(key)
        return lane_state(package) if package else None
