"""What spec-kitty 3 does in the demonstration: a process that moves a work package by lines of its mission's event log.

python -m kittywatch.demo.mission MISSION WP01 claude PAUSE LANE…

It appends a line for each lane, from where the log has the work package, and commits it. It says each move that it made
in a line: the work package, where from, where to. It calls nothing of kittywatch.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid() -> str:
    """An id as the lines have: 48 bits of milliseconds since 1970 and 80 random ones."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "".join(_DIGITS[number >> 5 * place & 31] for place in reversed(range(26)))


def lane_line(mission: str, wp_id: str, agent: str, before: str, lane: str) -> str:
    """A line of the log with its line end."""
    fields = {
        "actor": agent,
        "at": datetime.now(UTC).isoformat(),
        "event_id": ulid(),
        "execution_mode": "worktree",
        "force": False,
        "from_lane": before,
        "mission_slug": mission,
        "to_lane": lane,
        "wp_id": wp_id,
    }
    return json.dumps(fields) + "\n"


def main() -> None:
    mission, wp_id, agent, pause, *lanes = sys.argv[1:]
    path = Path("kitty-specs") / mission / "status.events.jsonl"
    written = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    before = next(one["to_lane"] for one in reversed(written) if one.get("wp_id") == wp_id)
    for lane in lanes:
        time.sleep(float(pause))
        with path.open("a", encoding="utf-8") as log:
            log.write(lane_line(mission, wp_id, agent, before, lane))
        subprocess.run(["git", "commit", "-q", "-m", f"status transition {wp_id}", "--", str(path)], check=True)
        print(wp_id, before, lane, flush=True)
        before = lane


if __name__ == "__main__":
    main()
