"""Moments and spans of time as events carry them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def timestamp(moment: datetime) -> str:
    """A moment as events carry it: UTC, RFC 3339, with a fraction only where there is one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def duration(span: timedelta) -> str:
    """A span of time as ISO 8601 has it, in whole seconds; P0D where it is none or runs backwards."""
    seconds = max(0, int(span.total_seconds()))
    days, rest = divmod(seconds, 86_400)
    parts = [(rest // 3600, "H"), (rest // 60 % 60, "M"), (rest % 60, "S")]
    time = "".join(f"{count}{unit}" for count, unit in parts if count)
    date = f"{days}D" if days or not time else ""
    return f"P{date}T{time}" if time else f"P{date}"
