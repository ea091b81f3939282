"""The first events of a process may come in several threads at once, as in a hub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.events.examples import EVENT_NAMES, example

_SCRIPT = """
import sys, threading
sys.setswitchinterval(1e-6)
from kittywatch.events import from_json
lines = sys.stdin.read().splitlines()
together = threading.Barrier(12)
def read(number):
    together.wait()
    for turn in range(20):
        from_json(lines[(number + turn) % len(lines)])
threads = [threading.Thread(target=read, args=(number,)) for number in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_first_events_in_many_threads() -> None:
    """msgspec itself ended about one process in four here, of a fault in memory."""
    lines = "\n".join(json.dumps(example(name)) for name in EVENT_NAMES)
    root = Path(__file__).parents[2]
    runs = [
        subprocess.run([sys.executable, "-c", _SCRIPT], input=lines, text=True, cwd=root, check=False).returncode
        for _ in range(25)
    ]
    assert runs == [0] * 25
