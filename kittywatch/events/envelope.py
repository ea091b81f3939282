"""The envelope: one event as it is queued and sent.

One class an event type; the class is the `event_type` of the JSON, so an unknown type fails loudly. `to_json` and
`from_json` are the only way out and in. The normative form is the contract's events.schema.json; `schema.py` exports
what these classes say, and a test holds the two equal in meaning.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from kittywatch.events.fields import (
    FIRST_LOOK,
    Checked,
    DateTime,
    InvalidEventError,
    NodeId,
    ProjectUuid,
    Text,
    Tick,
    Ulid,
    first_optional,
    rule_and_path,
)
from kittywatch.events.payloads import (
    Assignment,
    Completion,
    Creation,
    FeatureCreation,
    HistoryEntry,
    LoggedError,
    Resolution,
    StatusChange,
    beyond_1_0,
)

SchemaVersion: TypeAlias = Literal["1.0.0", "1.1.0"]
SCHEMA_VERSION: SchemaVersion = "1.1.0"
"""The newest version. An event states the lowest one that can say it: what 1.0.0 can say is 1.0.0."""


class _Envelope(Checked, frozen=True, tag_field="event_type"):
    """What all events have; `project_uuid` is None only while the event waits for an identity, unsent.

    `source` is the lane source, `observer` who came upon the change, `commit` the one that it was emitted from.
    """

    event_id: Ulid
    aggregate_id: Text
    node_id: NodeId
    build_id: Text
    lamport_clock: Tick
    causation_id: Ulid | None
    correlation_id: Ulid
    timestamp: DateTime
    team_slug: Text
    project_uuid: ProjectUuid | None
    project_slug: str | None
    schema_version: SchemaVersion
    source: Text | UnsetType = UNSET
    observer: Text | UnsetType = UNSET
    commit: Text | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schema_version == "1.0.0" and (field := _beyond_1_0(self)) is not None:
            raise InvalidEventError(type(self).__name__, field, "Not in version 1.0.0")


def _beyond_1_0(event: _Envelope) -> str | None:
    if (field := first_optional(event)) is not None:
        return field
    payload = getattr(event, "payload", None)
    beyond = beyond_1_0(payload) if payload is not None else None
    return f"payload.{beyond}" if beyond is not None else None


class WPStatusChanged(_Envelope, frozen=True, kw_only=True, tag=True):
    aggregate_type: Literal["WorkPackage"]
    payload: StatusChange


class WPCreated(_Envelope, frozen=True, kw_only=True, tag=True):
    aggregate_type: Literal["WorkPackage"]
    payload: Creation


class WPAssigned(_Envelope, frozen=True, kw_only=True, tag=True):
    aggregate_type: Literal["WorkPackage"]
    payload: Assignment


class FeatureCreated(_Envelope, frozen=True, kw_only=True, tag=True):
    aggregate_type: Literal["Feature"]
    payload: FeatureCreation


class FeatureCompleted(_Envelope, frozen=True, kw_only=True, tag=True):
    aggregate_type: Literal["Feature"]
    payload: Completion


class HistoryAdded(_Envelope, frozen=True, kw_only=True, tag=True):
    aggregate_type: Literal["WorkPackage"]
    payload: HistoryEntry


class ErrorLogged(_Envelope, frozen=True, kw_only=True, tag=True):
    aggregate_type: Literal["WorkPackage", "Feature"]
    payload: LoggedError


class DependencyResolved(_Envelope, frozen=True, kw_only=True, tag=True):
    aggregate_type: Literal["WorkPackage"]
    payload: Resolution


Event: TypeAlias = (
    WPStatusChanged
    | WPCreated
    | WPAssigned
    | FeatureCreated
    | FeatureCompleted
    | HistoryAdded
    | ErrorLogged
    | DependencyResolved
)

EVENT_TYPES: dict[type, type[Event]] = {
    StatusChange: WPStatusChanged,
    Creation: WPCreated,
    Assignment: WPAssigned,
    FeatureCreation: FeatureCreated,
    Completion: FeatureCompleted,
    HistoryEntry: HistoryAdded,
    LoggedError: ErrorLogged,
    Resolution: DependencyResolved,
}

_encoder = msgspec.json.Encoder()


@functools.cache
def _made_decoder() -> msgspec.json.Decoder[Event]:
    """Made when it is needed: what only emits never is, and putting eight types together takes its time."""
    return msgspec.json.Decoder(Event)


def _decoder() -> msgspec.json.Decoder[Event]:
    with FIRST_LOOK:
        return _made_decoder()


def to_json(event: Event) -> str:
    """One event as one line of JSON."""
    return _encoder.encode(event).decode()


def from_json(data: str | bytes) -> Event:
    """The event that a JSON text says; raises InvalidEventError where it breaks the contract."""
    try:
        return _decode(data)
    except msgspec.ValidationError as error:
        cause = error.__cause__
        if isinstance(cause, InvalidEventError):
            raise cause from None
        raise InvalidEventError("Event", *_field_and_rule(error)) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InvalidEventError("Event", "(whole)", "Expected JSON") from None


def _decode(data: str | bytes) -> Event:
    try:
        return _decoder().decode(data)
    except msgspec.ValidationError as error:
        if "got `float`" not in str(error):
            raise
    # 1.0 is an integer of JSON Schema and a float of msgspec: read once more, with such numbers as int.
    event: Event = msgspec.convert(json.loads(data, parse_float=_number), Event)
    return event


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


def _field_and_rule(error: msgspec.ValidationError) -> tuple[str, str]:
    rule, path = rule_and_path(error)
    fields = [path.removeprefix("$").removeprefix(".")]
    named = re.fullmatch(r"Object (missing required|contains unknown) field `(.*)`", rule, flags=re.S)
    if named:
        fields.append(named[2])
        rule = f"Object {named[1]} field"
    return ".".join(field for field in fields if field) or "(whole)", rule
