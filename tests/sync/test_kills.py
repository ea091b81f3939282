"""A client that is killed while it sends by WebSocket: nothing stays claimed, each event is at the hub exactly once."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from kittywatch.emit.emitter import EventEmitter
from tests.hub.hubs import Hub
from tests.selection import amounts
from tests.store import stores
from tests.sync import delivering
from tests.sync.connected import all_delivered, connected, living

_SENDER = """
import sys
from pathlib import Path
from tests.store import stores
from tests.sync import delivering
from tests.sync.connected import connected, living

home, name = Path(sys.argv[1]), sys.argv[2]
target = stores.emitter(home, stores.unexpected)
with living(home) as (session, _):
    connected(session)
    print("connected", flush=True)
    for number in range(10_000):
        delivering.queue(target, 2, text=f"{name} {number}")
        session.wake()
"""


@amounts("kills", sample=2, most=6, campaign=200)
def test_a_client_that_is_killed_at_random_moments(home: Path, hub: Hub, target: EventEmitter, kills: int) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    delivering.log_in(home, hub)
    stores.steps(target, 1)
    before = 0
    for number in range(kills):
        sender = subprocess.Popen(
            [sys.executable, "-c", _SENDER, str(home), f"{seed}-{number}"], stdout=subprocess.PIPE, text=True
        )
        assert sender.stdout is not None
        assert sender.stdout.readline() == "connected\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            sender.wait(chance.uniform(0, 0.3))  # it goes on for much longer
        sender.send_signal(signal.SIGKILL)
        sender.wait()
        sender.stdout.close()
        there = len(delivering.taken(hub))
        assert there >= before
        before = there
    with living(home) as (session, _):
        connected(session)
        all_delivered(home, hub)
    assert delivering.claimed(home) == 0
    assert list((home / "claims").glob("*.lock")) == []


@amounts("kills", sample=1, most=3, campaign=50)
def test_a_hub_that_is_killed_at_random_moments(home: Path, own_hub: Hub, target: EventEmitter, kills: int) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    delivering.log_in(home, own_hub)
    with living(home) as (session, _):
        for number in range(kills):
            connected(session)
            end = time.monotonic() + chance.uniform(0, 0.3)
            while time.monotonic() < end:
                delivering.queue(target, 2, text=f"{seed} {number} {time.monotonic()}")
                session.wake()
            own_hub.stop(signal.SIGKILL)
            own_hub.start()
        all_delivered(home, own_hub)
    assert delivering.claimed(home) == 0
