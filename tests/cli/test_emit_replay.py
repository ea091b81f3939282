"""`emit replay` on the command line; what it tells is in tests/history."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kittywatch.events import WPStatusChanged, from_json
from kittywatch.sync.identity import CONFIG
from tests.builders import work_package_text
from tests.cli.conftest import WP01, Command
from tests.history.replaying import fingerprint
from tests.history.script import Repository

STEPS = ["planned → doing", "doing → for_review"]


def test_replay(kittywatch: Command, repository: Repository) -> None:
    """One line sums it up, on stderr: commits read, work packages, events told, already told.

    The first time, another one says how to have them delivered.
    """
    done = kittywatch("emit", "replay")
    assert (done.code, done.out) == (0, "")
    summary, hint = done.err.splitlines()
    assert summary == "3 commits read, 1 work package, 4 events told, 0 already told"
    assert hint == "Events queued locally; run spec-kitty auth login to enable real-time sync"
    again = kittywatch("emit", "replay")
    assert (again.code, again.out) == (0, "")
    assert again.err == "3 commits read, 1 work package, 0 events told, 4 already told\n"


def test_json(kittywatch: Command, repository: Repository) -> None:
    """One event a line, on stdout; they are the ones that wait in the queue."""
    done = kittywatch("emit", "replay", "--json")
    events = [from_json(line) for line in done.out.splitlines()]
    assert [type(event).__name__ for event in events[:2]] == ["FeatureCreated", "WPCreated"]
    assert all(isinstance(event, WPStatusChanged) for event in events[2:])
    assert kittywatch("queue", "list", "--json").out == done.out
    assert kittywatch("log", "--json").out == done.out


def test_verbose(kittywatch: Command, repository: Repository) -> None:
    done = kittywatch("-v", "emit", "replay")
    assert [line.split("  ")[3] for line in done.out.splitlines()[2:]] == STEPS


def test_dry_run(kittywatch: Command, repository: Repository, own_home: Path) -> None:
    """Prints what it would tell, writing nothing: no home, no identity."""
    before = fingerprint(repository.root)
    done = kittywatch("emit", "replay", "--dry-run")
    assert done.code == 0
    assert [line.split("  ")[3] for line in done.out.splitlines()[2:]] == STEPS
    assert "nothing was written" in done.err
    assert fingerprint(repository.root) == before
    assert not (own_home / ".spec-kitty").exists()


def test_a_dry_run_prints_the_same_ids(kittywatch: Command, repository: Repository) -> None:
    kittywatch("init")
    dry = kittywatch("emit", "replay", "--dry-run", "--json").out.splitlines()
    real = kittywatch("emit", "replay", "--json").out.splitlines()
    assert [json.loads(line)["event_id"] for line in dry] == [json.loads(line)["event_id"] for line in real]
    assert len(real) == 4


def test_it_makes_an_identity(kittywatch: Command, repository: Repository) -> None:
    """Silently, as every command but a dry run."""
    assert kittywatch("-q", "emit", "replay").err == ""
    assert (repository.root / CONFIG).is_file()


def test_a_revision(kittywatch: Command, repository: Repository) -> None:
    assert "2 commits read" in kittywatch("emit", "replay", "HEAD~1").err
    assert "3 commits read, 1 work package, 1 event told" in kittywatch("emit", "replay", "main").err


@pytest.mark.parametrize(
    ("since", "told"),
    [("2026-02-02", 2), ("2026-02-02T12:00:01Z", 1), ("2026-02-02T13:00:00+01:00", 2), ("2026-02-04", 0)],
)
def test_since(
    kittywatch: Command, repository: Repository, monkeypatch: pytest.MonkeyPatch, since: str, told: int
) -> None:
    """Author time then or later."""
    monkeypatch.setenv("TZ", "UTC")
    assert f"{told} event{'' if told == 1 else 's'} told" in kittywatch("emit", "replay", "--since", since).err


def test_a_feature(kittywatch: Command, repository: Repository) -> None:
    assert "0 events told" in kittywatch("emit", "replay", "--feature", "002-none").err
    assert "4 events told" in kittywatch("emit", "replay", "--feature", "001-login").err


@pytest.mark.parametrize("since", ["yesterday", "", "2026-02-30", "99999-01-01", "0001-01-01"])
def test_a_date_that_is_none(kittywatch: Command, repository: Repository, since: str) -> None:
    """A usage error, or a date at the edge of what there is: never a bug."""
    assert kittywatch("emit", "replay", "--since", since).code in ((0, 2) if since == "0001-01-01" else (2,))


@pytest.mark.parametrize("revision", ["nothing", "HEAD~9", "HEAD:kitty-specs", "\x1b[2J"])
def test_a_revision_that_is_none(kittywatch: Command, repository: Repository, revision: str) -> None:
    """1, with its remedy."""
    done = kittywatch("emit", "replay", revision)
    assert (done.code, done.out) == (1, "")
    assert "is no commit here" in done.err
    assert "\x1b" not in done.err


def test_without_a_commit(kittywatch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenario 40: a clear refusal."""
    monkeypatch.chdir(Repository(tmp_path / "empty").root)
    done = kittywatch("emit", "replay")
    assert (done.code, done.out) == (1, "")
    assert "HEAD is no commit here" in done.err


def test_an_event_outside_of_the_contract(kittywatch: Command, repository: Repository) -> None:
    """Discarded with a warning that names the field, never the content; the rest is told."""
    name = "größe secret"
    repository.commit(
        "02-04", files={WP01.replace("001-login", name): work_package_text(lane="planned", title="secret")}
    )
    done = kittywatch("emit", "replay")
    assert done.code == 0
    assert "feature_slug" in done.err
    assert "secret" not in done.err
    assert "5 events told" in done.err
