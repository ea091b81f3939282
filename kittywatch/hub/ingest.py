"""Storing what came in: each event once, in one transaction with its projections.

`success`: stored now. `duplicate`: stored before, with the same content. `rejected`: breaks the contract, or says
something else under an id that is known. The same rules hold within a batch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, insert, select, text

from kittywatch.events import to_json
from kittywatch.hub import clocks, projections
from kittywatch.hub.database import is_postgresql, lock_team
from kittywatch.hub.door import Accepted, Member
from kittywatch.hub.schema import events
from kittywatch.hub.sessions import Login

CHANNEL = "kittywatch"
_log = logging.getLogger("kittywatch.hub.ingest")
_OTHER_CONTENT = "Another event has this event_id: project, type, aggregate, payload or timestamp differ."
_CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one event; the protocol's result without its empty fields is `to_dict`."""

    event_id: str | None
    status: str
    error_message: str | None = None

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {"event_id": self.event_id, "status": self.status}
        return result if self.error_message is None else {**result, "error_message": self.error_message}


def store(connection: Connection, login: Login, members: Sequence[Member]) -> list[Result]:
    """Store a batch of one login; the results stand in the members' order. The caller commits."""
    lock_team(connection, login.team_id)
    accepted = [member for member in members if isinstance(member, Accepted)]
    known = _known(connection, login.team_id, [member.event.event_id for member in accepted])
    news: list[Accepted] = []
    results = []
    for member in members:
        if not isinstance(member, Accepted):
            results.append(Result(event_id=member.event_id, status="rejected", error_message=member.reason))
            continue
        event_id = member.event.event_id
        if event_id not in known:
            known[event_id] = member.content_hash
            news.append(member)
            results.append(Result(event_id=event_id, status="success"))
        elif known[event_id] == member.content_hash:
            results.append(Result(event_id=event_id, status="duplicate"))
        else:
            _log.warning("rejected event %s of team %s: other content under a known id", event_id, login.team_slug)
            results.append(Result(event_id=event_id, status="rejected", error_message=_OTHER_CONTENT))
    if news:
        _insert(connection, login, news)
    return results


def _known(connection: Connection, team_id: int, event_ids: list[str]) -> dict[str, bytes]:
    known: dict[str, bytes] = {}
    for start in range(0, len(event_ids), _CHUNK):
        query = select(events.c.event_id, events.c.content_hash).where(
            events.c.team_id == team_id, events.c.event_id.in_(event_ids[start : start + _CHUNK])
        )
        known |= {event_id: bytes(content_hash) for event_id, content_hash in connection.execute(query)}
    return known


def _insert(connection: Connection, login: Login, news: list[Accepted]) -> None:
    news = _with_plausible_clocks(connection, login, news)
    # Positions are taken before the insert: a bulk insert that returned them would cost three times as much.
    positions = _next_positions(connection, len(news))
    rows = [_row(login, member, position) for position, member in zip(positions, news, strict=True)]
    connection.execute(insert(events), rows)
    placed = [(row["position"], member.event) for row, member in zip(rows, news, strict=True)]
    projections.update(connection, login.team_id, placed)
    if is_postgresql(connection):
        connection.execute(select(func.pg_notify(CHANNEL, str(login.team_id))))


def _with_plausible_clocks(connection: Connection, login: Login, news: list[Accepted]) -> list[Accepted]:
    highest = clocks.highest_of(connection, login.team_id)
    taken = list(clocks.taken_with((member.event.lamport_clock for member in news), highest=highest))
    return [
        member if member.event.lamport_clock == clock else _with_clock(member, clock)
        for member, clock in zip(news, taken, strict=True)
    ]


def _with_clock(member: Accepted, clock: int) -> Accepted:
    event = clocks.with_clock(member.event, clock)
    return replace(member, event=event, body=to_json(event), original=member.original or member.body)


def _next_positions(connection: Connection, count: int) -> Sequence[int]:
    if is_postgresql(connection):
        query = text("SELECT nextval('events_position_seq') FROM generate_series(1, :count)")
        return sorted(connection.execute(query, {"count": count}).scalars())
    last = connection.execute(select(func.coalesce(func.max(events.c.position), 0))).scalar_one()
    return range(last + 1, last + 1 + count)


def _row(login: Login, member: Accepted, position: int) -> dict[str, Any]:
    event = member.event
    project, feature, wp_id = projections.key_of(event)
    return {
        "position": position,
        "team_id": login.team_id,
        "event_id": event.event_id,
        "event_type": type(event).__name__,
        "project": project,
        "feature": feature,
        "wp_id": wp_id,
        "lamport_clock": event.lamport_clock,
        "node_id": event.node_id,
        "timestamp": event.timestamp,
        "received_at": time.time(),
        "session_id": login.session_id,
        "content_hash": member.content_hash,
        "body": member.body,
        "original": member.original,
    }
