"""Edits that are not committed: what a worktree shows beyond its commit.

A worktree leads and commits follow. An edit is emitted when it is seen, and pending until a commit takes it over; an
edit that is gone without a commit was discarded, which is a transition as well (rule O5).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from kittywatch.derive.annotations import Sighting
from kittywatch.derive.changes import Key, WorktreeLook
from kittywatch.derive.commits import emitted_facts, errors, feature_fact, in_order, package_facts
from kittywatch.derive.consequences import ChangeContext, with_consequences
from kittywatch.derive.distinct import one_by_one
from kittywatch.derive.facts import EmittedStep, Fact
from kittywatch.derive.ledger import PendingEdit
from kittywatch.derive.resolve import Occurrence, Resolver
from kittywatch.derive.stated import StatedChange, resolve_stated
from kittywatch.derive.steps import LaneState, lane_state, steps_between
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.trail import digest


def resolve_worktree(
    resolver: Resolver,
    look: WorktreeLook,
    view: str,
    *,
    home: Mapping[Key, LaneState],
    before: Mapping[Key, LaneState],
    counts: bool = True,
) -> list[Fact]:
    """Resolve what a worktree shows against its commit and the pending edits, which it brings up to date.

    Unless it `counts`, only what became of edits that were emitted does: a hook tells none until it is committed.
    `home` are the committed states of pending edits in the view that they were seen in: discarded, they are back there.
    `before` are the states in the commit that was checked out when the worktree was last looked at, if it is another
    one now: a file that still shows that one was not edited, HEAD moved under it, as libgit2 or a push make it.
    """
    where = Occurrence(look.moment, view, tip=look.tip)
    for new, old in look.renamed.items():
        resolver.state.rename(new, old, None)
    edited = {resolver.state.key(*key): package for key, package in look.edited.items()}
    clean = {resolver.state.key(*key): package for key, package in look.clean.items()}
    facts: list[Fact] = []
    seen_features: set[str] = set()
    for key in sorted(resolver.pending.keys() | edited.keys() | look.held.keys()):
        package, edit = edited.get(key), resolver.pending.get(key)
        if package is not None:
            if edit is None and not package.stated and before.get(key) == lane_state(package):
                resolver.pending[key] = PendingEdit(before[key], written=look.written.get(key, ""))
                continue
            if not counts and not _is_settled(edit, package, look.committed.get(key)):
                continue
            if package.feature not in seen_features:
                seen_features.add(package.feature)
                facts += feature_fact(resolver, package.feature, look.features.get(package.feature), where)
            shows = [look.held[key], package] if key in look.held and not package.stated else [package]
            facts += [fact for one in shows for fact in _edited(resolver, key, one, look, where)]
            continue
        if key in look.held:
            facts += _edited(resolver, key, look.held[key], look, where)
        if key in resolver.pending and (found := clean.get(key)) is not None:
            facts += _gone(resolver, key, found, home.get(key) or look.committed.get(key), where)
    facts = in_order(facts + errors(resolver, look.broken, where))
    return with_consequences(resolver.state, facts, ChangeContext(graphs=look.graphs, commits=resolver.graph))


def hold(
    look: WorktreeLook, pending: Mapping[Key, PendingEdit], held: Mapping[Key, WorkPackage], names: LaneNames
) -> tuple[WorktreeLook, dict[Key, WorkPackage]]:
    """Hold edits back that wait for their record (rule D3b); returns the rest of the look, and what is held now.

    `held` is what was held at the last look: where that moved on without a record, it is resolved before what follows.
    """
    waiting: dict[Key, WorkPackage] = {}
    moved_on: dict[Key, WorkPackage] = {}
    for key in look.edited.keys() | held.keys():
        edit, package = pending.get(key), look.edited.get(key)
        shown = package or look.clean.get(key)
        before = held.get(key)
        base = edit.state if edit is not None else look.committed.get(key)
        if before is not None and (shown is None or shown.lane != before.lane):
            # What waited with the lane that it had, waited for the lane of its record: nothing moved before that.
            if shown is not None and (base is None or before.lane != base.lane):
                moved_on[key] = before
            continue
        if package is not None and key in look.young and _awaits_record(package, base, names):
            waiting[key] = package
    edited = {key: package for key, package in look.edited.items() if key not in waiting}
    unsettled = (*look.unsettled, *sorted(one.path for one in waiting.values()))
    return replace(look, edited=edited, unsettled=unsettled, held=moved_on), waiting


def _awaits_record(package: WorkPackage, base: LaneState | None, names: LaneNames) -> bool:
    """Whether a lane moved without its record, or a record without its lane, where the last move has a record."""
    if base is None or not base.records or len(package.trail) < base.records:
        return False
    if base.records == 1 and names.lane(package.trail[0].lane) == "planned":
        return False  # only its creation has a record
    if names.lane(package.trail[base.records - 1].lane) != base.lane:
        return False
    last = names.lane(package.trail[-1].lane)
    return last != package.lane and (package.lane != base.lane or len(package.trail) > base.records)


def _edited(resolver: Resolver, key: Key, package: WorkPackage, look: WorktreeLook, where: Occurrence) -> list[Fact]:
    committed, now = look.committed.get(key), lane_state(package)
    if package.stated:
        # What is stated with an id is never taken back, so no edit is pending of it (rule E10).
        resolver.pending.pop(key, None)
        return resolve_stated(resolver, StatedChange(key, package, look.before.get(key), committed, where))
    edit = resolver.pending.get(key)
    base = edit.state if edit is not None and not _is_contained(edit, committed, package) else committed
    edit = resolver.pending.setdefault(key, PendingEdit(base or LaneState(package.scheme.first)))
    emitted: list[EmittedStep] = []
    if base is None:
        emitted += resolver.creation(key, resolver.state.history(key), package, where)
    used = list(edit.entries)
    steps = steps_between(base, package, resolver.rules.names)
    for step, taken in one_by_one(steps, resolver.state.history(key), used):
        emitted += resolver.step(key, package, step, where, taken)
    # What others have, or another branch, is not this edit's: gone, it takes nothing back.
    edit.entries = [one for one in used if one in edit.entries or not one.links]
    facts = package_facts(resolver, Sighting(key, package, base, emitted, where))
    if now is not None:
        edit.state, edit.written = now, look.written.get(key, "")
    if committed is not None and now is not None and now == committed:
        _keep_assignments(resolver, key, where)
    return facts


def _is_settled(edit: PendingEdit | None, package: WorkPackage, committed: LaneState | None) -> bool:
    """Whether a file shows what an edit was emitted with, or that it is taken back."""
    if edit is None or package.stated:
        return False
    return package.lane in (edit.state.lane, committed.lane if committed is not None else None)


def _is_contained(edit: PendingEdit, committed: LaneState | None, package: WorkPackage) -> bool:
    """Whether a commit that was made since contains an edit: it goes on where the edit's trail ended."""
    if committed is None or edit.entries or committed.records <= edit.state.records:
        return False
    trail = package.trail
    return all(digest(trail[: one.records]) == one.trail for one in (edit.state, committed))


def _gone(resolver: Resolver, key: Key, package: WorkPackage, home: LaneState | None, where: Occurrence) -> list[Fact]:
    """An edit that its worktree shows no more: committed by now, or discarded."""
    edit = resolver.pending[key]
    if package.stated:
        del resolver.pending[key]
        return []
    if home is None or not edit.entries or edit.state.lane == home.lane:
        _drop(resolver, key, where)
        return []
    taken_back = resolver.take_back(key, replace(package, lane=home.lane), edit.state, where)
    _drop(resolver, key, where)
    return emitted_facts([taken_back], None)


def _keep_assignments(resolver: Resolver, key: Key, where: Occurrence) -> None:
    """Let an edit whose lane is the commit's be about who has taken the work package on, and nothing else."""
    edit = resolver.pending[key]
    assignments = [entry for entry in edit.entries if entry.kind == "assigned" and not entry.links]
    edit.entries = [entry for entry in edit.entries if entry not in assignments]
    _drop(resolver, key, where)
    if assignments:
        edit.entries = assignments
        resolver.pending[key] = edit


def _drop(resolver: Resolver, key: Key, where: Occurrence) -> None:
    """Forget an edit; what it emitted and the commit hasn't was taken back: here, if other commits had it once."""
    for entry in resolver.pending.pop(key).entries:
        if not resolver.is_behind(entry, where):
            resolver.state.void(key, entry, where.view if entry.links else None)
