"""The work packages of a team, as the protocol's WebSocket begins with them."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, select

from kittywatch.hub.schema import work_packages

# Clients in the field accept messages of 1 MiB and break off at a longer one.
MOST_BYTES = 900_000
_MOST = 5000


def snapshot(connection: Connection, team_id: int) -> str:
    """The message, with the work packages that changed last if not all find room; `truncated` says so."""
    table = work_packages
    query = select(table).where(table.c.team_id == team_id, table.c.known).order_by(table.c.changed.desc()).limit(_MOST)
    parts: list[bytes] = []
    room = MOST_BYTES
    for row in connection.execute(query):
        part = msgspec.json.encode(
            {
                "project_uuid": row.project,
                "feature_slug": row.feature or None,
                "wp_id": row.wp_id,
                "title": row.title[:200],
                "status": row.lane,
                "agent": row.agent[:200] or None,
                "since": row.lane_since,
                "lamport_clock": row.last_lamport,
            }
        )
        room -= len(part) + 1
        if room < 0:
            break
        parts.append(part)
    truncated = b"true" if room < 0 or len(parts) == _MOST else b"false"
    message = b'{"type":"snapshot","work_packages":[' + b",".join(parts) + b'],"truncated":' + truncated + b"}"
    return message.decode()
