"""The one door to the store: emissions by hand beside observers, and what neither may do."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
from ulid import ULID

from kittywatch.emit.emitter import EventEmitter
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.events import Event, HistoryEntry, WPStatusChanged, from_json
from kittywatch.observe.observation import observe
from kittywatch.observe.replay import Replay
from kittywatch.project import Project
from kittywatch.store.outbox import logged
from tests.builders import FEATURE, PATH, work_package_text


def _git(root: Path, *command: str) -> None:
    subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)


def _commit(project: Project, lane: str) -> None:
    path = project.git.root / PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(work_package_text(lane=lane))
    _git(project.git.root, "add", "-A")
    _git(project.git.root, "commit", "-q", "-m", lane)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def empty(tmp_path: Path, warnings: list[str]) -> Iterator[Project]:
    """A project that was never observed."""
    root = tmp_path / "project"
    root.mkdir()
    _git(root, "init", "-q")
    project = Project.find(root, warnings.append)
    with closing(project.store):
        yield project


@pytest.fixture
def project(empty: Project) -> Project:
    """One whose WP01 is planned, committed and known from the baseline."""
    _commit(empty, "planned")
    observe(empty, "scan")
    return empty


@pytest.fixture
def emitter(project: Project) -> EventEmitter:
    return project.emitter


def _transitions(project: Project) -> list[str]:
    """What the log has of WP01's lanes."""

    def read(connection: sqlite3.Connection, row: int) -> list[Event]:
        return [from_json(one.data) for one in logged(connection, row, wp_id="WP01")]

    events: list[Event] = project.emitter.read(read, default=[])
    return [
        f"{event.payload.previous_status}→{event.payload.new_status}"
        for event in events
        if isinstance(event, WPStatusChanged)
    ]


def _status(emitter: EventEmitter, before: str, after: str, feature: str | None = FEATURE) -> str | None:
    event = emitter.emit_wp_status_changed("WP01", before, after, feature_slug=feature)
    return event["event_id"] if event else None


@pytest.mark.parametrize("worktree", [True, False])
def test_an_observer_that_comes_after_an_emission_tells_nothing(project: Project, worktree: bool) -> None:
    _status(project.emitter, "planned", "doing")
    _commit(project, "doing")
    assert observe(project, "scan", worktree=worktree).events == []
    _commit(project, "for_review")
    observe(project, "scan", worktree=worktree)
    assert _transitions(project) == ["planned→doing", "doing→for_review"]


def test_an_emission_that_comes_after_an_observer_gives_its_event(project: Project) -> None:
    _commit(project, "doing")
    (told,) = observe(project, "scan").events
    assert _status(project.emitter, "planned", "doing") == told.event_id
    assert _transitions(project) == ["planned→doing"]


def test_the_same_transition_after_another_one_is_new(project: Project) -> None:
    ids = [
        _status(project.emitter, before, after)
        for before, after in [("planned", "doing"), ("doing", "planned"), ("planned", "doing"), ("planned", "doing")]
    ]
    assert len(set(ids)) == 3
    assert ids[2] == ids[3]
    assert _transitions(project) == ["planned→doing", "doing→planned", "planned→doing"]


def test_an_emission_into_the_same_lane_from_another_one_is_new(project: Project) -> None:
    assert _status(project.emitter, "planned", "done") != _status(project.emitter, "for_review", "done")


def test_a_replay_finds_what_was_emitted_by_hand(empty: Project) -> None:
    for lane in ("planned", "doing"):
        _commit(empty, lane)
    emitter = empty.emitter
    assert emitter.emit_wp_created("WP01", "Build it", [], FEATURE) is not None
    _status(emitter, "planned", "doing")
    run = Replay(empty.git, empty.names, emitter)
    assert [type(event).__name__ for events in run.run("HEAD") for event in events] == ["FeatureCreated"]
    assert _transitions(empty) == ["planned→doing"]


def test_before_any_observation(empty: Project) -> None:
    """A step, then the creation, each once; an observer finds both."""
    _commit(empty, "planned")
    emitter = empty.emitter
    first = _status(emitter, "planned", "doing")
    assert _status(emitter, "planned", "doing") == first
    created = emitter.emit_wp_created("WP01", "Build it", ["WP02"], FEATURE)
    assert created is not None
    assert emitter.emit_wp_created("WP01", "Build it", ["WP02"], FEATURE) == created
    observe(empty, "scan")
    _commit(empty, "doing")
    assert observe(empty, "scan").events == []


def test_a_creation_by_hand_leaves_a_baseline_alone(project: Project) -> None:
    assert project.emitter.emit_wp_created("WP01", "Build it", [], FEATURE) is not None
    _commit(project, "doing")
    assert [type(event).__name__ for event in observe(project, "scan").events] == ["WPStatusChanged"]


def test_a_feature_is_created_once(empty: Project) -> None:
    first = empty.emitter.emit_feature_created(FEATURE, "001", "main", 1)
    assert first is not None
    assert empty.emitter.emit_feature_created(FEATURE, "001", "main", 2) == first


def test_the_feature_is_found_where_only_one_has_the_work_package(project: Project) -> None:
    told = project.emitter.emit_wp_status_changed("WP01", "planned", "doing")
    assert told is not None
    assert told["payload"]["feature_slug"] == FEATURE
    assert _status(project.emitter, "planned", "doing") == told["event_id"]


def test_a_work_package_that_nobody_knows_needs_its_feature(project: Project, warnings: list[str]) -> None:
    assert project.emitter.emit_wp_status_changed("WP09", "planned", "doing") is None
    assert warnings == [
        "an event was not emitted: no work package WP09 is known here: name its feature, or observe it first"
    ]
    told = project.emitter.emit_wp_status_changed("WP09", "planned", "doing", feature_slug="009-new")
    assert told is not None
    assert project.emitter.emit_wp_status_changed("WP09", "planned", "doing") == told, "known by now"


def test_a_work_package_of_two_features_needs_its_feature(project: Project, warnings: list[str]) -> None:
    other = project.emitter.emit_wp_created("WP01", "Title", [], "002-x")
    assert other is not None
    for emission in (
        lambda: _status(project.emitter, "planned", "doing", None),
        lambda: project.emitter.emit_history_added("WP01", "note", "half"),
        lambda: project.emitter.emit_wp_assigned("WP01", "ada", "implementation"),
    ):
        assert emission() is None
        assert warnings.pop() == (
            f"an event was not emitted: WP01 is in several features: name one of {FEATURE}, 002-x"
        )
    assert _status(project.emitter, "planned", "doing") is not None
    assert warnings == []


def test_what_does_not_move_is_no_transition(project: Project, warnings: list[str]) -> None:
    """Neither with a feature nor without one, and the ledger is as it was."""
    for feature in (FEATURE, None):
        assert _status(project.emitter, "planned", "planned", feature) is None
        assert warnings.pop() == "an event was not emitted: WP01 doesn't move: it is planned before and after"
    assert _transitions(project) == []
    assert _status(project.emitter, "planned", "doing") is not None


def test_an_error_of_no_known_work_package_is_emitted(project: Project) -> None:
    """It has no place in the ledger, and is worth knowing all the same."""
    event = project.emitter.emit_error_logged("WP09", "runtime", "no such agent")
    assert event is not None
    assert event["payload"]["feature_slug"] is None


def test_each_kind_is_an_event_of_the_contract(emitter: EventEmitter) -> None:
    cause = emitter.generate_causation_id()
    ULID.from_str(cause)
    made = [
        emitter.emit_wp_status_changed("WP01", "planned", "doing", "claude", FEATURE, causation_id=cause),
        emitter.emit_wp_created("WP02", "Title", ("WP01",), FEATURE, causation_id=cause),
        emitter.emit_wp_assigned("WP01", "claude", "implementation", 1, FEATURE, causation_id=cause),
        emitter.emit_feature_created("002-x", None, "main", 3, "2026-01-31T12:00:00+01:00", causation_id=cause),
        emitter.emit_feature_completed("002-x", 3, None, "P3D", causation_id=cause),
        emitter.emit_history_added("WP01", "review", "Looks good", "ada", FEATURE, causation_id=cause),
        emitter.emit_error_logged(None, "network", "no route", causation_id=cause),
        emitter.emit_dependency_resolved("WP02", "WP01", "merged", FEATURE, causation_id=cause),
    ]
    assert [event and (event["event_type"], event["aggregate_type"], event["aggregate_id"]) for event in made] == [
        ("WPStatusChanged", "WorkPackage", "WP01"),
        ("WPCreated", "WorkPackage", "WP02"),
        ("WPAssigned", "WorkPackage", "WP01"),
        ("FeatureCreated", "Feature", "002-x"),
        ("FeatureCompleted", "Feature", "002-x"),
        ("HistoryAdded", "WorkPackage", "WP01"),
        ("ErrorLogged", "Feature", "error"),
        ("DependencyResolved", "WorkPackage", "WP02"),
    ]
    for number, event in enumerate(made, start=1):
        assert event is not None
        from_json(json.dumps(event))
        assert (event["causation_id"], event["lamport_clock"]) == (cause, number)
        assert event["project_uuid"] == emitter.context.project_uuid
        assert event["node_id"] == emitter.store.node_id


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda one: one.emit_wp_status_changed("WP 1", "planned", "doing"), "wp_id"),
        (lambda one: one.emit_wp_status_changed("WP01", "planned", "sécret"), "new_status"),
        (lambda one: one.emit_wp_status_changed("WP01", "planned", "doing", ""), "changed_by"),
        (lambda one: one.emit_wp_created("WP01", "sécret", ["WP02", "WP02"], FEATURE), "dependencies"),
        (lambda one: one.emit_wp_created("WP01", "sécret", 7, FEATURE), "TypeError"),
        (lambda one: one.emit_wp_assigned("WP01", "sécret", "phase"), "phase"),
        (lambda one: one.emit_wp_assigned("WP01", "sécret", "review", -1), "retry_count"),
        (lambda one: one.emit_feature_created("../sécret", "001", "main", 1), "feature_slug"),
        (lambda one: one.emit_feature_created("001-x", "1", "main", 1), "feature_number"),
        (lambda one: one.emit_feature_completed("001-x", 1, "sécret"), "completed_at"),
        (lambda one: one.emit_history_added("WP01", "sécret", "x"), "entry_type"),
        (lambda one: one.emit_history_added("WP01", "note", None), "entry_content"),
        (lambda one: one.emit_history_added("WP01", "note", "half \ud800"), "entry_content"),
        (lambda one: one.emit_error_logged("WP01", "sécret", "x"), "error_type"),
        (lambda one: one.emit_dependency_resolved("WP01", "WP02", "sécret"), "resolution_type"),
        (lambda one: one.emit_history_added("WP01", "note", "sécret", causation_id="x"), "causation_id"),
    ],
)
def test_what_breaks_the_contract_is_a_warning_that_names_the_field_and_not_the_content(
    emitter: EventEmitter, warnings: list[str], call: Callable[[EventEmitter], object], field: str
) -> None:
    assert call(emitter) is None
    (warning,) = warnings
    assert warning.startswith("an event was not emitted: ")
    assert field in warning
    assert "cret" not in warning
    event = emitter.emit_history_added("WP01", "note", "next")
    assert event is not None
    assert event["lamport_clock"] == 1, "what was not told took a value of the clock"


def test_nothing_leaves_an_emission(project: Project, warnings: list[str]) -> None:
    def broken(message: str) -> None:
        raise RuntimeError("the warning fails too")

    emitter = EventEmitter(project.store, project.emitter.context, place="/here", warn=broken)
    emitter.store = None  # type: ignore[assignment]  # a bug, as far as an emission is concerned
    assert _status(emitter, "planned", "doing") is None
    emitter.warn = warnings.append
    assert _status(emitter, "planned", "doing") is None
    assert warnings == ["an event was not emitted: AttributeError"]


def test_a_payload_of_ones_own(emitter: EventEmitter) -> None:
    payload = HistoryEntry(wp_id="WP01", entry_type="note", entry_content="x", author="ada", feature_slug="001-login")
    event = emitter.emit(payload, "WP01", "WorkPackage")
    assert event is not None
    assert event.payload == payload
    assert emitter.emit(payload, "WP01", "Feature") is None


def test_the_same_content_in_one_microsecond_is_still_two_emissions(
    emitter: EventEmitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Stopped:
            return cls(2026, 1, 31, 12, tzinfo=UTC)

    monkeypatch.setattr("kittywatch.emit.deduplication.datetime", Stopped)
    told = [emitter.emit_history_added("WP01", "note", "x") for _ in range(3)]
    assert [event and event["timestamp"] for event in told] == [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.000001Z",
        "2026-01-31T12:00:00.000002Z",
    ]


def test_where_the_log_has_lost_an_event_the_ledger_still_knows(project: Project) -> None:
    emitter = project.emitter
    _status(emitter, "planned", "doing")
    emitter.emit_wp_created("WP02", "Title", [], FEATURE)
    emitter.emit_feature_created("002-x", None, "main", 1)
    emitter.store.transact(lambda connection: connection.execute("DELETE FROM events").rowcount)
    assert _status(emitter, "planned", "doing") is None
    assert emitter.emit_wp_created("WP02", "Title", [], FEATURE) is None
    assert emitter.emit_feature_created("002-x", None, "main", 1) is None


def test_what_the_log_has_takes_no_tick(project: Project) -> None:
    """A ledger that forgot: the events keep their ids, and stay where they are."""
    _commit(project, "doing")
    told = [event for events in Replay(project.git, project.names, project.emitter).run("HEAD") for event in events]
    assert told

    def forget(unit: UnitOfWork) -> None:
        for table in ("entries", "links", "features", "boundaries"):
            unit.connection.execute(f"DELETE FROM {table}")

    project.emitter.transact(forget)
    assert [one for one in Replay(project.git, project.names, project.emitter).run("HEAD") if one] == []
    event = project.emitter.emit_history_added("WP01", "note", "next")
    assert event is not None
    assert event["lamport_clock"] == len(told) + 1


def test_looking_makes_nothing(empty: Project) -> None:
    emitter = empty.emitter
    assert emitter.read(lambda connection, row: row, default=-1) == -1
    assert emitter.peek(lambda unit: len(unit.ledger.read().histories)) == 0
    assert not empty.store.exists


def test_a_lane_of_a_newer_scheme_has_its_category(emitter: EventEmitter, warnings: list[str]) -> None:
    """The two lanes of a manual transition are of one scheme."""
    event = emitter.emit_wp_status_changed("WP01", "planned", "claimed")
    assert event is not None
    assert (event["payload"]["previous_category"], event["payload"]["new_category"]) == ("backlog", "active")
    assert (event["schema_version"], event["observer"]) == ("1.1.0", "by hand")
    assert emitter.emit_wp_status_changed("WP01", "doing", "claimed") is None
    assert emitter.emit_wp_status_changed("WP01", "planned", "dong") is None
    assert [("new_status" in one) for one in warnings] == [True, True]


def test_a_lane_of_another_source_has_a_category_that_is_stated_or_guessed(
    emitter: EventEmitter, warnings: list[str]
) -> None:
    """Ids that aren't spec-kitty's have lanes of their own; a list that is closed stays closed."""
    told = emitter.emit_wp_status_changed("BACK-2", "to_do", "waiting_for_approval", feature_slug=FEATURE)
    assert told is not None
    assert (told["payload"]["previous_category"], told["payload"]["new_category"]) == ("backlog", "review")
    told = emitter.emit_wp_status_changed(
        "BACK-2", "waiting_for_approval", "live", feature_slug=FEATURE, new_category="done"
    )
    assert told is not None
    assert (told["payload"]["previous_category"], told["payload"]["new_category"]) == ("review", "done")
    assert (told["schema_version"], told["observer"]) == ("1.1.0", "by hand")
    told = emitter.emit_wp_status_changed("T001", "planned", "done", feature_slug=FEATURE)
    assert told is not None
    assert (told["schema_version"], "new_category" in told["payload"]) == ("1.1.0", False)
    stated = {"previous_category": "backlog", "new_category": "active"}
    assert emitter.emit_wp_status_changed("WP07", "to_do", "dong", feature_slug=FEATURE, **stated) is not None
    assert warnings == []
    assert emitter.emit_wp_status_changed("WP07", "dong", "live", feature_slug=FEATURE, new_category="done") is None
    assert emitter.emit_wp_status_changed("BACK-2", "To Do", "live", feature_slug=FEATURE) is None
    assert emitter.emit_wp_status_changed("BACK-2", "live", "to_do", feature_slug=FEATURE, new_category="x") is None
    assert [("previous_status" in one, "new_category" in one) for one in warnings] == [
        *((True, False), (True, False), (False, True)),
    ]


def test_what_is_done_in_another_source_leaves_done_too(emitter: EventEmitter) -> None:
    """A dependency is resolved once until what it waits for leaves done, whatever that is called."""

    def resolved() -> dict[str, Any] | None:
        return emitter.emit_dependency_resolved("BACK-3", "BACK-2", "completed", FEATURE)

    assert emitter.emit_wp_status_changed("BACK-2", "to_do", "closed", feature_slug=FEATURE)
    first = resolved()
    assert first is not None
    assert resolved() == first
    assert emitter.emit_wp_status_changed("BACK-2", "closed", "to_do", feature_slug=FEATURE)
    assert emitter.emit_wp_status_changed("BACK-2", "to_do", "closed", feature_slug=FEATURE)
    assert resolved() != first
