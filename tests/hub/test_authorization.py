"""Every endpoint with every kind of credential: its own team's, another team's, none, an expired and a revoked one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from kittywatch.hub.app import ROUTES
from tests.hub.hubs import FEATURE, PROJECT, Hub, Machine, created
from tests.waiting import DEADLINE

CREDENTIALS = ["own", "foreign", "none", "garbage", "expired", "revoked", "disabled"]
TITLE = "The cats' own secret"
PLACE = f"/wp/{PROJECT}/{FEATURE}/WP01"
PAGES = ["/", "/cards?lane=planned", PLACE, f"/feature/{PROJECT}/{FEATURE}", "/activity", "/password", "/session"]
OPEN = {"/api/v1/", "/api/v1/token/", "/api/v1/token/refresh/", "/healthz", "/readyz", "/metrics"}
OPEN |= {"/schemas/{version}/{event_type}.json"}
OPEN |= {"/sign-in", "/static"}


@pytest.fixture
def cats(start_hub: Callable[..., Hub], sqlite_database: str) -> Hub:
    """A hub where the cats have one work package."""
    hub = start_hub(sqlite_database)
    with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
        assert machine.statuses([created("WP01", TITLE, lamport=1)]) == ["success"]
    return hub


@pytest.fixture
def browser(cats: Hub) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cats.url, trust_env=False, headers={"Accept": "text/html"}) as client:
        yield client


def access_of(hub: Hub, credential: str) -> str | None:
    if credential in ("none", "garbage"):
        return None if credential == "none" else "a.b.c"
    opened = hub.open_login("rex" if credential == "foreign" else "tom")
    access = hub.access_token(opened, lifetime=-60 if credential == "expired" else 900)
    spoil(hub, credential)
    return access


def cookie_of(hub: Hub, credential: str) -> str | None:
    if credential in ("none", "garbage"):
        return None if credential == "none" else "garbage"
    secret = hub.open_login("rex" if credential == "foreign" else "tom", kind="browser").secret
    spoil(hub, "revoked" if credential == "expired" else credential)
    return secret


def spoil(hub: Hub, credential: str) -> None:
    if credential == "revoked":
        hub.change_user("tom")
    if credential == "disabled":
        hub.change_user("tom", disabled=True)


def test_every_route_is_in_the_matrix() -> None:
    covered = {path.split("?")[0] for path in PAGES} | OPEN
    covered |= {"/api/v1/ws-token/", "/api/v1/events/", "/api/v1/events/batch/", "/ws/v1/events/", "/live", "/sign-out"}
    patterns = {"/wp/{project}/{feature:path}/{wp_id}": PLACE, "/feature/{project}/{feature:path}": PAGES[3]}
    paths = {patterns.get(route.path, route.path) for route in ROUTES}  # type: ignore[attr-defined]
    assert paths == covered


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_machines(cats: Hub, credential: str) -> None:
    access = access_of(cats, credential)
    with Machine(cats.url) as machine:
        headers = {"Authorization": f"Bearer {access}"} if access else {}
        batch = json.dumps({"events": [created("WP01", "Overwritten", lamport=9, team_slug="cats")]})
        sent = machine.http.post("/api/v1/events/batch/", content=batch, headers=headers)
        token = machine.http.post("/api/v1/ws-token/", headers=headers)
        listed = machine.http.get("/api/v1/events/", headers=headers)
    good = credential in ("own", "foreign")
    assert [sent.status_code, token.status_code, listed.status_code] == ([200] * 3 if good else [401] * 3)
    assert (TITLE in listed.text) == (credential == "own")
    shown = titles_of(cats)
    # The team is the credential's, whatever the event says: the dogs' event is the dogs'.
    assert shown["cats"] == ({TITLE, "Overwritten"} if credential == "own" else {TITLE})
    assert shown["dogs"] == ({"Overwritten"} if credential == "foreign" else set())


def titles_of(hub: Hub) -> dict[str, set[str]]:
    shown = {}
    for team, name in (("cats", "mira"), ("dogs", "rex")):
        cookie = hub.open_login(name, kind="browser").secret
        with httpx.Client(base_url=hub.url, cookies={"kittywatch": cookie}, trust_env=False) as client:
            text = client.get("/").text
        shown[team] = {title for title in (TITLE, "Overwritten") if title.replace("'", "&#39;") in text}
    return shown


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("path", PAGES)
def test_pages(cats: Hub, browser: httpx.Client, credential: str, path: str) -> None:
    cookie = cookie_of(cats, credential)
    response = browser.get(path, headers={"Cookie": f"kittywatch={cookie}"} if cookie else {})
    text = response.text
    if credential == "own":
        assert response.status_code == 200
        return
    assert TITLE.replace("'", "&#39;") not in text
    if credential == "foreign":
        assert response.status_code == (404 if path.startswith(("/wp/", "/feature/")) else 200)
    else:
        assert response.status_code == 303
        assert response.headers["location"].startswith("/sign-in?next=%2F")


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_sockets(cats: Hub, credential: str) -> None:
    cookie = cookie_of(cats, credential)
    access = None if credential == "disabled" else access_of(cats, credential)
    refused = {"/ws/v1/events/": True, "/live?after=0": credential not in ("own", "foreign")}
    for path, is_refused in refused.items():
        headers = {"Origin": cats.url}
        headers |= {"Authorization": f"Bearer {access}"} if access else {}
        headers |= {"Cookie": f"kittywatch={cookie}"} if cookie else {}
        if is_refused:  # an access token is no WebSocket token
            with pytest.raises(InvalidStatus) as error, open_socket(cats, path, headers):
                pass
            assert error.value.response.status_code == 401
        else:
            with open_socket(cats, path, headers) as socket:
                assert (TITLE in str(socket.recv(timeout=DEADLINE))) == (credential == "own")


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_signing_out_needs_the_cookie(cats: Hub, browser: httpx.Client, credential: str) -> None:
    cookie = cookie_of(cats, credential)
    headers = {"Cookie": f"kittywatch={cookie}"} if cookie else {}
    response = browser.post("/sign-out", headers=headers)
    assert response.status_code == 303
    if credential == "own":
        assert browser.get("/", headers=headers).status_code == 303


def test_who_may_only_look_sends_nothing(cats: Hub) -> None:
    from kittywatch.hub import accounts
    from kittywatch.hub.database import open_engine, writing

    engine = open_engine(cats.database)
    with writing(engine) as connection:
        team = accounts.team_named(connection, "cats")
        accounts.add_user(
            connection, "guest", team=team, password="just looking around", must_change=False, may_write=False
        )
    engine.dispose()
    with Machine(cats.url, cats.access_token(cats.open_login("guest"))) as machine:
        assert machine.send([]).status_code == 403
        assert machine.http.post("/api/v1/ws-token/", headers=machine.headers).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "a@b:c:d", "[::1"])
def test_a_name_that_is_not_ours_is_not_served(browser: httpx.Client, host: str) -> None:
    response = browser.get("/sign-in", headers={"Host": host})
    assert response.status_code == 400
    assert "kittywatch" not in response.text


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/password", "/api/v1/token/", "/api/v1/events/batch/"])
def test_another_sites_page_may_do_nothing(cats: Hub, browser: httpx.Client, path: str) -> None:
    cookie = {"Cookie": f"kittywatch={cookie_of(cats, 'own')}"}
    for origin in (
        "https://evil.example",
        "null",
        cats.url.replace("127.0.0.1", "localhost"),
        cats.url + ".evil.example",
    ):
        assert browser.post(path, headers=cookie | {"Origin": origin}).status_code == 403
    assert browser.post(path, headers=cookie | {"Origin": cats.url}).status_code != 403


def test_another_sites_page_opens_no_socket(cats: Hub) -> None:
    cookie = {"Cookie": f"kittywatch={cookie_of(cats, 'own')}"}
    for headers, status in (({"Origin": "https://evil.example"}, 403), ({}, 401)):
        with pytest.raises(InvalidStatus) as error, open_socket(cats, "/live?after=0", cookie | headers):
            pass
        assert error.value.response.status_code == status


@pytest.mark.parametrize("path", ["/sign-in", "/", "/healthz", "/static/board.js", "/nowhere", "/api/v1/token/"])
def test_what_every_answer_says_to_browsers(browser: httpx.Client, path: str) -> None:
    headers = browser.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


def test_pages_have_no_inline_script_or_style(cats: Hub, browser: httpx.Client) -> None:
    cookie = {"Cookie": f"kittywatch={cookie_of(cats, 'own')}"}
    for path in [*PAGES, "/sign-in", "/nowhere"]:
        text = browser.get(path, headers=cookie).text
        assert " style=" not in text
        assert "<style" not in text
        assert " on" not in [part[:3] for part in text.split("<") if "=" in part[:6]]
        for script in text.split("<script")[1:]:
            assert 'src="/static/' in script.split(">")[0]


def test_signing_in_leads_to_paths_of_ours_alone(browser: httpx.Client) -> None:
    for target, expected in (
        ("/activity", "/activity"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
    ):
        form = {"name": "mira", "password": "correct horse battery", "next": target}
        response = browser.post("/sign-in", data=form)
        assert response.headers["location"] == expected
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie


def open_socket(hub: Hub, path: str, headers: dict[str, str]) -> Any:
    return connect(hub.url.replace("http", "ws", 1) + path, additional_headers=headers, proxy=None)
