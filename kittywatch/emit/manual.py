"""Manual emission: events that a script or an agent states, beside those that observers derive.

`deduplication.py` decides whether one was emitted before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from kittywatch.emit.times import timestamp
from kittywatch.events import (
    Assignment,
    Completion,
    Creation,
    Event,
    FeatureCreation,
    HistoryEntry,
    InvalidEventError,
    LoggedError,
    Payload,
    Resolution,
    StatusChange,
    random_id,
)
from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.categories import guessed_category
from kittywatch.workpackages.schemes import SPEC_KITTY_2, scheme_of

_SPEC_KITTY_ID = pattern(r"WP[0-9]+\Z")


class ManualEmitter(ABC):
    """Manual emissions, a method an event type.

    Each returns the event as JSON has it, or the earlier one that it is a duplicate of. None raises: where the result
    is None nothing was emitted, and a warning has said why. `causation_id` is the id of what caused the event, which a
    batch shares; `generate_causation_id` makes one.
    """

    @abstractmethod
    def emit(
        self, payload: Payload, aggregate_id: str, aggregate_type: str, *, causation_id: str | None = None
    ) -> Event | None:
        """Emit one event."""

    @abstractmethod
    def failed(self, error: Exception) -> None:
        """Warn that an emission came to nothing."""

    def generate_causation_id(self) -> str:
        """A new ULID for the events of one batch to share."""
        return random_id()

    def emit_wp_status_changed(
        self,
        wp_id: str,
        previous_status: str,
        new_status: str,
        changed_by: str = "user",
        feature_slug: str | None = None,
        *,
        previous_category: str | None = None,
        new_category: str | None = None,
        causation_id: str | None = None,
    ) -> dict[str, Any] | None:
        """A work package went from one lane to another.

        The lanes of spec-kitty are both of one scheme. Those of another source may have any names; what they mean,
        where it isn't stated, is guessed from the usual words. Without `feature_slug` it is the one feature that the
        ledger knows to have this work package.
        """
        fields = {
            "wp_id": wp_id,
            "previous_status": previous_status,
            "new_status": new_status,
            "changed_by": changed_by,
            "feature_slug": feature_slug,
        }
        stated = {"previous_category": previous_category, "new_category": new_category}
        fields |= {name: category for name, category in stated.items() if category is not None}
        return self._emit(StatusChange, fields, wp_id, causation_id)

    def emit_wp_created(
        self,
        wp_id: str,
        title: str,
        dependencies: Sequence[str],
        feature_slug: str,
        *,
        causation_id: str | None = None,
    ) -> dict[str, Any] | None:
        """A work package came into being; `dependencies` are the ids of those it waits for."""
        fields = {"wp_id": wp_id, "title": title, "dependencies": dependencies, "feature_slug": feature_slug}
        return self._emit(Creation, fields, wp_id, causation_id)

    def emit_wp_assigned(
        self,
        wp_id: str,
        agent_id: str,
        phase: str,
        retry_count: int = 0,
        feature_slug: str | None = None,
        *,
        causation_id: str | None = None,
    ) -> dict[str, Any] | None:
        """An agent took a work package on; `phase` is implementation or review."""
        fields = {
            "wp_id": wp_id,
            "agent_id": agent_id,
            "phase": phase,
            "retry_count": retry_count,
            "feature_slug": feature_slug,
        }
        return self._emit(Assignment, fields, wp_id, causation_id)

    def emit_feature_created(
        self,
        feature_slug: str,
        feature_number: str | None,
        target_branch: str,
        wp_count: int,
        created_at: str | None = None,
        *,
        causation_id: str | None = None,
    ) -> dict[str, Any] | None:
        """A feature came into being; `created_at` is RFC 3339, None for now."""
        fields = {
            "feature_slug": feature_slug,
            "feature_number": feature_number,
            "target_branch": target_branch,
            "wp_count": wp_count,
            "created_at": created_at or _now(),
        }
        return self._emit(FeatureCreation, fields, feature_slug, causation_id)

    def emit_feature_completed(
        self,
        feature_slug: str,
        total_wps: int,
        completed_at: str | None = None,
        total_duration: str | None = None,
        *,
        causation_id: str | None = None,
    ) -> dict[str, Any] | None:
        """All of a feature is done; `completed_at` is RFC 3339, None for now, `total_duration` ISO 8601."""
        fields = {
            "feature_slug": feature_slug,
            "total_wps": total_wps,
            "completed_at": completed_at or _now(),
            "total_duration": total_duration,
        }
        return self._emit(Completion, fields, feature_slug, causation_id)

    def emit_history_added(
        self,
        wp_id: str,
        entry_type: str,
        entry_content: str,
        author: str = "user",
        feature_slug: str | None = None,
        *,
        causation_id: str | None = None,
    ) -> dict[str, Any] | None:
        """A note that moves no lane; `entry_type` is note, review, error or comment."""
        fields = {
            "wp_id": wp_id,
            "entry_type": entry_type,
            "entry_content": entry_content,
            "author": author,
            "feature_slug": feature_slug,
        }
        return self._emit(HistoryEntry, fields, wp_id, causation_id)

    def emit_error_logged(
        self,
        wp_id: str | None,
        error_type: str,
        error_message: str,
        stack_trace: str | None = None,
        agent_id: str | None = None,
        feature_slug: str | None = None,
        *,
        causation_id: str | None = None,
    ) -> dict[str, Any] | None:
        """Something that a person should mend; `error_type` is validation, runtime, network, auth or unknown."""
        fields = {
            "wp_id": wp_id,
            "error_type": error_type,
            "error_message": error_message,
            "stack_trace": stack_trace,
            "agent_id": agent_id,
            "feature_slug": feature_slug,
        }
        return self._emit(LoggedError, fields, wp_id or feature_slug or "error", causation_id)

    def emit_dependency_resolved(
        self,
        wp_id: str,
        dependency_wp_id: str,
        resolution_type: str,
        feature_slug: str | None = None,
        *,
        causation_id: str | None = None,
    ) -> dict[str, Any] | None:
        """`wp_id` waits for `dependency_wp_id` no longer; `resolution_type` is completed, skipped or merged."""
        fields = {
            "wp_id": wp_id,
            "dependency_wp_id": dependency_wp_id,
            "resolution_type": resolution_type,
            "feature_slug": feature_slug,
        }
        return self._emit(Resolution, fields, wp_id, causation_id)

    def _emit(
        self, kind: type[Payload], fields: dict[str, Any], aggregate_id: str, causation_id: str | None
    ) -> dict[str, Any] | None:
        try:
            if "dependencies" in fields:
                fields["dependencies"] = list(fields["dependencies"])
            if kind is StatusChange and not {"previous_category", "new_category"} <= fields.keys():
                fields = _categories(fields["wp_id"], fields["previous_status"], fields["new_status"]) | fields
            payload = kind(**fields)
        except Exception as error:
            self.failed(error)
            return None
        of_package = fields.get("wp_id") is not None
        event = self.emit(payload, aggregate_id, "WorkPackage" if of_package else "Feature", causation_id=causation_id)
        if event is None:
            return None
        found: dict[str, Any] = msgspec.to_builtins(event)
        return found


def _categories(wp_id: object, previous: str, new: str) -> dict[str, str]:
    """What both lanes mean, but for spec-kitty 2's, which say it by themselves; raises InvalidEventError.

    A work package with an id of spec-kitty's has lanes of a closed list; any other is of a source whose lanes are its
    own.
    """
    scheme = scheme_of(previous, new)
    if scheme is SPEC_KITTY_2:
        return {}
    if scheme is not None:
        return {"previous_category": scheme.lanes[previous], "new_category": scheme.lanes[new]}
    if isinstance(wp_id, str) and _SPEC_KITTY_ID.match(wp_id):
        for field, lane in (("previous_status", previous), ("new_status", new)):
            if scheme_of(lane) is None:
                raise InvalidEventError("StatusChange", field, "No lane of any scheme")
        raise InvalidEventError("StatusChange", "new_status", "No lane of the other one's scheme")
    return {"previous_category": guessed_category(str(previous)), "new_category": guessed_category(str(new))}


def _now() -> str:
    return timestamp(datetime.now(UTC))
