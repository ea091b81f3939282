"""A plan that was made before another process carried its own out is thrown away and made again (rules O1, O10)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.events import Event
from kittywatch.observe.observation import observe
from kittywatch.observe.replay import Replay
from kittywatch.project import Project
from tests.history.replaying import lanes, opened
from tests.history.script import Repository, text, wp

Work = Callable[[UnitOfWork], list[Event]]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """WP01 at planned, committed and looked at."""
    made = Repository(tmp_path / "project")
    made.write(".gitignore", ".kittify/\n")
    _save(made, "planned")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "plan")
    with opened(made.root, tmp_path / "home") as project:
        assert observe(project, "scan").baseline == 1
    return made


def _save(repository: Repository, lane: str) -> None:
    repository.write(wp("001-x", "WP01"), text("WP01", "Work", lane))


def _overtaken(project: Project, home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Let another observer come by between what `project` plans and its transaction, once; what that one emits."""
    emitted: list[Event] = []
    transact = project.emitter.transact

    def late(work: Work) -> list[Event]:
        monkeypatch.setattr(project.emitter, "transact", transact)
        with opened(project.git.root, home) as other:
            emitted.extend(observe(other, "other").events)
        return transact(work)

    # Two processes do the same where the second has planned when the first commits, which no test can time.
    monkeypatch.setattr(project.emitter, "transact", late)
    return emitted


def test_an_edit_that_another_observer_emitted_meanwhile(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen by both, at two times: nothing but the ledger's version says that it is one."""
    _save(repository, "doing")
    with opened(repository.root, tmp_path / "home") as project:
        others = _overtaken(project, tmp_path / "home", monkeypatch)
        assert observe(project, "scan").events == []
    assert lanes(others) == ["WP01 planned→doing"]


def test_a_replay_goes_on_from_what_another_observer_emitted(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(repository, "doing")
    repository.git("commit", "-q", "-a", "-m", "doing")
    with opened(repository.root, tmp_path / "home") as project:
        others = _overtaken(project, tmp_path / "home", monkeypatch)
        run = Replay(project.git, project.names, project.emitter)
        told = [event for batch in run.run("HEAD") for event in batch]
        state = project.emitter.peek(lambda unit: unit.ledger.read())
    assert lanes(others) == ["WP01 planned→doing"]
    assert lanes(told) == ["WP01 created"]
    assert len(list(state.history(("001-x", "WP01")).steps())) == 1, "and the ledger has it once"
