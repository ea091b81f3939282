"""Payloads are valid from construction: every constraint of the contract has a value that breaks it here."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import pytest

from kittywatch.events import Creation, InvalidEventError, Payload, StatusChange, beyond_1_0
from tests.events.examples import (
    CONTRACT,
    EVENT_NAMES,
    GOOD_MOMENTS,
    PAYLOAD_CLASSES,
    SECRET,
    breaking,
    example,
    fields,
)

FIELDS = [
    (event_type, field, schema)
    for event_type in EVENT_NAMES
    for where, field, schema in fields(event_type)
    if where == "payload"
]


def build(event_type: str, values: dict[str, Any]) -> Payload:
    """A payload of version 1.0.0; the envelope refuses there what only the newer one can say."""
    payload: Payload = PAYLOAD_CLASSES[event_type](**values)
    if (beyond := beyond_1_0(payload)) is not None:
        raise InvalidEventError(type(payload).__name__, beyond, "Not in version 1.0.0")
    return payload


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_a_payload_holds_the_fields_of_the_contract(event_type: str) -> None:
    values = example(event_type)["payload"]
    payload = PAYLOAD_CLASSES[event_type](**values)
    assert msgspec.to_builtins(payload) == values
    assert set(values) == set(CONTRACT["$defs"][event_type]["required"])


@pytest.mark.parametrize("event_type", EVENT_NAMES)
def test_a_payload_is_frozen_and_has_no_defaults(event_type: str) -> None:
    values = example(event_type)["payload"]
    payload = PAYLOAD_CLASSES[event_type](**values)
    for field in values:
        with pytest.raises(AttributeError):
            setattr(payload, field, None)
        with pytest.raises(TypeError, match=field):
            PAYLOAD_CLASSES[event_type](**{name: value for name, value in values.items() if name != field})
    with pytest.raises(TypeError, match="extra"):
        PAYLOAD_CLASSES[event_type](**values, extra=1)


@pytest.mark.parametrize(("event_type", "field", "schema"), FIELDS, ids=[f"{one[0]}-{one[1]}" for one in FIELDS])
def test_a_broken_constraint_names_the_field_and_not_the_content(event_type: str, field: str, schema: Any) -> None:
    values = example(event_type)["payload"]
    broken = list(breaking(schema))
    assert broken
    for value in broken:
        with pytest.raises(InvalidEventError) as caught:
            build(event_type, {**values, field: value})
        assert caught.value.field == field, value
        assert caught.value.kind == PAYLOAD_CLASSES[event_type].__name__
        assert field in str(caught.value)
        assert "s3cret" not in str(caught.value)
        assert "else" not in str(caught.value)


@pytest.mark.parametrize("moment", GOOD_MOMENTS)
def test_every_spelling_of_a_moment_with_a_zone_is_taken(moment: str) -> None:
    values = example("FeatureCreated")["payload"]
    assert PAYLOAD_CLASSES["FeatureCreated"](**{**values, "created_at": moment}).created_at == moment


def test_a_secret_in_a_list_is_not_repeated() -> None:
    with pytest.raises(InvalidEventError) as caught:
        Creation(wp_id="WP01", title="t", dependencies=["WP02", SECRET], feature_slug="f")
    assert caught.value.field == "dependencies"
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("dependencies", [{"WP02"}, ("WP02",), frozenset({"WP02"})])
def test_dependencies_are_a_list_because_a_set_has_no_order_to_take_an_id_from(dependencies: Any) -> None:
    with pytest.raises(InvalidEventError, match="dependencies"):
        Creation(wp_id="WP01", title="t", dependencies=dependencies, feature_slug="f")


def test_half_a_surrogate_pair_is_refused_because_json_cannot_carry_it() -> None:
    with pytest.raises(InvalidEventError) as caught:
        Creation(wp_id="WP01", title="caf\udce9", dependencies=[], feature_slug="f")
    assert caught.value.field == "title"
    assert "udce9" not in str(caught.value)


def test_an_enumeration_of_strings_is_a_string() -> None:
    class Lane(StrEnum):
        DOING = "doing"

    lane: Any = Lane.DOING
    change = StatusChange(wp_id="WP01", previous_status="planned", new_status=lane, changed_by="x", feature_slug=None)
    assert msgspec.json.decode(msgspec.json.encode(change))["new_status"] == "doing"
