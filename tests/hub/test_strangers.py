"""What strangers, their proxies and careless browsers send, against a real server process."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest

from kittywatch.hub.passwords import problem_of
from kittywatch.hub.throttle import ALLOWED
from tests.hub.hubs import PASSWORD, Hub, Machine, created
from tests.waiting import DEADLINE, until

GUESSES = ALLOWED["address"] + 5


@pytest.fixture
def local(sqlite_database: str, start_hub: Callable[..., Hub]) -> Hub:
    return start_hub(sqlite_database)


def sign_in(hub: Hub, name: str, password: str, address: str = "") -> int:
    headers = {"X-Forwarded-For": address} if address else {}
    body = {"username": name, "password": password}
    answer = httpx.post(f"{hub.url}/api/v1/token/", json=body, headers=headers, timeout=DEADLINE, trust_env=False)
    return answer.status_code


@pytest.mark.long
def test_behind_a_proxy_that_nobody_told_of_strangers_lock_nobody_out(local: Hub) -> None:
    guessed = [sign_in(local, f"nobody{n}", "wrong", "198.51.100.9") for n in range(GUESSES)]
    assert guessed[-1] == 429
    assert sign_in(local, "mira", PASSWORD, "203.0.113.7") == 200
    assert local.output().count("serve with --trusted-proxy 127.0.0.1") == 1


@pytest.mark.long
def test_whoever_has_an_ipv6_address_has_a_network_of_them(local: Hub) -> None:
    guessed = [sign_in(local, f"nobody{n}", "wrong", f"2001:db8:1:2::{n:x}") for n in range(GUESSES)]
    assert guessed[-1] == 429
    assert sign_in(local, "mira", PASSWORD, "2001:db8:1:3::1") == 200


def test_the_log_says_who_asked_from_where(sqlite_database: str, start_hub: Callable[..., Hub]) -> None:
    hub = start_hub(sqlite_database, "--trusted-proxy", "10.9.8.0/24,127.0.0.1")
    with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
        machine.http.headers["X-Forwarded-For"] = "203.0.113.7"
        assert machine.statuses([created("WP01", lamport=1)]) == ["success"]
        assert machine.http.get("/healthz").status_code == 200
        cookie = f"kittywatch={hub.open_login('tom', kind='browser').secret}"
        machine.http.get("/", headers={"Cookie": cookie}, params={"text": "a secret"})
    for line in (
        r"203\.0\.113\.7 mira POST /api/v1/events/batch/ 200 ",
        r"203\.0\.113\.7 - GET /healthz 200 ",
        r"203\.0\.113\.7 tom GET / 200 ",
    ):
        until(lambda line=line: re.search(line, hub.output()), what=line)  # type: ignore[misc]
    assert "secret" not in hub.output()


@pytest.mark.parametrize("text", ["somewhere", "10.0.0.1/33", "*"])
def test_a_proxy_is_an_address(text: str, run: Callable[..., object]) -> None:
    done = run("serve", "--trusted-proxy", text)
    assert "--trusted-proxy takes addresses" in done.err  # type: ignore[attr-defined]


def test_two_lengths_are_refused(hub: Hub) -> None:
    """Of a request with both, a proxy before us may have taken the other one."""
    lengths = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    request = (
        b"POST /api/v1/token/ HTTP/1.1\r\nHost: localhost\r\n" + lengths + b"\r\n0\r\n\r\nGET /readyz HTTP/1.1\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", hub.port), timeout=DEADLINE) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.fixture
def browser(hub: Hub) -> Iterator[httpx.Client]:
    cookies = {"kittywatch": hub.open_login("mira", kind="browser").secret}
    with httpx.Client(base_url=hub.url, cookies=cookies, timeout=DEADLINE, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("cursor", ["1.0/a\0/WP01/b", "\0", "1/\0/\0/\0", "nan/a/b/c", "1e999/a/b/c", "-inf/a/b/c"])
def test_a_cursor_is_nothing_to_fail_at(browser: httpx.Client, cursor: str) -> None:
    assert browser.get("/cards", params={"lane": "doing", "cursor": cursor}).status_code == 200


def test_an_old_cookie_ends_with_a_new_sign_in(hub: Hub, browser: httpx.Client) -> None:
    before = browser.cookies["kittywatch"]
    answer = browser.post("/sign-in", data={"name": "mira", "password": PASSWORD}, headers={"Origin": hub.url})
    assert answer.status_code == 303
    with httpx.Client(base_url=hub.url, cookies={"kittywatch": before}, trust_env=False) as old:
        assert old.get("/").status_code == 401
    fresh = answer.cookies["kittywatch"]
    with httpx.Client(base_url=hub.url, cookies={"kittywatch": fresh}, trust_env=False) as new:
        assert new.get("/").status_code == 200


@pytest.mark.parametrize(
    "password",
    ["aaaaaaaaaa", "abababababab", "1234567890", "0987654321", "qwertyuiop", "miramiramira", "short", "x" * 2000],
)
def test_passwords_that_are_none(password: str) -> None:
    assert problem_of(password, name="mira")


@pytest.mark.parametrize("password", [PASSWORD, "fsh8-dk2l-wqpz", "ein hund im schnee", "пароль-кота-7"])
def test_passwords_that_are_some(password: str) -> None:
    assert problem_of(password, name="mira") == ""


def test_a_weak_password_is_refused_by_the_page(hub: Hub, browser: httpx.Client) -> None:
    form = {"current": PASSWORD, "new": "aaaaaaaaaa"}
    answer = browser.post("/password", data=form, headers={"Origin": hub.url})
    assert answer.status_code == 400
    assert "different characters" in answer.text
