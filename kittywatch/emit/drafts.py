"""Event drafts: facts with identity, content ids and causation; and the envelopes that they become. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

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
from kittywatch.emit.times import duration, timestamp
from kittywatch.events import (
    EVENT_TYPES,
    Actor,
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
    beyond_1_0,
    content_id,
    random_id,
)
from kittywatch.workpackages.layout import as_text
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.schemes import SPEC_KITTY_2
from kittywatch.workpackages.stated import Who

FirstMoment: TypeAlias = Callable[[str, str | None], str | None]


class EnvelopeContext(Struct, frozen=True):
    """Fields that every event of one checkout carries; see the contract for each.

    `target_branch` is the repository's default branch, asked for only where a feature doesn't name its own. Reasons,
    evidence and notes of a source that may hold paths and names go out only with `share_reasons` (rule E8).
    """

    project_uuid: str | None
    project_slug: str | None
    node_id: str
    build_id: str
    team_slug: str = "local"
    share_reasons: bool = False
    target_branch: Callable[[], str] = lambda: "main"

    def event_id(self, package: WorkPackage, what: Step | Assigned | None, moment: datetime) -> str:
        """The id of the event that a step, an assignment, or a creation (`what` is None) becomes (rule O9).

        A step that its source states with a ULID has that one; with any other id, nothing goes into it that is
        written again later, with another name of the agent, say (rule E7).
        """
        if isinstance(what, Step) and what.stated is not None:
            if what.stated.is_ulid:
                return what.stated.id
            return content_id(
                project=self.project_uuid,
                event_type="WPStatusChanged",
                aggregate_id=package.wp_id,
                payload={"id": what.stated.id},
                timestamp=timestamp(moment),
            )
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


class EventDraft(Struct, frozen=True):
    """An event that lacks its tick. `source` is JSON that says where it came from, for `explain`.

    `lane_source` is what stated it, None for whatever version 1.0.0 of the contract can say.
    """

    payload: Payload
    aggregate_id: str
    aggregate_type: str
    timestamp: str
    event_id: str
    causation_id: str | None
    source: str
    lane_source: str | None = None


def drafts(
    facts: Iterable[Fact],
    context: EnvelopeContext,
    observer: str,
    warn: Callable[[str], None],
    first_moment: FirstMoment = lambda feature, event_type: None,
) -> list[EventDraft]:
    """Make the events of facts, but for their ticks; an invalid one is left out, and `warn` gets its field's name.

    A feature's creation and its work packages' share a causation id made for them. `first_moment` gives the RFC 3339
    timestamp of a feature's first event (of a type) that was emitted before, None if there is none.
    """
    made: list[EventDraft] = []
    causes: dict[str, str] = {}
    for fact in facts:
        try:
            if isinstance(fact, CompletionFact):
                made.append(_completion_draft(fact, context, observer, _began(fact, made, first_moment)))
            elif not (isinstance(fact, AnnotationFact) and _is_kept_back(fact, context)):
                made.append(_draft(fact, context, observer, causes))
        except InvalidEventError as error:
            warn(f"an event was discarded: {error}")
    return made


def envelopes(
    made: Iterable[EventDraft], context: EnvelopeContext, first_tick: int, correlation_id: str
) -> list[tuple[Event, str]]:
    """The events of drafts, ticking from `first_tick` by one, each with its source."""
    events: list[tuple[Event, str]] = []
    for tick, draft in enumerate(made, start=first_tick):
        kind: Any = EVENT_TYPES[type(draft.payload)]
        is_old = beyond_1_0(draft.payload) is None
        event = kind(
            event_id=draft.event_id,
            aggregate_id=draft.aggregate_id,
            aggregate_type=draft.aggregate_type,
            payload=draft.payload,
            node_id=context.node_id,
            build_id=context.build_id,
            lamport_clock=tick,
            causation_id=draft.causation_id,
            correlation_id=correlation_id,
            timestamp=draft.timestamp,
            team_slug=context.team_slug,
            project_uuid=context.project_uuid,
            project_slug=context.project_slug,
            schema_version="1.0.0" if is_old else "1.1.0",
            **({} if is_old else _where_from(draft)),
        )
        events.append((event, draft.source))
    return events


def _where_from(draft: EventDraft) -> dict[str, str]:
    """The fields of the envelope that say where an event came from, as far as it is known (version 1.1.0)."""
    stated = json.loads(draft.source)
    observer = "by hand" if stated.get("observer") == "hand" else stated.get("observer")
    fields = {"source": draft.lane_source, "observer": observer, "commit": stated.get("commit")}
    return {key: value for key, value in fields.items() if value}


def manual_draft(
    payload: Payload, aggregate: tuple[str, str], context: EnvelopeContext, moment: datetime, causation_id: str | None
) -> EventDraft:
    """Draft an event that a script or a person states; `aggregate` is its id and its type."""
    when = timestamp(moment)
    event_id = _identify(payload, aggregate[0], context, when)
    return EventDraft(payload, *aggregate, when, event_id, causation_id, _source("hand", None, None))


def _is_kept_back(fact: AnnotationFact, context: EnvelopeContext) -> bool:
    """Whether a text stays on this machine."""
    what = fact.annotation.what
    return isinstance(what, Note) and what.is_private and not context.share_reasons


def _draft(
    fact: FeatureFact | TransitionFact | AnnotationFact | ResolutionFact | ErrorFact,
    context: EnvelopeContext,
    observer: str,
    causes: dict[str, str],
) -> EventDraft:
    if isinstance(fact, FeatureFact):
        causes[fact.feature] = random_id()
        moment = fact.info.meta.created_at or timestamp(fact.moment)
        return _feature_draft(fact, context, observer, causes[fact.feature], moment)
    if isinstance(fact, TransitionFact):
        return _transition_draft(fact, context, observer, causes)
    if isinstance(fact, AnnotationFact):
        return _annotation_draft(fact, context, observer)
    if isinstance(fact, ResolutionFact):
        return _resolution_draft(fact, context, observer)
    return _error_draft(fact, context, observer)


def _transition_draft(
    fact: TransitionFact, context: EnvelopeContext, observer: str, causes: dict[str, str]
) -> EventDraft:
    emitted = fact.emitted
    package, step = emitted.package, emitted.step
    payload: Payload
    if step is None:
        payload, cause = Creation(**_creation_fields(package)), causes.get(package.feature)
    else:
        payload, cause = StatusChange(**_step_fields(package, step), **_stated_fields(step, context)), None
    is_recorded = step is not None and step.moment is not None
    source = _source(observer, fact.commit, package.path, record=is_recorded, home=package.home)
    event_id, when = emitted.entry.event_id or "", timestamp(emitted.moment)
    return EventDraft(payload, package.wp_id, "WorkPackage", when, event_id, cause, source, package.source)


def _annotation_draft(fact: AnnotationFact, context: EnvelopeContext, observer: str) -> EventDraft:
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
        event_id = _identify(payload, package.wp_id, context, when)
    else:
        payload = Assignment(**_assignment_fields(package, annotation.what), actor=_actor(annotation.what.who))
        event_id = (annotation.entry and annotation.entry.event_id) or ""
    source = _source(observer, fact.commit, package.path, record=annotation.place % 1 == 0, home=package.home)
    return EventDraft(payload, package.wp_id, "WorkPackage", when, event_id, None, source, package.source)


def _resolution_draft(fact: ResolutionFact, context: EnvelopeContext, observer: str) -> EventDraft:
    cause = fact.cause
    payload = Resolution(
        wp_id=fact.wp_id,
        dependency_wp_id=cause.wp_id,
        resolution_type=fact.how,
        feature_slug=fact.feature,
    )
    when = timestamp(cause.moment)
    event_id = _identify(payload, fact.wp_id, context, when)
    source = _source(observer, cause.commit, None)
    return EventDraft(payload, fact.wp_id, "WorkPackage", when, event_id, cause.event_id, source)


def _completion_draft(fact: CompletionFact, context: EnvelopeContext, observer: str, began: datetime) -> EventDraft:
    cause = fact.cause
    when = timestamp(cause.moment)
    payload = Completion(
        feature_slug=cause.feature,
        total_wps=fact.work_packages,
        completed_at=when,
        total_duration=duration(cause.moment - began),
    )
    event_id = _identify(payload, cause.feature, context, when)
    source = _source(observer, cause.commit, None)
    return EventDraft(payload, cause.feature, "Feature", when, event_id, cause.event_id, source)


def _began(fact: CompletionFact, made: Iterable[EventDraft], first_moment: FirstMoment) -> datetime:
    """The moment a feature began: its creation as emitted, else as its files say, else its first event.

    So a machine that recorded the feature silently has the same duration as one that emitted all of it (rule O9).
    """
    feature = fact.cause.feature
    own = [draft for draft in made if getattr(draft.payload, "feature_slug", None) == feature]
    created = next((draft.timestamp for draft in own if isinstance(draft.payload, FeatureCreation)), None)
    known = created or first_moment(feature, "FeatureCreated") or fact.created_at
    moments = [known] if known else [first_moment(feature, None), *(draft.timestamp for draft in own)]
    return min((datetime.fromisoformat(one.upper()) for one in moments if one), default=fact.cause.moment)


def _feature_draft(fact: FeatureFact, context: EnvelopeContext, observer: str, cause: str, moment: str) -> EventDraft:
    meta = fact.info.meta
    moment = timestamp(datetime.fromisoformat(moment.upper()))
    payload = FeatureCreation(
        feature_slug=fact.feature,
        feature_number=meta.number,
        target_branch=meta.target_branch or context.target_branch(),
        wp_count=fact.info.work_packages,
        created_at=moment,
    )
    event_id = _identify(payload, fact.feature, context, moment)
    source = _source(observer, fact.commit, None)
    return EventDraft(payload, fact.feature, "Feature", moment, event_id, cause, source)


def _error_draft(fact: ErrorFact, context: EnvelopeContext, observer: str) -> EventDraft:
    broken = fact.broken
    moment = timestamp(fact.moment)
    payload = LoggedError(
        wp_id=broken.wp_id,
        error_type="validation",
        error_message=as_text(str(broken.problem)),
        stack_trace=None,
        agent_id=None,
        feature_slug=broken.feature,
    )
    owner, kind = (broken.wp_id, "WorkPackage") if broken.wp_id else (broken.feature, "Feature")
    source = _source(observer, fact.commit, broken.problem.path)
    return EventDraft(payload, owner, kind, moment, _identify(payload, owner, context, moment), None, source)


def _identify(payload: Payload, aggregate_id: str, context: EnvelopeContext, moment: str) -> str:
    return content_id(
        project=context.project_uuid,
        event_type=EVENT_TYPES[type(payload)].__name__,
        aggregate_id=aggregate_id,
        payload=msgspec.to_builtins(payload),
        timestamp=moment,
    )


def _step_fields(package: WorkPackage, step: Step) -> dict[str, Any]:
    scheme = package.scheme
    fields = {
        "wp_id": package.wp_id,
        "previous_status": step.previous,
        "new_status": step.new,
        "changed_by": step.agent,
        "feature_slug": package.feature,
    }
    if scheme is SPEC_KITTY_2:
        return fields
    categories = {"previous_category": scheme.category(step.previous) or "backlog"}
    return {**fields, **categories, "new_category": scheme.category(step.new)}


def _stated_fields(step: Step, context: EnvelopeContext) -> dict[str, Any]:
    """What a source says of a step beside its lanes, as far as it may be known elsewhere (rule E8)."""
    stated = step.stated
    if stated is None:
        return {}
    fields = {
        "lane_now": step.lane_now,
        "force": stated.force,
        "execution_mode": stated.execution_mode,
        "review_ref": stated.review_ref,
        "reason": stated.reason if context.share_reasons else None,
        "evidence": json.loads(stated.evidence) if context.share_reasons and stated.evidence else None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _actor(who: Who | None) -> Actor | UnsetType:
    if who is None:
        return UNSET
    return Actor(**{key: value for key, value in msgspec.structs.asdict(who).items() if value is not None})


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


def _source(
    observer: str, commit: str | None, path: str | None, *, record: bool = False, home: str | None = None
) -> str:
    fields = {"observer": observer, "commit": commit, "path": path and as_text(path), "record": record, "home": home}
    return json.dumps({key: value for key, value in fields.items() if value}, ensure_ascii=False)
