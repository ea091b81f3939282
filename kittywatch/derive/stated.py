"""Steps that a source states itself, each with an id: the easy case of exactly once.

A step is known by its id, wherever it is come upon: in another commit, another view, another feature's directory. What
a view lacks takes nothing back, and no rewrite of history is news (rules E2, E4, E10).

A work package whose source changes keeps what was emitted of it (rule E6): of the steps that come with the change,
those are silent that say what the source before has said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from kittywatch.derive.annotations import Sighting, assign, note_down, see
from kittywatch.derive.changes import Key, Provenance
from kittywatch.derive.facts import AnnotationFact, EmittedStep, Fact, Note, TransitionFact
from kittywatch.derive.ledger import Entry, LedgerState, Phase
from kittywatch.derive.resolve import Occurrence, Resolver
from kittywatch.derive.seen import stated_key
from kittywatch.derive.steps import LaneState, Step
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.schemes import FOUR_LANES
from kittywatch.workpackages.stated import StatedStep

_PHASES: dict[str, Phase] = {"claimed": "implementation", "in_review": "review"}
"""The lanes that somebody takes a work package on with (rule E14)."""


class StatedChange(Struct, frozen=True):
    """A work package that states its steps, and what was there before: in the commit's parents, or below an edit.

    `base` is None for a work package that was in no lane before.
    """

    key: Key
    package: WorkPackage
    before: WorkPackage | None
    base: LaneState | None
    where: Occurrence


def resolve_stated(resolver: Resolver, change: StatedChange) -> list[Fact]:
    """Resolve what a change states, in the order of its steps: the facts to be emitted."""
    facts: list[Fact] = []
    package, where = change.package, change.where
    if change.base is None:
        history = resolver.state.history(change.key)
        created = resolver.creation(change.key, history, package, where)
        facts += [TransitionFact(one, where.commit) for one in created]
    silent = _silent(resolver, change)
    for step in package.stated_since(change.before):
        if step.id in silent:
            _pass_over(resolver, change, step)
            continue
        if step.moves:
            facts += [TransitionFact(one, where.commit) for one in _step(resolver, change, step)]
        facts += _taken_on(resolver, change, step)
        facts += _judged(resolver, change, step)
    facts += _notes(resolver, change)
    return facts


def record_stated(state: LedgerState, key: Key, package: WorkPackage, commit: str | None) -> None:
    """Record what a work package states at the baseline, so that none of it is emitted (rule B1)."""
    for step in package.stated:
        if step.moves and step.id not in state.stated:
            entry = _entry(step, None, commit)
            entry.status = "baseline"
            state.add(key, entry)


def _step(resolver: Resolver, change: StatedChange, step: StatedStep) -> Iterator[EmittedStep]:
    """Resolve one step by its id, else as one that was emitted manually, else as news."""
    key, where, state = change.key, change.where, resolver.state
    lane_now = change.package.lane if _is_late(state, key, step) else None
    what = Step(step.previous, step.new, step.agent, step.moment, step, lane_now)
    own = resolver.rules.identify(change.package, what, step.moment)
    entry = state.stated.get(step.id) or resolver.manual(state.history(key), what, where)
    if entry is None:
        entry = _entry(step, own, where.commit)
        entry.edited_on = where.tip
        yield from resolver.enter(key, entry, EmittedStep(change.package, what, step.moment, entry), where)
        return
    if not where.is_kept:
        return
    state.state_as(key, entry, step)
    if where.commit is not None and entry in state.history(key).entries:
        state.link(key, entry, where.commit, step.new)
    if resolver.is_unemitted(entry, where):
        yield from resolver.promote(key, entry, EmittedStep(change.package, what, step.moment, entry), where)
        return
    state.alias(own, entry)
    state.already_emitted += entry.status != "remote"
    state.not_ours += entry.status == "remote"


def _entry(step: StatedStep, event_id: str | None, commit: str | None) -> Entry:
    entry = Entry("step", "emitted", step.new, step.previous, event_id, first=commit)
    entry.state_as(step)
    if commit is not None:
        entry.links.add((commit, step.new))
    return entry


def _is_late(state: LedgerState, key: Key, step: StatedStep) -> bool:
    """Whether a later step of the work package was emitted before (rule E4)."""
    order = step.moment.timestamp(), step.id
    return any(
        entry.stated_order is not None and entry.stated_order > order and entry.status != "void"
        for entry in state.history(key).steps()
    )


# What another source has said already.


def _silent(resolver: Resolver, change: StatedChange) -> set[str]:
    """The ids of the steps that say what was there before them (rule E6)."""
    package, before = change.package, change.before
    stated = before is not None and bool(before.stated)
    was = before.lane if before is not None and not stated else None
    silent: set[str] = set()
    if not stated:
        leading = [at for at, step in enumerate(package.stated) if was is not None and FOUR_LANES.get(step.new) == was]
        silent |= {step.id for step in package.stated[: leading[-1] + 1]} if leading else set()
        last = _last_emitted(resolver, change)
        until = last.replace(microsecond=0) if last is not None else None
        silent |= {one.id for one in package.stated if until is not None and one.moment.replace(microsecond=0) <= until}
    if was is not None or any(not step.is_migration for step in package.stated):
        silent |= {step.id for step in package.stated if step.is_migration}
    return silent


def _last_emitted(resolver: Resolver, change: StatedChange) -> datetime | None:
    """When the last step before what is looked at happened that its source didn't state with an id."""
    moments = [
        moment
        for entry in resolver.state.history(change.key).steps()
        if entry.stated_order is None and entry.status != "void" and resolver.is_behind(entry, change.where)
        for moment in entry.moments()
    ]
    return max(moments, default=None)


def _pass_over(resolver: Resolver, change: StatedChange, step: StatedStep) -> None:
    """Take note of a step that is not to be emitted, now or by a replay."""
    state, where = resolver.state, change.where
    if not where.is_kept or not step.moves:
        return
    entry = state.stated.get(step.id)
    if entry is None:
        what = Step(step.previous, step.new, step.agent, step.moment, step)
        entry = _entry(step, resolver.rules.identify(change.package, what, step.moment), where.commit)
        entry.status = "baseline"
        state.add(change.key, entry)
    elif where.commit is not None and entry in state.history(change.key).entries:
        state.link(change.key, entry, where.commit, step.new)


# What a step says besides its lane.


def _sighting(change: StatedChange) -> Sighting:
    return Sighting(change.key, change.package, change.base, (), change.where)


def _taken_on(resolver: Resolver, change: StatedChange, step: StatedStep) -> Iterable[Fact]:
    """Somebody takes the work package on with the step (rule E14)."""
    phase = _PHASES.get(step.new)
    if phase is None or not step.moves or step.agent == "user":
        return []
    sighting = _sighting(change)
    if change.where.is_kept and not see(resolver, sighting, stated_key(step.id), _kind(change.where)):
        return []
    found = assign(resolver, sighting, (step.agent, phase), step.moment, 0, step.who)
    return [AnnotationFact(one, change.where.commit) for one in found]


def _judged(resolver: Resolver, change: StatedChange, step: StatedStep) -> Iterable[Fact]:
    """A review came to a verdict with the step (rule E14)."""
    if step.verdict is None:
        return []
    note = Note("review", step.verdict.verdict.replace("_", " "), step.verdict.reviewer)
    return _note(resolver, change, stated_key(step.id, "verdict"), note, step.moment)


def _notes(resolver: Resolver, change: StatedChange) -> list[Fact]:
    there = set(change.before.notes) if change.before is not None else set()
    facts: list[Fact] = []
    for one in change.package.notes:
        if one not in there:
            note = Note("note", one.text, one.agent, is_private=True)
            facts += _note(resolver, change, stated_key(one.id), note, one.moment)
    return facts


def _note(resolver: Resolver, change: StatedChange, name: str, note: Note, moment: datetime) -> list[Fact]:
    where, sighting = change.where, _sighting(change)
    if not where.is_kept or not see(resolver, sighting, name, _kind(where)) or not where.is_ours:
        return []
    return [AnnotationFact(one, where.commit) for one in note_down(resolver, sighting, note, moment, 0)]


def _kind(where: Occurrence) -> str:
    return "told" if where.provenance in (Provenance.LOCAL, Provenance.HISTORY) else "elsewhere"
