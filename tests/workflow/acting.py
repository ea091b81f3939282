"""An agent for tests: does what a plan says for this work package, phase and attempt.

Called as `acting.py NAME PLACE PROMPT`. PLACE/plan.json has the behaviours by "WP01 implementation", one an attempt;
what isn't there is `ok`. PLACE/journal gets a line for each start, and OVERLAP where somebody else is at it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

WAY = "kitty-specs"


def main() -> int:
    name, place, prompt = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    wp_id, phase = os.environ["KITTYWATCH_WP"], os.environ["KITTYWATCH_PHASE"]
    lock = os.open(place / f"{wp_id}.busy", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note(place, f"OVERLAP {wp_id}")
    with (place / "counts.lock").open("w") as counting:
        fcntl.flock(counting, fcntl.LOCK_EX)
        counts = place / f"{wp_id} {phase}.count"
        number = int(counts.read_text()) if counts.exists() else 0
        counts.write_text(str(number + 1))
    plan = json.loads((place / "plan.json").read_text())
    behaviours = plan.get(f"{wp_id} {phase}", [])
    behaviour = behaviours[number] if number < len(behaviours) else "ok"
    note(place, f"{wp_id} {phase} {name} {behaviour} {os.getpid()}")
    asked = sys.stdin.read()
    print(f"asked the same twice: {asked == prompt}", flush=True)
    return act(behaviour, wp_id, phase, place)


def act(behaviour: str, wp_id: str, phase: str, place: Path) -> int:
    feedback = Path(os.environ["KITTYWATCH_FEEDBACK"])
    if behaviour == "fail":
        return 3
    if behaviour in ("hang", "stubborn"):
        if behaviour == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        note(place, f"CHILD {child.pid}")
        time.sleep(600)
    if behaviour == "garbage":
        sys.stdout.buffer.write(os.urandom(300_000) + b"\x1b[2J\0")
        for path in Path(WAY).rglob("*.md"):
            path.write_bytes(os.urandom(100))
        (Path(WAY) / "001-login" / "tasks" / "WP99-mine.md").write_bytes(b"---\nlane: planned\n---\n")
        git("add", "-A")
        git("commit", "-q", "-m", "garbage")
    if behaviour == "vandal":
        Path(".git").unlink()
    if phase == "review":
        feedback.write_text("name it better\n" if behaviour == "changes" else "")
        return 0
    if behaviour == "conflict":
        Path("shared").write_text(f"{wp_id}\n")
    Path("code").mkdir(exist_ok=True)
    seen = sorted(path.name for path in Path("code").iterdir())
    with (Path("code") / wp_id).open("a") as file:
        file.write(f"after {' '.join(seen)}\n")
    if behaviour == "commit":
        git("add", "code")
        git("commit", "-q", "-m", f"{wp_id} by an agent")
    return 0


def git(*command: str) -> None:
    subprocess.run(["git", *command], check=True)


def note(place: Path, line: str) -> None:
    with (place / "journal").open("a") as file:
        file.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
