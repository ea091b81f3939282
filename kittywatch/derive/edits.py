"""Edits that are not committed: what a worktree shows beyond its commit.

A worktree leads and commits follow. An edit is told when it is seen, so the commit that brings the same is silent; a
commit of something older, staged before the edit, is contained in what the edit told; an edit that vanishes without
being committed was discarded, which is a transition as well (rule O5).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from kittywatch.derive.log import Entry, Log
from kittywatch.derive.settle import Known, Rules, Settled, Sighting, settle
from kittywatch.derive.snapshot import BrokenContent, FeatureFacts, Key, Roster
from kittywatch.derive.steps import Shown, shown
from kittywatch.workpackages.reader import WorkPackage


class WorktreeLook(Struct, frozen=True):
    """What a worktree shows at a moment.

    `edited` differ from the commit that is checked out, `clean` don't; a work package in neither has no file, or one
    that says nothing now, and stays as it was. `written` are fingerprints of the files that were looked at. `behind`
    are commits below the worktree that brought entries ahead of where the view stands.
    """

    moment: datetime
    edited: Mapping[Key, WorkPackage] = field(default_factory=dict)
    clean: Mapping[Key, WorkPackage] = field(default_factory=dict)
    broken: tuple[BrokenContent, ...] = ()
    features: Mapping[str, FeatureFacts] = field(default_factory=dict)
    rosters: Mapping[str, Roster] = field(default_factory=dict)
    unsettled: tuple[str, ...] = ()
    written: Mapping[Key, str] = field(default_factory=dict)
    behind: frozenset[str] = frozenset()

    def shows(self, key: Key) -> Shown | None:
        """What is there of a work package now, None where nothing is."""
        package = self.edited.get(key) or self.clean.get(key)
        return shown(package) if package else None


def settle_commit(
    log: Log,
    known: Known | None,
    edit: Known,
    sighting: Sighting,
    rules: Rules,
    claimed: Set[Entry],
    *,
    worktree: Shown | None,
    untouched: bool = True,
) -> tuple[Settled, Known | None]:
    """Settle a commit of a work package that has an edit; returns the edit that is left.

    `worktree` is what its file shows now: where that is the commit's content, the commit has replaced the edit.
    `untouched` says that nobody has written the file since the edit was seen, so that a commit of something else was
    staged before it.
    """
    now = shown(sighting.package)
    ahead = known is None or log.reach(edit.cursor) >= log.reach(known.cursor)
    if now == edit.shown and ahead:
        return Settled(edit, already_told=1, basis=edit), None
    if not ahead:
        return settle(log, known, sighting, rules, claimed), edit
    if now == worktree:
        return settle(log, edit, sighting, rules, claimed), None
    # What isn't told is found out by asking as if it were others', whose it isn't: so without the commit.
    behind = settle(log, known, replace(sighting, origin="elsewhere", commit=None), rules, claimed)
    if not behind.withheld or (worktree == edit.shown and untouched):
        return Settled(behind.known, already_told=behind.already_told + behind.withheld, basis=behind.basis), edit
    return settle(log, edit, sighting, rules, claimed), None


def settle_discard(log: Log, edit: Known, home: Known, package: WorkPackage, moment: datetime, rules: Rules) -> Settled:
    """Settle an edit that is gone without a commit: the work package is back at what its view, `home`, shows."""
    if edit.shown.lane == home.shown.lane:  # it may have gone there and back; who has it counts as committed
        return Settled(Known(home.shown, log.later(home.cursor, log.base(edit.cursor))))
    back = replace(package, lane=home.shown.lane, trail=())
    settled = settle(log, edit, Sighting(back, moment), rules)
    cursor = settled.known.cursor if settled.known else home.cursor
    settled.known = Known(home.shown, cursor)
    return settled
