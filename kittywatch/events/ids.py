"""Event ids: ULIDs that are a function of an event's content (rule O9).

A ULID is 48 bits of milliseconds since 1970 and 80 bits of anything, in 26 characters of Crockford's base 32. Here
the 80 bits are the start of a SHA-256, so that the same commit or trail record, told on another clone or replayed
next year, gets the same id, and a server drops it as a duplicate. python-ulid is the judge of these ids in the
tests; it stays off this path because importing it costs more than the whole emission.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from kittywatch.startup.digests import sha256

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in ALPHABET for low in ALPHABET]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST_MILLISECOND = (1 << 48) - 1


def encode(milliseconds: int, randomness: bytes) -> str:
    """The ULID of a time in milliseconds since 1970 and ten bytes."""
    milliseconds = min(max(milliseconds, 0), _LAST_MILLISECOND)
    value = (milliseconds << 80) | int.from_bytes(randomness[:10], "big")
    return "".join(_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10))


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys, no spaces and UTF-8 as it is: one spelling for one value, on every machine."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def content_id(
    *, project: str | None, event_type: str, aggregate_id: str, payload: Mapping[str, object], timestamp: str
) -> str:
    """The event id of a content; `timestamp` is RFC 3339 with a zone and gives the ULID's time."""
    content = {
        "aggregate": aggregate_id,
        "payload": payload,
        "project": project,
        "timestamp": timestamp,
        "type": event_type,
    }
    moment = datetime.fromisoformat(timestamp.upper())  # RFC 3339 also writes t and z
    return encode((moment - _EPOCH) // _MILLISECOND, sha256(canonical_json(content)).digest())


def random_id() -> str:
    """A new ULID for causation and correlation: now, and 80 random bits."""
    return encode(time.time_ns() // 1_000_000, os.urandom(10))
