"""How a database is, looked at by somebody who must not change it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.errors import StoreBusyError, StoreError
from kittywatch.store import condition as conditions
from kittywatch.store.condition import condition, is_sound
from kittywatch.store.database import NAME
from kittywatch.store.schema import MIGRATIONS
from tests.store import stores

LOOKS = pytest.mark.parametrize("look", [condition, is_sound])


def test_without_a_database_nothing_is_wrong(home: Path) -> None:
    assert condition(home) is None
    assert is_sound(home)
    assert not home.exists()


def test_a_sound_one(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    stores.steps(emitter_at(home), 3)
    before = (home / NAME).read_bytes()
    found = condition(home)
    assert found is not None
    assert (found.journal_mode, found.newer, found.clock, found.highest_tick) == ("delete", False, 3, 3)
    assert (found.waiting, found.dead, found.destination, found.notes) == (3, 0, False, {})
    assert found.waiting_since is not None
    assert found.last_emitted is not None
    assert found.waiting_since < found.last_emitted
    assert is_sound(home)
    assert (home / NAME).read_bytes() == before


def test_a_damaged_one_has_no_condition_and_is_left_as_it_is(
    home: Path, emitter_at: Callable[..., EventEmitter]
) -> None:
    target = emitter_at(home)
    stores.steps(target, 3)
    target.store.close()
    damaged = b"\xa5" * 100 + (home / NAME).read_bytes()[100:]
    (home / NAME).write_bytes(damaged)
    assert condition(home) is None
    assert not is_sound(home)
    assert not list(home.glob(f"{NAME}.*"))
    assert (home / NAME).read_bytes() == damaged


@LOOKS
def test_one_that_somebody_holds_is_busy(
    home: Path,
    emitter_at: Callable[..., EventEmitter],
    monkeypatch: pytest.MonkeyPatch,
    look: Callable[[Path], object],
) -> None:
    """It is no damage: nobody should mend what another process is writing to."""
    monkeypatch.setattr(conditions, "WAIT_SECONDS", 0.05)
    stores.steps(emitter_at(home), 1)
    with closing(sqlite3.connect(home / NAME, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusyError):
            look(home)


@LOOKS
def test_what_can_not_be_opened_says_which_file(home: Path, look: Callable[[Path], object]) -> None:
    (home / NAME).mkdir(parents=True)
    with pytest.raises(StoreError) as caught:
        look(home)
    assert str(home / NAME) in str(caught.value)
    assert str(home / NAME) in caught.value.remedy


@pytest.mark.parametrize(("version", "newer"), [(0, False), (len(MIGRATIONS) + 1, True)])
def test_of_another_version_nothing_is_read(
    home: Path, emitter_at: Callable[..., EventEmitter], version: int, newer: bool
) -> None:
    """An empty file has no tables yet, and what a newer kittywatch keeps is not ours to understand."""
    stores.steps(emitter_at(home), 1)
    stores.execute(home, f"PRAGMA user_version = {version}")
    found = condition(home)
    assert found is not None
    assert (found.newer, found.clock, found.waiting) == (newer, 0, 0)
