"""Slowing down who guesses passwords, over all replicas, since the counts are in the database.

An attempt is counted before the password is looked at, so that attempts made side by side count too, and taken back
when it was right. Counted are a user at an address, an address, and a user from anywhere: the last one generously,
because anybody can make it rise. Of IPv6 an address is a /64 here.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, delete, select, update

from kittywatch.hub.database import upsert
from kittywatch.hub.errors import ThrottledError
from kittywatch.hub.schema import login_failures
from kittywatch.hub.sessions import hash_of

WINDOW_SECONDS = 15 * 60.0
ALLOWED = {"pair": 5, "address": 30, "user": 60}


def begin(connection: Connection, *, user: str, address: str) -> None:
    """Count an attempt; raises ThrottledError if there were too many, 1 s doubling to WINDOW_SECONDS."""
    now = time.time()
    subjects = _subjects(user, address)
    query = select(login_failures).where(login_failures.c.subject.in_(subjects.values()))
    rows = {row.subject: row for row in connection.execute(query)}
    failures = {}
    for kind, subject in subjects.items():
        row = rows.get(subject)
        count = row.failures if row and row.last_at > now - WINDOW_SECONDS else 0
        over = count - ALLOWED[kind]
        wait = (row.last_at + min(2.0 ** min(over, 20), WINDOW_SECONDS) - now) if row and over >= 0 else 0.0
        if wait > 0:
            raise ThrottledError("Too many sign-ins failed.", retry_after=wait)
        failures[subject] = count + 1
    upsert(connection, login_failures, [{"subject": s, "failures": n, "last_at": now} for s, n in failures.items()])


def succeeded(connection: Connection, *, user: str, address: str) -> None:
    """Take an attempt back: the password was right."""
    subjects = _subjects(user, address)
    others = [subjects["address"], subjects["user"]]
    connection.execute(delete(login_failures).where(login_failures.c.subject == subjects["pair"]))
    connection.execute(
        update(login_failures)
        .where(login_failures.c.subject.in_(others))
        .values(failures=login_failures.c.failures - 1)
    )
    connection.execute(delete(login_failures).where(login_failures.c.last_at < time.time() - WINDOW_SECONDS))


def _subjects(user: str, address: str) -> dict[str, str]:
    # Hashed, so that a password typed into the user field stands nowhere.
    name = hash_of(user)
    return {"pair": f"pair:{name}:{address}"[:200], "address": f"address:{address}"[:200], "user": f"user:{name}"}
