"""An event by hand and what observers see of the same are told once, whichever comes first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.events import LoggedError
from kittywatch.observe.observation import observe
from kittywatch.observe.reconcile import reconcile_view
from kittywatch.observe.replay import Replay
from kittywatch.project import Project
from tests.history.replaying import opened
from tests.history.script import Repository

SLUG = "001-login"
TRAIL = "- 2026-01-01T10:00:00Z – ada – lane=doing – Started\n- 2026-01-01T11:00:00Z – ada – lane=doing – Half of it\n"
Hand: TypeAlias = Callable[[EventEmitter], dict[str, Any] | None]


def file(lane: str, *, agent: str = "", body: str = "", needs: str = "[]") -> str:
    return f'---\nlane: {lane}\nagent: "{agent}"\ndependencies: {needs}\n---\n\n# Part\n\n{body}'


@pytest.fixture
def repository(tmp_path: Path, own_home: Path) -> Repository:
    """Two planned work packages, the second of which waits for the first."""
    made = Repository(tmp_path / "project")
    one, two = (f"kitty-specs/{SLUG}/tasks/WP0{number}.md" for number in (1, 2))
    made.commit("02-01", files={one: file("planned"), two: file("planned", needs="[WP01]")})
    return made


def look(repository: Repository, lane: str, day: int, **fields: str) -> None:
    repository.commit(f"02-{day:02}", files={f"kitty-specs/{SLUG}/tasks/WP01.md": file(lane, **fields)})


def told(project: Project) -> list[str]:
    """The kinds of the events that were told, in order."""
    run = project.store.read(lambda connection: connection.execute("SELECT data FROM events ORDER BY seq").fetchall())
    return [json.loads(row[0])["event_type"] for row in run]


NOTE: Hand = lambda emitter: emitter.emit_history_added("WP01", "note", "Half of it", "ada", SLUG)  # noqa: E731
REVIEW: Hand = lambda emitter: emitter.emit_history_added("WP01", "review", "Names.", "ada", SLUG)  # noqa: E731
ASSIGN: Hand = lambda emitter: emitter.emit_wp_assigned("WP01", "ada", "implementation")  # noqa: E731
STEP: Hand = lambda emitter: emitter.emit_wp_status_changed("WP01", "planned", "doing")  # noqa: E731
RESOLVED: Hand = lambda emitter: emitter.emit_dependency_resolved("WP02", "WP01", "completed", SLUG)  # noqa: E731
COMPLETED: Hand = lambda emitter: emitter.emit_feature_completed(SLUG, 2)  # noqa: E731
SEEN = {"agent": "ada", "body": f"## Review Feedback\n\nNames.\n\n## Log\n\n{TRAIL}"}


@pytest.mark.parametrize(
    ("hand", "kind", "lane"),
    [
        (STEP, "WPStatusChanged", "doing"),
        (NOTE, "HistoryAdded", "doing"),
        (REVIEW, "HistoryAdded", "doing"),
        (ASSIGN, "WPAssigned", "doing"),
        (RESOLVED, "DependencyResolved", "done"),
    ],
)
@pytest.mark.parametrize("first", ["hand", "observer"])
def test_once(repository: Repository, own_home: Path, hand: Hand, kind: str, lane: str, first: str) -> None:
    """Either comes first; a second emission of the same says what told it, and a replay tells nothing."""
    with opened(repository.root, own_home / "home") as project:
        observe(project, "test")
        said = hand(project.emitter) if first == "hand" else None
        look(repository, lane, 2, **SEEN)
        observe(project, "test")
        again = hand(project.emitter)
        assert said is None or again is None or kind == "HistoryAdded" or again["event_id"] == said["event_id"]
        found = told(project)
        expected = ["WPStatusChanged", *(["WPAssigned"] if lane == "doing" else []), "HistoryAdded", "HistoryAdded"]
        expected += ["DependencyResolved"] if lane == "done" else []
        twice = 1 if kind == "HistoryAdded" and first == "hand" else 0  # the same words by hand again are new ones
        assert sorted(found) == sorted([*expected, *([kind] * twice)])
        live = set(found)
        list(Replay(project.git, project.names, project.emitter).run("HEAD"))
        assert live - set(told(project)) == set()
        assert told(project).count("HistoryAdded") == 2 + twice


def test_what_a_step_by_hand_causes_the_observer_tells(repository: Repository, own_home: Path) -> None:
    with opened(repository.root, own_home / "home") as project:
        observe(project, "test")
        step = project.emitter.emit_wp_status_changed("WP01", "planned", "done", feature_slug=SLUG)
        assert step is not None
        look(repository, "done", 2)
        (resolved,) = observe(project, "test").events
        assert (type(resolved).__name__, resolved.causation_id) == ("DependencyResolved", step["event_id"])
        assert resolved.timestamp == step["timestamp"]
        look(repository, "done", 3, body="more")
        assert observe(project, "test").events == []
        assert project.emitter.emit_wp_status_changed("WP02", "planned", "done", feature_slug=SLUG) is not None
        two = f"kitty-specs/{SLUG}/tasks/WP02.md"
        repository.commit("02-04", files={two: file("done", needs="[WP01]")})
        assert [type(event).__name__ for event in observe(project, "test").events] == ["FeatureCompleted"]


def test_a_completion_by_hand(repository: Repository, own_home: Path) -> None:
    with opened(repository.root, own_home / "home") as project:
        observe(project, "test")
        first = COMPLETED(project.emitter)
        again = COMPLETED(project.emitter)
        assert first is not None
        assert again is not None
        assert again["event_id"] == first["event_id"]
        look(repository, "done", 2)
        two = f"kitty-specs/{SLUG}/tasks/WP02.md"
        repository.commit("02-03", files={two: file("done", needs="[WP01]")})
        observe(project, "test")
        assert told(project).count("FeatureCompleted") == 1
        look(repository, "doing", 4)
        look(repository, "done", 5)
        observe(project, "test")
        assert told(project).count("FeatureCompleted") == 2
        assert told(project).count("DependencyResolved") == 2


def test_a_late_emission_of_an_earlier_step(repository: Repository, own_home: Path) -> None:
    """Not the last step, and not the next one either: it is the one that was told."""
    with opened(repository.root, own_home / "home") as project:
        observe(project, "test")
        look(repository, "doing", 2)
        look(repository, "for_review", 3)
        observe(project, "test")
        before = told(project)
        late = STEP(project.emitter)
        assert late is not None
        assert late["payload"]["new_status"] == "doing"
        assert late["timestamp"].startswith("2026-02-02")
        assert told(project) == before
        look(repository, "planned", 4)
        observe(project, "test")
        assert STEP(project.emitter) != late, "from planned it is the next one again"


def test_an_error_in_the_same_words(repository: Repository, own_home: Path) -> None:
    with opened(repository.root, own_home / "home") as project:
        observe(project, "test")
        look(repository, "nowhere", 2)
        (seen,) = observe(project, "test").events
        assert isinstance(seen.payload, LoggedError)
        message = seen.payload.error_message
        emit = project.emitter.emit_error_logged
        again = emit("WP01", "validation", message, feature_slug=SLUG)
        assert again is not None
        assert again["event_id"] == seen.event_id
        assert emit("WP01", "runtime", message, feature_slug=SLUG) != again
        other = emit("WP02", "validation", message.replace("WP01", "WP02"), feature_slug=SLUG)
        assert other is not None
        repository.commit("02-03", files={f"kitty-specs/{SLUG}/tasks/WP02.md": file("nowhere")})
        assert observe(project, "test").events == []


def test_a_step_from_before_the_baseline_is_not_where_the_ledger_ends(repository: Repository, own_home: Path) -> None:
    """B2, B3: a replay emits it late; the next one by hand, and a reconciliation, go on from what came after it."""
    with opened(repository.root, own_home / "home") as project:
        look(repository, "doing", 2)
        observe(project, "test")
        look(repository, "for_review", 3)
        observe(project, "test")
        list(Replay(project.git, project.names, project.emitter).run("HEAD"))
        assert told(project).count("WPStatusChanged") == 2
        assert reconcile_view(project) == []
        late = project.emitter.emit_wp_status_changed("WP01", "planned", "doing", feature_slug=SLUG)
        assert late is not None
        assert late["timestamp"].startswith("2026-02-02")
        assert told(project).count("WPStatusChanged") == 2
