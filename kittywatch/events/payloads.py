"""The eight payloads of the contract. `feature_slug` is the name of the directory under `kitty-specs/`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from kittywatch.events.fields import (
    Checked,
    Count,
    DateTime,
    FeatureName,
    FeatureNumber,
    InvalidEventError,
    LaneName,
    Text,
    WorkPackageId,
)


class StatusChange(Checked, frozen=True):
    """A work package went from one lane to another."""

    wp_id: WorkPackageId
    previous_status: LaneName
    new_status: LaneName
    changed_by: Text
    feature_slug: str | None


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


class Assignment(Checked, frozen=True):
    """An agent took a work package on; `retry_count` counts the agents before it in the same phase."""

    wp_id: WorkPackageId
    agent_id: Text
    phase: Literal["implementation", "review"]
    retry_count: Count
    feature_slug: str | None


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
