"""The queue: number and age of the events that wait to be delivered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.home import sync_settings
from kittywatch.store.condition import condition

LONGEST_SECONDS = 24 * 3600.0


def check(examination: Examination) -> Iterator[Finding]:
    found = condition(examination.home)
    if found is None:
        return
    if found.dead:
        yield Finding(
            f"dead letters: a server refused {found.dead} of the events that wait too often",
            "see why with `kittywatch queue list --dead`; when the server is in order, `kittywatch queue retry --all`",
        )
    if found.refused:
        yield Finding(
            f"a server refused {found.refused} of the events that wait; they are tried again, less and less often",
            "see why with `kittywatch queue list`; when the server is in order, `kittywatch queue retry --all`",
        )
    settings = sync_settings(examination.home)
    if found.waiting > settings.max_queue_size:
        yield Finding(
            f"{found.waiting} events wait to be delivered, more than max_queue_size ({settings.max_queue_size})",
            "deliver them with `kittywatch sync now`; none is dropped",
        )
    age = time.time() - found.waiting_since if found.waiting_since is not None else 0.0
    if (settings.server_url is not None or found.destination) and age > LONGEST_SECONDS:
        yield Finding(
            f"the oldest event that waits was told {timedelta(seconds=round(age))} ago",
            "deliver it with `kittywatch sync now`, or see why not with `kittywatch queue list`",
        )


def check_delivery(examination: Examination) -> Iterator[Finding]:
    """Notes of the last delivery: its failure, and projects that a server refuses."""
    found = condition(examination.home)
    if found is None:
        return
    failure = found.notes.get("failure")
    if isinstance(failure, dict):
        yield Finding(f"the last delivery failed: {failure.get('said')}", str(failure.get("remedy")))
    for project, reason in (found.notes.get("forbidden") or {}).items():
        yield Finding(
            f"the server doesn't take {project}: {reason}",
            "ask who runs the server, or run `kittywatch sync opt-out` there",
        )
