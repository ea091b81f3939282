"""One line an event, for people."""

from __future__ import annotations

from datetime import datetime

from kittywatch.cli.output import plain
from kittywatch.events import (
    Assignment,
    Completion,
    Creation,
    Event,
    FeatureCreation,
    HistoryEntry,
    LoggedError,
    Resolution,
    StatusChange,
)


def event_line(event: Event) -> str:
    """Line of an event: time, feature, work package, what happened, by whom."""
    moment = datetime.fromisoformat(event.timestamp.upper()).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    feature = getattr(event.payload, "feature_slug", None) or "-"
    wp_id = getattr(event.payload, "wp_id", None) or "-"
    return plain(f"{moment}  {feature}  {wp_id:4}  {_what(event)}")


def _what(event: Event) -> str:
    match event.payload:
        case StatusChange() as change:
            return f"{change.previous_status} → {change.new_status}  by {change.changed_by}"
        case Creation() as creation:
            return f"created: {creation.title}"
        case Assignment() as assignment:
            return f"{assignment.phase} by {assignment.agent_id}"
        case FeatureCreation() as feature:
            return f"feature created, {counted(feature.wp_count, 'work package')}"
        case Completion() as completion:
            return f"feature completed, {counted(completion.total_wps, 'work package')}"
        case HistoryEntry() as entry:
            return f"{entry.entry_type} by {entry.author}: {entry.entry_content}"
        case LoggedError() as error:
            return f"error: {error.error_message}"
        case Resolution() as resolution:
            return f"no longer waits for {resolution.dependency_wp_id}"


def counted(number: int, noun: str) -> str:
    """Number with its noun: `1 event`, `2 events`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
