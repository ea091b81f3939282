"""The contract: envelope, eight payloads, validation, ids."""

from kittywatch.events.envelope import (
    EVENT_TYPES,
    SCHEMA_VERSION,
    DependencyResolved,
    ErrorLogged,
    Event,
    FeatureCompleted,
    FeatureCreated,
    HistoryAdded,
    WPAssigned,
    WPCreated,
    WPStatusChanged,
    from_json,
    to_json,
)
from kittywatch.events.fields import LARGEST_CLOCK, InvalidEventError
from kittywatch.events.ids import content_id, random_id
from kittywatch.events.payloads import (
    Assignment,
    Completion,
    Creation,
    FeatureCreation,
    HistoryEntry,
    LoggedError,
    Payload,
    Resolution,
    StatusChange,
)

__all__ = [
    "EVENT_TYPES",
    "LARGEST_CLOCK",
    "SCHEMA_VERSION",
    "Assignment",
    "Completion",
    "Creation",
    "DependencyResolved",
    "ErrorLogged",
    "Event",
    "FeatureCompleted",
    "FeatureCreated",
    "FeatureCreation",
    "HistoryAdded",
    "HistoryEntry",
    "InvalidEventError",
    "LoggedError",
    "Payload",
    "Resolution",
    "StatusChange",
    "WPAssigned",
    "WPCreated",
    "WPStatusChanged",
    "content_id",
    "from_json",
    "random_id",
    "to_json",
]
