"""What a view's own history has brought already, while the view stands before it: a merge that kept this side's lanes.

A step that comes now is not the same again, though it ends in the lane of one that stands ahead in the log (rule O7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set

from msgspec.structs import replace

from kittywatch.derive.edits import WorktreeLook
from kittywatch.derive.snapshot import Key, Snapshot
from kittywatch.git.repository import Git
from kittywatch.observe.plans import CopiedStart, ViewPlan
from kittywatch.store.views import View


class Past:
    """Says of what comes in one checkout which commits are behind it.

    `ahead` gives the commits that brought entries of some work packages ahead of where a view stands, by its row.
    """

    def __init__(self, git: Git, ahead: Callable[[int, Set[Key]], set[str]]) -> None:
        self._git = git
        self._ahead = ahead

    def note(
        self, plans: Sequence[ViewPlan], look: WorktreeLook | None, views: Mapping[str, View]
    ) -> WorktreeLook | None:
        """Let the commits of some plans know what is behind them, and return the worktree's look with the same.

        `views` are the checkout's rows; the worktree shows the last plan's.
        """
        for plan in plans:
            view = plan.start.source if isinstance(plan.start, CopiedStart) else views.get(plan.ref)
            if view is not None:
                self._commits(plan, view.key)
                if look is not None and plan is plans[-1]:
                    look = replace(look, behind=frozenset(self._reached(view.key, look.edited.keys(), plan.tip)))
        return look

    def _commits(self, plan: ViewPlan, view: int) -> None:
        moved = {key for one in plan.snapshots for key in _made(one)}
        if there := self._reached(view, moved, plan.tip):
            plan.snapshots = [
                replace(one, behind=frozenset(self._git.reached(there, one.commit) - {one.commit}))
                if one.commit and _made(one)
                else one
                for one in plan.snapshots
            ]

    def _reached(self, view: int, keys: Set[Key], tip: str | None) -> set[str]:
        ahead = self._ahead(view, keys) if keys else set()
        return self._git.reached(ahead, tip) if ahead and tip is not None else set()


def _made(snapshot: Snapshot) -> Set[Key]:
    """The work packages that a commit made here moved itself."""
    return snapshot.moved - snapshot.brought if snapshot.origin == "here" else frozenset()
