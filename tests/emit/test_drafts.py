"""From facts to events."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from ulid import ULID

from kittywatch.derive.changes import BrokenContent, FeatureInfo
from kittywatch.derive.facts import EmittedStep, ErrorFact, FeatureFact, TransitionFact
from kittywatch.derive.ledger import Entry
from kittywatch.derive.steps import Step
from kittywatch.emit.drafts import EnvelopeContext, EventDraft, drafts, envelopes, manual_draft
from kittywatch.emit.times import timestamp
from kittywatch.events import FeatureCreation, InvalidEventError, LoggedError, StatusChange, to_json
from kittywatch.workpackages.features import read_meta
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import Problem, WorkPackage, read_work_package
from tests.builders import FEATURE, PATH, work_package_text

CONTEXT = EnvelopeContext(
    project_uuid="7a4e4b0e-52a6-4c0a-9d7e-0d5f3b1c2a10",
    project_slug="shop",
    node_id="0123456789ab",
    build_id="build",
    target_branch=lambda: "trunk",
)
MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
STEP = Step("planned", "doing", "claude", None)
CAUSE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def _package(*, title: str = "Build it") -> WorkPackage:
    package = read_work_package(PATH, work_package_text(lane="doing", title=title).encode(), LaneNames())
    assert isinstance(package, WorkPackage)
    return package


def _emitted(package: WorkPackage, step: Step | None, *, commit: str | None = "c1") -> TransitionFact:
    event_id = CONTEXT.event_id(package, step, MOMENT)
    entry = Entry("step" if step else "created", "emitted", "doing", event_id=event_id)
    return TransitionFact(EmittedStep(package, step, MOMENT, entry), commit)


def _feature(meta: bytes | None = None, *, moment: datetime = MOMENT) -> FeatureFact:
    return FeatureFact(FEATURE, FeatureInfo(read_meta(meta, FEATURE), 3), moment, "c1")


def _unexpected(message: str) -> None:
    raise AssertionError(message)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (MOMENT, "2026-01-31T12:00:00Z"),
        (MOMENT.replace(microsecond=120_000), "2026-01-31T12:00:00.120000Z"),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2026-01-31T06:30:00Z"),
    ],
)
def test_moments_are_utc(moment: datetime, expected: str) -> None:
    assert timestamp(moment) == expected


def test_one_observation_shares_a_correlation_and_a_creation_its_cause() -> None:
    package = _package()
    made = drafts([_feature(), _emitted(package, None), _emitted(package, STEP)], CONTEXT, "replay", _unexpected)
    events = [event for event, _ in envelopes(made, CONTEXT, 5, CAUSE)]
    assert [type(event).__name__ for event in events] == ["FeatureCreated", "WPCreated", "WPStatusChanged"]
    assert [event.lamport_clock for event in events] == [5, 6, 7]
    assert {event.correlation_id for event in events} == {CAUSE}
    feature, creation, step = events
    assert feature.causation_id is not None
    assert feature.causation_id == creation.causation_id
    assert step.causation_id is None


def _id(kind: str, aggregate: str, payload: dict[str, object]) -> str:
    """Rule O9 once more, by other means."""
    content = {
        "type": kind,
        "aggregate": aggregate,
        "payload": payload,
        "timestamp": "2026-01-31T12:00:00Z",
        "project": CONTEXT.project_uuid,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    milliseconds = int(MOMENT.timestamp() * 1000)
    return str(ULID(milliseconds.to_bytes(6, "big") + hashlib.sha256(text.encode()).digest()[:10]))


def test_an_event_id_is_a_function_of_its_content() -> None:
    package = _package(title="Für alle")
    made = drafts([_feature(), _emitted(package, None), _emitted(package, STEP)], CONTEXT, "replay", _unexpected)
    assert [draft.event_id for draft in made] == [
        _id(
            "FeatureCreated",
            FEATURE,
            {
                "feature_slug": FEATURE,
                "feature_number": "001",
                "target_branch": "trunk",
                "wp_count": 3,
                "created_at": "2026-01-31T12:00:00Z",
            },
        ),
        _id(
            "WPCreated",
            "WP01",
            {"wp_id": "WP01", "title": "Für alle", "dependencies": [], "feature_slug": FEATURE},
        ),
        _id(
            "WPStatusChanged",
            "WP01",
            {
                "wp_id": "WP01",
                "previous_status": "planned",
                "new_status": "doing",
                "changed_by": "claude",
                "feature_slug": FEATURE,
            },
        ),
    ]


def test_what_stamps_an_event_is_not_in_its_id() -> None:
    other = EnvelopeContext(CONTEXT.project_uuid, "renamed", "ba9876543210", "other", team_slug="acme")
    package = _package()
    assert other.event_id(package, STEP, MOMENT) == CONTEXT.event_id(package, STEP, MOMENT)
    project = EnvelopeContext("0b7f5d0c-9f3c-4a55-8d42-5f3f3f0d6a11", "shop", "0123456789ab", "build")
    assert project.event_id(package, STEP, MOMENT) != CONTEXT.event_id(package, STEP, MOMENT)
    later = MOMENT + timedelta(microseconds=1)
    assert CONTEXT.event_id(package, STEP, later) != CONTEXT.event_id(package, STEP, MOMENT)


def test_the_id_of_a_fact_is_that_of_its_entry() -> None:
    (draft,) = drafts([_emitted(_package(), STEP)], CONTEXT, "hook", _unexpected)
    assert draft.event_id == manual_draft(draft.payload, ("WP01", "WorkPackage"), CONTEXT, MOMENT, None).event_id


def test_a_feature_says_what_its_files_say_and_else_what_is_known() -> None:
    meta = json.dumps({"target_branch": "2.x", "created_at": "2026-01-01T10:00:00+02:00", "feature_number": "007"})
    (stated,) = drafts([_feature(meta.encode())], CONTEXT, "scan", _unexpected)
    (bare,) = drafts([_feature()], CONTEXT, "scan", _unexpected)
    assert stated.payload == FeatureCreation(
        feature_slug=FEATURE,
        feature_number="007",
        target_branch="2.x",
        wp_count=3,
        created_at="2026-01-01T08:00:00Z",
    )
    assert stated.timestamp == "2026-01-01T08:00:00Z"
    assert isinstance(bare.payload, FeatureCreation)
    assert (bare.payload.target_branch, bare.payload.created_at) == ("trunk", "2026-01-31T12:00:00Z")


def test_a_broken_content_is_an_error_of_its_work_package_or_its_feature() -> None:
    problem = Problem(f"{PATH}\udcff", 3, "it is not UTF-8")
    for wp_id, aggregate in (("WP01", ("WP01", "WorkPackage")), (None, (FEATURE, "Feature"))):
        fact = ErrorFact(BrokenContent(problem, FEATURE, wp_id, "abc"), MOMENT, None)
        made = drafts([fact], CONTEXT, "watch", _unexpected)
        assert [(draft.aggregate_id, draft.aggregate_type) for draft in made] == [aggregate]
        payload = made[0].payload
        assert isinstance(payload, LoggedError)
        assert payload.error_type == "validation"
        assert PATH in payload.error_message
        ((event, source),) = envelopes(made, CONTEXT, 1, CAUSE)
        to_json(event)
        assert json.loads(source) == {"observer": "watch", "path": f"{PATH}�"}


def test_an_invalid_event_is_left_out_and_its_field_named() -> None:
    warnings: list[str] = []
    bad = _emitted(_package(), Step("planned", "doing", "", None))
    good = _emitted(_package(), STEP)
    made = drafts([bad, good], CONTEXT, "watch", warnings.append)
    assert len(made) == 1
    (warning,) = warnings
    assert warning.startswith("an event was discarded: StatusChange: field changed_by: ")


def test_where_an_event_came_from() -> None:
    record = Step("planned", "doing", "claude", MOMENT)
    made = drafts([_emitted(_package(), STEP), _emitted(_package(), record, commit=None)], CONTEXT, "hook", _unexpected)
    assert [json.loads(draft.source) for draft in made] == [
        {"observer": "hook", "commit": "c1", "path": PATH},
        {"observer": "hook", "path": PATH, "record": True},
    ]


def test_by_hand() -> None:
    payload = StatusChange(
        wp_id="WP01", previous_status="planned", new_status="doing", changed_by="claude", feature_slug=FEATURE
    )
    draft = manual_draft(payload, ("WP01", "WorkPackage"), CONTEXT, MOMENT, CAUSE)
    assert json.loads(draft.source) == {"observer": "hand"}
    ((event, _),) = envelopes([draft], CONTEXT, 9, CAUSE)
    assert (event.causation_id, event.lamport_clock, event.team_slug) == (CAUSE, 9, "local")


def test_an_envelope_is_valid_or_is_none() -> None:
    payload = StatusChange(
        wp_id="WP01", previous_status="planned", new_status="doing", changed_by="claude", feature_slug=FEATURE
    )
    draft = EventDraft(payload, "", "WorkPackage", timestamp(MOMENT), CAUSE, None, "{}")
    with pytest.raises(InvalidEventError, match="field aggregate_id"):
        envelopes([draft], CONTEXT, 1, CAUSE)
