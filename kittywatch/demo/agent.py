"""An agent of the demonstration: a process that moves one work package from lane to lane in its worktree.

python -m kittywatch.demo.agent WP01 claude PAUSE commit|edit LANE…

It edits the file as agents do, the lane and a record of it in the trail, and commits each move, or leaves it as an
edit. It says each move that it made in a line: the work package, where from, where to. It calls nothing of kittywatch.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path


def move(path: Path, agent: str, lane: str) -> str:
    """Edit the lane, with its record; returns the lane that was there."""
    text = path.read_text("utf-8")
    found = re.search(r"^lane: (\w+)$", text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"{path.name} has no lane")
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = f"{text[: found.start(1)]}{lane}{text[found.end(1) :]}- {moment} – {agent} – lane={lane} – Moved\n"
    path.write_text(re.sub(r"^agent: .*$", f"agent: {agent}", text, count=1, flags=re.MULTILINE), "utf-8")
    return found[1]


def main() -> None:
    wp_id, agent, pause, how, *lanes = sys.argv[1:]
    files = Path("kitty-specs").glob(f"*/tasks/{wp_id}-*.md")
    path = next(path for path in files if "\nlane: " in path.read_text("utf-8"))  # the others' lanes are in a log
    for lane in lanes:
        time.sleep(float(pause))
        before = move(path, agent, lane)
        if how == "commit":
            subprocess.run(["git", "commit", "-q", "-m", f"{wp_id}: {lane}", "--", str(path)], check=True)
        print(wp_id, before, lane, flush=True)


if __name__ == "__main__":
    main()
