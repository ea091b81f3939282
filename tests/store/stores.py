"""Stores, emitters and small histories for tests; also for the child processes that they start."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from kittywatch.emit.drafts import EnvelopeContext
from kittywatch.emit.emitter import EventEmitter
from kittywatch.git.repository import Git
from kittywatch.observe.observation import observe
from kittywatch.observe.replay import Replay
from kittywatch.store.aliases import Aliases
from kittywatch.store.database import NAME
from kittywatch.store.store import Store
from kittywatch.workpackages.lanes import LaneNames
from tests.history.replaying import opened

ROOT = Path(__file__).parents[2]
NODE = "0123456789ab"
UUID = "7a4e4b0e-52a6-4c0a-9d7e-0d5f3b1c2a10"
FEATURE = "001-login"
LANES = ("planned", "doing", "for_review", "done")


def context(uuid: str | None = UUID) -> EnvelopeContext:
    return EnvelopeContext(project_uuid=uuid, project_slug="shop", node_id=NODE, build_id="build")


def emitter(
    home: Path, warn: Callable[[str], None], *, wait_seconds: float = 30.0, uuid: str | None = UUID
) -> EventEmitter:
    """An emitter of its own; the caller closes its store."""
    store = Store(home, node_id=NODE, warn=warn, wait_seconds=wait_seconds)
    return EventEmitter(store, context(uuid), place="/somewhere/.git", warn=warn)


def unexpected(message: str) -> None:
    """For emitters that must not warn."""
    raise AssertionError(message)


def note(target: EventEmitter, text: str) -> str | None:
    """Emit something that has no place in the ledger; returns its event id."""
    event = target.emit_history_added("WP01", "note", text, feature_slug=FEATURE)
    return event["event_id"] if event else None


def steps(target: EventEmitter, count: int, *, wp_id: str = "WP01") -> list[str]:
    """Emit a chain of transitions, round the lanes; returns the ids of the events."""
    ids = []
    for index in range(count):
        before, after = LANES[index % 4], LANES[(index + 1) % 4]
        event = target.emit_wp_status_changed(wp_id, before, after, feature_slug=FEATURE)
        assert event is not None
        ids.append(event["event_id"])
    return ids


def add_alias(home: Path, event_id: str, alias: str) -> None:
    """Note an alias of an event that was emitted in a home."""
    store = Store(home, node_id=NODE, warn=unexpected)

    def work(connection: sqlite3.Connection) -> bool:
        (project,) = connection.execute("SELECT project FROM events WHERE event_id = ?", (event_id,)).fetchone()
        return Aliases(connection, project).add(alias, event_id)

    assert store.transact(work)
    store.close()


def rows(home: Path, sql: str) -> list[tuple[object, ...]]:
    """What a query finds in a home's database."""
    with closing(sqlite3.connect(home / NAME)) as connection:
        return connection.execute(sql).fetchall()


def execute(home: Path, *statements: str) -> None:
    """Change a home's database behind the store's back."""
    with closing(sqlite3.connect(home / NAME)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def break_an_index(home: Path, name: str = "links_of_commit") -> None:
    """Damage a page that holds no rows: the root of an index."""
    ((page,),) = rows(home, f"SELECT rootpage FROM sqlite_master WHERE name = '{name}'")
    assert isinstance(page, int)
    with (home / NAME).open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)


def check_whole(home: Path, told: Iterable[str] = ()) -> int:
    """Assert that a home's database is sound, agrees with itself and has `told`; returns how many events it has."""
    assert rows(home, "PRAGMA integrity_check") == [("ok",)]
    ticks = [row[0] for row in rows(home, "SELECT lamport FROM events ORDER BY lamport")]
    assert ticks == list(range(1, len(ticks) + 1)), "a gap or a repeat in lamport_clock"
    assert rows(home, "SELECT value FROM clock") == [(len(ticks),)]
    logged = {row[0] for row in rows(home, "SELECT event_id FROM events")}
    assert {row[0] for row in rows(home, "SELECT event_id FROM queue")} == logged
    stepped = {row[0] for row in rows(home, "SELECT event_id FROM events WHERE event_type = 'WPStatusChanged'")}
    assert {row[0] for row in rows(home, "SELECT event_id FROM entries WHERE kind = 'step'")} == stepped
    assert set(told) <= logged, "an event that was told is gone"
    check_tallies(home)
    return len(ticks)


def check_tallies(home: Path) -> None:
    """Assert that the tallies say what counting the rows of the queue would."""
    state = "CASE WHEN died_at IS NOT NULL THEN 'dead' WHEN retry_count > 0 THEN 'refused' ELSE 'waiting' END"
    counted = rows(
        home, f"SELECT coalesce(project, 0), coalesce(recipient, 0), {state}, count(*) FROM queue GROUP BY 1, 2, 3"
    )
    assert sorted(map(str, rows(home, "SELECT * FROM tallies WHERE number"))) == sorted(map(str, counted))


def copy_value(home: Path) -> int:
    """The value in clock.json."""
    found = json.loads((home / "clock.json").read_bytes())["value"]
    assert isinstance(found, int)
    return found


def run_child(module: str, *arguments: str | Path, deadline: float = 800.0) -> str:
    """What a module of the tests prints when it is run as a process of its own."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=deadline, check=False)
    assert done.returncode == 0, f"{module}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def make_history(root: Path, *, packages: int = 20) -> Git:
    """A repository whose work packages each went through all lanes, a commit a step: 1 + 4 events a package."""
    root.mkdir()
    stream: list[str] = []
    moment = 1_767_225_600
    for number in range(1, packages + 1):
        for lane in LANES:
            moment += 60
            text = f'---\nwork_package_id: "WP{number:02d}"\ntitle: "Part {number}"\nlane: "{lane}"\n---\n\n# Part\n'
            stream += [
                "commit refs/heads/main",
                f"author A <a@example.invalid> {moment} +0000",
                f"committer A <a@example.invalid> {moment} +0000",
                "data 1\nx",
                f"M 100644 inline kitty-specs/{FEATURE}/tasks/WP{number:02d}-part.md",
                f"data {len(text.encode())}\n{text}",
            ]
    _git(root, "init", "-q", "-b", "main")
    _git(root, "fast-import", "--quiet", text="\n".join(stream) + "\n")
    _git(root, "reset", "-q", "--hard", "main")
    return Git.find(root)


def replay(git: Git, target: EventEmitter) -> list[str]:
    """Replay main; returns the ids of the events that this told."""
    run = Replay(git, LaneNames(), target)
    return [event.event_id for events in run.run("main") for event in events]


def observed_late(home: Path, git: Git) -> list[str]:
    """Observe the last two commits of main, then replay what was before; returns the ids of all events."""
    _git(git.root, "reset", "-q", "--hard", "HEAD~2")
    with opened(git.root, home) as project:
        observe(project, "scan")
        _git(git.root, "reset", "-q", "--hard", "HEAD@{1}")
        events = observe(project, "scan").events
        for some in Replay(project.git, project.names, project.emitter).run("main"):
            events += some
    return [event.event_id for event in events]


def _git(root: Path, *command: str, text: str = "") -> None:
    subprocess.run(["git", *command], cwd=root, input=text, text=True, check=True)


def let_pauses_pass(home: Path) -> None:
    """As if it were long after the last refusal of each queued event."""
    execute(home, "UPDATE queue SET retry_at = 1 WHERE retry_at IS NOT NULL")
