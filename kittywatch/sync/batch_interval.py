"""One batch per interval, whichever process sends it. One that failed doesn't count: the backoff is its pause.

The next moment at which a batch may be sent is kept by the monotonic clock, which all processes of a machine share and
nobody sets. After a new start of the machine it says less than before; what lies further ahead than an interval is
from before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kittywatch.store import delivery, destinations
from kittywatch.store.destinations import Destination

if TYPE_CHECKING:
    import sqlite3

DEFAULT_INTERVAL = 5.0


def wait_for(now: float, free_at: float | None, interval: float) -> float:
    """Seconds until a batch may be sent; 0 where it may now."""
    if free_at is None or free_at - now > interval:
        return 0.0
    return max(free_at - now, 0.0)


def reserve(connection: sqlite3.Connection, to: Destination, now: float, *, anew: bool = False) -> float:
    """Take the slot at `now` for one batch, if it is free; else the seconds to wait. `anew` takes it in any case."""
    name = f"free_at:{to.key}"
    stated = destinations.batch_interval(connection, to.key)  # another process may have been told meanwhile
    interval = DEFAULT_INTERVAL if stated is None else stated
    if interval == 0:
        return 0.0
    wait = 0.0 if anew else wait_for(now, delivery.notes(connection).get(name), interval)
    if wait <= 0:
        delivery.remember(connection, **{name: now + interval})
    return wait


def give_back(connection: sqlite3.Connection, to: Destination) -> None:
    """Free the slot of a batch that came to nothing: the next one waits for its backoff alone."""
    delivery.remember(connection, **{f"free_at:{to.key}": None})
