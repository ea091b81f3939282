"""The protocol, call by call, against a real server process, with SQLite and with PostgreSQL."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.hub.hubs import FEATURE, PASSWORD, PROJECT, Hub, Machine, created, event, moved
from tests.waiting import DEADLINE


@contextmanager
def connected(hub: Hub, token: str) -> Iterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {token}"}
    url = hub.url.replace("http", "ws", 1) + "/ws/v1/events/"
    with connect(url, additional_headers=headers, proxy=None, max_size=1 << 20) as socket:
        yield socket


def receive(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=DEADLINE))


def test_a_login_gives_tokens_with_their_lifetimes_and_the_team(hub: Hub, machine: Machine) -> None:
    answer = machine.log_in("mira").json()
    assert answer.keys() == {"access", "refresh", "access_lifetime", "refresh_lifetime", "team_slug"}
    assert answer["team_slug"] == "cats"
    assert (answer["access_lifetime"], answer["refresh_lifetime"]) == (900, 604800)
    assert machine.statuses([created("WP01", lamport=1)]) == ["success"]


@pytest.mark.parametrize(
    ("name", "password"), [("mira", "wrong"), ("nobody", PASSWORD), ("", ""), ("mi\0ra", "x" * 2000)]
)
def test_a_wrong_login_is_401_and_does_not_say_what_was_wrong(machine: Machine, name: str, password: str) -> None:
    response = machine.log_in(name, password)
    assert response.status_code == 401
    assert response.json()["error"] == "User name or password is wrong."


def test_both_tokens_rotate_and_a_refresh_token_that_comes_twice_ends_the_login(machine: Machine) -> None:
    machine.log_in("mira")
    first = machine.refresh
    renewed = machine.http.post("/api/v1/token/refresh/", json={"refresh": first})
    assert renewed.status_code == 200
    assert renewed.json()["refresh"] != first
    machine.access = renewed.json()["access"]
    assert machine.send([]).status_code == 200
    assert machine.http.post("/api/v1/token/refresh/", json={"refresh": first}).status_code == 401
    # Whoever took the copy is out too: its newer refresh token and its access token are void.
    again = machine.http.post("/api/v1/token/refresh/", json={"refresh": renewed.json()["refresh"]})
    assert again.status_code == 401
    assert machine.send([]).status_code == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"refresh": 1}', b'{"username": "x"}', b"\xff", b"[" * 5000])
def test_a_malformed_login_is_400(machine: Machine, body: bytes) -> None:
    for path in ("/api/v1/token/", "/api/v1/token/refresh/"):
        response = machine.http.post(path, content=body)
        assert response.status_code == 400
        assert response.json().keys() == {"error", "details"}


def test_an_event_is_stored_once_and_a_known_id_with_other_content_is_rejected(hub: Hub, machine: Machine) -> None:
    one = created("WP01", "First", lamport=1)
    assert machine.statuses([one]) == ["success"]
    assert machine.statuses([one, one | {"lamport_clock": 9, "build_id": "elsewhere"}]) == ["duplicate", "duplicate"]
    other = one | {"payload": one["payload"] | {"title": "Second"}}
    result = machine.send([other]).json()["results"][0]
    assert result["status"] == "rejected"
    assert "event_id" in result["error_message"]
    assert f"rejected event {one['event_id']} of team cats" in hub.output()
    for change in ({"timestamp": "2026-03-02T00:00:00Z"}, {"aggregate_id": "WP02"}):
        assert machine.statuses([one | change]) == ["rejected"]


def test_the_same_rules_hold_within_a_batch(machine: Machine) -> None:
    one = created("WP01", lamport=1)
    other = one | {"timestamp": "2026-03-02T00:00:00Z"}
    assert machine.statuses([one, one, other]) == ["success", "duplicate", "rejected"]


def test_a_bad_event_costs_its_neighbours_nothing(machine: Machine) -> None:
    good = [created(f"WP0{n}", lamport=n) for n in range(1, 4)]
    bad = [
        created("WP1", lamport=4),
        created("WP05", lamport=0),
        "text",
        None,
        {},
        created("WP06", lamport=6, project_uuid=None),
        created("WP07", "nul \0", lamport=7),
        event("WPCreated", {"wp_id": "WP08", "feature_slug": "x", "deep": json.loads("[" * 60 + "]" * 60)}, lamport=8),
    ]
    response = machine.send([good[0], *bad[:4], good[1], *bad[4:], good[2]])
    results = response.json()["results"]
    assert [result["status"] for result in results] == [
        "success",
        *["rejected"] * 4,
        "success",
        *["rejected"] * 4,
        "success",
    ]
    assert all(result["error_message"] for result in results if result["status"] == "rejected")
    assert results[1]["event_id"] == bad[0]["event_id"]
    assert "wp_id" in results[1]["error_message"]


def test_extreme_values_are_kept_or_refused_and_cost_their_neighbours_nothing(hub: Hub, machine: Machine) -> None:
    error = {"wp_id": "x" * 500, "error_type": "unknown", "error_message": "?", "stack_trace": None, "agent_id": None}
    number = {
        "feature_slug": FEATURE,
        "feature_number": None,
        "target_branch": "main",
        "created_at": "2026-03-01T00:00:00Z",
    }
    sent = {
        "first year": (moved("WP01", "planned", "doing", lamport=1, timestamp="0001-01-01T00:00:00+14:00"), "success"),
        "last year": (moved("WP01", "doing", "done", lamport=2, timestamp="9999-12-31T23:59:59-14:00"), "success"),
        "long id": (event("ErrorLogged", error | {"feature_slug": FEATURE}, lamport=3), "success"),
        "largest": (created("WP02", lamport=2**53 - 1, timestamp="2026-03-01T00:00:00Z"), "success"),
        "larger": (created("WP03", lamport=2**53, timestamp="2026-03-01T00:00:00Z"), "rejected"),
        "huge": (created("WP03", lamport=2**80, timestamp="2026-03-01T00:00:00Z"), "rejected"),
        "count": (event("FeatureCreated", number | {"wp_count": 2**40}, lamport=4), "success"),
        "counts": (event("FeatureCreated", number | {"wp_count": 2**70}, lamport=5), "rejected"),
        "name": (created("WP04", lamport=6, payload={"feature_slug": "y" * 9000}), "rejected"),
        "text": (created("WP05", "\U0001f63a\ufffe" * 9000, lamport=7), "success"),
        "neighbour": (created("WP06", lamport=8), "success"),
    }
    statuses = machine.statuses(event for event, _ in sent.values())
    assert dict(zip(sent, statuses, strict=True)) == {name: status for name, (_, status) in sent.items()}
    cookie = {"Cookie": f"kittywatch={hub.open_login('mira', kind='browser').secret}"}
    place = f"{PROJECT}/{FEATURE}"
    for path in ("/", "/activity", f"/feature/{place}", f"/wp/{place}/WP01", "/?text=%00%ff", "/activity?before=9"):
        assert machine.http.get(path, headers=cookie).status_code == 200, path
    assert machine.http.get(f"/wp/{place}/WP%00", headers=cookie).status_code == 404
    for cursor in (f"{2**53}-{'f' * 12}-7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "9" * 30, "%00-%ff-x"):
        page = machine.http.get(f"/wp/{place}/WP01?before={cursor}", headers=cookie)
        assert (page.status_code, page.text.count('class="moment"')) == (200, 2), cursor
    assert machine.http.get(f"/wp/{place}/WP01?event=%00", headers=cookie).status_code == 200
    assert machine.http.get(f"/?agent={'x' * 60}%E2%80%A6", headers=cookie).status_code == 200


def test_a_batch_is_taken_plain_too_and_says_how_often_to_come(machine: Machine) -> None:
    body = json.dumps({"events": [created("WP01", lamport=1)]})
    response = machine.http.post("/api/v1/events/batch/", content=body, headers=machine.headers)
    assert response.json()["results"][0]["status"] == "success"
    assert float(response.headers["X-RateLimit-Batch-Interval"]) > 0


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"not gzip", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b'{"events": []}')[:-4], {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b'{"events": []}') * 2, {"Content-Encoding": "gzip"}, 400),
        (b'{"events": []}', {"Content-Encoding": "br"}, 415),
        (b'{"event": []}', {}, 400),
        (b'{"events": ' + b"[" * 20000 + b"]" * 20000 + b"}", {}, 400),
        (json.dumps({"events": [{}] * 1001}).encode(), {}, 413),
        (b" " * (9 << 20), {}, 413),
        (gzip.compress(b" " * (64 << 20)), {"Content-Encoding": "gzip"}, 413),
        (gzip.compress(b" " * (2 << 20)), {"Content-Encoding": "gzip"}, 413),
    ],
    ids=[
        "no gzip",
        "cut off",
        "two members",
        "encoding",
        "no batch",
        "nesting",
        "members",
        "body",
        "inflated",
        "ratio",
    ],
)
def test_limits_of_a_batch(machine: Machine, body: bytes, headers: dict[str, str], status: int) -> None:
    response = machine.http.post("/api/v1/events/batch/", content=body, headers=machine.headers | headers)
    assert response.status_code == status
    assert response.json().keys() == {"error", "details"}


def test_too_many_batches_are_429_with_retry_after(machine: Machine) -> None:
    answers = (machine.send([]) for _ in range(3000))
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["Retry-After"]) >= 1


def test_guessing_passwords_is_slowed_down_and_says_for_how_long(machine: Machine) -> None:
    codes = [machine.log_in("mira", "wrong").status_code for _ in range(7)]
    assert codes[:5] == [401] * 5
    assert 429 in codes[5:]
    refused = [machine.log_in("mira", "wrong") for _ in range(3)][-1]
    if refused.status_code == 429:
        assert int(refused.headers["Retry-After"]) >= 1
    assert machine.log_in("tom").status_code == 200


def test_a_socket_begins_with_the_snapshot_and_acknowledges(hub: Hub, machine: Machine) -> None:
    machine.send([created("WP01", "Purr", lamport=1), moved("WP01", "planned", "doing", lamport=2)])
    with connected(hub, machine.ws_token()) as socket:
        snapshot = receive(socket)
        assert snapshot["type"] == "snapshot"
        assert [(wp["wp_id"], wp["title"], wp["status"]) for wp in snapshot["work_packages"]] == [
            ("WP01", "Purr", "doing")
        ]
        one = created("WP02", lamport=3)
        socket.send(json.dumps(one))
        assert receive(socket) == {"type": "ack", "event_id": one["event_id"], "status": "success"}
        socket.send(json.dumps(one))
        assert receive(socket) == {"type": "ack", "event_id": one["event_id"], "status": "duplicate"}
        socket.send('{"type": "pong", "timestamp": "2026-03-01T00:00:00Z"}')
        socket.send("{}")
        ack = receive(socket)
        assert (ack["type"], ack["event_id"], ack["status"]) == ("ack", None, "rejected")


def test_events_of_others_are_told_and_ones_own_are_not(hub: Hub, machine: Machine, other_machine: Machine) -> None:
    with connected(hub, machine.ws_token()) as socket, connected(hub, other_machine.ws_token()) as other:
        receive(socket), receive(other)
        mine, batched, theirs = (created(f"WP0{n}", lamport=n) for n in (1, 2, 3))
        socket.send(json.dumps(mine))
        assert receive(socket)["type"] == "ack"
        machine.send([batched])
        other.send(json.dumps(theirs))
        told = receive(socket)
        assert told["type"] == "event"
        assert told["event"] == theirs | {"team_slug": "cats"}
        messages = [receive(other) for _ in range(3)]
        assert [m["event"]["event_id"] for m in messages if m["type"] == "event"] == [
            mine["event_id"],
            batched["event_id"],
        ]


def test_another_teams_socket_hears_nothing(hub: Hub, machine: Machine, foreign_machine: Machine) -> None:
    machine.send([created("WP01", lamport=1)])
    with connected(hub, foreign_machine.ws_token()) as socket:
        assert receive(socket)["work_packages"] == []
        machine.send([created("WP02", lamport=2)])
        socket.send("{}")
        assert receive(socket)["type"] == "ack"


def test_a_socket_token_opens_one_socket(hub: Hub, machine: Machine) -> None:
    token = machine.ws_token()
    with connected(hub, token):
        pass
    with pytest.raises(InvalidStatus) as refused, connected(hub, token):
        pass
    assert refused.value.response.status_code == 401
    with pytest.raises(InvalidStatus), connected(hub, machine.access):
        pass


def test_a_message_that_is_too_big_closes_the_socket(hub: Hub, machine: Machine) -> None:
    with connected(hub, machine.ws_token()) as socket:
        receive(socket)
        socket.send("x" * ((1 << 20) + 1))
        with pytest.raises(ConnectionClosed) as closed:
            receive(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_a_login_that_ends_closes_its_socket(hub: Hub, machine: Machine) -> None:
    with connected(hub, machine.ws_token()) as socket:
        receive(socket)
        hub.change_user("mira", disabled=True)
        socket.send(json.dumps(created("WP01", lamport=1)))
        with pytest.raises(ConnectionClosed) as closed:
            receive(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert machine.send([]).status_code == 401


def test_health_and_metrics(hub: Hub, machine: Machine) -> None:
    machine.statuses([created("WP01", lamport=1)])
    assert machine.http.get("/healthz").text == "ok\n"
    assert machine.http.get("/readyz").json() == {"ready": True}
    lines = machine.http.get("/metrics").text.splitlines()
    assert 'kittywatch_events_total{status="success"} 1' in lines
    assert 'kittywatch_requests_total{route="take_batch",status="200"} 1' in lines


def test_nothing_secret_is_logged(hub: Hub, machine: Machine) -> None:
    machine.log_in("mira")
    machine.log_in("mira", "a wrong password")
    token = machine.ws_token()
    with connected(hub, token) as socket:
        receive(socket)
    machine.http.get("/activity?text=hush-hush")
    written = hub.output()
    assert "POST /api/v1/token/ 200" in written
    for secret in (PASSWORD, "a wrong password", machine.access, machine.refresh, token, "hush-hush"):
        assert secret not in written
