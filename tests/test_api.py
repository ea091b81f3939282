"""What other programs call."""

from __future__ import annotations

import inspect
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import kittywatch
from kittywatch import api
from kittywatch.emit.emitter import EventEmitter
from kittywatch.errors import NotAProjectError

EMISSIONS = sorted(name for name in kittywatch.__all__ if name.startswith("emit_"))
FEATURE = "001-login"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project that is current; the emitter is closed afterwards."""
    made = tmp_path / "project"
    made.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=made, check=True)
    monkeypatch.chdir(made)
    yield made
    kittywatch.close_emitter()


def test_the_eight_of_the_contract() -> None:
    assert EMISSIONS == [
        "emit_dependency_resolved",
        "emit_error_logged",
        "emit_feature_completed",
        "emit_feature_created",
        "emit_history_added",
        "emit_wp_assigned",
        "emit_wp_created",
        "emit_wp_status_changed",
    ]


@pytest.mark.parametrize("name", EMISSIONS)
def test_a_function_is_its_method(name: str) -> None:
    function, method = getattr(kittywatch, name), getattr(EventEmitter, name)
    assert function.__doc__ == method.__doc__
    assert inspect.signature(function) == inspect.signature(method)
    parameters = list(inspect.signature(method).parameters.values())
    assert parameters[-1].name == "causation_id"
    assert parameters[-1].kind is inspect.Parameter.KEYWORD_ONLY


def test_the_first_call_makes_the_emitter_of_the_current_project(root: Path) -> None:
    (root / "below").mkdir()
    os.chdir(root / "below")
    emitter = kittywatch.get_emitter()
    os.chdir("/")
    assert kittywatch.get_emitter() is emitter
    event = kittywatch.emit_wp_status_changed("WP01", "planned", "doing", "claude", FEATURE)
    assert event is not None
    assert event["project_slug"] == "project"
    assert event["payload"]["changed_by"] == "claude"


def test_threads_get_one_emitter(root: Path) -> None:
    start = threading.Barrier(8)
    got: list[EventEmitter] = []
    told: list[object] = []

    def run(number: int) -> None:
        start.wait()
        got.append(kittywatch.get_emitter())
        told.append(kittywatch.emit_history_added("WP01", "note", f"from {number}", feature_slug=FEATURE))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in got}) == 1
    assert None not in told
    assert len(told) == 8


@pytest.mark.parametrize("name", EMISSIONS)
def test_without_a_project_it_is_a_warning(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotAProjectError):
        kittywatch.get_emitter()
    assert getattr(kittywatch, name)("WP01", "a", "b", "c") is None
    ((logger, level, message),) = caplog.record_tuples
    assert (logger, level) == ("kittywatch", logging.WARNING)
    assert message.startswith(f"an event was not emitted: {tmp_path} is not in a git repository")


def test_a_failure_is_a_warning_of_the_logger(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert kittywatch.emit_wp_status_changed("WP01", "planned", "100%s sécret") is None
    assert caplog.messages == ["an event was not emitted: StatusChange: field new_status: No lane of any scheme"]


def test_a_batch_shares_a_cause(root: Path) -> None:
    cause = kittywatch.generate_causation_id()
    assert cause != kittywatch.generate_causation_id()
    event = kittywatch.emit_wp_created("WP01", "Title", [], FEATURE, causation_id=cause)
    assert event is not None
    assert event["causation_id"] == cause


def test_a_forked_process_opens_its_own_database(root: Path) -> None:
    program = """
import functools, os, sys
import kittywatch
note = functools.partial(kittywatch.emit_history_added, "WP01", "note", feature_slug="001-login")
note("before")
parents = kittywatch.get_emitter()
child = os.fork()
event = note("child" if child == 0 else "parent")
if child == 0:
    os._exit(0 if event and kittywatch.get_emitter() is not parents else 1)
_, status = os.waitpid(child, 0)
event = note("after")
print(status, event["lamport_clock"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(kittywatch.__file__).parents[1])},
    )
    assert done.stdout.split() == ["0", "4"]


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'emit_nothing'"):
        _ = kittywatch.emit_nothing
    assert not hasattr(api, "emit_nothing")
