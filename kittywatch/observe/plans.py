"""What is to be carried out: for each view where it begins, what came since, and what was taken back."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from kittywatch.derive.edits import WorktreeLook
from kittywatch.derive.snapshot import Key, Snapshot
from kittywatch.store.views import View
from kittywatch.workpackages.reader import WorkPackage


class CopiedStart(Struct, frozen=True):
    """A view begins where another one stands, but for what differed at the commit that it left from.

    `packages` are those, as they were there; `gone` were not there, or not seen; `back` went on and came back to the
    same lane. `landed` are the commits of the log that this commit reaches: they say how far in the log it stands.
    """

    source: View
    packages: tuple[WorkPackage, ...] = ()
    gone: frozenset[Key] = frozenset()
    back: frozenset[Key] = frozenset()
    landed: frozenset[str] = frozenset()


class AdoptedStart(Struct, frozen=True):
    """A view begins with what is there, without telling it: from before kittywatch, or from elsewhere.

    `landed` are the commits of the log that it reaches: a replay may have told them before anything was observed.
    """

    kind: Literal["baseline", "elsewhere"]
    snapshot: Snapshot | None
    commit: str | None
    landed: frozenset[str] = frozenset()


class ViewPlan(Struct):
    """What to carry out for one view: where it begins (None: where its row says), then snapshots, oldest first.

    `undone` are work packages that lost commits made here: told, unless the worktree still shows what was committed.
    `back` are those that went back over commits to the lane that they had, of which nothing is told. `landed` are the
    commits of the log that `tip` reaches, which say how far in the log these stand.
    `copies` are what commits moved that this view had reached before they were put on other ground.
    `horizons` are commits up to which all came in from elsewhere.
    """

    ref: str
    tip: str | None
    start: CopiedStart | AdoptedStart | None = None
    snapshots: list[Snapshot] = field(default_factory=list)
    undone: Snapshot | None = None
    back: frozenset[Key] = frozenset()
    landed: frozenset[str] = frozenset()
    copies: list[Snapshot] = field(default_factory=list)
    horizons: list[str] = field(default_factory=list)

    @property
    def keys(self) -> set[Key]:
        """The work packages that the plan is about."""
        snapshots = [*self.snapshots, *self.copies, *([self.undone] if self.undone else [])]
        keys = {key for snapshot in snapshots for key in keys_of(snapshot)} | self.back
        if isinstance(self.start, CopiedStart):
            keys |= {(one.feature, one.wp_id) for one in self.start.packages} | self.start.back
        if isinstance(self.start, AdoptedStart) and self.start.snapshot is not None:
            keys |= keys_of(self.start.snapshot)
        return keys


class Plan(Struct):
    """What is to be carried out: views in the order in which HEAD was on them, the last one being checked out."""

    views: list[ViewPlan]
    worktree: WorktreeLook | None
    log_size: int
    now: datetime

    @property
    def keys(self) -> set[Key]:
        """The work packages that it is about."""
        snapshots = [snapshot for view in self.views for snapshot in view.snapshots]
        broken = [one for snapshot in snapshots for one in snapshot.broken]
        rosters = [snapshot.rosters for snapshot in snapshots]
        keys = {key for view in self.views for key in view.keys}
        if self.worktree is not None:
            broken += self.worktree.broken
            rosters.append(self.worktree.rosters)
            keys |= self.worktree.edited.keys() | self.worktree.clean.keys()
        keys |= {(one.feature, one.wp_id or "") for one in broken}
        return keys | {
            (feature, wp_id) for one in rosters for feature, roster in one.items() for wp_id in roster.dependencies
        }


def keys_of(snapshot: Snapshot) -> set[Key]:
    return {(one.feature, one.wp_id) for one in snapshot.packages}
