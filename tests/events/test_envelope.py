"""Envelopes: valid from construction, and the same through JSON and back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from kittywatch.events import (
    EVENT_TYPES,
    SCHEMA_VERSION,
    Creation,
    Event,
    InvalidEventError,
    WPStatusChanged,
    from_json,
    to_json,
)
from kittywatch.events.schema import json_schema
from tests.events.examples import (
    CONTRACT,
    EVENT_CLASSES,
    EVENT_NAMES,
    PAYLOAD_CLASSES,
    SECRET,
    Json,
    breaking,
    changed,
    example,
    fields,
)
from tests.events.generated import valid_events

FIELDS = [(name, where, field, schema) for name in EVENT_NAMES for where, field, schema in fields(name)]
ENVELOPE_FIELDS = [
    (name, field, schema)
    for name, where, field, schema in FIELDS
    if not where and field not in ("payload", "event_type")
]


def build(event: Json) -> Event:
    """The event as Python code makes it."""
    name = event["event_type"]
    values = {field: value for field, value in event.items() if field not in ("event_type", "payload")}
    return EVENT_CLASSES[name](**values, payload=PAYLOAD_CLASSES[name](**event["payload"]))


def test_the_types_are_those_of_the_contract() -> None:
    assert list(EVENT_CLASSES) == CONTRACT["properties"]["event_type"]["enum"]
    assert len(EVENT_TYPES) == len(PAYLOAD_CLASSES) == 8
    assert CONTRACT["properties"]["schema_version"]["const"] == "1.0.0" < SCHEMA_VERSION


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_an_event_is_the_same_through_json_and_back(event_type: str) -> None:
    text = example(event_type)
    event = build(text)
    assert json.loads(to_json(event)) == text
    assert from_json(to_json(event)) == event
    assert from_json(to_json(event).encode()) == event
    assert from_json(json.dumps(text, indent=1)) == event
    assert "\n" not in to_json(event)


@given(valid_events())
def test_every_valid_event_is_the_same_through_json_and_back(text: Json) -> None:
    event = from_json(json.dumps(text))
    assert json.loads(to_json(event)) == text
    assert from_json(to_json(event)) == event
    assert build(text) == event


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_an_event_is_frozen(event_type: str) -> None:
    event = build(example(event_type))
    for field in event.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(event, field, None)


@pytest.mark.parametrize(
    ("event_type", "field", "schema"), ENVELOPE_FIELDS, ids=[f"{one[0]}-{one[1]}" for one in ENVELOPE_FIELDS]
)
def test_a_broken_constraint_names_the_field_and_not_the_content(event_type: str, field: str, schema: Any) -> None:
    broken = list(breaking(schema))
    assert broken
    for value in broken:
        with pytest.raises(InvalidEventError) as caught:
            build(changed(example(event_type), None, field, value))
        assert caught.value.field == field, value
        assert caught.value.kind == event_type
        assert "s3cret" not in str(caught.value)
        assert "else" not in str(caught.value)


@pytest.mark.parametrize(
    ("event_type", "where", "field", "schema"), FIELDS, ids=[f"{one[0]}-{one[1] or 'event'}-{one[2]}" for one in FIELDS]
)
def test_json_that_breaks_a_constraint_names_the_field_and_not_the_content(
    event_type: str, where: str | None, field: str, schema: Any
) -> None:
    for value in breaking(schema):
        with pytest.raises(InvalidEventError) as caught:
            from_json(json.dumps(changed(example(event_type), where, field, value)))
        assert field in caught.value.field, value
        assert "s3cret" not in str(caught.value)
        assert "else" not in str(caught.value)


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_json_without_a_field_or_with_one_more_names_it(event_type: str) -> None:
    for where, field, _ in fields(event_type):
        event = example(event_type)
        del (event[where] if where else event)[field]
        with pytest.raises(InvalidEventError) as caught:
            from_json(json.dumps(event))
        assert caught.value.field == (f"{where}.{field}" if where else field)
    for where in (None, "payload"):
        with pytest.raises(InvalidEventError) as caught:
            from_json(json.dumps(changed(example(event_type), where, "more", "s3cret")))
        assert caught.value.field == (f"{where}.more" if where else "more")
        assert "s3cret" not in str(caught.value)


def test_a_payload_of_another_type_is_refused() -> None:
    event = build(example("WPStatusChanged"))
    values = {field: getattr(event, field) for field in event.__struct_fields__ if field != "payload"}
    creation = Creation(wp_id="WP01", title="t", dependencies=[], feature_slug="f")
    payloads: list[Any] = [creation, example("WPStatusChanged")["payload"], None]
    for payload in payloads:
        with pytest.raises(InvalidEventError, match="payload"):
            WPStatusChanged(**values, payload=payload)


@pytest.mark.parametrize("data", ["", "{", "nonsense", '{"event_type": NaN}', b"\xff", '"\ud800"', "[" * 100_000])
def test_what_is_no_json_is_an_invalid_event(data: str | bytes) -> None:
    with pytest.raises(InvalidEventError, match="whole"):
        from_json(data)


@pytest.mark.parametrize(
    "broken", ["NaN", "1.0, ", '1.0, "x": "\\ud800"', '1.0, "x": ' + "[" * 100_000, "1.5", "1e400"]
)
def test_what_goes_wrong_behind_a_number_is_an_invalid_event_too(broken: str) -> None:
    text = json.dumps(example("WPCreated"))
    with pytest.raises(InvalidEventError):
        from_json(text.replace('"lamport_clock": 42', f'"lamport_clock": {broken}'))


def test_an_integer_may_be_written_with_a_fraction_of_zero_and_is_an_int_then() -> None:
    event = from_json(json.dumps(example("WPCreated")).replace('"lamport_clock": 42', '"lamport_clock": 4.20e1'))
    assert (event.lamport_clock, type(event.lamport_clock)) == (42, int)
    assert '"lamport_clock":42,' in to_json(event)


def test_half_a_surrogate_pair_is_refused_as_json_and_as_a_value() -> None:
    text = changed(example("WPCreated"), "payload", "title", "caf\udce9")
    with pytest.raises(InvalidEventError):
        from_json(json.dumps(text))
    with pytest.raises(InvalidEventError):  # behind a number that is read a second time
        from_json(json.dumps(text).replace('"lamport_clock": 42', '"lamport_clock": 42.0'))


def test_the_error_says_whose_field_and_which_rule() -> None:
    with pytest.raises(InvalidEventError) as caught:
        from_json(json.dumps(changed(example("WPStatusChanged"), "payload", "new_status", SECRET)))
    assert str(caught.value).startswith("Event: field payload.new_status: Expected `str` matching regex ")


def test_an_event_of_an_unknown_type_fails_loudly() -> None:
    with pytest.raises(InvalidEventError) as caught:
        from_json(json.dumps(changed(example("WPStatusChanged"), None, "event_type", SECRET)))
    assert str(caught.value) == "Event: field event_type: Not one of the allowed values"


def test_an_event_is_one_line_of_utf_8() -> None:
    line = to_json(build(example("WPCreated")))
    assert "🐈" in line
    assert msgspec.json.decode(line.encode())["payload"]["title"] == "Lanes – and 🐈"


NEWER: list[tuple[str, str | None, str, Any]] = [
    ("WPStatusChanged", "payload", "new_status", "in_progress"),
    ("WPStatusChanged", "payload", "previous_status", "to_do"),
    ("WPStatusChanged", "payload", "wp_id", "BACK-1.2"),
    ("WPStatusChanged", "payload", "previous_category", "backlog"),
    ("WPStatusChanged", "payload", "new_category", "active"),
    ("WPStatusChanged", "payload", "lane_now", "done"),
    ("WPStatusChanged", "payload", "force", True),
    ("WPStatusChanged", "payload", "execution_mode", "worktree"),
    ("WPStatusChanged", "payload", "review_ref", "review:1"),
    ("WPStatusChanged", "payload", "reason", "it was easy"),
    ("WPStatusChanged", "payload", "evidence", {"review": {"verdict": "approved"}}),
    ("WPCreated", "payload", "wp_id", "WP100"),
    ("WPCreated", "payload", "dependencies", ["T001"]),
    ("WPAssigned", "payload", "actor", {"tool": "claude", "role": "implementer"}),
    ("HistoryAdded", "payload", "wp_id", "1.1"),
    ("DependencyResolved", "payload", "dependency_wp_id", "WP100"),
    *((name, None, field, "x") for name in EVENT_NAMES for field in ("source", "observer", "commit")),
]


@pytest.mark.parametrize(("event_type", "where", "field", "value"), NEWER)
def test_what_only_the_newer_version_can_say_says_so(
    event_type: str, where: str | None, field: str, value: Any
) -> None:
    text = changed(example(event_type), where, field, value)
    name = f"{where}.{field}" if where else field
    with pytest.raises(InvalidEventError) as caught:
        from_json(json.dumps(text))
    assert caught.value.field == name
    newer = changed(text, None, "schema_version", "1.1.0")
    event = from_json(json.dumps(newer))
    assert json.loads(to_json(event)) == newer
    Draft202012Validator(json_schema("1.1.0")).validate(newer)
    assert not Draft202012Validator(json_schema("1.0.0")).is_valid(newer)


@pytest.mark.parametrize("value", ["In Progress", "", "_x", "a" * 41, "é", "x\n", None, 1])
def test_a_lane_of_any_scheme_is_a_plain_name(value: Any) -> None:
    text = changed(example("WPStatusChanged"), None, "schema_version", "1.1.0")
    with pytest.raises(InvalidEventError) as caught:
        from_json(json.dumps(changed(text, "payload", "new_status", value)))
    assert caught.value.field == "payload.new_status"


@pytest.mark.parametrize("value", ["-1", ".hidden", "a/b", "", "a" * 41, "WP01\n", None, 1])
def test_an_id_of_any_source_is_a_plain_word(value: Any) -> None:
    text = changed(example("WPStatusChanged"), None, "schema_version", "1.1.0")
    with pytest.raises(InvalidEventError) as caught:
        from_json(json.dumps(changed(text, "payload", "wp_id", value)))
    assert caught.value.field == "payload.wp_id"


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_what_the_older_version_can_say_may_state_the_newer_one(event_type: str) -> None:
    assert from_json(json.dumps(changed(example(event_type), None, "schema_version", "1.1.0")))
