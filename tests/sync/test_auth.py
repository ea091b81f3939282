"""Logins at a real hub, and what a server may answer instead."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kittywatch.errors import AuthenticationError, ServerError, SyncError, UnreachableError
from kittywatch.sync.auth import AuthClient
from kittywatch.sync.clock import Clock
from tests.hub.hubs import PASSWORD, Hub, Machine
from tests.store import stores
from tests.sync import delivering
from tests.sync.fault_proxy import Cut, Fault, FaultProxy, Pass, Say, answer_json
from tests.waiting import DEADLINE, until

_REFRESHER = """
import sys
from pathlib import Path
from kittywatch.sync.auth import AuthClient
print("ready", flush=True)
sys.stdin.readline()
print(AuthClient(Path(sys.argv[1])).refresh(sys.argv[2]).access)
"""


def good(hub: Hub, access: str) -> bool:
    """Whether the hub takes an access token."""
    with Machine(hub.url, access) as machine:
        return machine.send([]).status_code == 200


def test_login_and_logout(home: Path, hub: Hub) -> None:
    auth = AuthClient(home)
    assert auth.get_team_slug() == "local"
    made = auth.login(f" {hub.url}/", "mira", PASSWORD)
    assert (made.url, made.username, made.team_slug) == (hub.url, "mira", "cats")
    assert auth.status() == AuthClient(home).status()
    assert auth.get_team_slug() == "cats"
    assert good(hub, auth.access_token())
    assert auth.access_token() == made.access
    ended = auth.logout()
    assert ended is not None
    assert ended.access == made.access
    assert auth.get_team_slug() == "local"
    with pytest.raises(AuthenticationError, match="nobody is logged in") as found:
        auth.access_token()
    assert "auth login" in found.value.remedy
    assert auth.logout() is None


def test_a_wrong_password_changes_nothing(home: Path, hub: Hub) -> None:
    auth = delivering.log_in(home, hub)
    before = auth.status()
    with pytest.raises(AuthenticationError, match="doesn't take this user name and password"):
        auth.login(hub.url, "mira", "wrong horse")
    assert auth.status() == before


def test_a_token_is_refreshed_before_it_ends(home: Path, hub: Hub) -> None:
    """By the machine's clock at receipt and the lifetime that the server gave."""
    auth = delivering.log_in(home, hub, lifetime=-5)
    stale = auth.status()
    assert stale is not None
    fresh = auth.access_token()
    assert fresh != stale.access
    assert good(hub, fresh)
    found = auth.status()
    assert found is not None
    assert found.refresh != stale.refresh
    assert abs(found.access_expires_at - (time.time() + 900 - 30)) < 60
    assert auth.access_token() == fresh


class SkewedClock(Clock):
    def __init__(self, ahead: float) -> None:
        super().__init__()
        self.ahead = ahead

    def now(self) -> float:
        return super().now() + self.ahead


@pytest.mark.parametrize("ahead", [-86400.0 * 365, -3600.0, 3600.0, 86400.0 * 365])
def test_a_clock_that_is_wrong_makes_no_difference(home: Path, hub: Hub, ahead: float) -> None:
    auth = AuthClient(home, clock=SkewedClock(ahead))
    made = auth.login(hub.url, "mira", PASSWORD)
    assert auth.access_token() == made.access
    assert good(hub, auth.refresh(made.access).access)


@pytest.mark.parametrize("jump", [-7 * 86400.0, 30 * 86400.0])
def test_a_clock_that_is_set_while_logged_in(home: Path, hub: Hub, jump: float) -> None:
    """Nobody has to log in again: what the server says counts, and not what the file says about time."""
    delivering.log_in(home, hub)
    auth = AuthClient(home, clock=SkewedClock(jump))
    assert good(hub, auth.access_token())
    assert auth.ws_token().token


def test_one_refresh_at_a_time(home: Path, hub: Hub) -> None:
    """Of many processes one asks; a second use of a refresh token would end the login."""
    auth = delivering.log_in(home, hub)
    stale = auth.access_token()
    second = int(time.time())
    until(lambda: int(time.time()) > second)  # the hub's access tokens of one second are the same
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _REFRESHER, str(home), stale],
            cwd=stores.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    tokens = {child.communicate("go\n", timeout=DEADLINE)[0] for child in children}
    assert len(tokens) == 1
    assert auth.access_token() == tokens.pop().strip()
    assert good(hub, auth.access_token())


@pytest.mark.parametrize("fields", [{}, {"ws_token": ""}, {"ws_token": "a b"}, {"ws_token": 7}])
def test_an_answer_without_a_websocket_token(home: Path, hub: Hub, fields: dict[str, Any]) -> None:
    """What can't stand in a header is none; the login itself stays."""
    with FaultProxy(hub.port, plan=lambda path, number: answer_json(200, fields)) as proxy:
        auth = delivering.log_in(home, hub, url=proxy.url)
        with pytest.raises(ServerError, match="sent no WebSocket token"):
            auth.ws_token()
        assert auth.status() is not None


def test_a_refused_refresh_ends_the_login(home: Path, hub: Hub) -> None:
    auth = delivering.log_in(home, hub)
    login = auth.status()
    assert login is not None
    auth.file.write(replace(login, refresh="another"))
    with pytest.raises(AuthenticationError, match=f"the login at {hub.url} has ended"):
        auth.refresh(login.access)
    assert auth.status() is None
    assert (auth.remembered().url, auth.remembered().username) == (hub.url, "mira")


@pytest.mark.parametrize("fault", [Cut(), Say(503), Say(500), Say(429), Say(200, b"{}"), Say(302), Say(404)])
def test_a_refresh_that_fails_otherwise_keeps_the_login(home: Path, hub: Hub, fault: Fault) -> None:
    with FaultProxy(hub.port, lambda path, number: fault) as proxy:
        auth = delivering.log_in(home, hub, url=proxy.url)
        login = auth.status()
        assert login is not None
        with pytest.raises((UnreachableError, ServerError)):
            auth.refresh(login.access)
        assert auth.status() == login
        proxy.plan = lambda path, number: Pass()
        assert good(hub, auth.refresh(login.access).access)


def test_a_busy_server_says_how_long(home: Path) -> None:
    with FaultProxy(0, lambda path, number: answer_json(429, {}, Retry_After="17")) as proxy:
        with pytest.raises(UnreachableError) as found:
            AuthClient(home).login(proxy.url, "mira", PASSWORD)
        assert found.value.wait == 17


def test_a_websocket_token(home: Path, hub: Hub) -> None:
    """Refreshes once where the access token has ended, and tries once more."""
    auth = delivering.log_in(home, hub)
    login = auth.status()
    assert login is not None
    auth.file.write(replace(login, access=hub.access_token(hub.open_login("mira"), lifetime=-5)))
    opened = auth.ws_token()
    assert (opened.url, opened.expires_in) == (hub.url, 60.0)
    assert opened.token not in repr(opened)
    assert good(hub, auth.access_token())


def test_a_websocket_token_that_is_refused_again(home: Path, hub: Hub) -> None:
    def plan(path: str, number: int) -> Fault:
        return answer_json(401, {}) if path.endswith("/ws-token/") else Pass()

    with FaultProxy(hub.port, plan) as proxy:
        auth = delivering.log_in(home, hub, url=proxy.url)
        with pytest.raises(AuthenticationError, match="doesn't take this login"):
            auth.ws_token()
        assert [path.split("/")[-2] for path, _ in proxy.requests] == ["ws-token", "refresh", "ws-token"]


@pytest.mark.parametrize(
    ("fields", "lifetime", "team"),
    [
        ({"access_lifetime": 600, "refresh_lifetime": 6000, "team_slug": "cats"}, 600 - 30, "cats"),
        ({"access_lifetime": "600", "refresh_lifetime": "6000"}, 600 - 30, "local"),
        ({"expires_in": 600, "refresh_expires_in": 6000, "team_slug": None}, 600 - 30, "local"),
        ({"expires_in": "60", "team_slug": 3}, 60 - 6, "local"),
        ({}, 900 - 30, "local"),
        ({"access_lifetime": "soon", "refresh_lifetime": -1}, 900 - 30, "local"),
        ({"access_lifetime": float("1e300"), "refresh_lifetime": None}, 900 - 30, "local"),
    ],
)
def test_each_form_of_an_answer(home: Path, fields: dict[str, Any], lifetime: float, team: str) -> None:
    value = {"access": "A1", "refresh": "R1", **fields}
    with FaultProxy(0, lambda path, number: answer_json(200, value)) as proxy:
        before = time.time()
        made = AuthClient(home).login(proxy.url, "mira", PASSWORD)
    assert before + lifetime <= made.access_expires_at <= time.time() + lifetime
    assert made.team_slug == team


@pytest.mark.parametrize(
    "value",
    [{}, {"access": "A"}, {"access": "A\r\nX: y", "refresh": "R"}, {"access": "", "refresh": "R"}, [], None, "A"],
)
def test_an_answer_without_tokens(home: Path, value: Any) -> None:
    said = Say(200, json.dumps(value).encode())
    with FaultProxy(0, lambda path, number: said) as proxy, pytest.raises(ServerError):
        AuthClient(home).login(proxy.url, "mira", PASSWORD)
    assert not (home / "credentials").exists()


def test_the_password_goes_to_no_unsafe_address(home: Path) -> None:
    with pytest.raises(SyncError, match="in the clear"):
        AuthClient(home).login("http://hub.example.org", "mira", PASSWORD)
