"""Tell a hub of one note, with nothing but the standard library and kittywatch's ids.

python examples/tell_hub.py http://127.0.0.1:8765 USER 001-feature WP01 "half way there"  < password
"""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.request
from datetime import UTC, datetime
from typing import Any

from kittywatch.events import content_id, random_id


def post(url: str, body: dict[str, Any], *, token: str = "") -> Any:
    """The answer's JSON; raises urllib.error.HTTPError for anything but success."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def note(feature: str, wp_id: str, text: str) -> dict[str, Any]:
    """A HistoryAdded event. Its id is made of its content, so that telling it twice tells it once."""
    project = "550e8400-e29b-41d4-a716-446655440000"
    payload = {"wp_id": wp_id, "entry_type": "note", "entry_content": text, "author": "user", "feature_slug": feature}
    timestamp = datetime.now(UTC).isoformat()
    return {
        "event_id": content_id(
            project=project, event_type="HistoryAdded", aggregate_id=wp_id, payload=payload, timestamp=timestamp
        ),
        "event_type": "HistoryAdded",
        "aggregate_id": wp_id,
        "aggregate_type": "WorkPackage",
        "payload": payload,
        "node_id": hashlib.sha256(b"example:user").hexdigest()[:12],
        "build_id": "example",
        "lamport_clock": 1,
        "causation_id": None,
        "correlation_id": random_id(),
        "timestamp": timestamp,
        "team_slug": "local",
        "project_uuid": project,
        "project_slug": "example",
        "schema_version": "1.0.0",
    }


def main() -> None:
    base, user, feature, wp_id, text = sys.argv[1:]
    password = sys.stdin.readline().rstrip("\n")
    access = post(f"{base}/api/v1/token/", {"username": user, "password": password})["access"]
    answer = post(f"{base}/api/v1/events/batch/", {"events": [note(feature, wp_id, text)]}, token=access)
    print(answer["results"][0]["status"])


if __name__ == "__main__":
    main()
