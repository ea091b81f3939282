"""The store under strain: many processes, full disks, homes that can't be written, locks, kills."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.errors import StoreBusyError, StoreError
from kittywatch.store import clock
from kittywatch.store.database import NAME
from kittywatch.store.store import Store
from tests.selection import amounts
from tests.store import stores
from tests.waiting import until

PROCESSES = 8


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home that other users reach, unlike those below pytest's own directory."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        home = Path(directory) / "kitty"
        yield home
        for path in [Path(directory), *Path(directory).rglob("*")]:
            path.chmod(0o755)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few pages; only root can mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@amounts("each", sample=40, most=150, campaign=1000)
def test_many_processes_emit_at_once(home: Path, each: int) -> None:
    command = [sys.executable, "-m", "tests.store.emitting", str(home), str(each)]
    running = [
        subprocess.Popen([*command, f"process {number}"], cwd=stores.ROOT, stderr=subprocess.PIPE)
        for number in range(PROCESSES)
    ]
    said = [process.communicate()[1].decode() for process in running]
    assert said == [""] * PROCESSES
    assert [process.returncode for process in running] == [0] * PROCESSES
    assert stores.check_whole(home) == PROCESSES * each
    assert stores.copy_value(home) == PROCESSES * each


def test_threads_share_a_store(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    target = emitter_at(home)
    told: list[str | None] = []

    def run(number: int) -> None:
        told.extend(stores.note(target, f"{number} {index}") for index in range(20))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert None not in told
    assert stores.check_whole(home, [one for one in told if one]) == 80


def test_two_stores_in_one_process(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    """To open and close a second one drops no lock of the first."""
    first, second = emitter_at(home), emitter_at(home, wait_seconds=0.01)
    stores.note(first, "before")

    def other(connection: object) -> None:
        with pytest.raises(StoreBusyError):
            second.store.transact(lambda inner: None)
        second.store.close()
        with pytest.raises(StoreBusyError):
            second.store.transact(lambda inner: None)

    first.store.transact(other)
    assert stores.check_whole(home) == 1


@amounts("stride", sample=7, most=1)
def test_killed_at_each_step_of_an_emission(quick_home: Path, stride: int) -> None:
    assert int(stores.run_child("tests.store.killing", "emission", quick_home, str(stride))) > 100


@amounts("stride", sample=13, most=1)
def test_killed_at_each_step_of_the_first_emission(quick_home: Path, stride: int) -> None:
    assert int(stores.run_child("tests.store.killing", "first-emission", quick_home, str(stride))) > 100


@amounts("kills", sample=50, most=300, campaign=3000)
def test_killed_at_random_moments(quick_home: Path, kills: int) -> None:
    assert int(stores.run_child("tests.store.killing", "random", quick_home, str(kills))) > kills


def test_a_full_disk(small_disk: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    home = small_disk / "kitty"
    warnings: list[str] = []
    target = emitter_at(home, warnings.append)
    told = []
    while (event_id := stores.note(target, "x" * 4000)) is not None:
        told.append(event_id)
    assert told
    assert any("queue.db" in warning or "clock.json" in warning for warning in warnings)
    assert any(warning.startswith("an event was not emitted: ") for warning in warnings)
    assert not any("xxx" in warning for warning in warnings)
    target.store.close()

    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)

    later = emitter_at(home)
    event_id = stores.note(later, "there is room again")
    assert event_id is not None
    assert stores.check_whole(home, [*told, event_id]) == len(told) + 1


def test_files_that_may_not_grow(open_home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    """The same without a file system of its own; each failure takes nothing from what was there."""
    first = emitter_at(open_home)
    before = stores.steps(first, 3)
    first.store.close()
    found = _limited("full", open_home)
    assert found["told"] == [None] * 3
    assert all("an event was not emitted: " in warning for warning in found["warnings"])
    assert stores.check_whole(open_home, before) == 3
    assert stores.note(emitter_at(open_home), "after") is not None
    assert stores.check_whole(open_home, before) == 4


def test_a_home_that_can_only_be_read(open_home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    first = emitter_at(open_home)
    stores.steps(first, 3)
    first.store.close()
    found = _limited("read-only", open_home)
    assert found["told"] == [None] * 3
    assert all(NAME in warning for warning in found["warnings"])
    assert found["read"] == 3


def test_a_home_that_can_not_be_made(open_home: Path) -> None:
    found = _limited("read-only", open_home)
    assert found["told"] == [None] * 3
    assert all("Permission denied" in warning for warning in found["warnings"])


def test_a_locked_database(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    warnings: list[str] = []
    target = emitter_at(home, warnings.append, wait_seconds=0.02)
    stores.note(target, "before")
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.store.holding", str(home / NAME)],
        cwd=stores.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        assert stores.note(target, "meanwhile") is None
        with pytest.raises(StoreBusyError, match=r"locked by another process for 0\.02 s"):
            target.store.read(clock.value)
        holder.stdin.close()
    assert warnings
    assert all("has been locked by another process" in warning for warning in warnings)
    until(lambda: stores.note(target, "after"))
    assert stores.check_whole(home) == 2


def test_the_clock_goes_on_from_the_higher_of_its_two_files(
    home: Path, emitter_at: Callable[..., EventEmitter]
) -> None:
    first = emitter_at(home)
    stores.note(first, "one")
    first.store.close()
    copy = home / "clock.json"
    for content, expected in [
        (b"", 2),
        (b"[" * 100_000, 3),
        (b'{"value": 1, "node_id": "0123456789ab"}', 4),
        (b'{"value": "9"}', 5),
        (b'{"value": -3}', 6),
        (b'{"value": 100, "node_id": "0123456789ab"}', 101),
    ]:
        copy.write_bytes(content)
        one = emitter_at(home)
        stores.note(one, "next")
        one.store.close()
        assert stores.copy_value(home) == expected
        assert stores.rows(home, "SELECT value FROM clock") == [(expected,)]
    copy.unlink()
    one = emitter_at(home)
    stores.note(one, "next")
    one.store.close()
    assert stores.copy_value(home) == 102
    (home / NAME).unlink()
    stores.note(emitter_at(home), "next")
    assert stores.copy_value(home) == 103


def test_a_rehearsal_changes_nothing(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    target = emitter_at(home)
    assert target.store.rehearse(lambda connection: clock.ticks(connection, 5)) == 5
    assert not home.exists()
    stores.note(target, "one")
    assert target.store.rehearse(lambda connection: clock.ticks(connection, 5)) == 6
    assert stores.check_whole(home) == 1


def test_a_failing_observation_leaves_nothing(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    target = emitter_at(home)
    stores.note(target, "one")

    def fails(connection: Any) -> None:
        clock.ticks(connection, 5)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        target.store.transact(fails)
    assert stores.note(target, "two") is not None
    assert stores.check_whole(home) == 2


def test_a_database_that_is_replaced_again_and_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each look another file is at the path, as no file system here makes it: it ends, and says so."""
    files = itertools.count()
    monkeypatch.setattr("kittywatch.store.database._file_at", lambda path: (0, next(files)))
    store = Store(home, node_id=stores.NODE, warn=stores.unexpected)
    with pytest.raises(StoreError, match="replaced again and again"):
        store.read(clock.value)
    store.close()


def test_a_clock_copy_that_cannot_be_written_is_a_warning(home: Path) -> None:
    home.mkdir()
    (home / "clock.lock").mkdir()
    warnings: list[str] = []
    store = Store(home, node_id=stores.NODE, warn=warnings.append)
    store.transact(lambda connection: clock.ticks(connection, 1))
    store.close()
    (warning,) = warnings
    assert "clock.json could not be brought up to date" in warning


def test_opening_waits_until_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "home", node_id=stores.NODE, warn=stores.unexpected)
    assert not store.exists
    store.close()
    with pytest.raises(StoreError, match="Not a directory"):
        store.transact(clock.value)


def _limited(how: str, home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stores.run_child("tests.store.limited", how, home))
    return found
