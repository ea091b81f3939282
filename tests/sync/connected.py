"""Live delivery on a machine of the tests, and waiting until it has done its part."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from kittywatch.sync.session import KeepAlive, Session
from kittywatch.sync.status import ConnectionStatus
from tests.hub.hubs import Hub
from tests.store import stores
from tests.sync import delivering
from tests.waiting import DEADLINE, until

QUICK = KeepAlive(ping=0.3, pong=DEADLINE)  # a loaded machine is no broken connection


class Said:
    """What a live delivery said: its states, one after another, and its warnings."""

    def __init__(self) -> None:
        self.states: list[ConnectionStatus] = []
        self.warnings: list[str] = []


@contextlib.contextmanager
def living(home: Path, *, hears_others: bool = False, keep_alive: KeepAlive = QUICK) -> Iterator[tuple[Session, Said]]:
    """Live delivery, brought up and ended."""
    said = Said()
    session = Session(
        home, warn=said.warnings.append, on_status=said.states.append, hears_others=hears_others, keep_alive=keep_alive
    )
    session.start()
    try:
        yield session, said
    finally:
        assert session.stop(within=DEADLINE)


def connected(session: Session) -> None:
    until(lambda: session.status == "Connected", what=lambda: f"a connection: {session.status}")


def told(home: Path) -> list[str]:
    return [str(row[0]) for row in stores.rows(home, "SELECT event_id FROM events ORDER BY seq")]


def clock_value(home: Path) -> int:
    return int(str(stores.rows(home, "SELECT value FROM clock")[0][0]))


def all_delivered(home: Path, hub: Hub, *, deadline: float = DEADLINE, wake: Callable[[], None] = lambda: None) -> None:
    """Wait until the queue is empty; then the hub has each event that was told, exactly once."""

    def empty() -> bool:
        wake()
        return not delivering.waiting(home)

    until(
        empty,
        deadline=deadline,
        what=lambda: f"an empty queue: {len(delivering.waiting(home))} wait, {delivering.claimed(home)} claimed",
    )
    there = Counter(delivering.taken(hub))
    assert [event_id for event_id in told(home) if there[event_id] != 1] == []
