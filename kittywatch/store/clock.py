"""The Lamport clock: one value for the machine's user, ticked inside the transaction that queues an event.

The database holds it. `clock.json` is a readable copy, replaced after each commit; a higher value found there wins at
start, so that whichever of the two files is lost, values never run backwards. The copy is written after the commit
and not before: a process killed in between must leave no gap.
"""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from kittywatch.events import LARGEST_CLOCK
from kittywatch.store.files import replace_file
from kittywatch.store.lock import locked

_READ = "SELECT value FROM clock WHERE id = 1"
_SET = "INSERT INTO clock VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET value = ?, updated_at = ?"


def read_copy(path: Path) -> int:
    """The value in clock.json; 0 where there is none that makes sense."""
    try:
        fields = json.loads(path.read_bytes())
        last = fields["value"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0
    return last if isinstance(last, int) and 0 <= last <= LARGEST_CLOCK else 0


def write_copy(path: Path, last: int, node_id: str) -> None:
    """Bring clock.json up to the value `last`, never down; raises OSError."""
    with locked(path.with_name("clock.lock")):
        if read_copy(path) >= last:
            return
        fields = {"value": last, "node_id": node_id, "updated_at": _now()}
        # Not durable: the database is, and a copy that a crash of the machine takes back is brought up to it again.
        replace_file(path, (json.dumps(fields) + "\n").encode(), durable=False)


def value(connection: sqlite3.Connection) -> int:
    """The last value that was taken."""
    row = connection.execute(_READ).fetchone()
    return int(row[0]) if row else 0


def ticks(connection: sqlite3.Connection, count: int, *, at_least: int = 0) -> int:
    """Take `count` values in a row, in the transaction at hand; returns the last of them."""
    last = max(value(connection), at_least) + count
    now = _now()
    connection.execute(_SET, (last, now, last, now))
    return last


def receive(connection: sqlite3.Connection, remote: int, *, at_least: int = 0) -> int:
    """Move past a value that another node has seen: max(local, remote) + 1."""
    return ticks(connection, 1, at_least=max(remote if remote <= LARGEST_CLOCK else 0, at_least))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
