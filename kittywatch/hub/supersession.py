"""Aliases and events that came, brought to agree: each transition is shown once, whatever came first (kinship.py).

An event of a transition that is shown by another one is kept and counted nowhere: `superseded_by` says which one.
Where that changes for an event that was there before, `supersessions` has a line of it, with a position of its own in
the order of arrival, so that whoever follows that order hears of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, text, update

from kittywatch.hub.database import is_postgresql
from kittywatch.hub.kinship import Kinship, Relative
from kittywatch.hub.offers import Offered
from kittywatch.hub.schema import aliases, events, moves, renames, supersessions
from kittywatch.hub.sessions import Login

_log = logging.getLogger("kittywatch.hub.supersession")
_CHUNK = 400


@dataclass(frozen=True, kw_only=True)
class AliasResult:
    """What became of one alias; the protocol's result without its empty fields is `to_dict`."""

    alias: str | None
    status: str
    error_message: str | None = None

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {"alias": self.alias, "status": self.status}
        return result if self.error_message is None else {**result, "error_message": self.error_message}


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """`results` are the offered aliases', in their order; `hidden` are new events that are shown by others.

    `changed` are events that were there before and are shown no more, or again, with their kinds.
    """

    results: list[AliasResult]
    hidden: set[str]
    changed: dict[str, Relative]


def agree(connection: Connection, login: Login, arrived: Collection[str], offered: Sequence[Offered]) -> Agreed:
    """Take the aliases that a login offers, after the events that arrived with them were stored."""
    named = {one_id for one in offered if not one.reason for one_id in (one.alias, one.event_id) if one_id is not None}
    kinship = _around(connection, login.team_id, arrived, named)
    if not kinship.leads and not named:
        return Agreed(results=[_refusal(one) for one in offered], hidden=set(), changed={})
    _part_strangers(connection, login, kinship, arrived)
    results, accepted = [], []
    for one in offered:
        result = _refusal(one) if one.reason else _judge(kinship, one)
        results.append(result)
        if result.status == "success":
            accepted.append(one)
    _insert(connection, login, accepted)
    hidden, changed = _settle(connection, login.team_id, kinship, set(kinship.joined), set(arrived))
    return Agreed(results=results, hidden=hidden, changed=changed)


def agree_anew(connection: Connection, team_id: int) -> dict[str, Relative]:
    """Decide again for all of a team's aliases; the events that changed, of which there are none unless by hand."""
    table = aliases.c
    query = select(table.alias, table.event_id).where(table.team_id == team_id)
    kinship = Kinship()
    for alias, event_id in connection.execute(query):
        kinship.add(alias, event_id)
    hidden = select(events.c.event_id).where(events.c.team_id == team_id, events.c.superseded_by.is_not(None))
    wanted = set(kinship.joined) | set(connection.execute(hidden).scalars())
    kinship.events = _stored(connection, team_id, wanted)
    return _settle(connection, team_id, kinship, wanted, set())[1]


def next_positions(connection: Connection, count: int) -> Sequence[int]:
    """Places in the order of arrival, which events, supersessions, renames and moves share."""
    if is_postgresql(connection):
        query = text("SELECT nextval('events_position_seq') FROM generate_series(1, :count)")
        return sorted(connection.execute(query, {"count": count}).scalars())
    last = max(
        int(connection.execute(select(func.coalesce(func.max(table.c.position), 0))).scalar_one())
        for table in (events, supersessions, renames, moves)
    )
    return range(last + 1, last + 1 + count)


def _refusal(one: Offered) -> AliasResult:
    return AliasResult(alias=one.alias, status="rejected", error_message=one.reason)


def _judge(kinship: Kinship, one: Offered) -> AliasResult:
    """What becomes of an offered alias; an accepted one is in `kinship` then."""
    assert one.alias is not None
    assert one.event_id is not None
    if kinship.has(one.alias, one.event_id):
        return AliasResult(alias=one.alias, status="duplicate")
    if objection := kinship.objection(one.alias, one.event_id):
        return AliasResult(alias=one.alias, status="rejected", error_message=objection)
    kinship.add(one.alias, one.event_id)
    return AliasResult(alias=one.alias, status="success")


def _insert(connection: Connection, login: Login, accepted: list[Offered]) -> None:
    rows = [
        {
            "team_id": login.team_id,
            "alias": one.alias,
            "event_id": one.event_id,
            "session_id": login.session_id,
            "received_at": time.time(),
        }
        for one in accepted
    ]
    if rows:
        connection.execute(insert(aliases), rows)


def _part_strangers(connection: Connection, login: Login, kinship: Kinship, arrived: Iterable[str]) -> None:
    """Drop the aliases of events that turn out to be of another kind than what they were said to be."""
    arriving = [one for one in arrived if one in kinship.events and kinship.joined.get(one)]
    seen = {one: kinship.events.pop(one) for one in arriving}
    for event_id in sorted(arriving, key=lambda one: seen[one].position):
        kinds = kinship.kinds(kinship.family(event_id))
        kinship.events[event_id] = seen[event_id]
        if not kinds or kinds == {seen[event_id].kind}:
            continue
        _log.warning("dropped the aliases of event %s of team %s: other kinds", event_id, login.team_slug)
        for other in list(kinship.joined[event_id]):
            for alias, target in ((event_id, other), (other, event_id)):
                kinship.remove(alias, target)
        connection.execute(
            delete(aliases).where(
                aliases.c.team_id == login.team_id,
                or_(aliases.c.alias == event_id, aliases.c.event_id == event_id),
            )
        )


def _settle(
    connection: Connection, team_id: int, kinship: Kinship, ids: Collection[str], arrived: Collection[str]
) -> tuple[set[str], dict[str, Relative]]:
    """Let one event of each family be shown: the arrived ones that aren't, and the others for which that is news."""
    wanted: dict[str, str | None] = {}
    for one in ids:
        if one not in wanted:
            family = kinship.family(one)
            shown = kinship.shown(family)
            wanted |= {relative: None if relative == shown else shown for relative in family}
    news = {one: by for one, by in wanted.items() if one in kinship.events and kinship.events[one].superseded_by != by}
    for one, by in news.items():
        connection.execute(
            update(events).where(events.c.team_id == team_id, events.c.event_id == one).values(superseded_by=by)
        )
    # That another one shows it now is no news to anybody.
    changed = {
        one: kinship.events[one]
        for one, by in news.items()
        if one not in arrived and (by is None or kinship.events[one].superseded_by is None)
    }
    _note(connection, team_id, {one: (relative, wanted[one]) for one, relative in changed.items()})
    return {one for one in news if one in arrived}, changed


def _note(connection: Connection, team_id: int, changed: dict[str, tuple[Relative, str | None]]) -> None:
    if not changed:
        return
    ordered = sorted(changed.items(), key=lambda item: item[1][0].position)
    rows = []
    for position, (event_id, (relative, by)) in zip(next_positions(connection, len(ordered)), ordered, strict=True):
        _, project, feature, wp_id = relative.kind
        rows.append({"position": position, "team_id": team_id, "event_id": event_id, "superseded_by": by})
        rows[-1] |= {"project": project, "feature": feature, "wp_id": wp_id, "event_position": relative.position}
    connection.execute(insert(supersessions), rows)


def _around(connection: Connection, team_id: int, arrived: Collection[str], named: set[str]) -> Kinship:
    """What is known around events that arrived and ids that aliases name, as far as aliases lead."""
    kinship = Kinship()
    seen: set[str] = set()
    ahead = named | set(arrived)
    while ahead:
        seen |= ahead
        for alias, event_id in _touching(connection, team_id, ahead):
            kinship.add(alias, event_id)
        ahead = set(kinship.joined) - seen
    kinship.events = _stored(connection, team_id, set(kinship.joined) | named)
    return kinship


def _touching(connection: Connection, team_id: int, ids: Collection[str]) -> Iterator[tuple[str, str]]:
    table = aliases.c
    for some in _chunks(ids):
        either = or_(table.alias.in_(some), table.event_id.in_(some))
        for row in connection.execute(select(table.alias, table.event_id).where(table.team_id == team_id, either)):
            yield row.alias, row.event_id


def _stored(connection: Connection, team_id: int, ids: Collection[str]) -> dict[str, Relative]:
    table = events.c
    columns = (table.event_id, table.position, table.event_type, table.project, table.feature, table.wp_id)
    found = {}
    for some in _chunks(ids):
        query = select(*columns, table.superseded_by).where(and_(table.team_id == team_id, table.event_id.in_(some)))
        for row in connection.execute(query):
            kind = (row.event_type, row.project, row.feature, row.wp_id)
            found[row.event_id] = Relative(position=row.position, kind=kind, superseded_by=row.superseded_by)
    return found


def _chunks(ids: Collection[str]) -> Iterator[list[str]]:
    listed = sorted(ids)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]
