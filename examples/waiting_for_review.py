"""Say when a work package waits for a review, and for how long the last one did: a consumer of `watch --json`.

kittywatch watch --json | python examples/waiting_for_review.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime


def main(lines: Iterable[str]) -> None:
    for said in follow(lines):
        print(said, flush=True)


def follow(lines: Iterable[str]) -> Iterator[str]:
    """What there is to say of a stream of events, one JSON object a line."""
    waiting: dict[tuple[str, str], datetime] = {}
    for line in lines:
        event = json.loads(line)
        if event["event_type"] != "WPStatusChanged":
            continue
        change = event["payload"]
        key = (change["feature_slug"], change["wp_id"])
        moment = datetime.fromisoformat(event["timestamp"])
        if change["new_status"] == "for_review":
            waiting[key] = moment
            yield f"{' '.join(key)} waits for a review; {len(waiting)} in all"
        elif key in waiting:
            yield f"{' '.join(key)} went on to {change['new_status']} after {moment - waiting.pop(key)}"


if __name__ == "__main__":
    main(sys.stdin)
