"""An agent that tells what it does through the public API; run it in a project of work packages.

    python examples/agent.py WP01 001-sign-in

Nothing here raises, and nothing is told twice: where hooks or a watcher see the same edit, one event is told.
"""

from __future__ import annotations

import sys

from kittywatch import (
    emit_error_logged,
    emit_history_added,
    emit_wp_assigned,
    emit_wp_status_changed,
    generate_causation_id,
)


def main(wp_id: str, feature: str) -> int:
    batch = generate_causation_id()  # what belongs together shares it
    told = [
        emit_wp_status_changed(wp_id, "planned", "doing", "agent-7", feature, causation_id=batch),
        emit_wp_assigned(wp_id, "agent-7", "implementation", 0, feature, causation_id=batch),
        emit_history_added(wp_id, "note", "The form is there", "agent-7", feature, causation_id=batch),
        emit_error_logged(wp_id, "runtime", "The tests need a browser", None, "agent-7", feature, causation_id=batch),
    ]
    for event in told:
        print(f"{event['lamport_clock']:3}  {event['event_type']}  {event['event_id']}" if event else "not told")
    return 0 if all(told) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
