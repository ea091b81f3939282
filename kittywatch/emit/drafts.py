"""From facts to events: identity, content ids, Lamport ticks, causation. Computes only, without files or store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from kittywatch.derive.facts import (
    AnnotationFact,
    Assigned,
    CompletionFact,
    ErrorFact,
    Fact,
    FeatureFact,
    Note,
    ResolutionFact,
    TransitionFact,
)
from kittywatch.derive.steps import Step
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
    facts: Iterable[Fact],
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
    for fact in facts:
        try:
            if isinstance(fact, CompletionFact):
                made.append(_completion_draft(fact, stamp, observer, _began(fact, made, first_moment)))
            else:
                made.append(_draft(fact, stamp, observer, causes))
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
    fact: FeatureFact | TransitionFact | AnnotationFact | ResolutionFact | ErrorFact,
    stamp: Stamp,
    observer: str,
    causes: dict[str, str],
) -> Draft:
    if isinstance(fact, FeatureFact):
        causes[fact.feature] = random_id()
        moment = fact.info.meta.created_at or timestamp(fact.moment)
        return _feature_draft(fact, stamp, observer, causes[fact.feature], moment)
    if isinstance(fact, TransitionFact):
        return _transition_draft(fact, observer, causes)
    if isinstance(fact, AnnotationFact):
        return _annotation_draft(fact, stamp, observer)
    if isinstance(fact, ResolutionFact):
        return _resolution_draft(fact, stamp, observer)
    return _error_draft(fact, stamp, observer)


def _transition_draft(fact: TransitionFact, observer: str, causes: dict[str, str]) -> Draft:
    told = fact.emitted
    package, step = told.package, told.step
    payload: Payload
    if step is None:
        payload, cause = Creation(**_creation_fields(package)), causes.get(package.feature)
    else:
        payload, cause = StatusChange(**_step_fields(package, step)), None
    source = _source(observer, fact.commit, package.path, record=step is not None and step.moment is not None)
    event_id = told.entry.event_id or ""
    return Draft(payload, package.wp_id, "WorkPackage", timestamp(told.moment), event_id, cause, source)


def _annotation_draft(fact: AnnotationFact, stamp: Stamp, observer: str) -> Draft:
    annotation, package = fact.annotation, fact.annotation.package
    when = timestamp(annotation.moment)
    payload: Payload
    if isinstance(annotation.what, Note):
        payload = HistoryEntry(
            wp_id=package.wp_id,
            entry_type=annotation.what.kind,
            entry_content=annotation.what.content,
            author=annotation.what.author,
            feature_slug=package.feature,
        )
        event_id = _identify(payload, package.wp_id, stamp, when)
    else:
        payload = Assignment(**_assignment_fields(package, annotation.what))
        event_id = (annotation.entry and annotation.entry.event_id) or ""
    source = _source(observer, fact.commit, package.path, record=annotation.place % 1 == 0)
    return Draft(payload, package.wp_id, "WorkPackage", when, event_id, None, source)


def _resolution_draft(fact: ResolutionFact, stamp: Stamp, observer: str) -> Draft:
    cause = fact.cause
    payload = Resolution(
        wp_id=fact.wp_id,
        dependency_wp_id=cause.wp_id,
        resolution_type=fact.how,
        feature_slug=cause.feature,
    )
    when = timestamp(cause.moment)
    event_id = _identify(payload, fact.wp_id, stamp, when)
    source = _source(observer, cause.commit, None)
    return Draft(payload, fact.wp_id, "WorkPackage", when, event_id, cause.event_id, source)


def _completion_draft(fact: CompletionFact, stamp: Stamp, observer: str, began: datetime) -> Draft:
    cause = fact.cause
    when = timestamp(cause.moment)
    payload = Completion(
        feature_slug=cause.feature,
        total_wps=fact.work_packages,
        completed_at=when,
        total_duration=duration(cause.moment - began),
    )
    event_id = _identify(payload, cause.feature, stamp, when)
    source = _source(observer, cause.commit, None)
    return Draft(payload, cause.feature, "Feature", when, event_id, cause.event_id, source)


def _began(fact: CompletionFact, made: Iterable[Draft], first_moment: FirstMoment) -> datetime:
    """When a feature began: with its creation, as that was told, else as its files or its first commit say.

    So a machine that took the feature in silently has the same duration as one that told all of it (rule O9).
    """
    feature = fact.cause.feature
    own = [draft for draft in made if getattr(draft.payload, "feature_slug", None) == feature]
    created = next((draft.timestamp for draft in own if isinstance(draft.payload, FeatureCreation)), None)
    known = created or first_moment(feature, "FeatureCreated") or fact.created_at
    moments = [known] if known else [first_moment(feature, None), *(draft.timestamp for draft in own)]
    return min((datetime.fromisoformat(one.upper()) for one in moments if one), default=fact.cause.moment)


def duration(span: timedelta) -> str:
    """A span of time as ISO 8601 has it, in whole seconds; P0D where it is none or runs backwards."""
    seconds = max(0, int(span.total_seconds()))
    days, rest = divmod(seconds, 86_400)
    parts = [(rest // 3600, "H"), (rest // 60 % 60, "M"), (rest % 60, "S")]
    time = "".join(f"{count}{unit}" for count, unit in parts if count)
    date = f"{days}D" if days or not time else ""
    return f"P{date}T{time}" if time else f"P{date}"


def _feature_draft(fact: FeatureFact, stamp: Stamp, observer: str, cause: str, moment: str) -> Draft:
    meta = fact.info.meta
    moment = timestamp(datetime.fromisoformat(moment.upper()))
    payload = FeatureCreation(
        feature_slug=fact.feature,
        feature_number=meta.number,
        target_branch=meta.target_branch or stamp.target_branch(),
        wp_count=fact.info.work_packages,
        created_at=moment,
    )
    event_id = _identify(payload, fact.feature, stamp, moment)
    source = _source(observer, fact.commit, None)
    return Draft(payload, fact.feature, "Feature", moment, event_id, cause, source)


def _error_draft(fact: ErrorFact, stamp: Stamp, observer: str) -> Draft:
    broken = fact.broken
    moment = timestamp(fact.moment)
    payload = LoggedError(
        wp_id=broken.wp_id,
        error_type="validation",
        error_message=_text(str(broken.problem)),
        stack_trace=None,
        agent_id=None,
        feature_slug=broken.feature,
    )
    owner, kind = (broken.wp_id, "WorkPackage") if broken.wp_id else (broken.feature, "Feature")
    source = _source(observer, fact.commit, broken.problem.path)
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
