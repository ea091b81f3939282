"""Further ids of what was emitted, found by observing, and kept with it in one transaction (rule O11)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittywatch.derive.ledger import Alias
from kittywatch.events import Event, WPStatusChanged
from kittywatch.observe.observation import observe
from tests.history.replaying import opened, replay
from tests.history.script import Repository, text, wp
from tests.store import stores

ONE = wp("001-x", "WP01")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """WP01 at planned, committed."""
    made = Repository(tmp_path / "project")
    made.write(".gitignore", ".kittify/\n")
    _commit(made, "planned", "02-01")
    return made


def _commit(repository: Repository, lane: str, day: str) -> None:
    repository.write(ONE, text("WP01", "Work", lane))
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", lane, moment=f"2026-{day}T12:00:00+00:00")


def _see(repository: Repository, home: Path) -> list[Event]:
    with opened(repository.root, home) as project:
        return [event for event in observe(project, "watcher").events if isinstance(event, WPStatusChanged)]


def _steps(events: list[Event]) -> list[str]:
    return [event.event_id for event in events if isinstance(event, WPStatusChanged)]


def _aliases(home: Path) -> dict[object, object]:
    return dict(stores.rows(home, "SELECT alias, event_id FROM aliases"))  # type: ignore[arg-type]


def test_a_commit_of_an_edit_is_another_id_of_it_and_a_replay_elsewhere_has_that(
    repository: Repository, tmp_path: Path
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    _see(repository, here)
    repository.write(ONE, text("WP01", "Work", "doing"))
    (edit,) = _see(repository, here)
    assert _aliases(here) == {}
    _commit(repository, "doing", "02-02")
    assert _see(repository, here) == []
    (alias,) = _steps(replay(repository.root, elsewhere))
    assert alias != edit.event_id
    assert _aliases(here) == {alias: edit.event_id}
    assert _aliases(elsewhere) == {}


def test_what_emitted_nothing_new_starts_delivery_for_an_alias(repository: Repository, tmp_path: Path) -> None:
    home = tmp_path / "here"
    _see(repository, home)
    repository.write(ONE, text("WP01", "Work", "doing"))
    _see(repository, home)
    _commit(repository, "doing", "02-02")
    heard: list[int] = []
    with opened(repository.root, home) as project:
        project.emitter.on_emitted = lambda: heard.append(1)
        for _ in range(2):
            assert observe(project, "watcher").events == []
    assert heard == [1]


def test_the_id_of_an_event_that_was_emitted_here_is_no_alias(repository: Repository, tmp_path: Path) -> None:
    home = tmp_path / "here"
    _see(repository, home)
    _commit(repository, "doing", "02-02")
    _commit(repository, "done", "02-03")
    first, second = (event.event_id for event in _see(repository, home))
    with opened(repository.root, home) as project:
        project.emitter.transact(lambda unit: unit.alias(Alias(first, second)))
        project.emitter.transact(lambda unit: unit.alias(Alias("01ARZ3NDEKTSV4RRFFQ69G5FAV", second)))
    assert _aliases(home) == {"01ARZ3NDEKTSV4RRFFQ69G5FAV": second}
