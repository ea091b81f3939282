"""Databases of the version before, as that version made them: nothing is emitted again, and nothing is forgotten."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from kittywatch.derive.ledger import identity
from kittywatch.events import Event
from kittywatch.observe.observation import observe
from kittywatch.observe.reconcile import reconcile_view
from kittywatch.store.database import NAME, Database
from kittywatch.store.schema import MIGRATIONS
from tests.githooks.hooked import Repository
from tests.history.replaying import lanes, opened, replay
from tests.store import stores

ARCHIVES = Path(__file__).parent / "old"
TASKS = "kitty-specs/001-login/tasks"


class Old:
    """A home of the version before, and the repositories that it observed, unpacked where they haven't been yet."""

    def __init__(self, name: str, place: Path) -> None:
        place.mkdir()
        with tarfile.open(ARCHIVES / f"{name}.tar.xz") as archive:
            archive.extractall(place, filter="data")
        self.home = place / "kitty"
        self.repository = Repository(place / "project", fresh=False)
        self.second = Repository(place / "second", fresh=False)
        made_at = (place / "made-at.txt").read_text()
        stores.execute(self.home, f"UPDATE checkouts SET git_dir = replace(git_dir, '{made_at}', '{place}')")

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return stores.rows(self.home, sql)

    def observe(self, repository: Repository | None = None) -> list[Event]:
        with opened((repository or self.repository).root, self.home) as project:
            return observe(project, "scan").events

    def replay(self) -> list[Event]:
        return replay(self.repository.root, self.home)

    def move(self, wp_id: str, lane: str) -> None:
        """Move a work package in its file, without a record."""
        path = self.repository.root / TASKS / f"{wp_id}.md"
        before, _, after = path.read_text("utf-8").partition("lane: ")
        path.write_text(f'{before}lane: "{lane}"\n{after.partition(chr(10))[2]}', "utf-8")


@pytest.fixture
def old(tmp_path: Path) -> Callable[[str], Old]:
    return lambda name: Old(name, tmp_path / name)


def migrate(old: Old) -> None:
    Database(old.home / NAME).close()


def test_a_scan_finds_nothing_new(old: Callable[[str], Old]) -> None:
    for name in ("worked", "replayed"):
        one = old(name)
        before = one.rows("SELECT event_id, lamport, data, source, delivered_at FROM events ORDER BY seq")
        assert one.observe() == []
        assert one.rows("SELECT event_id, lamport, data, source, delivered_at FROM events ORDER BY seq") == before


def test_a_replay_finds_what_was_before_the_baseline_and_nothing_else(old: Callable[[str], Old]) -> None:
    one = old("worked")
    assert lanes(one.replay()) == ["WP01 created", "WP01 planned→doing", "WP02 created"]
    assert one.replay() == []
    assert old("replayed").replay() == []


def test_waiting_and_delivered_events_stay_so(old: Callable[[str], Old]) -> None:
    one = old("worked")
    waiting = one.rows("SELECT event_id, data, project, retry_count FROM queue ORDER BY id")
    migrate(one)
    assert one.rows("SELECT event_id, data, project, retry_count FROM queue ORDER BY id") == waiting
    assert len(waiting) == 6
    assert one.rows("SELECT count(*) FROM events WHERE delivered_at IS NOT NULL") == [(3,)]
    assert one.rows("SELECT value FROM clock") == [(9,)]


def test_what_is_known_besides_lanes(old: Callable[[str], Old]) -> None:
    one = old("worked")
    kept = {
        "SELECT * FROM marks": "SELECT * FROM seen",
        "SELECT * FROM horizons": "SELECT * FROM boundaries",
        **{
            f"SELECT * FROM {table}": f"SELECT * FROM {table}" for table in ("features", "broken", "checkouts", "views")
        },
    }
    before = [one.rows(sql) for sql in kept]
    assert all(before)
    migrate(one)
    assert [one.rows(sql) for sql in kept.values()] == before


def test_entries_in_their_order(old: Callable[[str], Old]) -> None:
    """With the commits that were known to have brought them; what was undone without a commit is void."""
    one = old("worked")
    landings = one.rows(
        "SELECT event_id, landings.commit_id FROM landings JOIN ledger ON ledger.id = entry ORDER BY 1, 2"
    )
    migrate(one)
    entries = one.rows("SELECT wp_id, kind, status, lane FROM entries ORDER BY id")
    assert entries == [
        ("WP01", "known", "baseline", "doing"),
        ("WP01", "step", "emitted", "for_review"),
        ("WP01", "step", "emitted", "done"),
        ("WP02", "known", "baseline", "planned"),
        ("WP02", "step", "remote", "doing"),
        ("WP02", "assigned", "remote", "doing"),
        ("WP02", "assigned", "emitted", "doing"),
        ("WP02", "step", "emitted", "for_review"),
        ("WP03", "known", "remote", "doing"),
        ("WP03", "step", "void", "for_review"),
        ("WP03", "step", "void", "doing"),
    ]
    links = "SELECT event_id, links.commit_id FROM links JOIN entries ON entries.id = entry"
    assert set(landings) <= set(one.rows(links))
    one = old("replayed")
    migrate(one)
    assert [f"{kind} {lane}" for kind, lane in one.rows("SELECT kind, lane FROM entries ORDER BY id")] == [
        "created planned",
        "step doing",
        "assigned doing",
        "known doing",
        "step for_review",
        "step done",
    ]


def test_a_steps_identity_is_the_time_of_its_event(old: Callable[[str], Old]) -> None:
    one = old("replayed")
    migrate(one)
    sql = (
        "SELECT identities, data FROM entries JOIN events USING (event_id) WHERE kind = 'step' AND lane = 'for_review'"
    )
    ((identities, data),) = one.rows(sql)
    moment = datetime.fromisoformat(json.loads(str(data))["timestamp"])
    assert json.loads(str(identities)) == [identity(moment, "for_review")]


def test_a_pending_edit_that_is_committed_is_silent(old: Callable[[str], Old]) -> None:
    one = old("worked")
    one.repository.commit()
    assert one.observe() == []
    assert [step for step in lanes(one.replay()) if "→" in step] == ["WP01 planned→doing"]


def test_a_pending_edit_that_is_discarded_is_emitted(old: Callable[[str], Old]) -> None:
    one = old("worked")
    one.repository.git("checkout", "-q", "--", ".")
    assert lanes(one.observe()) == ["WP01 done→for_review"]
    assert one.observe() == []


def test_what_was_taken_back_may_happen_again(old: Callable[[str], Old]) -> None:
    one = old("worked")
    one.move("WP03", "for_review")
    one.repository.commit()
    assert "WP03 doing→for_review" in lanes(one.observe())
    assert one.observe() == []


def test_a_copy_of_what_was_emitted_is_known(old: Callable[[str], Old]) -> None:
    """By the time that it keeps, though no commit of the old ledger is among those of the branch."""
    one = old("replayed")
    one.repository.git("checkout", "-q", "--orphan", "other")
    one.repository.git("commit", "-q", "-m", "start", "--date", "2026-01-01T00:00:00Z")
    one.repository.git("checkout", "-q", "main")
    one.repository.git("commit", "-q", "--amend", "-m", "reworded")
    assert one.observe() == []
    assert one.replay() == []


def test_what_was_emitted_manually_is_known_when_an_observer_comes_by(old: Callable[[str], Old]) -> None:
    one = old("replayed")
    one.move("WP01", "done")
    one.repository.commit()
    assert [type(event).__name__ for event in one.observe()] == ["FeatureCompleted"]
    assert one.replay() == []
    with opened(one.repository.root, one.home) as project:
        assert reconcile_view(project) == []


def test_what_another_clone_took_for_somebody_elses_is_emitted_where_it_was_made(old: Callable[[str], Old]) -> None:
    one = old("clones")
    assert one.observe(one.second) == []
    assert lanes(one.observe()) == ["WP01 planned→doing"]
    assert one.observe() == one.observe(one.second) == []
    assert lanes(one.replay()) == ["WP01 created"]


def test_the_version_before_refuses_a_database_of_this_one(old: Callable[[str], Old]) -> None:
    """It compares the number of its own migrations, which is what its databases have, with the database's."""
    one = old("clones")
    ((known,),) = one.rows("PRAGMA user_version")
    migrate(one)
    assert one.rows("PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert len(MIGRATIONS) > int(str(known))


def test_a_database_that_cannot_be_carried_over_stays_as_it_was(old: Callable[[str], Old]) -> None:
    one = old("worked")
    stores.execute(one.home, "ALTER TABLE horizons RENAME COLUMN kind TO sort")
    before = (one.home / NAME).read_bytes()
    with closing(sqlite3.connect(one.home / NAME)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(horizons)")]
    assert "sort" in columns
    with pytest.raises(Exception, match="kind"):
        migrate(one)
    assert (one.home / NAME).read_bytes() == before
