"""Lamport clocks that nobody can have come by, and the hub's own in their place.

A clock ticks once an event and follows those of others, so the clocks of a team keep together. One that is far ahead
of all that the team has (a file that was damaged, a fault, a lie) would stand after everything that happens from then
on, and freeze the work packages that it touched. Such an event is taken all the same, with the next value after the
team's highest; what it came with is kept as its original. No identity is made of the clock, so that changes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from sqlalchemy import Connection, func, select, update

from kittywatch.events import LARGEST_CLOCK, Event, from_json, to_json
from kittywatch.hub import projections
from kittywatch.hub.database import lock_team
from kittywatch.hub.schema import events, projects

FAR_AHEAD = 1 << 20  # events that a team would have to have missed


def taken_with(clocks: Iterable[int], *, highest: int) -> Iterator[int]:
    """The clocks that events are taken with, in the order of arrival; `highest` is the team's before, 0 if none."""
    for clock in clocks:
        taken = clock if clock <= min(highest + FAR_AHEAD, LARGEST_CLOCK) else highest + 1
        highest = max(highest, taken)
        yield taken


def highest_of(connection: Connection, team_id: int) -> int:
    """The highest clock among a team's events, 0 without any."""
    query = select(func.coalesce(func.max(projects.c.last_lamport), 0)).where(projects.c.team_id == team_id)
    return int(connection.execute(query).scalar_one())


def with_clock(event: Event, clock: int) -> Event:
    return msgspec.structs.replace(event, lamport_clock=clock)


def repair(connection: Connection, team_id: int) -> int:
    """Put right the clocks of a team's stored events, as if each had come now; the number of those that were wrong.

    Makes the projections again if there were any.
    """
    lock_team(connection, team_id)
    wrong = _wrong(connection, team_id)
    for position, clock in wrong.items():
        here = events.c.position == position
        body, original = connection.execute(select(events.c.body, events.c.original).where(here)).one()
        right = to_json(with_clock(from_json(body), clock))
        connection.execute(
            update(events).where(here).values(lamport_clock=clock, body=right, original=original or body)
        )
    if wrong:
        projections.rebuild(connection, team_id)
    return len(wrong)


def _wrong(connection: Connection, team_id: int) -> dict[int, int]:
    """Positions of events with a clock that is far ahead, and the one to give each."""
    query = select(events.c.position, events.c.lamport_clock).where(events.c.team_id == team_id)
    rows = connection.execute(query.order_by(events.c.position)).all()
    clocks = taken_with((row.lamport_clock for row in rows), highest=0)
    return {row.position: clock for row, clock in zip(rows, clocks, strict=True) if clock != row.lamport_clock}
