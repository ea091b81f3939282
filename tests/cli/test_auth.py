"""`auth`: the login at a server."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kittywatch.store import destinations
from kittywatch.store.store import Store
from kittywatch.sync import features
from kittywatch.sync.credentials import CredentialsFile
from tests.cli.conftest import Command, Done
from tests.history.script import Repository
from tests.hub.hubs import PASSWORD
from tests.store import stores
from tests.sync.delivering import pretend_login, queue
from tests.sync.fault_proxy import Fault, FaultProxy, answer_json
from tests.sync.terminal import at_terminal


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """No flusher beside the tests."""
    monkeypatch.setenv("KITTYWATCH", "0")


@pytest.fixture
def kitty_home(own_home: Path) -> Path:
    return own_home / ".spec-kitty"


@pytest.fixture
def server() -> Iterator[FaultProxy]:
    """A server that takes every login as one of the team `cats`."""
    said = {"access": "ACCESS", "refresh": "REFRESH", "access_lifetime": 900, "team_slug": "cats"}

    def plan(path: str, number: int) -> Fault:
        return answer_json(200, said)

    with FaultProxy(0, plan) as server:
        yield server


def login(kittywatch: Command, monkeypatch: pytest.MonkeyPatch, *options: str, given: str = f"{PASSWORD}\n") -> Done:
    monkeypatch.setattr(sys, "stdin", io.StringIO(given))
    done: Done = kittywatch("auth", "login", "--username", "mira", "--password-stdin", *options)
    return done


def test_login_status_logout(
    kittywatch: Command, monkeypatch: pytest.MonkeyPatch, server: FaultProxy, kitty_home: Path
) -> None:
    done = login(kittywatch, monkeypatch, "--server", server.url)
    assert (done.code, done.out, done.err) == (0, "", f"logged in at {server.url} as mira, team cats\n")
    assert json.loads(server.bodies[0]) == {"username": "mira", "password": PASSWORD}
    assert (kitty_home / "credentials").stat().st_mode & 0o777 == 0o600
    shown = kittywatch("auth", "status")
    assert (shown.code, shown.out) == (0, f"mira at {server.url}, team cats\n")
    fields = json.loads(kittywatch("auth", "status", "--json").out)
    assert fields | {"access_expires_at": None} == {
        "logged_in": True,
        "server": server.url,
        "username": "mira",
        "team_slug": "cats",
        "access_expires_at": None,
    }
    assert kittywatch("auth", "logout").err == f"logged out at {server.url}\n"
    done = kittywatch("auth", "status")
    assert (done.code, done.out) == (4, "")
    assert "nobody is logged in" in done.err
    assert "auth login" in done.err
    assert json.loads(kittywatch("auth", "status", "--json").out)["logged_in"] is False
    assert kittywatch("auth", "logout").err == "nobody was logged in\n"


def test_the_server_of_the_configuration_and_of_the_last_login(
    kittywatch: Command, monkeypatch: pytest.MonkeyPatch, server: FaultProxy, kitty_home: Path
) -> None:
    kitty_home.mkdir()
    config = kitty_home / "config.toml"
    config.write_text(f'[sync]\nserver_url = "{server.url}"\n', "utf-8")
    assert login(kittywatch, monkeypatch).code == 0
    config.unlink()
    kittywatch("auth", "logout")
    assert login(kittywatch, monkeypatch).code == 0
    config.write_text('[sync]\nserver_url = "https://another.example.org"\n', "utf-8")
    assert "config.toml names another server" in kittywatch("auth", "status").err


@pytest.mark.parametrize("given", ["", "\n", "x" * 2000])
def test_no_password(kittywatch: Command, monkeypatch: pytest.MonkeyPatch, server: FaultProxy, given: str) -> None:
    done = login(kittywatch, monkeypatch, "--server", server.url, given=given)
    assert (done.code, done.out) == (2, "")
    assert server.requests == []


@pytest.mark.parametrize("options", [[], ["--server", "https://a"], ["--server", "https://a", "--username", "mira"]])
def test_nothing_is_asked_without_a_terminal(
    kittywatch: Command, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("never read"))
    done = kittywatch("auth", "login", *options)
    assert (done.code, done.out) == (2, "")
    assert "no terminal to ask at" in done.err


def test_a_refused_login(kittywatch: Command, monkeypatch: pytest.MonkeyPatch, server: FaultProxy) -> None:
    server.plan = lambda path, number: answer_json(401, {"error": "\x1b[2Jno"})
    done = login(kittywatch, monkeypatch, "--server", server.url)
    assert (done.code, done.out) == (4, "")
    assert "doesn't take this user name and password" in done.err


@pytest.mark.parametrize("address", ["http://hub.example.org", "https://mira:pw@hub.example.org", "nonsense"])
def test_an_address_that_is_not_used(kittywatch: Command, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    done = login(kittywatch, monkeypatch, "--server", address)
    assert (done.code, done.out) == (1, "")
    assert "pw@" not in done.err


@pytest.mark.parametrize("how", ["send", "keep", None])
def test_what_waits_for_another_is_sent_here_only_if_somebody_says_so(
    kittywatch: Command, monkeypatch: pytest.MonkeyPatch, server: FaultProxy, kitty_home: Path, how: str | None
) -> None:
    target = stores.emitter(kitty_home, stores.unexpected)
    target.store.transact(lambda connection: destinations.set_present(connection, "https://first", "dogs"))
    queue(target, 3)
    target.store.close()
    done = login(kittywatch, monkeypatch, "--server", server.url, *(["--queued", how] if how else []))
    assert done.code == 0
    assert "3 events in the queue are for dogs at https://first" in done.err
    teams = stores.rows(
        kitty_home, "SELECT DISTINCT team FROM queue JOIN recipients ON recipients.id = queue.recipient"
    )
    assert teams == [("cats" if how == "send" else "dogs",)]
    assert ("--queued send" in done.err) == (how != "send")


def test_a_file_that_cannot_be_read(kittywatch: Command, kitty_home: Path) -> None:
    kitty_home.mkdir()
    (kitty_home / "credentials").write_text("[tokens\naccess = 'SECRET", "utf-8")
    done = kittywatch("auth", "status")
    assert (done.code, done.out) == (4, "")
    assert "can't be read as TOML" in done.err
    assert "SECRET" not in done.err
    assert kittywatch("auth", "logout").code == 0


def test_a_login_forgets_what_servers_can(
    kittywatch: Command, monkeypatch: pytest.MonkeyPatch, server: FaultProxy, kitty_home: Path
) -> None:
    """A server that was upgraded meanwhile is asked again."""
    store = Store(kitty_home, node_id="0" * 12, warn=lambda message: None)
    with contextlib.closing(store):
        now = time.time()
        store.transact(lambda connection: features.remember(connection, 1, frozenset(), now=now))
        assert store.read(lambda connection: features.known(connection, 1, now=now)) == frozenset()
        assert store.read(lambda connection: features.known(connection, 1, now=now + 90_000)) is None
        login(kittywatch, monkeypatch, "--server", server.url)
        assert store.read(lambda connection: features.known(connection, 1, now=now)) is None


def test_after_a_login_events_are_for_its_team(
    kittywatch: Command, monkeypatch: pytest.MonkeyPatch, server: FaultProxy, kitty_home: Path, repository: Repository
) -> None:
    """And how to log in is no longer said; after a logout it is, once."""
    login(kittywatch, monkeypatch, "--server", server.url)
    monkeypatch.delenv("KITTYWATCH")
    (kitty_home / "credentials").unlink()  # nothing is to be sent here
    pretend_login(kitty_home, server.url)
    monkeypatch.setattr("kittywatch.sync.flusher._start", lambda home, root: None)
    done = kittywatch("emit", "replay", "--json")
    assert {json.loads(line)["team_slug"] for line in done.out.splitlines()} == {"cats"}
    assert "auth login" not in done.err
    kittywatch("auth", "logout")
    assert "run spec-kitty auth login" in kittywatch("emit", "scan").err
    assert "run spec-kitty auth login" not in kittywatch("emit", "scan").err
    assert CredentialsFile(kitty_home).read() is None


@pytest.mark.parametrize(("answer", "team"), [("y", "cats"), ("", "dogs")])
def test_at_a_terminal_it_asks(server: FaultProxy, kitty_home: Path, answer: str, team: str) -> None:
    """Server, name and password; and whether what waits for another team may go to this one. Enter means no."""
    target = stores.emitter(kitty_home, stores.unexpected)
    target.store.transact(lambda connection: destinations.set_present(connection, "https://first", "dogs"))
    queue(target, 1)
    target.store.close()
    command = [sys.executable, "-m", "kittywatch.cli.main", "auth", "login"]
    answers = {"Server": server.url, "User name": "mira", "Password": PASSWORD, "[y/N]": answer}
    code, shown, _ = at_terminal(command, kitty_home, answers)
    assert code == 0, shown
    assert "1 event in the queue is for dogs at https://first" in shown
    assert PASSWORD not in shown
    assert stores.rows(kitty_home, "SELECT team FROM queue JOIN recipients ON recipients.id = queue.recipient") == [
        (team,)
    ]
