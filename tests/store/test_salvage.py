"""Damaged databases: set aside whole, carried over, and nothing told again."""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.git.repository import Git
from kittywatch.store import salvage as salvaging
from kittywatch.store.database import NAME
from kittywatch.store.lock import locked
from kittywatch.store.salvage import finish_salvage, salvage
from tests.selection import amounts
from tests.store import stores

PAGE = 4096


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return stores.make_history(tmp_path / "repository", packages=6)


def _asides(home: Path) -> list[Path]:
    return sorted(path for path in home.glob(f"{NAME}.corrupt-*") if not path.name.endswith("-journal"))


def _garbage_header(data: bytes) -> bytes:
    return b"\xa5" * 100 + data[100:]


def _truncated(data: bytes) -> bytes:
    return data[: len(data) // 2 // PAGE * PAGE + 17]


def _zeroed_page(data: bytes) -> bytes:
    middle = len(data) // PAGE // 2 * PAGE
    return data[:middle] + bytes(PAGE) + data[middle + PAGE :]


def _noise(data: bytes) -> bytes:
    return bytes((index * 31 + 7) % 256 for index in range(len(data)))


@pytest.mark.parametrize(
    "damage",
    [_zeroed_page, *(pytest.param(one, marks=pytest.mark.long) for one in (_garbage_header, _truncated, _noise))],
)
def test_a_damaged_database_is_set_aside_whole_and_what_was_told_is_not_told_again(
    home: Path, git: Git, emitter_at: Callable[..., EventEmitter], damage: Callable[[bytes], bytes]
) -> None:
    first = emitter_at(home)
    told = stores.replay(git, first)
    first.store.close()
    path = home / NAME
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)

    second = emitter_at(home)
    salvage(path, stores.copy_value(home))
    kept = {str(row[0]) for row in stores.rows(home, "SELECT event_id FROM events")}
    again = stores.replay(git, second)

    assert [aside.read_bytes() for aside in _asides(home)] == [damaged]
    assert not kept & set(again)
    assert kept | set(again) == set(told), "the events have other ids now"
    assert stores.rows(home, "PRAGMA integrity_check") == [("ok",)]
    ticks = [row[0] for row in stores.rows(home, "SELECT lamport FROM events ORDER BY seq")]
    assert len(set(ticks)) == len(ticks)
    new = stores.rows(home, f"SELECT lamport FROM events WHERE lamport > {len(told)}")
    assert len(new) == len(again), "a value of the clock was given twice"


def test_the_store_mends_by_itself_and_says_so(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    first = emitter_at(home)
    stores.steps(first, 5)
    first.store.close()
    (home / NAME).write_bytes(b"not a database" * 1000)
    warnings: list[str] = []

    event = stores.note(emitter_at(home, warnings.append), "after")

    assert event is not None
    (warning,) = warnings
    assert "was damaged and is set aside as queue.db.corrupt-" in warning
    assert stores.rows(home, "SELECT lamport FROM events") == [(6,)]


@amounts("stride", sample=9, most=1)
def test_each_page_in_turn(
    home: Path, tmp_path: Path, git: Git, emitter_at: Callable[..., EventEmitter], stride: int
) -> None:
    """Whatever page is lost: nothing that the log still has is told again, and no transition twice."""
    first = emitter_at(home)
    told = stores.replay(git, first)
    first.store.close()
    whole = (home / NAME).read_bytes()
    for page in range(random.randint(1, stride), len(whole) // PAGE, stride):
        place = tmp_path / f"page-{page}"
        shutil.copytree(home, place)
        (place / NAME).write_bytes(whole[: page * PAGE] + bytes(PAGE) + whole[(page + 1) * PAGE :])
        salvage(place / NAME, stores.copy_value(place))
        kept = {str(row[0]) for row in stores.rows(place, "SELECT event_id FROM events")}
        again = emitter_at(place)
        new = stores.replay(git, again)
        again.store.close()
        assert not kept & set(new), f"page {page}"
        assert kept | set(new) <= set(told), f"page {page}: a transition under a second id"
        chains = _chains(place)
        assert all(chain == list(range(len(chain))) for chain in chains.values()), f"page {page}: {chains}"
        shutil.rmtree(place)


def test_whoever_has_the_damaged_file_open_goes_over_to_the_new_one(
    home: Path, emitter_at: Callable[..., EventEmitter]
) -> None:
    watcher = emitter_at(home)
    told = stores.steps(watcher, 3)
    (home / "copy.db").write_bytes(_garbage_header((home / NAME).read_bytes()))
    (home / "copy.db").replace(home / NAME)  # not in place: the watcher's pages would change under it
    other = emitter_at(home, lambda message: None)
    assert stores.note(other, "mends") is not None

    later = stores.note(watcher, "still told")

    assert later is not None
    logged = {row[0] for row in stores.rows(home, "SELECT event_id FROM events")}
    assert later in logged
    assert stores.rows(home, "SELECT max(lamport), count(DISTINCT lamport) = count(*) FROM events") == [(5, 1)]
    assert len(told) == 3


def test_a_deleted_database_is_made_anew_by_whoever_has_it_open(
    home: Path, emitter_at: Callable[..., EventEmitter]
) -> None:
    target = emitter_at(home)
    stores.steps(target, 3)
    (home / NAME).unlink()

    assert stores.note(target, "after") is not None

    assert stores.rows(home, "SELECT lamport FROM events") == [(4,)]


def test_what_the_queue_still_has_goes_back_into_the_log(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    first = emitter_at(home)
    told = stores.steps(first, 4)
    first.store.close()
    stores.execute(home, "DELETE FROM events WHERE lamport IN (2, 3)", "DELETE FROM entries", "DELETE FROM projects")
    stores.break_an_index(home)

    salvage(home / NAME, 0)

    assert [row[0] for row in stores.rows(home, "SELECT event_id FROM events ORDER BY lamport")] == told
    assert [row[0] for row in stores.rows(home, "SELECT event_id FROM entries ORDER BY id")] == told
    assert stores.rows(home, "SELECT key FROM projects") == [(stores.UUID,)]


def test_lost_rows_of_the_ledger_go_back_to_where_they_stood(
    home: Path, git: Git, emitter_at: Callable[..., EventEmitter]
) -> None:
    first = emitter_at(home)
    told = stores.replay(git, first)
    first.store.close()
    order = stores.rows(home, "SELECT wp_id, event_id FROM entries ORDER BY wp_id, id")
    stores.execute(home, "DELETE FROM entries WHERE id % 3 = 0 OR wp_id = 'WP03' OR kind = 'created'")
    stores.break_an_index(home)

    salvage(home / NAME, 0)

    assert stores.rows(home, "SELECT wp_id, event_id FROM entries ORDER BY wp_id, id") == order
    assert stores.replay(git, emitter_at(home)) == []
    assert stores.check_whole(home, told) == len(told)


def test_what_a_replay_emitted_was_before_the_baseline(home: Path, tmp_path: Path) -> None:
    """Emitted after what follows it: the ledger still ends where the last observation did."""
    told = stores.observed_late(home, stores.make_history(tmp_path / "late", packages=1))
    columns = "wp_id, kind, status, lane, previous, event_id, identities, first_commit"
    whole = stores.rows(home, f"SELECT {columns} FROM entries WHERE wp_id = 'WP01' ORDER BY id")
    assert [row[1:4] for row in whole] == [
        ("known", "baseline", "doing"),
        ("step", "emitted", "for_review"),
        ("step", "emitted", "done"),
        ("created", "baseline", "planned"),
        ("step", "baseline", "doing"),
    ]
    for number in range(2, 6):
        stores.execute(home, f"DELETE FROM entries WHERE id = {number}")
        stores.break_an_index(home)
        salvage(home / NAME, 0)
        assert stores.rows(home, f"SELECT {columns} FROM entries WHERE wp_id = 'WP01' ORDER BY id") == whole, number
    assert stores.check_whole(home, told) == len(told)


def test_what_introduced_a_lost_entry_and_what_edits_it_was_go_with_it(
    home: Path, emitter_at: Callable[..., EventEmitter]
) -> None:
    """Whatever the log has in its place is another row, and has its number."""
    first = emitter_at(home)
    told = stores.steps(first, 2)
    stores.steps(first, 1, wp_id="WP02")
    first.store.close()
    stores.execute(
        home,
        "INSERT INTO links VALUES (1, 'c1', 'doing'), (3, 'c3', 'doing')",
        "INSERT INTO checkouts VALUES (1, 1, '/here/.git', 'main', 0, 1)",
        f"INSERT INTO pending VALUES (1, 1, '{stores.FEATURE}', 'WP01', 'doing', 0, '', '', '[1, 2, 9]')",
        "DELETE FROM entries WHERE id = 1",
    )
    stores.break_an_index(home)

    salvage(home / NAME, 0)

    assert stores.rows(home, "SELECT * FROM links") == [(3, "c3", "doing")]
    assert stores.rows(home, "SELECT entries FROM pending") == [("[2]",)]
    ids = stores.rows(home, "SELECT event_id FROM entries WHERE wp_id = 'WP01' ORDER BY id")
    assert ids == [(one,) for one in told]


def test_nobody_writes_into_the_damaged_file_while_it_is_mended(
    home: Path, emitter_at: Callable[..., EventEmitter], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = emitter_at(home)
    stores.steps(first, 3)
    stores.break_an_index(home)
    late: list[str] = []
    writer = emitter_at(home, late.append, wait_seconds=0.01)
    carry_over = salvaging._carry_over

    def meanwhile(source: sqlite3.Connection, into: sqlite3.Connection) -> dict[str, int]:
        counts = carry_over(source, into)
        assert stores.note(writer, "too late to be carried over") is None
        return counts

    monkeypatch.setattr(salvaging, "_carry_over", meanwhile)
    salvage(home / NAME, 0)

    assert late
    assert stores.note(writer, "into the new one") is not None
    assert stores.check_whole(home) == 4


def test_the_journal_of_a_writer_in_between_goes_with_the_damaged_file(
    home: Path, emitter_at: Callable[..., EventEmitter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left where it is, it would be played back into the new database by whoever opens that first."""
    monkeypatch.setattr(salvaging, "WAIT_SECONDS", 0.05)
    first = emitter_at(home)
    told = stores.steps(first, 3)
    first.store.close()
    stores.break_an_index(home)
    with closing(sqlite3.connect(home / NAME, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE events SET sent_at = 1")
        journal = (home / f"{NAME}-journal").read_bytes()
        assert journal

        salvage(home / NAME, 0)

        (aside,) = _asides(home)
        assert aside.with_name(f"{aside.name}-journal").read_bytes() == journal
        assert not (home / f"{NAME}-journal").exists()
        assert stores.check_whole(home, told) == 3


def test_where_there_are_no_hard_links_the_damaged_file_keeps_its_bytes_too(
    home: Path, emitter_at: Callable[..., EventEmitter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT; no such file system can be mounted in a test."""

    def no_link(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    first = emitter_at(home)
    told = stores.steps(first, 3)
    first.store.close()
    stores.break_an_index(home)
    damaged = (home / NAME).read_bytes()
    monkeypatch.setattr(os, "link", no_link)

    salvage(home / NAME, 0)

    assert [aside.read_bytes() for aside in _asides(home)] == [damaged]
    assert stores.check_whole(home, told) == 3


def test_what_another_program_queued_is_kept_and_is_not_ours_to_log(
    home: Path, emitter_at: Callable[..., EventEmitter]
) -> None:
    first = emitter_at(home)
    told = stores.steps(first, 2)
    first.store.close()
    columns = "event_id, event_type, data, timestamp"
    stores.execute(home, f"""INSERT INTO queue ({columns}) VALUES ('01B', 'Other', '{{"event_id": "01B"}}', 1)""")
    stores.break_an_index(home)

    salvage(home / NAME, 0)

    assert [row[0] for row in stores.rows(home, "SELECT event_id FROM queue ORDER BY id")] == [*told, "01B"]
    assert [row[0] for row in stores.rows(home, "SELECT event_id FROM events ORDER BY seq")] == told


def test_a_rebuilt_database_is_put_in_its_place_once(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    """Its maker was killed; of two that find it, the second finds what the first has put there by then."""
    target = emitter_at(home)
    told = stores.steps(target, 2)
    target.store.close()
    path, rebuilt = home / NAME, home / f"{NAME}.rebuilt"
    path.rename(rebuilt)
    second = threading.Thread(target=finish_salvage, args=(path,))
    with locked(home / "salvage.lock"):
        second.start()
        while second.is_alive() and not _waits_for_a_lock():
            second.join(0.001)
        rebuilt.rename(path)
        rebuilt.write_bytes(b"of the next salvage, half done")
    second.join()

    assert stores.check_whole(home, told) == 2
    assert rebuilt.read_bytes() == b"of the next salvage, half done"
    path.unlink()
    rebuilt.unlink()
    finish_salvage(path)
    assert not path.exists()


def test_a_sound_database_is_left_alone(home: Path, emitter_at: Callable[..., EventEmitter]) -> None:
    stores.steps(emitter_at(home), 2)
    before = (home / NAME).stat().st_ino

    assert "another process has mended it" in salvage(home / NAME, 0)

    assert (home / NAME).stat().st_ino == before
    assert not _asides(home)


@amounts("stride", sample=11, most=1)
def test_killed_at_any_step_of_mending_there_is_the_old_database_or_the_new_one(quick_home: Path, stride: int) -> None:
    assert int(stores.run_child("tests.store.killing", "mending", quick_home, str(stride))) > 100


def _waits_for_a_lock() -> bool:
    """Whether a thread of this process waits for a lock of a file."""
    held = Path("/proc/locks").read_text("ascii")
    return any(line.split()[1:3] == ["->", "FLOCK"] and f" {os.getpid()} " in line for line in held.splitlines())


def _chains(home: Path) -> dict[object, list[int]]:
    """Each work package's log, as the numbers of its lanes."""
    chains: dict[object, list[int]] = {}
    for wp_id, lane in stores.rows(home, "SELECT wp_id, lane FROM entries ORDER BY wp_id, id"):
        chains.setdefault(wp_id, []).append(stores.LANES.index(str(lane)))
    return chains
