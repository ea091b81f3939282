"""A mission of spec-kitty 3 in a world: its event log, as the program writes it."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.scenarios.world import Clone

MISSION = "002-mission"
_BEGINS = datetime(2026, 3, 1, 12, tzinfo=UTC)
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def log_path(clone: Clone, mission: str = MISSION) -> Path:
    return clone.root / "kitty-specs" / mission / "status.events.jsonl"


def line_id(number: int) -> str:
    """The ULID of a line."""
    return f"01KMD0000000000000000000{_DIGITS[number // 32]}{_DIGITS[number % 32]}"


def line(number: int, step: str, *, wp_id: str = "WP01", at: int | None = None, **more: Any) -> str:
    """A lane line: its number gives its id and, unless `at` says another minute, its time."""
    previous, new = step.split(">")
    moment = _BEGINS + timedelta(minutes=number if at is None else at)
    fields = {
        "actor": "claude",
        "at": moment.isoformat(),
        "event_id": line_id(number),
        "evidence": None,
        "execution_mode": "worktree",
        "force": False,
        "from_lane": previous,
        "mission_slug": MISSION,
        "policy_metadata": None,
        "reason": None,
        "review_ref": None,
        "to_lane": new,
        "wp_id": wp_id,
    }
    return json.dumps(fields | more, sort_keys=True) + "\n"


def write_log(clone: Clone, *lines: str, mission: str = MISSION) -> None:
    """Replace the log, as the program does: a temporary file beside it, renamed."""
    path = log_path(clone, mission)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.1.tmp")
    temporary.write_text("".join(lines), "utf-8")
    temporary.replace(path)


def append(clone: Clone, *lines: str, mission: str = MISSION) -> None:
    """Append to the log, one line a write."""
    path = log_path(clone, mission)
    path.parent.mkdir(parents=True, exist_ok=True)
    for one in lines:
        with path.open("a", encoding="utf-8") as file:
            file.write(one)


@contextlib.contextmanager
def lock(clone: Clone, mission: str = MISSION) -> Iterator[None]:
    """Hold the lock that spec-kitty holds while it works on a mission's log."""
    path = clone.root / ".git" / "spec-kitty-locks" / f"{mission}.status.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def plan(clone: Clone, *wp_ids: str, mission: str = MISSION) -> list[str]:
    """A mission with planned work packages, in a commit; returns the lines of its log."""
    lines = [line(number, "genesis>planned", wp_id=wp_id) for number, wp_id in enumerate(wp_ids or ("WP01",))]
    for wp_id in wp_ids or ("WP01",):
        clone.write(None, wp_id=wp_id, feature=mission)
    append(clone, *lines, mission=mission)
    clone.commit("chore(spec-kitty): finalize tasks")
    return lines
