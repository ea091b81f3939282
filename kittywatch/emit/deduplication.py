"""Deduplication of manual emissions against what was emitted before, manually or by an observer (rule O1).

Whichever comes first emits, and leaves in the ledger what keeps the other one silent:

- A transition goes through its work package's log. An observer that comes later finds the step ahead of its cursor.
  An emission that comes later finds it as the last one, or further back, where it can't be the next one: the log
  doesn't end in the lane that it begins with. The consequences of a step to done are left to the next observer.
- An assignment goes through the log as well, and is a duplicate where the last one is the same.
- A note or feedback of the same words by the same author pairs up: a manual one and one that an observer met are one.
- A creation is a duplicate where the log begins with one, a feature's where the feature is known as emitted.
- A dependency is resolved once until what it waits for leaves done, a feature complete once until one leaves done.
- An error of the same words is emitted once by each side.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec
from msgspec import UnsetType

from kittywatch.derive.changes import Key
from kittywatch.derive.consequences import left_done
from kittywatch.derive.ledger import Entry, LedgerState
from kittywatch.derive.seen import COMPLETE, manual_key, pairs_up
from kittywatch.emit.drafts import EnvelopeContext, EventDraft, manual_draft
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.errors import EmissionRefusedError
from kittywatch.events import (
    Assignment,
    Completion,
    Creation,
    Event,
    FeatureCreation,
    HistoryEntry,
    LoggedError,
    Payload,
    Resolution,
    StatusChange,
    WPStatusChanged,
    from_json,
)
from kittywatch.store import outbox
from kittywatch.workpackages.categories import guessed_category
from kittywatch.workpackages.reader import HOME_MARK

_TICK = timedelta(microseconds=1)
Emit: TypeAlias = Callable[[Payload], Event]


def emit_once(
    unit: UnitOfWork,
    context: EnvelopeContext,
    payload: Payload,
    aggregate_id: str,
    aggregate_type: str,
    causation_id: str | None,
) -> Event | None:
    """Emit one event in the transaction of `unit`; returns it, or the earlier event that it is a duplicate of.

    None if the ledger knows it as emitted, and the log has lost the event. Raises StoreError, and InvalidEventError for
    a payload that the contract refuses.
    """

    def emit(payload: Payload) -> Event:
        draft = _draft(unit, context, payload, (aggregate_id, aggregate_type), causation_id)
        return unit.enqueue([draft])[0]

    wp_id = getattr(payload, "wp_id", None)
    feature, home = _whose(unit, payload, wp_id) if wp_id else (payload.feature_slug, None)
    if isinstance(payload, StatusChange) and payload.previous_status == payload.new_status:
        raise EmissionRefusedError(f"{wp_id} doesn't move: it is {payload.new_status} before and after")
    if feature is None:  # no place in the ledger to keep it in
        return emit(payload)
    payload = msgspec.structs.replace(payload, feature_slug=feature)
    page = getattr(payload, "dependency_wp_id", None) or wp_id or ""
    key = (home or unit.ledger.renames().get(feature, feature), page)
    state = unit.ledger.read([key, (unit.ledger.renames().get(feature, feature), "")])
    earlier = _once(unit, state, key, payload, emit)
    unit.ledger.save(state)
    return earlier


def _whose(unit: UnitOfWork, payload: Payload, wp_id: str) -> tuple[str | None, str | None]:
    """The feature that is stated, or the one that has a work package, and its home where it is kept under one.

    Raises EmissionRefusedError where none is stated, and none or several have it.
    """
    kept = unit.ledger.features_of(wp_id)
    homes = [name for name in kept if name.startswith(HOME_MARK)]
    stated = payload.feature_slug
    if stated is not None:
        return stated, homes[0] if len(homes) == 1 and unit.ledger.renames().get(stated, stated) not in kept else None
    if len(kept) == 1 and not homes:
        return kept[0], None
    if isinstance(payload, LoggedError):
        return None, None
    if len(kept) == 1:
        last = outbox.logged(unit.connection, unit.project, wp_id=wp_id, newest=1)
        feature = from_json(last[0].data).payload.feature_slug if last else None
        if feature is None:
            raise EmissionRefusedError(f"nothing was told of {wp_id} yet: name its feature")
        return feature, homes[0]
    if kept:
        names = ", ".join(name.removeprefix(HOME_MARK) for name in kept)
        raise EmissionRefusedError(f"{wp_id} is in several features: name one of {names}")
    raise EmissionRefusedError(f"no work package {wp_id} is known here: name its feature, or observe it first")


def _once(unit: UnitOfWork, state: LedgerState, key: Key, payload: Payload, emit: Emit) -> Event | None:
    match payload:
        case StatusChange():
            return _transition(unit, state, key, payload, emit)
        case Creation():
            return _creation(unit, state, key, payload, emit)
        case FeatureCreation():
            return _feature(unit, state, payload, emit)
        case Assignment():
            return _assignment(unit, state, key, payload, emit)
        case _:
            told = _latest(unit, payload) if _is_known(state, key, payload) else None
            return told or emit(payload)


def _is_known(state: LedgerState, key: Key, payload: Payload) -> bool:
    """Tell whether the seen keys have an event already, and add it to them."""
    seen = state.seen(key)
    match payload:
        case HistoryEntry():
            words = (payload.entry_type, payload.author, payload.entry_content)
            return payload.entry_type in ("note", "review") and pairs_up(seen, "h", words)
        case Resolution():
            known = f"d{payload.wp_id}" in seen
            seen.setdefault(f"d{payload.wp_id}", "by hand")
            return known
        case Completion():
            known = COMPLETE in seen
            seen[COMPLETE] = "told"
            return known
        case LoggedError() if payload.error_type == "validation":
            seen[manual_key(("error", payload.error_message))] = "told"
            return True
        case _:
            return False


def _transition(unit: UnitOfWork, state: LedgerState, key: Key, payload: StatusChange, emit: Emit) -> Event | None:
    history = state.history(key)
    steps = [entry for entry in history.steps() if entry.event_id and entry.status in ("emitted", "baseline")]
    last = history.last()
    if last is not None and last in steps and last.lane == payload.new_status:
        earlier = _event_of(unit, last)
        if not isinstance(earlier, WPStatusChanged) or earlier.payload.previous_status == payload.previous_status:
            return earlier
    if last is not None and last.lane != payload.previous_status:
        for entry in reversed(steps):
            earlier = _event_of(unit, entry) if entry.lane == payload.new_status else None
            if isinstance(earlier, WPStatusChanged) and earlier.payload.previous_status == payload.previous_status:
                return earlier
    event = emit(payload)
    entry = Entry("step", "emitted", payload.new_status, payload.previous_status, event.event_id)
    state.add(key, entry)
    if _is_done(payload.previous_status, payload.previous_category):
        left_done(state, key, str(payload.feature_slug))
    if _is_done(payload.new_status, payload.new_category):
        state.seen(key)[f"p{event.event_id}"] = event.timestamp
    return event


def _is_done(lane: str, category: str | UnsetType) -> bool:
    return (category or guessed_category(lane)) == "done"


def _assignment(unit: UnitOfWork, state: LedgerState, key: Key, payload: Assignment, emit: Emit) -> Event | None:
    history = state.history(key)
    if not history.entries:
        return emit(payload)
    last = next((entry for entry in reversed(history.entries) if entry.agent is not None), None)
    if last is not None and (last.agent, last.phase) == (payload.agent_id, payload.phase) and last.event_id:
        return _event_of(unit, last)
    event = emit(payload)
    entry = Entry("assigned", "emitted", history.last_lane() or "doing", None, event.event_id)
    entry.agent, entry.phase = payload.agent_id, payload.phase
    state.add(key, entry)
    return event


def _creation(unit: UnitOfWork, state: LedgerState, key: Key, payload: Creation, emit: Emit) -> Event | None:
    known = state.history(key).creation
    if known is not None and known.kind == "created":
        return _event_of(unit, known)
    event = emit(payload)
    if known is None:
        state.add(key, Entry("created", "emitted", "planned", None, event.event_id))
    return event


def _feature(unit: UnitOfWork, state: LedgerState, payload: FeatureCreation, emit: Emit) -> Event | None:
    if state.features.get(payload.feature_slug) == "told":
        data = outbox.first_of_feature(unit.connection, unit.project, "FeatureCreated", payload.feature_slug)
        return from_json(data) if data else None
    state.know_feature(payload.feature_slug, "told")
    return emit(payload)


def _latest(unit: UnitOfWork, payload: Payload) -> Event | None:
    """The latest event of the outbox that says the same, as far as it matters; None if the outbox has lost it."""
    wp_id = getattr(payload, "wp_id", None)
    rows = outbox.logged(unit.connection, unit.project, feature=payload.feature_slug, wp_id=wp_id)
    for row in reversed(rows):
        event = from_json(row.data)
        if type(event.payload) is type(payload) and _same(event.payload, payload):
            return event
    return None


def _same(one: Payload, other: Payload) -> bool:
    if isinstance(one, Resolution) and isinstance(other, Resolution):
        return one.dependency_wp_id == other.dependency_wp_id
    return isinstance(one, Completion) or one == other


def _event_of(unit: UnitOfWork, entry: Entry) -> Event | None:
    """The event that a log entry of the ledger was emitted as, None if the outbox has lost it."""
    data = outbox.find(unit.connection, entry.event_id) if entry.event_id else None
    return from_json(data) if data else None


def _draft(
    unit: UnitOfWork, context: EnvelopeContext, payload: Payload, aggregate: tuple[str, str], causation_id: str | None
) -> EventDraft:
    """The event, at a moment of its own: the same content twice in one microsecond is still two emissions."""
    moment = datetime.now(UTC)
    draft = manual_draft(payload, aggregate, context, moment, causation_id)
    while outbox.find(unit.connection, draft.event_id) is not None:
        moment += _TICK
        draft = manual_draft(payload, aggregate, context, moment, causation_id)
    return draft
