"""The aliases that come in beside a batch's events, one by one; nothing here knows SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")
_NO_IDS = "An alias is two ids: alias and event_id."
_SAME = "The alias is the event's own id."


@dataclass(frozen=True, kw_only=True)
class Offered:
    """An event id `alias` that is said to be the same transition as the event `event_id`.

    `reason` says why it can't be, whatever is known of the two; the ids are None then where there are none.
    """

    alias: str | None
    event_id: str | None
    reason: str = ""


class _Pair(msgspec.Struct):
    alias: str
    event_id: str


_decoder = msgspec.json.Decoder(_Pair)


def open_aliases(raw: Sequence[msgspec.Raw]) -> list[Offered]:
    """The members of a batch's `aliases`, in order."""
    return [_open(bytes(one)) for one in raw]


def _open(data: bytes) -> Offered:
    try:
        pair = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Offered(alias=None, event_id=None, reason=_NO_IDS)
    if not _ULID.match(pair.alias) or not _ULID.match(pair.event_id):
        alias = pair.alias if _ULID.match(pair.alias) else None
        return Offered(alias=alias, event_id=None, reason=_NO_IDS)
    return Offered(alias=pair.alias, event_id=pair.event_id, reason=_SAME if pair.alias == pair.event_id else "")
