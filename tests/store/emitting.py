"""A process that emits, for tests: `python -m tests.store.emitting HOME COUNT NAME`.

Fails where a value of the clock is not above all that it has seen, or where anything is to be warned of.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.store import stores

if __name__ == "__main__":
    target = stores.emitter(Path(sys.argv[1]), lambda message: sys.exit(message))
    seen = 0
    for number in range(int(sys.argv[2])):
        event = target.emit_history_added("WP01", "note", f"{sys.argv[3]} {number}", feature_slug=stores.FEATURE)
        if event is None or event["lamport_clock"] <= seen:
            sys.exit(f"emission {number}: {event}")
        seen = event["lamport_clock"]
    target.store.close()
