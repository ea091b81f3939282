"""Forks of a process whose other threads are in the store."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from kittywatch.store import clock, forks
from kittywatch.store.store import Store
from tests.waiting import until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")


def _forked() -> int:
    """A child that goes at once; its parent waits for it."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return status


def test_a_fork_waits_for_who_is_inside() -> None:
    entered, left = threading.Event(), threading.Event()

    def work() -> None:
        with forks.inside(), forks.inside():
            entered.set()
            until(forks.waiting, what="the fork to wait")
            left.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if left.is_set() else 1)
    _, status = os.waitpid(child, 0)
    thread.join()
    assert status == 0
    assert not forks.waiting()


def test_who_is_inside_itself_does_not_wait() -> None:
    """It may be what the others wait for."""
    entered, go = threading.Event(), threading.Event()

    def work() -> None:
        with forks.inside():
            entered.set()
            assert go.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(10)
    with forks.inside():
        assert _forked() == 0
    go.set()
    thread.join()


def test_a_fork_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "PATIENCE", 0.01)
    entered, go = threading.Event(), threading.Event()

    def work() -> None:
        with forks.inside():
            entered.set()
            assert go.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(10)
    assert _forked() == 0
    go.set()
    thread.join()


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
    assert entered.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if copied.is_set() else 1)
    _, status = os.waitpid(child, 0)
    thread.join()
    store.close()
    assert status == 0
