"""From tellings to events: identity, content ids, Lamport ticks, causation. Computes only, without files or store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from kittywatch.derive.beside import Note
from kittywatch.derive.settle import Assigned
from kittywatch.derive.steps import Step
from kittywatch.derive.tellings import (
    BesideTold,
    BrokenTold,
    CompletedTold,
    FeatureTold,
    PackageTold,
    ResolvedTold,
    Telling,
)
from kittywatch.events import (
    EVENT_TYPES,
    SCHEMA_VERSION,
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
    content_id,
    random_id,
)
from kittywatch.workpackages.reader import WorkPackage

FirstMoment: TypeAlias = Callable[[str, str | None], str | None]


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

    def event_id(self, package: WorkPackage, what: Step | Assigned | None, moment: datetime) -> str:
        """The id of the event that a creation, a step or an assignment becomes (rule O9)."""
        if isinstance(what, Assigned):
            kind, fields = "WPAssigned", _assignment_fields(package, what)
        elif what is not None:
            kind, fields = "WPStatusChanged", _step_fields(package, what)
        else:
            kind, fields = "WPCreated", _creation_fields(package)
        return content_id(
            project=self.project_uuid,
            event_type=kind,
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


def drafts(
    tellings: Iterable[Telling],
    stamp: Stamp,
    observer: str,
    warn: Callable[[str], None],
    first_moment: FirstMoment = lambda feature, event_type: None,
) -> list[Draft]:
    """What is to be told, as events but for their ticks; an invalid one is left out, and `warn` names its field.

    A feature's creation and its work packages' share a causation id made for them. `first_moment` says when a
    feature's first event (of a type) was, as far as it was told before.
    """
    made: list[Draft] = []
    causes: dict[str, str] = {}
    for telling in tellings:
        try:
            if isinstance(telling, CompletedTold):
                made.append(_completion_draft(telling, stamp, observer, _began(telling, made, first_moment)))
            else:
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


def _draft(
    telling: FeatureTold | PackageTold | BesideTold | ResolvedTold | BrokenTold,
    stamp: Stamp,
    observer: str,
    causes: dict[str, str],
) -> Draft:
    if isinstance(telling, FeatureTold):
        causes[telling.feature] = random_id()
        moment = telling.facts.meta.created_at or timestamp(telling.moment)
        return _feature_draft(telling, stamp, observer, causes[telling.feature], moment)
    if isinstance(telling, PackageTold):
        return _package_draft(telling, observer, causes)
    if isinstance(telling, BesideTold):
        return _beside_draft(telling, stamp, observer)
    if isinstance(telling, ResolvedTold):
        return _resolution_draft(telling, stamp, observer)
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


def _beside_draft(telling: BesideTold, stamp: Stamp, observer: str) -> Draft:
    beside, package = telling.beside, telling.beside.package
    when = timestamp(beside.moment)
    payload: Payload
    if isinstance(beside.what, Note):
        payload = HistoryEntry(
            wp_id=package.wp_id,
            entry_type=beside.what.kind,
            entry_content=beside.what.content,
            author=beside.what.author,
            feature_slug=package.feature,
        )
        event_id = _identify(payload, package.wp_id, stamp, when)
    else:
        payload = Assignment(**_assignment_fields(package, beside.what))
        event_id = (beside.entry and beside.entry.event_id) or ""
    source = _source(observer, telling.commit, package.path, record=beside.place % 1 == 0)
    return Draft(payload, package.wp_id, "WorkPackage", when, event_id, None, source)


def _resolution_draft(telling: ResolvedTold, stamp: Stamp, observer: str) -> Draft:
    cause = telling.cause
    payload = Resolution(
        wp_id=telling.wp_id,
        dependency_wp_id=cause.wp_id,
        resolution_type=telling.how,
        feature_slug=cause.feature,
    )
    when = timestamp(cause.moment)
    event_id = _identify(payload, telling.wp_id, stamp, when)
    source = _source(observer, cause.commit, None)
    return Draft(payload, telling.wp_id, "WorkPackage", when, event_id, cause.event_id, source)


def _completion_draft(telling: CompletedTold, stamp: Stamp, observer: str, began: datetime) -> Draft:
    cause = telling.cause
    when = timestamp(cause.moment)
    payload = Completion(
        feature_slug=cause.feature,
        total_wps=telling.work_packages,
        completed_at=when,
        total_duration=duration(cause.moment - began),
    )
    event_id = _identify(payload, cause.feature, stamp, when)
    source = _source(observer, cause.commit, None)
    return Draft(payload, cause.feature, "Feature", when, event_id, cause.event_id, source)


def _began(telling: CompletedTold, made: Iterable[Draft], first_moment: FirstMoment) -> datetime:
    """When a feature began: with its creation, as that was told, else as its files or its first commit say.

    So a machine that took the feature in silently has the same duration as one that told all of it (rule O9).
    """
    feature = telling.cause.feature
    own = [draft for draft in made if getattr(draft.payload, "feature_slug", None) == feature]
    created = next((draft.timestamp for draft in own if isinstance(draft.payload, FeatureCreation)), None)
    known = created or first_moment(feature, "FeatureCreated") or telling.created_at
    moments = [known] if known else [first_moment(feature, None), *(draft.timestamp for draft in own)]
    return min((datetime.fromisoformat(one.upper()) for one in moments if one), default=telling.cause.moment)


def duration(span: timedelta) -> str:
    """A span of time as ISO 8601 has it, in whole seconds; P0D where it is none or runs backwards."""
    seconds = max(0, int(span.total_seconds()))
    days, rest = divmod(seconds, 86_400)
    parts = [(rest // 3600, "H"), (rest // 60 % 60, "M"), (rest % 60, "S")]
    time = "".join(f"{count}{unit}" for count, unit in parts if count)
    date = f"{days}D" if days or not time else ""
    return f"P{date}T{time}" if time else f"P{date}"


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


def _assignment_fields(package: WorkPackage, assigned: Assigned) -> dict[str, Any]:
    return {
        "wp_id": package.wp_id,
        "agent_id": assigned.agent,
        "phase": assigned.phase,
        "retry_count": assigned.retry_count,
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
