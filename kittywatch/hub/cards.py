"""What a work package's events amount to: a pure fold, in the order (lamport_clock, node_id, event_id).

The order of arrival does not matter. An event that comes after everything folded so far is applied to what is there;
one that belongs earlier makes the fold start again from the work package's events (projections.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from kittywatch.events import (
    DependencyResolved,
    Event,
    WPAssigned,
    WPCreated,
    WPStatusChanged,
)

LANES = ("planned", "doing", "for_review", "done")
_RANK = {lane: rank for rank, lane in enumerate(LANES)}

Order: TypeAlias = tuple[int, str, str]
START: Order = (0, "", "")


@dataclass(frozen=True, kw_only=True)
class Card:
    """One work package as the board shows it; `known` is False until an event makes it a card at all.

    Times are the events' own texts; `rework` counts transitions that went back; `needs` maps each work package that
    this one depends on to DependencyResolved's resolution, empty before it.
    """

    title: str = ""
    lane: str = "planned"
    agent: str = ""
    created_at: str | None = None
    lane_since: str | None = None
    started_at: str | None = None
    done_at: str | None = None
    transitions: int = 0
    rework: int = 0
    needs: tuple[tuple[str, str], ...] = ()
    known: bool = False
    last: Order = START
    changed: int = 0


def order_of(event: Event) -> Order:
    return (event.lamport_clock, event.node_id, event.event_id)


def apply(card: Card, event: Event, *, position: int) -> Card:
    """The card after one more event, which must come after all that were applied."""
    card = replace(card, last=order_of(event), changed=max(card.changed, position))
    if isinstance(event, WPStatusChanged):
        return _moved(card, event)
    if isinstance(event, WPCreated):
        resolved = dict(card.needs)
        return replace(
            card,
            known=True,
            title=event.payload.title,
            created_at=event.timestamp,
            lane_since=card.lane_since or event.timestamp,
            needs=tuple((needed, resolved.get(needed, "")) for needed in event.payload.dependencies),
        )
    if isinstance(event, WPAssigned):
        return replace(card, agent=event.payload.agent_id)
    if isinstance(event, DependencyResolved):
        needs = dict(card.needs) | {event.payload.dependency_wp_id: event.payload.resolution_type}
        return replace(card, needs=tuple(needs.items()))
    return card


def fold(events: list[tuple[int, Event]]) -> Card:
    """The card that events, with their positions and in any order, amount to."""
    card = Card()
    for position, event in sorted(events, key=lambda pair: order_of(pair[1])):
        card = apply(card, event, position=position)
    return card


def seconds_of(timestamp: str | None) -> float:
    """Seconds since 1970 of an event's time; 0 for None, and the second before for a leap second."""
    if timestamp is None:
        return 0.0
    text = timestamp.upper()
    if text[17:19] == "60":
        text = text[:17] + "59" + text[19:]
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _moved(card: Card, event: WPStatusChanged) -> Card:
    payload = event.payload
    went_back = _RANK[payload.new_status] < _RANK[payload.previous_status]
    actor = payload.changed_by if payload.changed_by != "user" else ""
    return replace(
        card,
        known=True,
        lane=payload.new_status,
        # Who moves a work package to doing works on it, unless an assignment says otherwise.
        agent=card.agent or (actor if payload.new_status == "doing" else ""),
        lane_since=event.timestamp,
        started_at=card.started_at or (event.timestamp if payload.new_status == "doing" else None),
        done_at=event.timestamp if payload.new_status == "done" else None,
        transitions=card.transitions + 1,
        rework=card.rework + went_back,
    )
