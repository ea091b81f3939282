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
from kittywatch.hub.offers import LONGEST_NAME, Offered, OfferedRename, open_aliases, open_renames

_LARGEST_NUMBER = (1 << 53) - 1  # what JavaScript and every JSON reader keeps exactly
_PLENTY = 100_000  # commas: a full batch of usual events has a quarter of them
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.S)
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


BatchItem: TypeAlias = Accepted | Refused | Offered | OfferedRename


class _Batch(msgspec.Struct):
    events: list[msgspec.Raw]
    aliases: list[msgspec.Raw] = []
    renames: list[msgspec.Raw] = []


class _Identified(msgspec.Struct):
    """An event's id alone; whatever else there is, is skipped without becoming objects."""

    event_id: str


_batch_decoder = msgspec.json.Decoder(_Batch)
_id_decoder = msgspec.json.Decoder(_Identified)


def open_batch(data: bytes | bytearray, *, team_slug: str, limits: Limits) -> list[BatchItem]:
    """The items of `{"events": [...], "aliases": [...], "renames": [...]}` in order; raises RequestError for else.

    `aliases` and `renames` may be missing.
    """
    if data.count(b",") > _PLENTY and not _has_at_most(limits.items, data):
        raise too_big(f"A batch of more than {limits.items} events")
    try:
        batch = _batch_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RequestError("The body is not a batch.", remedy='Send {"events": [...]}.') from None
    if max(len(batch.events), len(batch.aliases), len(batch.renames)) > limits.items:
        raise too_big(f"A batch of more than {limits.items} events")
    events = [open_event(bytes(raw), team_slug=team_slug, limits=limits) for raw in batch.events]
    return [*events, *open_aliases(batch.aliases), *open_renames(batch.renames)]


def _has_at_most(most: int, data: bytes | bytearray) -> bool:
    """Whether the lists in the outermost object of a JSON text have so many items, found before any is made."""
    depth = commas = 0
    for token in _TOKENS.finditer(data):
        mark = token[0]
        if mark == b"," and depth == 2:
            commas += 1
            if commas >= most:
                return False
        elif mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
            commas = commas if depth > 1 else 0
    return True


def open_event(data: bytes, *, team_slug: str, limits: Limits) -> Accepted | Refused:
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
    except (ValueError, TypeError, ArithmeticError) as error:  # InvalidEventError, bytes that are no text, huge numbers
        return Refused(event_id=_id_of(data), reason=_reason(error))
    if rule := _broken_rule(event):
        return Refused(event_id=event.event_id, reason=f"Event: field {rule}")
    event = msgspec.structs.replace(event, team_slug=team_slug)
    body = to_json(event)
    if _has_nul(body):
        return Refused(event_id=event.event_id, reason="Event: a text holds the character NUL")
    return Accepted(event=event, body=body, content_hash=_content_hash(event), original=original)


def _broken_rule(event: Event) -> str | None:
    """What the contract allows and the hub cannot keep."""
    if event.project_uuid is None:
        return "project_uuid: Expected a project"
    feature = event.payload.feature_slug or ""
    if len(feature) > LONGEST_NAME:
        return f"payload.feature_slug: Expected at most {LONGEST_NAME} characters"
    if feature in (".", ".."):  # no directory is called so, and no address of a page can say it
        return "payload.feature_slug: Expected the name of a directory"
    numbers = {"lamport_clock": event.lamport_clock}
    for name in event.payload.__struct_fields__:
        numbers[f"payload.{name}"] = getattr(event.payload, name)
    for name, number in numbers.items():
        if isinstance(number, int) and number > _LARGEST_NUMBER:
            return f"{name}: Expected at most {_LARGEST_NUMBER}"
    return None


def _has_nul(body: str) -> bool:
    """Whether a text of a JSON document holds NUL, which PostgreSQL keeps in no text; one that spells it may come."""
    return "\\u0000" in body and "\\u0000" in body.replace("\\\\", "")


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
        event_id = _id_decoder.decode(data).event_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return event_id if _ULID.match(event_id) else None


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, InvalidEventError) else "Event: not valid UTF-8, types or numbers"
