"""Claims: one sender for each event, and none after the sender is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.errors import StoreError
from kittywatch.store import delivery, destinations
from kittywatch.sync.claims import DIRECTORY, Claims
from tests.store import stores
from tests.sync import delivering

_HOLDER = """
import sys
from pathlib import Path
from kittywatch.sync.claims import Claims
from tests.store import stores
claims = Claims(stores.emitter(Path(sys.argv[1]), stores.unexpected).store)
print(len(claims.take(int(sys.argv[2]), limit=3)), flush=True)
sys.stdin.readline()
"""


def destination(target: EventEmitter, url: str = "https://a") -> int:
    return target.store.transact(lambda connection: destinations.set_present(connection, url, "cats")).key


def test_two_senders_take_different_events(target: EventEmitter) -> None:
    told = delivering.queue(target, 10)
    to = destination(target)
    with Claims(target.store) as one, Claims(target.store) as other:
        first = one.take(to, limit=4)
        second = other.take(to, limit=4)
        rest = one.take(to, limit=100)
        assert [event.event_id for event in first + second + rest] == told
        assert other.take(to, limit=1) == []


def test_what_is_closed_gives_everything_back(target: EventEmitter, home: Path) -> None:
    delivering.queue(target, 3)
    to = destination(target)
    with Claims(target.store) as claims:
        claims.take(to, limit=2)
        assert delivering.claimed(home) == 2
    assert delivering.claimed(home) == 0
    assert list((home / DIRECTORY).iterdir()) == []


def test_a_living_sender_keeps_its_claims_and_a_killed_one_loses_them(target: EventEmitter, home: Path) -> None:
    told = delivering.queue(target, 3)
    to = destination(target)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(home), str(to)],
        cwd=stores.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "3\n"
    with Claims(target.store) as claims:
        claims.free_the_dead()
        assert claims.take(to, limit=3) == []
        holder.kill()
        holder.communicate()
        claims.free_the_dead()
        assert [event.event_id for event in claims.take(to, limit=3)] == told
        assert [path.stem for path in (home / DIRECTORY).iterdir()] == [claims._name]


def test_a_claim_without_a_file_lapses(target: EventEmitter, home: Path) -> None:
    """Somebody tidied up the home, or the database was copied from elsewhere."""
    delivering.queue(target, 2)
    to = destination(target)
    stores.execute(
        home, "UPDATE queue SET claim = 'feedbeef00000000' WHERE id = 1", "UPDATE queue SET claim = '../x' WHERE id = 2"
    )
    with Claims(target.store) as claims:
        claims.free_the_dead()
        assert len(claims.take(to, limit=9)) == 2


def test_a_late_word_of_the_server_counts_whoever_has_the_claim(target: EventEmitter, home: Path) -> None:
    told = delivering.queue(target, 2)
    to = destination(target)
    with Claims(target.store) as one:
        one.take(to, limit=1)
    with Claims(target.store) as other:
        other.take(to, limit=2)
        with Claims(target.store) as late:
            late.settle(delivered=[told[0]])
    assert delivering.waiting(home) == told[1:]


def test_settling(target: EventEmitter, home: Path) -> None:
    told = delivering.queue(target, 4)
    to = destination(target)
    with Claims(target.store) as claims:
        taken = claims.take(to, limit=4)
        dead = claims.settle(
            delivered=told[:1], refused={told[1]: "bad"}, waiting=[taken[2].key], sent_at=1_767_225_600.0
        )
        assert dead == 0
        assert delivering.claimed(home) == 1  # the fourth
    assert delivering.waiting(home) == told[1:]
    assert stores.rows(home, "SELECT retry_count, reason FROM queue ORDER BY id") == [(1, "bad"), (0, None), (0, None)]
    assert stores.rows(home, "SELECT sent_at, delivered_at >= sent_at FROM events WHERE delivered_at IS NOT NULL") == [
        (1_767_225_600.0, 1)
    ]
    assert target.store.read(lambda connection: delivery.waiting(connection, to)).sendable == 3


def test_a_place_for_claims_that_can_not_be_made(target: EventEmitter, home: Path) -> None:
    home.mkdir()
    (home / DIRECTORY).write_text("somebody's own")
    with pytest.raises(StoreError, match=str(home / DIRECTORY)) as caught:
        Claims(target.store)
    assert "SPEC_KITTY_HOME" in caught.value.remedy


def test_a_claimant_that_can_not_be_looked_at_counts_as_alive(target: EventEmitter, home: Path) -> None:
    """Sending twice is the worse of the two."""
    delivering.queue(target, 2)
    to = destination(target)
    stores.execute(home, "UPDATE queue SET claim = 'odd'")
    (home / DIRECTORY / "odd.lock").mkdir(parents=True)
    with Claims(target.store) as claims:
        claims.free_the_dead()
        assert claims.take(to, limit=2) == []
    assert delivering.claimed(home) == 2
