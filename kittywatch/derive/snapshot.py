"""What an observer hands over: the work packages that one commit, or one look at a worktree, shows."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from kittywatch.workpackages.features import Meta
from kittywatch.workpackages.reader import Problem, WorkPackage

Key: TypeAlias = tuple[str, str]
"""Feature and work package id."""

Origin: TypeAlias = Literal["here", "side", "passed", "elsewhere"]
"""Whose news a snapshot is: made here; made here, and come in through the other side of a merge; made here and told in
another view, and come by a fast-forward; made elsewhere.
"""


class FeatureFacts(Struct, frozen=True):
    """What a feature's own files said at the time of a snapshot; `work_packages` counts those with a valid lane."""

    meta: Meta
    work_packages: int


class Roster(Struct, frozen=True):
    """All work packages of a feature by their ids, each with those it depends on; `created_at` is the feature's."""

    dependencies: Mapping[str, tuple[str, ...]]
    created_at: str | None = None


class BrokenContent(Struct, frozen=True):
    """A file that cannot count, and the id of the content for which that is told once (rule R5)."""

    problem: Problem
    feature: str
    wp_id: str | None
    content: str


class Snapshot(Struct, frozen=True):
    """The work packages that changed with one commit (`commit` is its id), or in a worktree (`commit` is None).

    `moment` is the commit's author time, or the time of observation. `past` says that the commit was there before
    the project's baseline. `moved` are the work packages whose lane differs from what the files said before.
    `rosters` are there of features that had a work package reach done. `only_known` says that others told what is
    here, which is no more than to be known: where the lanes stand is another snapshot's. `behind` are commits of its
    own history that brought entries ahead of where the view stands.
    """

    moment: datetime
    packages: tuple[WorkPackage, ...]
    commit: str | None = None
    origin: Origin = "here"
    broken: tuple[BrokenContent, ...] = ()
    features: Mapping[str, FeatureFacts] = field(default_factory=dict)
    past: bool = False
    moved: frozenset[Key] = frozenset()
    gone: frozenset[Key] = frozenset()
    brought: frozenset[Key] = frozenset()
    rosters: Mapping[str, Roster] = field(default_factory=dict)
    only_known: bool = False
    behind: frozenset[str] = frozenset()

    def within(self, keys: Set[Key]) -> Snapshot | None:
        """The part of the snapshot that is about some work packages, None where it has none."""
        packages = tuple(one for one in self.packages if (one.feature, one.wp_id) in keys)
        return replace(self, packages=packages, broken=()) if packages else None

    def without(self, keys: Set[Key]) -> Snapshot:
        """The rest of the snapshot."""
        return replace(self, packages=tuple(one for one in self.packages if (one.feature, one.wp_id) not in keys))

    def only(self, feature: str) -> Snapshot | None:
        """The part of the snapshot that is one feature's, None where it has none."""
        packages = tuple(one for one in self.packages if one.feature == feature)
        broken = tuple(one for one in self.broken if one.feature == feature)
        return replace(self, packages=packages, broken=broken) if packages or broken else None
