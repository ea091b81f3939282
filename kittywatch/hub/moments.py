"""Times as people read them: always with their zone."""

from __future__ import annotations

from datetime import UTC, datetime

from kittywatch.hub.cards import seconds_of

_FIRST_SECOND = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_LAST_SECOND = datetime(9999, 12, 30, tzinfo=UTC).timestamp()


def shown(timestamp: str) -> str:
    """An event's time, in UTC and saying so: 1 Mar 2026, 09:05 UTC."""
    return moment(seconds_of(timestamp), form="%d %b %Y, %H:%M UTC").lstrip("0")


def moment(seconds: float, *, form: str = "%d %b %Y, %H:%M") -> str:
    """Seconds since 1970 in UTC, by a format of strftime."""
    # Events may be of any year that a date can have, and with a zone a little beyond.
    within = min(max(seconds, _FIRST_SECOND), _LAST_SECOND)
    return datetime.fromtimestamp(within, UTC).strftime(form)
