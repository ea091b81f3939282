"""Homes with a queue and a login, for tests of delivery; also for the child processes that they start."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from kittywatch.emit.drafts import manual_draft
from kittywatch.emit.emitter import EventEmitter
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.events import HistoryEntry
from kittywatch.store import delivery
from kittywatch.store.store import Store
from kittywatch.sync.auth import AuthClient
from kittywatch.sync.batch import batch_sync
from kittywatch.sync.clock import Clock
from kittywatch.sync.credentials import Credentials, CredentialsFile
from kittywatch.sync.summary import Summary
from tests.hub.hubs import Hub
from tests.store import stores

OTHER_UUID = "0c5d7f5e-8a55-4f0b-9a52-2f1f6a8b1c3d"


def queue(target: EventEmitter, count: int, *, text: str = "note") -> list[str]:
    """Tell `count` events that have no place in the ledger, in one transaction; returns their ids."""
    moment = datetime.now(UTC)

    def work(unit: UnitOfWork) -> list[str]:
        drafts = [
            manual_draft(
                HistoryEntry(
                    wp_id="WP01",
                    entry_type="note",
                    entry_content=f"{text} {number}",
                    author="mira",
                    feature_slug=stores.FEATURE,
                ),
                ("WP01", "WorkPackage"),
                target.context,
                moment,
                None,
            )
            for number in range(count)
        ]
        return [event.event_id for event in unit.enqueue(drafts)]

    return target.transact(work)


def log_in(home: Path, hub: Hub, *, url: str = "", name: str = "mira", lifetime: int = 900) -> AuthClient:
    """A login made in the hub's database, without the cost of a password."""
    opened = hub.open_login(name)
    home.mkdir(mode=0o700, exist_ok=True)
    now = time.time()
    credentials = Credentials(
        access=hub.access_token(opened, lifetime=lifetime),
        refresh=opened.secret,
        access_expires_at=now + lifetime,
        refresh_expires_at=now + 86400,
        username=name,
        team_slug=opened.login.team_slug,
        url=url or hub.url,
    )
    CredentialsFile(home).write(credentials)
    return AuthClient(home)


def pretend_login(home: Path, url: str, *, team: str = "cats", access: str = "ACCESS-secret") -> AuthClient:
    """A login that no server has given."""
    home.mkdir(mode=0o700, exist_ok=True)
    now = time.time()
    CredentialsFile(home).write(Credentials(access, "REFRESH-secret", now + 900, now + 86400, "mira", team, url))
    return AuthClient(home)


def taken(hub: Hub) -> list[str]:
    """The ids of the events that a hub with SQLite has, in the order in which it took them."""
    with closing(sqlite3.connect(hub.database.removeprefix("sqlite:///"), timeout=30)) as connection:
        return [str(row[0]) for row in connection.execute("SELECT event_id FROM events ORDER BY position")]


def waiting(home: Path) -> list[str]:
    """The ids of the events in the queue, dead letters too."""
    return [str(row[0]) for row in stores.rows(home, "SELECT event_id FROM queue ORDER BY id")]


def claimed(home: Path) -> int:
    return int(str(stores.rows(home, "SELECT count(*) FROM queue WHERE claim IS NOT NULL")[0][0]))


class FastClock(Clock):
    """Waits without waiting: its own time goes on instead. What it waited for is in `waits`."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._ahead = 0.0

    def now(self) -> float:
        return super().now() + self._ahead

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self._ahead += max(seconds, 0.0)
        return self.stopped


def until_empty(
    store: Store, auth: AuthClient, *, runs: int, clock: Callable[[], Clock] = Clock, batch_deadline: float = 5.0
) -> list[Summary]:
    """Run delivery until the queue is empty, `runs` times at most."""
    summaries = []
    for _ in range(runs):
        summaries.append(batch_sync(store, auth, clock=clock(), batch_deadline=batch_deadline))
        if not store.read(lambda connection: delivery.waiting(connection, None)).length:
            break
    return summaries


def main(arguments: Sequence[str]) -> None:
    """Deliver the queue of a home, as a process of its own: HOME [BATCH_SIZE]. Prints what it did as JSON."""
    home = Path(arguments[0])
    size = int(arguments[1]) if len(arguments) > 1 else 1000
    store = Store(home, node_id=stores.NODE, warn=stores.unexpected)
    print("ready", flush=True)
    summary = batch_sync(store, AuthClient(home), batch_size=size, attempts=20, batch_deadline=600)
    store.close()
    fields = {name: getattr(summary, name) for name in ("delivered", "duplicates", "left", "stopped", "batches")}
    print(json.dumps(fields | {"error": str(summary.error)}))


if __name__ == "__main__":
    main(sys.argv[1:])
