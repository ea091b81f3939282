"""What comes in: a request's bytes become events, or reasons why not, one by one.

Nothing here knows SQL. The team is the login's, whatever the event says; team_slug is none of the fields that an
event's id is made of, so setting it changes no identity.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from kittywatch.events import Event, InvalidEventError, from_json, to_json
from kittywatch.hub import legacy
from kittywatch.hub.errors import RequestError
from kittywatch.hub.limits import Limits, is_deeper, too_big

_LONGEST_NAME = 255  # of a directory, and PostgreSQL's indexes take no more than 2,700 bytes
_LARGEST_NUMBER = (1 << 53) - 1  # what JavaScript and every JSON reader keeps exactly
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A valid event.

    `content_hash` is over the fields that its id is made of; `original` is the other form that it came in, if any.
    """

    event: Event
    body: str
    content_hash: bytes
    original: str | None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """An event that breaks the contract; `event_id` is None where none can be read."""

    event_id: str | None
    reason: str


Member: TypeAlias = Accepted | Refused


class _Batch(msgspec.Struct):
    events: list[msgspec.Raw]


_batch_decoder = msgspec.json.Decoder(_Batch)


def open_batch(data: bytes, *, team_slug: str, limits: Limits) -> list[Member]:
    """The members of `{"events": [...]}` in order; raises RequestError if the whole is not that."""
    try:
        members = _batch_decoder.decode(data).events
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RequestError("The body is not a batch.", remedy='Send {"events": [...]}.') from None
    if len(members) > limits.members:
        raise too_big(f"A batch of more than {limits.members} events")
    return [open_event(bytes(raw), team_slug=team_slug, limits=limits) for raw in members]


def open_event(data: bytes, *, team_slug: str, limits: Limits) -> Member:
    """One event from its JSON."""
    if len(data) > limits.event:
        return Refused(event_id=_id_of(data), reason=f"The event is bigger than {limits.event} bytes.")
    if is_deeper(data, limits.nesting):
        return Refused(event_id=None, reason=f"The event nests deeper than {limits.nesting} levels.")
    original = None
    try:
        try:
            event = from_json(data)
        except InvalidEventError:
            older = _older_form(data)
            if older is None:
                raise
            event, original = from_json(legacy.convert(older)), data.decode()
    except (InvalidEventError, UnicodeDecodeError, TypeError) as error:
        return Refused(event_id=_id_of(data), reason=_reason(error))
    if rule := _broken_rule(event):
        return Refused(event_id=event.event_id, reason=f"Event: field {rule}")
    event = msgspec.structs.replace(event, team_slug=team_slug)
    body = to_json(event)
    if "\\u0000" in body:
        return Refused(event_id=event.event_id, reason="Event: a text holds the character NUL")
    return Accepted(event=event, body=body, content_hash=_content_hash(event), original=original)


def _broken_rule(event: Event) -> str | None:
    """What the contract allows and the hub cannot keep."""
    if event.project_uuid is None:
        return "project_uuid: Expected a project"
    if len(event.payload.feature_slug or "") > _LONGEST_NAME:
        return f"payload.feature_slug: Expected at most {_LONGEST_NAME} characters"
    counts = (event.lamport_clock, getattr(event.payload, "wp_count", 0))
    if max(counts) > _LARGEST_NUMBER:
        return f"lamport_clock or payload.wp_count: Expected at most {_LARGEST_NUMBER}"
    return None


def _older_form(data: bytes) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) and legacy.is_legacy(value) else None


def _content_hash(event: Event) -> bytes:
    # A payload's fields are all there and in the class's order, so this is one spelling for one content.
    kind = type(event).__name__
    content = (event.project_uuid, kind, event.aggregate_id, event.payload, event.timestamp)
    return hashlib.sha256(msgspec.json.encode(content)).digest()


def _id_of(data: bytes) -> str | None:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    event_id = value.get("event_id") if isinstance(value, dict) else None
    return event_id if isinstance(event_id, str) and _ULID.match(event_id) else None


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, InvalidEventError) else "Event: not valid UTF-8 or types"
