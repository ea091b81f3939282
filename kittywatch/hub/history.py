"""What happened, for people to read: the activity of a team, and the timeline of one work package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, Row, literal, select, tuple_

from kittywatch.events import (
    DependencyResolved,
    ErrorLogged,
    Event,
    FeatureCompleted,
    FeatureCreated,
    HistoryAdded,
    StatusChange,
    WPAssigned,
    WPCreated,
    WPStatusChanged,
    from_json,
)
from kittywatch.hub import moments
from kittywatch.hub.board import Filter, Key, feature_path, hue_of, package_path
from kittywatch.hub.columns import category_of
from kittywatch.hub.lane_sources import is_of_source
from kittywatch.hub.schema import SHOWN, events, sessions, supersessions, users

TIMELINE_LENGTH = 50
RAW_LENGTH = 4000  # characters of an event in a timeline


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One event as a sentence: `actor` did `verb`, from one lane to another if it is a transition.

    `machine` and `checkout` are the event's node_id and build_id, `account` is who delivered it, `raw` and `original`
    the beginning of its JSON, indented; `came` says how the form that it came in differs, empty where it doesn't.
    """

    position: int
    event_id: str
    kind: str
    wp_id: str
    feature: str
    path: str
    actor: str
    verb: str
    text: str
    from_lane: str
    to_lane: str
    from_category: str
    to_category: str
    timestamp: str
    received_at: float
    machine: str
    checkout: str
    account: str
    raw: str
    original: str
    came: str

    @property
    def is_package(self) -> bool:
        """Whether `path` leads to a work package: what an error names may be none."""
        return self.path.startswith("/wp/")

    @property
    def hue(self) -> int:
        return hue_of(self.actor)

    @property
    def moment(self) -> str:
        """When it happened, for people."""
        return moments.shown(self.timestamp)

    @property
    def is_cut(self) -> bool:
        return max(len(self.raw), len(self.original)) >= RAW_LENGTH


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """A page of a work package's history; `older` is the cursor of the next, empty where there is none."""

    entries: list[Entry]
    older: str


def activity(
    connection: Connection, team_id: int, wanted: Filter, *, before: int | None = None, after: int = 0, limit: int = 30
) -> list[Entry]:
    """The events that arrived last, latest first; of the wanted project, feature and lane source."""
    query = _query(team_id).where(events.c.position > after)
    if before is not None:
        query = query.where(events.c.position < before)
    if wanted.project:
        query = query.where(events.c.project == wanted.project)
    if wanted.feature:
        query = query.where(events.c.feature == wanted.feature)
    if wanted.source:
        query = query.where(is_of_source(team_id, wanted.source))
    rows = connection.execute(query.order_by(events.c.position.desc()).limit(limit))
    return [_entry(row, with_raw=False) for row in rows]


def withdrawn(connection: Connection, team_id: int, *, after: int) -> list[int] | None:
    """The events, by their positions, that are shown no more since a position; None where one is shown again."""
    table = supersessions.c
    query = select(table.event_position, table.superseded_by).where(table.team_id == team_id, table.position > after)
    rows = connection.execute(query).all()
    return None if any(row.superseded_by is None for row in rows) else [row.event_position for row in rows]


def timeline(connection: Connection, team_id: int, key: Key, *, before: str = "") -> Timeline:
    """What happened to a work package, latest first in the order of what happened; older than `before`, an `older`."""
    query = _of_package(team_id, key)
    order = (events.c.lamport_clock, events.c.node_id, events.c.event_id)
    place = before.split("-")
    if len(place) == 3 and place[0].isascii() and place[0].isdigit() and len(place[0]) < 19:
        query = query.where(tuple_(*order) < tuple_(literal(int(place[0]), BigInteger), place[1], place[2]))
    rows = connection.execute(query.order_by(*(column.desc() for column in order)).limit(TIMELINE_LENGTH + 1)).all()
    shown = rows[:TIMELINE_LENGTH]
    last = shown[-1] if len(rows) > len(shown) else None
    older = f"{last.lamport_clock}-{last.node_id}-{last.event_id}" if last is not None else ""
    return Timeline(entries=[_entry(row, with_raw=True) for row in shown], older=older)


def raw_event(connection: Connection, team_id: int, key: Key, event_id: str) -> str | None:
    """An event's JSON, indented, and below it the form that it came in if that was another; None if there is none."""
    row = connection.execute(_of_package(team_id, key).where(events.c.event_id == event_id)).first()
    if row is None:
        return None
    return "\n\n".join(_indented(text) for text in (row.body, row.original) if text)


def _of_package(team_id: int, key: Key) -> Any:
    return _query(team_id).where(events.c.project == key[0], events.c.feature == key[1], events.c.wp_id == key[2])


def _query(team_id: int) -> Any:
    names = ("position", "event_id", "lamport_clock", "node_id", "feature", "wp_id", "body", "original")
    columns = [events.c[name] for name in names]
    joined = events.outerjoin(sessions, sessions.c.id == events.c.session_id).outerjoin(
        users, users.c.id == sessions.c.user_id
    )
    account = users.c.name.label("account")
    shown = events.c.team_id == team_id, SHOWN
    return select(*columns, events.c.received_at, account).select_from(joined).where(*shown)


def _entry(row: Row[Any], *, with_raw: bool) -> Entry:
    event = from_json(row.body)
    actor, verb, text = _sentence(event)
    wp_id = getattr(event.payload, "wp_id", None) or ""
    feature = row.feature
    project = str(event.project_uuid)
    categories = _categories(event.payload) if isinstance(event, WPStatusChanged) else ("", "")
    return Entry(
        position=row.position,
        event_id=row.event_id,
        kind=type(event).__name__,
        wp_id=wp_id,
        feature=feature,
        path=package_path((project, feature, row.wp_id)) if row.wp_id else feature_path(project, feature),
        actor=actor,
        verb=verb,
        text=text,
        from_lane=event.payload.previous_status if isinstance(event, WPStatusChanged) else "",
        to_lane=event.payload.new_status if isinstance(event, WPStatusChanged) else "",
        from_category=categories[0],
        to_category=categories[1],
        timestamp=event.timestamp,
        received_at=row.received_at,
        machine=event.node_id,
        checkout=event.build_id,
        account=row.account or "",
        raw=_indented(row.body)[:RAW_LENGTH] if with_raw else "",
        original=_indented(row.original)[:RAW_LENGTH] if with_raw and row.original else "",
        came=_came(event, row.original) if row.original else "",
    )


def _categories(payload: StatusChange) -> tuple[str, str]:
    return (
        category_of(payload.previous_status, payload.previous_category or None),
        category_of(payload.new_status, payload.new_category or None),
    )


def _came(event: Event, original: str) -> str:
    clock = msgspec.json.decode(original).get("lamport_clock")
    return "in the older form" if clock == event.lamport_clock else "with a clock that had run away"


def _indented(text: str) -> str:
    return msgspec.json.format(text, indent=2)


def _sentence(event: Event) -> tuple[str, str, str]:
    match event:
        case WPStatusChanged(payload=payload):
            return payload.changed_by, "moved", ""
        case WPCreated(payload=payload):
            return "", "created", payload.title
        case WPAssigned(payload=payload):
            again = f", agent {payload.retry_count + 1}" if payload.retry_count else ""
            return payload.agent_id, "took on", f"{payload.phase}{again}"
        case HistoryAdded(payload=payload):
            return payload.author, "reviewed" if payload.entry_type == "review" else "noted", payload.entry_content
        case DependencyResolved(payload=payload):
            return "", "freed", f"{payload.dependency_wp_id} {payload.resolution_type}"
        case FeatureCreated(payload=payload):
            return "", "started", f"{payload.wp_count} work packages on {payload.target_branch}"
        case FeatureCompleted(payload=payload):
            return "", "completed", f"{payload.total_wps} work packages"
        case ErrorLogged(payload=payload):
            return payload.agent_id or "", "reported an error", payload.error_message
