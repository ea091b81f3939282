"""The JSON Schema that the event classes amount to, for comparison with the contract and for other tools."""

from __future__ import annotations

from typing import Any

import msgspec

from kittywatch.events.envelope import EVENT_TYPES


def json_schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that accepts an event exactly when `from_json` does."""
    classes = list(EVENT_TYPES.values())
    references, definitions = msgspec.json.schema_components(classes, ref_template="#/$defs/{name}")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kittywatch event",
        "anyOf": list(references),
        "$defs": definitions,
    }
    portable: dict[str, Any] = _portable(schema)
    return portable


def _portable(node: Any) -> Any:
    """Patterns in the spelling of JSON Schema, where $ is the end and nothing else."""
    if isinstance(node, dict):
        return {key: value.replace(r"\Z", "$") if key == "pattern" else _portable(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_portable(item) for item in node]
    return node
