"""The JSON Schema that the event classes amount to, for comparison with the contract and for other tools."""

from __future__ import annotations

from typing import Any

import msgspec

from kittywatch.events.envelope import EVENT_TYPES, SCHEMA_VERSION, SchemaVersion


def json_schema(version: SchemaVersion = SCHEMA_VERSION) -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that accepts an event of a version exactly when `from_json` does."""
    classes = list(EVENT_TYPES.values())
    references, definitions = msgspec.json.schema_components(classes, ref_template="#/$defs/{name}")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kittywatch event",
        "anyOf": list(references),
        "$defs": definitions,
    }
    for event in definitions.values():
        if "schema_version" in event["properties"]:
            event["properties"]["schema_version"] = {"const": version}
    portable: dict[str, Any] = _portable(schema, version)
    return portable


def _portable(node: Any, version: SchemaVersion) -> Any:
    """The schema of a version, its patterns in the spelling of JSON Schema, where $ is the end and nothing else.

    Version 1.0.0 has no optional fields, and beside what it has of some others.
    """
    if isinstance(node, (list, tuple)):
        return [_portable(item, version) for item in node]
    if not isinstance(node, dict):
        return node
    node = dict(node)
    if (old := node.pop("1.0.0", None)) is not None and version == "1.0.0":
        node = {"type": "string", **old}
    if version == "1.0.0" and "properties" in node and isinstance(node.get("required"), (list, tuple)):
        node["properties"] = {key: node["properties"][key] for key in node["required"]}
    return {
        key: value.replace(r"\Z", "$") if key == "pattern" else _portable(value, version) for key, value in node.items()
    }
