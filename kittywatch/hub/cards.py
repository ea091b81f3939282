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
from kittywatch.hub.columns import category_of
from kittywatch.hub.lane_sources import FIRST_OF_OWN_LANES, FRONTMATTER, LONGEST, WITH_OWN_LANES
from kittywatch.workpackages.schemes import SCHEMES

_RANK = {"backlog": 0, "active": 1, "review": 2, "done": 3}
"""Of the categories that work goes through; blocked and canceled are beside the way."""

Order: TypeAlias = tuple[int, str, str]
START: Order = (0, "", "")


@dataclass(frozen=True, kw_only=True)
class Card:
    """One work package as the board shows it; `known` is False until an event makes it a card at all.

    Times are the events' own texts; `rework` counts transitions that went back; `needs` maps each work package that
    this one depends on to DependencyResolved's resolution, empty before it. `category` is what the lane means,
    `released` says that dependents may begin, `source` is the lane source, empty where none is known (lane_sources.py).
    """

    title: str = ""
    lane: str = "planned"
    category: str = "backlog"
    released: bool = False
    source: str = ""
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
    card = replace(card, last=order_of(event), changed=max(card.changed, position), source=_source(card, event))
    if isinstance(event, WPStatusChanged):
        return _moved(card, event)
    if isinstance(event, WPCreated):
        resolved = dict(card.needs)
        begins = event.source in WITH_OWN_LANES and not card.transitions
        return replace(
            card,
            known=True,
            lane=FIRST_OF_OWN_LANES if begins else card.lane,
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


def _source(card: Card, event: Event) -> str:
    if event.source:
        return event.source[:LONGEST]
    is_first = not card.source and event.schema_version == "1.0.0" and isinstance(event, WPStatusChanged)
    return FRONTMATTER if is_first else card.source


def _moved(card: Card, event: WPStatusChanged) -> Card:
    payload = event.payload
    before = category_of(payload.previous_status, payload.previous_category or None)
    after = category_of(payload.new_status, payload.new_category or None)
    actor = payload.changed_by if payload.changed_by != "user" else ""
    card = replace(
        card,
        known=True,
        # Who moves a work package on to be worked on works on it, unless an assignment says otherwise.
        agent=card.agent or (actor if after == "active" else ""),
        started_at=_earlier(card.started_at, event.timestamp) if after == "active" else card.started_at,
        transitions=card.transitions + 1,
        rework=card.rework + (_RANK.get(after, 9) < _RANK.get(before, -1)),
    )
    if not payload.lane_now:
        return _in_lane(card, payload.new_status, after, event.timestamp)
    # It happened before what the card shows already, and the event says where the work package is now.
    known = {payload.previous_status: before, payload.new_status: after, card.lane: card.category}
    now = category_of(payload.lane_now, known.get(payload.lane_now))
    since = card.lane_since if payload.lane_now == card.lane else None
    return _in_lane(card, payload.lane_now, now, since or event.timestamp)


def _in_lane(card: Card, lane: str, category: str, since: str) -> Card:
    done_at = (card.done_at if card.lane == lane and card.done_at else since) if category == "done" else None
    releases = any(scheme.releases(lane) and scheme.category(lane) == category for scheme in SCHEMES.values())
    released = category == "done" or releases
    return replace(card, lane=lane, category=category, released=released, lane_since=since, done_at=done_at)


def _earlier(one: str | None, other: str) -> str:
    return one if one is not None and seconds_of(one) <= seconds_of(other) else other
