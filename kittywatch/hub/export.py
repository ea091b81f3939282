"""A team's events, as they can be delivered again."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, select

from kittywatch.events.field_form import as_status_transition
from kittywatch.hub.schema import SHOWN, events


def transitions(connection: Connection, team_id: int) -> Iterator[str]:
    """The lane transitions alone, one a line, in the form of spec-kitty-events (its StatusTransitionPayload)."""
    return (line for body in lines(connection, team_id) if (line := as_status_transition(body)) is not None)


def lines(connection: Connection, team_id: int, *, with_originals: bool = False) -> Iterator[str]:
    """One event a line, in the order of what happened.

    `with_originals`: instead of the bare event `{"event", "received_at", "feature", "original"}`, where feature is the
    name that the event's feature is shown under, original the older form that the event came in; either may be null.
    """
    query = (
        select(events.c.body, events.c.received_at, events.c.feature, events.c.original)
        .where(events.c.team_id == team_id, SHOWN)
        .order_by(events.c.lamport_clock, events.c.node_id, events.c.event_id)
        .execution_options(yield_per=1000)
    )
    for body, received_at, feature, original in connection.execute(query):
        if not with_originals:
            yield body
            continue
        older = msgspec.Raw(original.encode()) if original else None
        line = {"event": msgspec.Raw(body.encode()), "received_at": received_at}
        line |= {"feature": feature or None, "original": older}
        yield msgspec.json.encode(line).decode()
