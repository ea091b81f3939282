"""The contract's schema, the exported schema and `from_json` accept and reject the same events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend
from rfc3339_validator import validate_rfc3339

from kittywatch.events import InvalidEventError, from_json
from kittywatch.events.schema import VERSIONS, json_schema, schema_of
from tests.events.examples import (
    BAD_MOMENTS,
    CONTRACT,
    EVENT_NAMES,
    GOOD_MOMENTS,
    Json,
    breaking,
    changed,
    example,
    fields,
)
from tests.events.generated import JUNK, changed_events, valid_events

_BESIDE = Path(__file__).parents[3] / "shared" / "contract" / "events.schema.json"


def _pattern(validator: Any, pattern: str, instance: Any, schema: Json) -> Iterator[ValidationError]:
    """`pattern` as ECMA-262 reads it: $ is the very end, and a digit is one of ten."""
    assert "$" not in pattern[:-1]
    if isinstance(instance, str) and not re.search(re.sub(r"\$\Z", r"\\Z", pattern), instance, re.ASCII):
        yield ValidationError("pattern")


_formats = FormatChecker(formats=())


@_formats.checks("date-time")
def _is_date_time(instance: object) -> bool:
    # The validator's pattern ends in Python's $, which lets a newline pass.
    return not isinstance(instance, str) or (validate_rfc3339(instance.upper()) and not instance.endswith("\n"))


_Validator: type[Draft202012Validator] = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
_contract = _Validator(CONTRACT, format_checker=_formats)
_schemas = {version: _Validator(json_schema(version), format_checker=_formats) for version in VERSIONS}
_exported = _schemas["1.0.0"]


def accepted(event: Any) -> bool:
    """What all three say; AssertionError where they do not agree."""
    text = json.dumps(event)
    instance = json.loads(text)
    try:
        from_json(text)
        ours = True
    except InvalidEventError:
        ours = False
    verdicts = {"contract": _contract.is_valid(instance), "exported": _exported.is_valid(instance), "from_json": ours}
    assert len(set(verdicts.values())) == 1, (verdicts, event)
    return ours


def test_both_schemas_are_schemas() -> None:
    _Validator.check_schema(CONTRACT)
    _Validator.check_schema(json_schema("1.0.0"))


@pytest.mark.beside(_BESIDE)
def test_the_schema_here_is_the_contracts() -> None:
    assert Path(__file__).with_name("events.schema.json").read_bytes() == _BESIDE.read_bytes()


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_a_types_own_schema_is_part_of_the_whole(event_type: str) -> None:
    one = schema_of(event_type, "1.0.0")
    _Validator.check_schema(one)
    of_type = _Validator(one, format_checker=_formats)
    assert [name for name in EVENT_NAMES if of_type.is_valid(example(name))] == [event_type]
    whole = json_schema("1.0.0")["$defs"]
    assert one["$defs"].items() <= whole.items()
    assert not one["$defs"].keys() & set(EVENT_NAMES) - {event_type}


@given(event=valid_events())
def test_a_version_accepts_every_event_of_those_before_it(event: Json) -> None:
    """But for the version that they say, which is the lowest that they satisfy."""
    assert _exported.is_valid(event)
    for version in VERSIONS:
        later = changed(event, None, "schema_version", version)
        assert _schemas[version].is_valid(later), (version, event)
        assert from_json(json.dumps(later))


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_the_example_is_accepted(event_type: str) -> None:
    assert accepted(example(event_type))


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_a_value_that_breaks_a_rule_is_rejected(event_type: str) -> None:
    for where, field, schema in fields(event_type):
        for value in breaking(schema):
            assert not accepted(changed(example(event_type), where, field, value)), (where, field, value)


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_every_field_with_every_awkward_value(event_type: str) -> None:
    verdicts = {
        accepted(changed(example(event_type), where, field, value))
        for where, field, _ in fields(event_type)
        if where or event_type in ("ErrorLogged", "FeatureCreated")
        for value in JUNK
    }
    assert verdicts == {True, False}


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_a_missing_field_and_one_more_are_rejected(event_type: str) -> None:
    for where, field, _ in fields(event_type):
        event = example(event_type)
        del (event[where] if where else event)[field]
        assert not accepted(event)
    assert not accepted(changed(example(event_type), None, "data_tier", 0))
    assert not accepted(changed(example(event_type), "payload", "data_tier", 0))


@pytest.mark.parametrize("event_type", EVENT_NAMES)
@pytest.mark.parametrize("other", EVENT_NAMES)
def test_a_payload_and_an_aggregate_type_belong_to_a_type(event_type: str, other: str) -> None:
    event = changed(example(event_type), None, "payload", example(other)["payload"])
    assert accepted(event) == (event_type == other)
    kinds = {"WorkPackage", "Feature"}
    taken = {kind for kind in kinds if accepted(changed(example(event_type), None, "aggregate_type", kind))}
    assert taken == (kinds if event_type == "ErrorLogged" else {example(event_type)["aggregate_type"]})


@pytest.mark.parametrize("moment", [*GOOD_MOMENTS, *BAD_MOMENTS])
def test_moments(moment: str) -> None:
    assert accepted(changed(example("WPCreated"), None, "timestamp", moment)) == (moment in GOOD_MOMENTS)
    assert accepted(changed(example("FeatureCompleted"), "payload", "completed_at", moment)) == (moment in GOOD_MOMENTS)


def test_an_integer_is_a_number_without_a_fraction() -> None:
    for value, taken in [(1, True), (1.0, True), (1e3, True), (2**70, True), (1.5, False), (0.0, False), (True, False)]:
        assert accepted(changed(example("WPCreated"), None, "lamport_clock", value)) == taken
    assert accepted(changed(example("WPAssigned"), "payload", "retry_count", 0.0))


@pytest.mark.parametrize("value", [None, True, 1, "WPCreated", [], [example("WPCreated")], {}])
def test_what_is_no_event_at_all_is_rejected(value: Any) -> None:
    assert not accepted(value)


@given(valid_events())
def test_valid_events_are_accepted(event: Json) -> None:
    assert accepted(event)


@settings(max_examples=400)
@given(changed_events())
def test_changed_events_are_judged_alike(event: Json) -> None:
    accepted(event)
