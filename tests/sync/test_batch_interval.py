"""One batch per interval, whichever process sends it."""

from __future__ import annotations

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.store import destinations
from kittywatch.store.destinations import Destination
from kittywatch.sync.batch_interval import reserve, wait_for


@pytest.mark.parametrize(
    ("free_at", "interval", "wait"),
    [
        (None, 5.0, 0.0),
        (99.0, 5.0, 0.0),
        (100.0, 5.0, 0.0),
        (101.5, 5.0, 1.5),
        (105.0, 5.0, 5.0),
        (105.1, 5.0, 0.0),  # from before the machine's last start
        (100.1, 0.0, 0.0),
    ],
)
def test_the_wait(free_at: float | None, interval: float, wait: float) -> None:
    assert wait_for(100.0, free_at, interval) == pytest.approx(wait)


def test_a_slot_is_given_once(target: EventEmitter) -> None:
    to = target.store.transact(lambda connection: destinations.set_present(connection, "https://a", "cats"))

    def ask(now: float, to: Destination = to, *, anew: bool = False) -> float:
        return target.store.transact(lambda connection: reserve(connection, to, now, anew=anew))

    assert ask(10.0) == 0
    assert ask(11.0) == pytest.approx(4.0)
    assert ask(14.9) == pytest.approx(0.1)
    assert ask(15.0) == 0
    assert ask(15.1) == pytest.approx(4.9)
    target.store.transact(lambda connection: destinations.set_batch_interval(connection, to.key, 0.2))
    assert ask(15.0, anew=True) == 0
    assert ask(15.1) == pytest.approx(0.1)
    other = target.store.transact(lambda connection: destinations.set_present(connection, "https://b", "cats"))
    assert ask(15.0, other) == 0
