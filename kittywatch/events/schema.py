"""The JSON Schema that the event classes amount to, for comparison with the contract and for other tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from kittywatch.events.envelope import EVENT_TYPES, SCHEMA_VERSION, SchemaVersion

TYPES = {event.__name__: event for event in EVENT_TYPES.values()}
VERSIONS: tuple[SchemaVersion, ...] = get_args(SchemaVersion)
"""All versions that there have been, the oldest first."""


def schema_of(event_type: str, version: SchemaVersion = SCHEMA_VERSION) -> dict[str, Any]:
    """The same for the events of one type; raises KeyError where there is no such type."""
    whole = json_schema(version)
    reference = f"#/$defs/{TYPES[event_type].__name__}"
    needed = _needed(event_type, whole["$defs"])
    definitions = {name: definition for name, definition in whole["$defs"].items() if name in needed}
    return {"$schema": whole["$schema"], "title": event_type, "$ref": reference, "$defs": definitions}


def _needed(name: str, definitions: Mapping[str, Any]) -> set[str]:
    """The names of a definition, and of all that it refers to."""
    found, left = {name}, [definitions[name]]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            left += node.values()
            other = str(node.get("$ref", "")).rpartition("/")[2]
            if other and other not in found:
                found.add(other)
                left.append(definitions[other])
        elif isinstance(node, list):
            left += node
    return found


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
