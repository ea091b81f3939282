"""The eight payloads of the contract. `feature_slug` is the feature: a directory's name, a milestone, a tag.

Optional fields came with version 1.1.0, and so did lanes and ids of other sources than spec-kitty 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from kittywatch.events.fields import (
    FOUR_LANES,
    CategoryName,
    Checked,
    Count,
    DateTime,
    FeatureName,
    FeatureNumber,
    InvalidEventError,
    LaneName,
    Text,
    WorkPackageId,
    first_optional,
)


class StatusChange(Checked, frozen=True):
    """A work package went from one lane to another.

    The categories are what both lanes mean; without them the lanes are spec-kitty 2's. `lane_now` is the lane that the
    source gives as a whole, where this transition is older than one that was emitted before. `force`, `execution_mode`
    and `review_ref` are the source's; `reason` and `evidence` too, only for a project that shares them.
    """

    wp_id: WorkPackageId
    previous_status: LaneName
    new_status: LaneName
    changed_by: Text
    feature_slug: str | None
    previous_category: CategoryName | UnsetType = UNSET
    new_category: CategoryName | UnsetType = UNSET
    lane_now: LaneName | UnsetType = UNSET
    force: bool | UnsetType = UNSET
    execution_mode: Text | UnsetType = UNSET
    review_ref: Text | UnsetType = UNSET
    reason: Text | UnsetType = UNSET
    evidence: dict[str, Any] | UnsetType = UNSET


class Creation(Checked, frozen=True):
    """A work package was seen for the first time; `dependencies` are distinct work package ids."""

    wp_id: WorkPackageId
    title: Text
    dependencies: Annotated[list[WorkPackageId], Meta(extra_json_schema={"uniqueItems": True})]
    feature_slug: Text

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.dependencies)) != len(self.dependencies):
            raise InvalidEventError("Creation", "dependencies", "Expected distinct ids")


class Actor(Checked, frozen=True):
    """What a source knows of an agent; at least one of them."""

    role: Text | UnsetType = UNSET
    profile: Text | UnsetType = UNSET
    tool: Text | UnsetType = UNSET
    model: Text | UnsetType = UNSET


class Assignment(Checked, frozen=True):
    """An agent took a work package on; `retry_count` counts the agents before it in the same phase."""

    wp_id: WorkPackageId
    agent_id: Text
    phase: Literal["implementation", "review"]
    retry_count: Count
    feature_slug: str | None
    actor: Actor | UnsetType = UNSET


class FeatureCreation(Checked, frozen=True):
    """A feature was seen for the first time with work packages; `feature_number` is None where it has none."""

    feature_slug: FeatureName
    feature_number: FeatureNumber | None
    target_branch: Text
    wp_count: Count
    created_at: DateTime


class Completion(Checked, frozen=True):
    """The last work package of a feature reached done; `total_duration` is an ISO 8601 duration."""

    feature_slug: Text
    total_wps: Count
    completed_at: DateTime
    total_duration: str | None


class HistoryEntry(Checked, frozen=True):
    """A note that moves no lane."""

    wp_id: WorkPackageId
    entry_type: Literal["note", "review", "error", "comment"]
    entry_content: Text
    author: Text
    feature_slug: str | None


class LoggedError(Checked, frozen=True):
    """Something that a person should mend; neither secrets nor file contents. `wp_id` may be the invalid one."""

    wp_id: str | None
    error_type: Literal["validation", "runtime", "network", "auth", "unknown"]
    error_message: Text
    stack_trace: str | None
    agent_id: str | None
    feature_slug: str | None


class Resolution(Checked, frozen=True):
    """`dependency_wp_id` reached done, so `wp_id` waits for it no longer."""

    wp_id: WorkPackageId
    dependency_wp_id: WorkPackageId
    resolution_type: Literal["completed", "skipped", "merged"]
    feature_slug: str | None


Payload: TypeAlias = (
    StatusChange | Creation | Assignment | FeatureCreation | Completion | HistoryEntry | LoggedError | Resolution
)


_OLD_ID = re.compile(r"WP[0-9]{2}\Z", re.ASCII)


def is_old_id(value: object) -> bool:
    """Whether a work package's id is one of those that version 1.0.0 has, like WP01."""
    return isinstance(value, str) and _OLD_ID.match(value) is not None


_OLD: dict[str, Callable[[Any], bool]] = {
    "previous_status": FOUR_LANES.__contains__,
    "new_status": FOUR_LANES.__contains__,
    "dependency_wp_id": is_old_id,
    "dependencies": lambda ids: all(map(is_old_id, ids)),
}


def beyond_1_0(payload: Payload) -> str | None:
    """The first field of a payload that version 1.0.0 of the contract can't say; None where it can say all of it."""
    for field in payload.__struct_fields__:
        if field == "wp_id":
            known = isinstance(payload, LoggedError) or is_old_id(getattr(payload, field))
        else:
            known = field not in _OLD or _OLD[field](getattr(payload, field))
        if not known:
            return field
    return first_optional(payload)
