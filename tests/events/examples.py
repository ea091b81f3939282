"""One valid event of each type in JSON form, and the values that break each constraint of the contract."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kittywatch.events import EVENT_TYPES, Event

Json = dict[str, Any]

CONTRACT: Json = json.loads(Path(__file__).with_name("events.schema.json").read_text(encoding="utf-8"))

EVENT_CLASSES: dict[str, type[Event]] = {kind.__name__: kind for kind in EVENT_TYPES.values()}
PAYLOAD_CLASSES: dict[str, type] = {kind.__name__: payload for payload, kind in EVENT_TYPES.items()}

_PAYLOADS: dict[str, Json] = {
    "WPStatusChanged": {
        "wp_id": "WP01",
        "previous_status": "planned",
        "new_status": "doing",
        "changed_by": "claude",
        "feature_slug": "014-grüße",
    },
    "WPCreated": {
        "wp_id": "WP02",
        "title": "Lanes – and 🐈",
        "dependencies": ["WP01", "WP03"],
        "feature_slug": "014-watch",
    },
    "WPAssigned": {
        "wp_id": "WP01",
        "agent_id": "codex",
        "phase": "review",
        "retry_count": 2,
        "feature_slug": None,
    },
    "FeatureCreated": {
        "feature_slug": "014-watch",
        "feature_number": "014",
        "target_branch": "main",
        "wp_count": 7,
        "created_at": "2026-01-12T08:00:00+01:00",
    },
    "FeatureCompleted": {
        "feature_slug": "014-watch",
        "total_wps": 7,
        "completed_at": "2026-02-01T17:30:00Z",
        "total_duration": "P20DT10H30M",
    },
    "HistoryAdded": {
        "wp_id": "WP01",
        "entry_type": "note",
        "entry_content": "two\nlines",
        "author": "reviewer",
        "feature_slug": "014-watch",
    },
    "ErrorLogged": {
        "wp_id": "WP-1",
        "error_type": "validation",
        "error_message": "tasks/WP01.md:3: lane is not known",
        "stack_trace": None,
        "agent_id": None,
        "feature_slug": "014-watch",
    },
    "DependencyResolved": {
        "wp_id": "WP02",
        "dependency_wp_id": "WP01",
        "resolution_type": "merged",
        "feature_slug": "014-watch",
    },
}


def example(event_type: str) -> Json:
    """A fresh valid event of this type, as it is sent."""
    payload = copy.deepcopy(_PAYLOADS[event_type])
    return {
        "event_id": "01KF1ZP7Z0ABCDEFGHJKMNPQRS",
        "event_type": event_type,
        "aggregate_id": payload.get("wp_id") or payload["feature_slug"],
        "aggregate_type": "Feature" if event_type.startswith("Feature") else "WorkPackage",
        "payload": payload,
        "node_id": "0123456789ab",
        "build_id": "checkout-1",
        "lamport_clock": 42,
        "causation_id": "01KF1ZP7Z0ZYXWVTSRQPNMKJHG",
        "correlation_id": "01KF1ZP7Z00123456789ABCDEF",
        "timestamp": "2026-01-15T12:34:56.789012+00:00",
        "team_slug": "local",
        "project_uuid": "7f9c24e8-3b12-4d0a-9c56-0123456789ab",
        "project_slug": "kittywatch",
        "schema_version": "1.0.0",
    }


EVENT_NAMES = list(_PAYLOADS)

# What a value looks like that no message may repeat.
SECRET = "s3cret' - at `$.else` \n"

BAD_MOMENTS = (
    "",
    SECRET,
    "2026-01-15",
    "2026-01-15T12:34:56",
    "2026-01-15 12:34:56Z",
    "2026-01-15T12:34Z",
    "2026-01-15T12:34:56,5Z",
    "2026-01-15T12:34:56.Z",
    "2026-01-15T12:34:56Z\n",
    " 2026-01-15T12:34:56Z",
    "2026-01-15T12:34:56+0100",
    "2026-01-15T12:34:56+01",
    "2026-01-15T12:34:56+01:60",
    "2026-01-15T12:34:56+24:00",
    "2026-01-15T24:00:00Z",
    "2026-01-15T12:60:00Z",
    "2026-01-15T12:34:61Z",
    "2026-12-31T23:59:60Z",
    "2026-02-29T12:34:56Z",
    "2026-13-01T12:34:56Z",
    "2026-00-01T12:34:56Z",
    "2026-01-00T12:34:56Z",
    "0000-01-01T00:00:00Z",
    "12026-01-15T12:34:56Z",
    "२०२६-01-15T12:34:56Z",
    "20260115T123456Z",
)

GOOD_MOMENTS = (
    "2026-01-15T12:34:56Z",
    "2026-01-15t12:34:56z",
    "2026-01-15T12:34:56.1Z",
    "2026-01-15T12:34:56.123456789Z",
    "2026-01-15T12:34:56-00:00",
    "2026-01-15T12:34:56+23:59",
    "2024-02-29T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
)

# For each pattern of the contract a value that keeps it, and values that just miss it.
_PATTERNS: dict[str, tuple[str, tuple[str, ...]]] = {
    r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$": (
        "01KF1ZP7Z0ABCDEFGHJKMNPQRS",
        ("81KF1ZP7Z0ABCDEFGHJKMNPQRS", "01KF1ZP7Z0ABCDEFGHJKMNPQRU", "01KF1ZP7Z0ABCDEFGHJKMNPQRSS"),
    ),
    r"^WP\d{2}$": ("WP07", ("wp07", "WP7", "WP007", "WP-1", "WPab")),
    r"^[0-9a-f]{12}$": ("0123456789ab", ("0123456789AB", "0123456789abc", "0123456789ag")),
    r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$": (
        "7f9c24e8-3b12-4d0a-9c56-0123456789ab",
        (
            "7f9c24e8-3b12-1d0a-9c56-0123456789ab",
            "7f9c24e8-3b12-4d0a-7c56-0123456789ab",
            "7F9C24E8-3B12-4D0A-9C56-0123456789AB",
            "7f9c24e83b124d0a9c560123456789ab",
        ),
    ),
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": ("014-watch", ("-014", ".hidden", "014 watch", "014/watch", "014-grüße")),
    r"^\d{3}$": ("014", ("14", "0014", "01a")),
}


def breaking(schema: Json) -> Iterator[Any]:
    """Values that this part of the contract rejects, at least one for each of its keywords."""
    known = {"$ref", "anyOf", "type", "enum", "const", "pattern", "minLength", "minimum", "format", "items"}
    unknown = set(schema) - known - {"description", "uniqueItems"}
    assert not unknown, f"a keyword that has no case yet: {unknown}"
    if "$ref" in schema:
        yield from breaking(CONTRACT["$defs"][schema["$ref"].removeprefix("#/$defs/")])
        return
    if "anyOf" in schema:
        choices = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
        assert len(choices) == 1
        yield from (value for choice in choices for value in breaking(choice) if value is not None)
        return
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    wrong: Json = {
        "null": None,
        "string": "7",
        "integer": 7,
        "boolean": True,
        "number": 1.5,
        "array": ["WP01"],
        "object": {},
    }
    yield from (value for name, value in wrong.items() if name not in types and not (name == "array" == types[0]))
    if "enum" in schema or "const" in schema:
        allowed = schema.get("enum") or [schema["const"]]
        yield from ("", SECRET, allowed[0] + "\n", allowed[0].upper() + "x", " " + allowed[0])
    if "pattern" in schema:
        good, misses = _PATTERNS[schema["pattern"]]
        digit = next(character for character in good if character in "0123456789")
        yield from (
            "",
            SECRET,
            good + "\n",
            "\n" + good,
            good + " ",
            good.replace(digit, "٣"),
            good[:-1] + "ä",
            *misses,
        )
    if schema.get("minLength"):
        yield ""
    if "minimum" in schema:
        yield from (schema["minimum"] - 1, schema["minimum"] - 2**70)
    if "format" in schema:
        assert schema["format"] == "date-time"
        yield from BAD_MOMENTS
    if "items" in schema:
        yield from ([value] for value in breaking(schema["items"]))
    if schema.get("uniqueItems"):
        yield ["WP01", "WP02", "WP01"]


def fields(event_type: str) -> Iterator[tuple[str | None, str, Json]]:
    """(`payload` or None, field, its part of the contract) for every field of the payload and of the envelope."""
    for field, schema in CONTRACT["$defs"][event_type]["properties"].items():
        yield "payload", field, schema
    for field, schema in CONTRACT["properties"].items():
        if field == "aggregate_type":
            # The type's own rule is the narrower one.
            rules = [
                rule["then"]
                for rule in CONTRACT["allOf"]
                if rule["if"]["properties"]["event_type"]["const"] == event_type
            ]
            schema = {"type": "string", "enum": rules[0]["properties"]["aggregate_type"]["enum"]}
        yield None, field, schema


def changed(event: Json, where: str | None, field: str, value: Any) -> Json:
    """A copy of the event with this field of it, or of its payload, set."""
    event = copy.deepcopy(event)
    (event[where] if where else event)[field] = value
    return event
