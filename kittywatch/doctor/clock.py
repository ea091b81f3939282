"""The Lamport clock against its copy and the log, and the machine's clock against the last event."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.home import node_id
from kittywatch.store import clock
from kittywatch.store.condition import Condition, condition
from kittywatch.store.database import NAME, Database

SLACK_SECONDS = 60.0  # between two machines' clocks, or a step of a time server


def check(examination: Examination) -> Iterator[Finding]:
    found = condition(examination.home)
    if found is None or found.newer:
        return
    copy_path = examination.home / "clock.json"
    copy = clock.read_copy(copy_path)
    if found.highest_tick > found.clock or copy > found.clock:
        least = max(found.highest_tick, copy)
        yield Finding(
            f"the clock in {NAME} stands at {found.clock}, before {least}, which was used already",
            "run `kittywatch doctor --fix`",
            lambda: _raise(examination.home, least),
        )
    elif copy < found.clock:
        yield Finding(
            f"{copy_path} {'says ' + str(copy) if copy else 'is missing or unreadable'}, the clock is at {found.clock}",
            "run `kittywatch doctor --fix`",
            lambda: _copy(copy_path, found),
        )
    behind = (found.last_emitted or 0) - time.time()
    if behind > SLACK_SECONDS:
        yield Finding(
            f"this machine's clock is {timedelta(minutes=round(behind / 60))} behind the last event that was told here",
            "set the clock, for instance with `timedatectl set-ntp true`",
        )


def _raise(home: Path, least: int) -> str:
    database = Database(home / NAME)
    try:
        with database.transaction() as connection:
            last = clock.ticks(connection, 0, at_least=least)
    finally:
        database.close()
    clock.write_copy(home / "clock.json", last, node_id())
    return f"the clock stands at {last}"


def _copy(path: Path, found: Condition) -> str:
    clock.write_copy(path, found.clock, node_id())
    return f"the copy says {found.clock}"
