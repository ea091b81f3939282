"""Forks of a process whose other threads are in the store."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kittywatch.store import clock, forks
from kittywatch.store.store import Store
from tests.waiting import DEADLINE, until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")


def _forked(holds: Callable[[], bool] = lambda: True) -> int:
    """A child that goes at once; its status, 0 where something holds in it."""
    child = os.fork()
    if child == 0:
        os._exit(0 if holds() else 1)
    _, status = os.waitpid(child, 0)
    return status


def _waits(thread: threading.Thread) -> bool:
    """Whether a thread waits for a condition."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None and frame.f_code.co_name != "wait":
        frame = frame.f_back
    return frame is not None


@contextmanager
def _visit(over: Callable[[], bool], then: Callable[[], None]) -> Iterator[None]:
    """Another thread is in the store until its visit is over; then it goes further in, does one thing, and leaves."""
    entered = threading.Event()

    def work() -> None:
        with forks.inside():
            entered.set()
            until(over, what="the visit to be over")
            with forks.inside():
                then()

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(DEADLINE)
    yield
    thread.join()


@contextmanager
def _someone_inside() -> Iterator[None]:
    """Another thread is in the store, until the block is left."""
    left = threading.Event()
    with _visit(left.is_set, lambda: None):
        try:
            yield
        finally:
            left.set()


def test_a_fork_waits_for_who_is_inside() -> None:
    """Who is inside may go further in meanwhile."""
    left = threading.Event()
    with _visit(forks.waiting, left.set):
        assert _forked(left.is_set) == 0
    assert not forks.waiting()


def test_nobody_enters_while_a_fork_waits() -> None:
    """Another one comes, and waits in its turn: the child finds one visit that ended, and none that began."""
    events: list[str] = []
    tried = threading.Event()

    def come() -> None:
        tried.set()
        with forks.inside():
            events.append("came")

    late = threading.Thread(target=come)

    def leave() -> None:
        late.start()
        assert tried.wait(DEADLINE)
        until(lambda: events or _waits(late), what="the late one to wait or to come in")
        events.append("left")

    with _visit(forks.waiting, leave):
        assert _forked(lambda: events == ["left"]) == 0
    late.join()
    assert events == ["left", "came"]


def test_who_is_inside_itself_does_not_wait() -> None:
    """It may be what the others wait for."""
    with _someone_inside(), forks.inside():
        assert _forked() == 0


def test_a_fork_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its child finds nobody inside, and gets in."""
    monkeypatch.setattr(forks, "PATIENCE", 0.01)

    def gets_in() -> bool:
        signal.alarm(10)
        with forks.inside():
            return not forks.waiting()

    with _someone_inside():
        assert _forked(gets_in) == 0


def test_who_waited_for_a_fork_gets_in_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though another one is inside all the while."""
    monkeypatch.setattr(forks, "PATIENCE", 0.3)
    came = threading.Event()

    def come() -> None:
        with forks.inside():
            came.set()

    late = threading.Thread(target=come, daemon=True)

    def start() -> None:
        late.start()
        until(came.is_set, what="the late one to come in")

    with _visit(forks.waiting, start):
        assert _forked() == 0
    assert came.is_set()


def test_a_transaction_is_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its beginning until the clock is copied: a child finds neither locks nor lock files held."""
    store = Store(tmp_path, node_id="0123456789ab", warn=print)
    entered, copied = threading.Event(), threading.Event()
    monkeypatch.setattr(clock, "write_copy", lambda *_: copied.set())

    def work() -> None:
        def wait(_: object) -> None:
            entered.set()
            until(forks.waiting, what="the fork to wait")

        store.transact(wait)

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(DEADLINE)
    assert _forked(copied.is_set) == 0
    thread.join()
    store.close()
