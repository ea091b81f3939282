"""From tellings to events: identity, content ids, Lamport ticks, causation. Computes only, without files or store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from kittywatch.derive.book import BrokenTold, FeatureTold, PackageTold, Telling
from kittywatch.derive.steps import Step
from kittywatch.events import (
    EVENT_TYPES,
    SCHEMA_VERSION,
    Creation,
    Event,
    FeatureCreation,
    InvalidEventError,
    LoggedError,
    Payload,
    StatusChange,
    content_id,
    random_id,
)
from kittywatch.workpackages.reader import WorkPackage


class Stamp(Struct, frozen=True):
    """What every event of one checkout carries; see the contract for each field.

    `target_branch` is the repository's default branch, asked for only where a feature doesn't name its own.
    """

    project_uuid: str | None
    project_slug: str | None
    node_id: str
    build_id: str
    team_slug: str = "local"
    target_branch: Callable[[], str] = lambda: "main"

    def event_id(self, package: WorkPackage, step: Step | None, moment: datetime) -> str:
        """The id of the event that a creation or a step becomes (rule O9)."""
        fields = _step_fields(package, step) if step else _creation_fields(package)
        return content_id(
            project=self.project_uuid,
            event_type="WPStatusChanged" if step else "WPCreated",
            aggregate_id=package.wp_id,
            payload=fields,
            timestamp=timestamp(moment),
        )


class Draft(Struct, frozen=True):
    """An event that lacks its tick. `source` says where it came from, for `explain`."""

    payload: Payload
    aggregate_id: str
    aggregate_type: str
    timestamp: str
    event_id: str
    causation_id: str | None
    source: str


def timestamp(moment: datetime) -> str:
    """A moment as events carry it: UTC, RFC 3339, with a fraction only where there is one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def drafts(tellings: Iterable[Telling], stamp: Stamp, observer: str, warn: Callable[[str], None]) -> list[Draft]:
    """What is to be told, as events but for their ticks; an invalid one is left out, and `warn` names its field.

    A feature's creation and its work packages' share a causation id made for them.
    """
    made: list[Draft] = []
    causes: dict[str, str] = {}
    for telling in tellings:
        try:
            made.append(_draft(telling, stamp, observer, causes))
        except InvalidEventError as error:
            warn(f"an event was discarded: {error}")
    return made


def envelopes(made: Iterable[Draft], stamp: Stamp, first_tick: int, correlation_id: str) -> list[tuple[Event, str]]:
    """The events, ticking from `first_tick`, with their sources."""
    events: list[tuple[Event, str]] = []
    for tick, draft in enumerate(made, start=first_tick):
        kind: Any = EVENT_TYPES[type(draft.payload)]
        event = kind(
            event_id=draft.event_id,
            aggregate_id=draft.aggregate_id,
            aggregate_type=draft.aggregate_type,
            payload=draft.payload,
            node_id=stamp.node_id,
            build_id=stamp.build_id,
            lamport_clock=tick,
            causation_id=draft.causation_id,
            correlation_id=correlation_id,
            timestamp=draft.timestamp,
            team_slug=stamp.team_slug,
            project_uuid=stamp.project_uuid,
            project_slug=stamp.project_slug,
            schema_version=SCHEMA_VERSION,
        )
        events.append((event, draft.source))
    return events


def draft_by_hand(
    payload: Payload, aggregate: tuple[str, str], stamp: Stamp, moment: datetime, causation_id: str | None
) -> Draft:
    """An event that a script or a person states; `aggregate` is its id and its type."""
    when = timestamp(moment)
    event_id = _identify(payload, aggregate[0], stamp, when)
    return Draft(payload, *aggregate, when, event_id, causation_id, _source("hand", None, None))


def _draft(telling: Telling, stamp: Stamp, observer: str, causes: dict[str, str]) -> Draft:
    if isinstance(telling, FeatureTold):
        causes[telling.feature] = random_id()
        moment = telling.facts.meta.created_at or timestamp(telling.moment)
        return _feature_draft(telling, stamp, observer, causes[telling.feature], moment)
    if isinstance(telling, PackageTold):
        return _package_draft(telling, observer, causes)
    return _broken_draft(telling, stamp, observer)


def _package_draft(telling: PackageTold, observer: str, causes: dict[str, str]) -> Draft:
    told = telling.told
    package, step = told.package, told.step
    payload: Payload
    if step is None:
        payload, cause = Creation(**_creation_fields(package)), causes.get(package.feature)
    else:
        payload, cause = StatusChange(**_step_fields(package, step)), None
    source = _source(observer, telling.commit, package.path, record=step is not None and step.moment is not None)
    event_id = told.entry.event_id or ""
    return Draft(payload, package.wp_id, "WorkPackage", timestamp(told.moment), event_id, cause, source)


def _feature_draft(telling: FeatureTold, stamp: Stamp, observer: str, cause: str, moment: str) -> Draft:
    meta = telling.facts.meta
    moment = timestamp(datetime.fromisoformat(moment.upper()))
    payload = FeatureCreation(
        feature_slug=telling.feature,
        feature_number=meta.number,
        target_branch=meta.target_branch or stamp.target_branch(),
        wp_count=telling.facts.work_packages,
        created_at=moment,
    )
    event_id = _identify(payload, telling.feature, stamp, moment)
    source = _source(observer, telling.commit, None)
    return Draft(payload, telling.feature, "Feature", moment, event_id, cause, source)


def _broken_draft(telling: BrokenTold, stamp: Stamp, observer: str) -> Draft:
    broken = telling.broken
    moment = timestamp(telling.moment)
    payload = LoggedError(
        wp_id=broken.wp_id,
        error_type="validation",
        error_message=_text(str(broken.problem)),
        stack_trace=None,
        agent_id=None,
        feature_slug=broken.feature,
    )
    owner, kind = (broken.wp_id, "WorkPackage") if broken.wp_id else (broken.feature, "Feature")
    source = _source(observer, telling.commit, broken.problem.path)
    return Draft(payload, owner, kind, moment, _identify(payload, owner, stamp, moment), None, source)


def _identify(payload: Payload, aggregate_id: str, stamp: Stamp, moment: str) -> str:
    return content_id(
        project=stamp.project_uuid,
        event_type=EVENT_TYPES[type(payload)].__name__,
        aggregate_id=aggregate_id,
        payload=msgspec.to_builtins(payload),
        timestamp=moment,
    )


def _step_fields(package: WorkPackage, step: Step) -> dict[str, Any]:
    return {
        "wp_id": package.wp_id,
        "previous_status": step.previous,
        "new_status": step.new,
        "changed_by": step.agent,
        "feature_slug": package.feature,
    }


def _creation_fields(package: WorkPackage) -> dict[str, Any]:
    return {
        "wp_id": package.wp_id,
        "title": package.title,
        "dependencies": list(package.dependencies or ()),
        "feature_slug": package.feature,
    }


def _source(observer: str, commit: str | None, path: str | None, *, record: bool = False) -> str:
    fields = {"observer": observer, "commit": commit, "path": path and _text(path), "record": record}
    return json.dumps({key: value for key, value in fields.items() if value}, ensure_ascii=False)


def _text(value: str) -> str:
    """Text that can stand in JSON; what is not UTF-8 in a path (surrogates here) cannot."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
