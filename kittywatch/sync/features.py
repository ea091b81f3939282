"""What a server says that it can beyond the protocol (`GET /api/v1/`), asked when it matters and then remembered.

Rules of this module:
- Only what a server names is used with it. One that has no such page, as those of the field, can nothing beyond.
- The question is asked without a login, and only when the answer decides something. The answer is kept for a day, and
  forgotten at a login, when a long-lived process starts to deliver, and when the server doesn't act on its word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kittywatch.errors import SyncError
from kittywatch.store import aliases, delivery, renames

if TYPE_CHECKING:
    import sqlite3

    from kittywatch.sync.http import Http

PATH = "/api/v1/"
ALIASES = "aliases"
NEWER_EVENTS = "events-1.1"
EVENTS = "events"
RENAMES = "renames"
MOVES = "work-package-renames"
DEADLINE = 10.0
_KEPT_SECONDS = 86400.0
_NOTE = "features:"


def ask(http: Http, *, deadline: float = DEADLINE) -> frozenset[str] | None:
    """The features that a server names, none where it has no such page; None where it can't be asked right now."""
    try:
        answer = http.get(PATH, deadline=deadline)
    except SyncError:
        return None
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return None
    fields = answer.value if answer.status == 200 else None
    named = fields.get("features") if isinstance(fields, dict) else None
    return frozenset(one for one in named if isinstance(one, str)) if isinstance(named, list) else frozenset()


def known(connection: sqlite3.Connection, destination: int, *, now: float) -> frozenset[str] | None:
    """What a destination's server is known to name, None where it has to be asked; `now` is seconds since 1970."""
    kept = delivery.notes(connection).get(f"{_NOTE}{destination}")
    if kept is None or not 0 <= now - kept["asked_at"] < _KEPT_SECONDS:
        return None
    return frozenset(kept["named"])


def remember(connection: sqlite3.Connection, destination: int, named: frozenset[str], *, now: float) -> None:
    """Keep what a server names."""
    delivery.remember(connection, **{f"{_NOTE}{destination}": {"named": sorted(named), "asked_at": now}})


def forget(connection: sqlite3.Connection) -> None:
    """Ask every server again when it matters."""
    delivery.remember(connection, **{name: None for name in delivery.notes(connection) if name.startswith(_NOTE)})


def events_sendable(connection: sqlite3.Connection, destination: int, *, now: float) -> bool:
    """Whether an event may leave for a destination, as far as this machine knows without asking.

    One that the server is known not to take is none; see `kittywatch.sync.older_servers`.
    """
    if not delivery.any_sendable(connection, destination):
        return False
    named = known(connection, destination, now=now)
    if named is None or NEWER_EVENTS in named:
        return True
    from kittywatch.sync.older_servers import is_kept  # hooks need it for older servers alone

    return not all(map(is_kept, delivery.sendable(connection, destination)))


def riders_sendable(connection: sqlite3.Connection, destination: int, *, now: float) -> bool:
    """Whether an alias, a rename or a move may leave for a destination, as far as this machine knows without asking."""
    waiting = {ALIASES} if aliases.any_sendable(connection, destination) else set()
    waiting |= {RENAMES} if renames.sendable(connection, destination) else set()
    waiting |= {MOVES} if renames.sendable_moves(connection, destination) else set()
    named = known(connection, destination, now=now) if waiting else None
    return bool(waiting if named is None else waiting & named)
