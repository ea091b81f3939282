"""Storing what came in: each event once, in one transaction with its projections.

`success`: stored now. `duplicate`: stored before, with the same content, or stored now and shown by another event that
an alias makes the same one. `rejected`: breaks the contract, or says something else under an id that is known. The same
rules hold within a batch. Renames come before the events that came with them (renaming.py), aliases after.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sqlalchemy import Connection, func, insert, select

from kittywatch.events import to_json
from kittywatch.hub import clocks, projections, renaming, supersession
from kittywatch.hub.database import is_postgresql, lock_team
from kittywatch.hub.names import Names
from kittywatch.hub.offers import Offered, OfferedRename
from kittywatch.hub.parsing import Accepted, BatchItem
from kittywatch.hub.renaming import RenameResult
from kittywatch.hub.schema import events
from kittywatch.hub.sessions import Login
from kittywatch.hub.supersession import AliasResult

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


Outcome: TypeAlias = Result | AliasResult | RenameResult


def store(connection: Connection, login: Login, items: Sequence[BatchItem]) -> list[Outcome]:
    """Store a batch of one login; results stand in the items' order, renames and aliases last. The caller commits."""
    lock_team(connection, login.team_id)
    accepted = [item for item in items if isinstance(item, Accepted)]
    known = _known(connection, login.team_id, [item.event.event_id for item in accepted])
    news: list[Accepted] = []
    offered = [item for item in items if isinstance(item, Offered)]
    renamed = [item for item in items if isinstance(item, OfferedRename)]
    results: list[Result] = []
    for item in items:
        if isinstance(item, Offered | OfferedRename):
            continue
        if not isinstance(item, Accepted):
            results.append(Result(event_id=item.event_id, status="rejected", error_message=item.reason))
            continue
        event_id = item.event.event_id
        if event_id not in known:
            known[event_id] = item.content_hash
            news.append(item)
            results.append(Result(event_id=event_id, status="success"))
        elif known[event_id] == item.content_hash:
            results.append(Result(event_id=event_id, status="duplicate"))
        else:
            _log.warning("rejected event %s of team %s: other content under a known id", event_id, login.team_slug)
            results.append(Result(event_id=event_id, status="rejected", error_message=_OTHER_CONTENT))
    moved = _rename(connection, login, renamed) if renamed else []
    if not news and not offered:
        _tell_replicas(connection, login, has_news=bool(renamed))
        return [*results, *moved]
    hidden, settled = _insert(connection, login, news, offered)
    _tell_replicas(connection, login, has_news=True)
    told = [
        replace(result, status="duplicate") if result.status == "success" and result.event_id in hidden else result
        for result in results
    ]
    return [*told, *moved, *settled]


def _known(connection: Connection, team_id: int, event_ids: list[str]) -> dict[str, bytes]:
    known: dict[str, bytes] = {}
    for start in range(0, len(event_ids), _CHUNK):
        query = select(events.c.event_id, events.c.content_hash).where(
            events.c.team_id == team_id, events.c.event_id.in_(event_ids[start : start + _CHUNK])
        )
        known |= {event_id: bytes(content_hash) for event_id, content_hash in connection.execute(query)}
    return known


def _rename(connection: Connection, login: Login, offered: list[OfferedRename]) -> list[RenameResult]:
    results, moved = renaming.take(connection, login, offered)
    projections.move(connection, login.team_id, moved)
    return results


def _tell_replicas(connection: Connection, login: Login, *, has_news: bool) -> None:
    if has_news and is_postgresql(connection):
        connection.execute(select(func.pg_notify(CHANNEL, str(login.team_id))))


def _insert(
    connection: Connection, login: Login, news: list[Accepted], offered: list[Offered]
) -> tuple[set[str], list[AliasResult]]:
    """Store new events and aliases; the events of these that others show, and what became of the aliases."""
    news = _with_plausible_clocks(connection, login, news)
    # Positions are taken before the insert: a bulk insert that returned them would cost three times as much.
    positions = supersession.next_positions(connection, len(news))
    names = _names(connection, login, news)
    rows = [_row(login, item, position, names) for position, item in zip(positions, news, strict=True)]
    if rows:
        connection.execute(insert(events), rows)
    agreed = supersession.agree(connection, login, [item.event.event_id for item in news], offered)
    placed = [(row["position"], item.event) for row, item in zip(rows, news, strict=True)]
    shown = [(position, event) for position, event in placed if event.event_id not in agreed.hidden]
    projections.update(connection, login.team_id, shown, names)
    projections.refold(connection, login.team_id, agreed.changed.values())
    return agreed.hidden, agreed.results


def _names(connection: Connection, login: Login, news: list[Accepted]) -> Names:
    packages = {(str(item.event.project_uuid), getattr(item.event.payload, "wp_id", None) or "") for item in news}
    return renaming.names_of(connection, login.team_id, {project for project, _ in packages}, packages)


def _with_plausible_clocks(connection: Connection, login: Login, news: list[Accepted]) -> list[Accepted]:
    highest = clocks.highest_of(connection, login.team_id)
    taken = list(clocks.taken_with((item.event.lamport_clock for item in news), highest=highest))
    return [
        item if item.event.lamport_clock == clock else _with_clock(item, clock)
        for item, clock in zip(news, taken, strict=True)
    ]


def _with_clock(item: Accepted, clock: int) -> Accepted:
    event = clocks.with_clock(item.event, clock)
    return replace(item, event=event, body=to_json(event), original=item.original or item.body)


def _row(login: Login, item: Accepted, position: int, names: Names) -> dict[str, Any]:
    event = item.event
    project, feature, wp_id = projections.key_of(event, names)
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
        "content_hash": item.content_hash,
        "body": item.body,
        "original": item.original,
    }
