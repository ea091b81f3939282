"""A team's events for machines, page by page in the order of arrival; those that are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, select

from kittywatch.hub import renaming
from kittywatch.hub.errors import RequestError
from kittywatch.hub.lane_sources import is_of_source
from kittywatch.hub.schema import SHOWN, events

MOST = 1000
_COLUMNS = {"project": events.c.project, "feature": events.c.feature, "wp_id": events.c.wp_id}
_COLUMNS["type"] = events.c.event_type


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which events: those past a position, `limit` at most, where `same` has values of some of _COLUMNS.

    `source` is the lane source of their work packages; empty means any, and events of no work package too.
    """

    after: int
    limit: int
    same: dict[str, str]
    source: str

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Wanted:
        """Raises RequestError for a cursor or a limit that is none."""
        after, limit = query.get("after", "0"), query.get("limit", str(MOST))
        for name, given in (("after", after), ("limit", limit)):
            if not (given.isascii() and given.isdigit() and len(given) < 16):
                raise RequestError(f"The {name} is not one.", remedy="Give a cursor of an answer, or a number.")
        same = {name: query[name].replace("\0", "") for name in _COLUMNS if name in query}
        source = query.get("source", "").replace("\0", "")
        return cls(after=int(after), limit=min(max(int(limit), 1), MOST), same=same, source=source)


def page(connection: Connection, team_id: int, wanted: Wanted) -> bytes:
    """The answer as JSON: `events`, the `cursor` to go on after, and whether that is `at_end`."""
    query = select(events.c.position, events.c.body).where(
        events.c.team_id == team_id, events.c.position > wanted.after, SHOWN
    )
    for name, value in wanted.same.items():
        either = {value}
        if name == "feature":
            either = _names(connection, team_id, value, wanted.same.get("wp_id", ""))
        query = query.where(_COLUMNS[name].in_(either))
    if wanted.source:
        query = query.where(is_of_source(team_id, wanted.source))
    rows = connection.execute(query.order_by(events.c.position).limit(wanted.limit + 1)).all()
    some = rows[: wanted.limit]
    return msgspec.json.encode(
        {
            "events": [msgspec.Raw(row.body.encode()) for row in some],
            "cursor": str(some[-1].position if some else wanted.after),
            "at_end": len(rows) == len(some),
        }
    )


def _names(connection: Connection, team_id: int, feature: str, wp_id: str) -> set[str]:
    """A feature's name and those that it, or a work package of it, is shown under in the projects that say so."""
    return {feature, *renaming.names_anywhere(connection, team_id, feature, wp_id)}
