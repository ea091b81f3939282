"""Generated events: valid ones, and ones that were changed in places, as strategies of hypothesis."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from tests.events.examples import BAD_MOMENTS, CONTRACT, EVENT_NAMES, GOOD_MOMENTS, Json, example

Draw = Callable[[st.SearchStrategy[Any]], Any]

_zones = st.builds(timezone, st.integers(-1439, 1439).map(lambda minutes: timedelta(minutes=minutes)))
_moments = st.datetimes(
    min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=_zones | st.just(UTC)
).map(datetime.isoformat) | st.sampled_from(GOOD_MOMENTS)


def _values(schema: Json) -> st.SearchStrategy[Any]:
    """Values that this part of the contract accepts; knows the keywords that the contract uses."""
    if "$ref" in schema:
        return _values(CONTRACT["$defs"][schema["$ref"].removeprefix("#/$defs/")])
    if "anyOf" in schema:
        return st.one_of([_values(choice) for choice in schema["anyOf"]])
    if isinstance(schema["type"], list):
        return st.one_of([_values({**schema, "type": name}) for name in schema["type"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        # As JSON Schema reads it: a digit is one of ten, and $ is the very end.
        return st.from_regex(re.compile(schema["pattern"].replace("$", r"\Z"), re.ASCII))
    if "format" in schema:
        return _moments
    match schema["type"]:
        case "null":
            return st.none()
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=20)
        case "integer":
            return st.integers(min_value=schema["minimum"])
        case "array":
            return st.lists(_values(schema["items"]), unique=schema["uniqueItems"], max_size=5)
        case unknown:
            raise NotImplementedError(unknown)


def _payloads(event_type: str) -> st.SearchStrategy[Json]:
    properties = CONTRACT["$defs"][event_type]["properties"]
    return st.fixed_dictionaries({field: _values(schema) for field, schema in properties.items()})


_PAYLOADS = {name: _payloads(name) for name in EVENT_NAMES}
_TYPED = ("event_type", "aggregate_type", "payload", "schema_version")
_ENVELOPE = {field: _values(schema) for field, schema in CONTRACT["properties"].items() if field not in _TYPED}


@st.composite
def valid_events(draw: Draw) -> Json:
    """Events that keep every rule; most fields are those of the example, so that examples stay small."""
    name: str = draw(st.sampled_from(EVENT_NAMES))
    event = example(name)
    event["payload"] = draw(_PAYLOADS[name])
    for field in draw(st.sets(st.sampled_from(sorted(_ENVELOPE)))):
        event[field] = draw(_ENVELOPE[field])
    if name == "ErrorLogged":
        event["aggregate_type"] = draw(st.sampled_from(["WorkPackage", "Feature"]))
    return event


JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 2**70, 0.0, 1.0, 3.0, -0.0, 1.5, 1e30),
    *("", " ", "x", "\n", "\x00", "0", "1", "WP01", "WP٠١", "WP01\n", "١٢٣", "123\n", "12३", "null"),
    *([], ["WP01"], ["WP01", "WP01"], ["WP01\n"], ["WP0١"], [None], [1], [1, 1.0], [["WP01"]], {}, {"wp_id": "WP01"}),
)
_junk = st.sampled_from(JUNK) | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False) | st.integers()


def _altered(draw: Draw, value: Any) -> Any:
    """A value that looks much like this one."""
    if isinstance(value, str):
        other: list[str] = [
            value + "\n",
            "\n" + value,
            " " + value,
            value + value,
            value[1:],
            value[:-1],
            value.swapcase(),
        ]
        for foreign in ("٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９"):
            other.append(value.translate(str.maketrans("0123456789", foreign)))
        return draw(st.sampled_from(other))
    if isinstance(value, int):
        return draw(st.sampled_from([float(min(value, 2**60)), -value, value - 1, str(value), value + 0.5]))
    if isinstance(value, list):
        return draw(st.sampled_from([value + value, [*value, "WP99", "WP99"], [*value, None], tuple(value[::-1])]))
    return draw(_junk)


def _mutated(draw: Draw, event: Json) -> None:
    target = draw(st.sampled_from([event, event["payload"]] if isinstance(event.get("payload"), dict) else [event]))
    field = draw(st.sampled_from(sorted(target))) if target else "event_id"
    match draw(st.integers(0, 7)):
        case 0:
            target.pop(field, None)
        case 1:
            target[draw(st.text(max_size=5) | st.sampled_from([*example("ErrorLogged"), "data_tier"]))] = draw(_junk)
        case 2:
            target[field] = draw(_junk)
        case 3 | 4:
            target[field] = _altered(draw, target.get(field))
        case 5:
            event["event_type"] = draw(st.sampled_from(EVENT_NAMES))
        case 6:
            event["payload"] = draw(_PAYLOADS[draw(st.sampled_from(EVENT_NAMES))])
        case _:
            event["timestamp"] = draw(st.sampled_from(BAD_MOMENTS + GOOD_MOMENTS))
            event["aggregate_type"] = draw(st.sampled_from(["WorkPackage", "Feature", "workpackage", ""]))


@st.composite
def changed_events(draw: Draw) -> Json:
    """Events with one to three places changed; some of them are still valid."""
    event: Json = draw(valid_events())
    for _ in range(draw(st.integers(1, 3))):
        _mutated(draw, event)
    return event
