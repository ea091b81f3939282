"""What the WebSockets do over time: pings, silence, a snapshot that would be too long."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from websockets.sync.client import ClientConnection, connect

from kittywatch.hub import accounts, sessions
from kittywatch.hub.app import build
from kittywatch.hub.config import Config
from kittywatch.hub.database import open_engine, reading, writing
from kittywatch.hub.ingest import store
from kittywatch.hub.limits import Limits
from kittywatch.hub.parsing import open_batch
from kittywatch.hub.snapshot import MOST_BYTES, snapshot
from tests.hub.hubs import created, populate
from tests.waiting import DEADLINE, until


@pytest.fixture
def database(sqlite_database: str) -> str:
    populate(sqlite_database, teams={"cats": ["mira"]})
    return sqlite_database


@pytest.fixture
def quick_socket(database: str) -> Iterator[ClientConnection]:
    """A connection to a server that pings every 50 ms."""
    settings = uvicorn.Config(
        build(Config(database=database, ping_seconds=0.05)), port=0, ws="websockets-sansio", log_config=None
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started, what="the server")
        port = server.servers[0].sockets[0].getsockname()[1]
        engine = open_engine(database)
        with writing(engine) as connection:
            login = sessions.open_session(connection, accounts.user_named(connection, "mira"), kind="machine").login
            token = sessions.issue_ws_token(connection, login)
        engine.dispose()
        headers = {"Authorization": f"Bearer {token}"}
        with connect(f"ws://127.0.0.1:{port}/ws/v1/events/", additional_headers=headers, proxy=None) as socket:
            yield socket
    finally:
        server.should_exit = True
        thread.join()


def test_pings_go_on_while_they_are_answered(quick_socket: ClientConnection) -> None:
    assert json.loads(quick_socket.recv(timeout=DEADLINE))["type"] == "snapshot"
    for _ in range(10):
        ping = json.loads(quick_socket.recv(timeout=DEADLINE))
        assert ping.keys() == {"type", "timestamp"}
        assert ping["type"] == "ping"
        quick_socket.send(json.dumps({"type": "pong", "timestamp": ping["timestamp"]}))


def test_a_client_that_answers_no_ping_is_let_go(quick_socket: ClientConnection) -> None:
    messages = [json.loads(message)["type"] for message in quick_socket]
    assert messages[0] == "snapshot"
    assert set(messages[1:]) == {"ping"}
    assert quick_socket.close_code == 1001


def test_a_snapshot_stays_below_what_clients_accept(database: str) -> None:
    engine = open_engine(database)
    with writing(engine) as connection:
        login = sessions.open_session(connection, accounts.user_named(connection, "mira"), kind="machine").login
        for batch in range(10):
            told = [
                created(f"WP{n:02d}", "ü" * 300, lamport=n + 1, payload={"feature_slug": f"{batch}-{k}"})
                for k in range(10)
                for n in range(50)
            ]
            data = json.dumps({"events": told}).encode()
            store(connection, login, open_batch(data, team_slug="cats", limits=Limits()))
    with reading(engine) as connection:
        message = snapshot(connection, login.team_id)
    engine.dispose()
    assert MOST_BYTES / 2 < len(message.encode()) < 1 << 20
    shown = json.loads(message)
    assert shown["truncated"] is True
    assert shown["work_packages"][0]["feature_slug"].startswith("9-")


def test_the_hub_knows_events_and_itself_alone() -> None:
    package = Path(__file__).parents[2] / "kittywatch" / "hub"
    lanes = tuple(f"kittywatch.workpackages.{name}" for name in ("categories", "schemes", "stated"))  # what they mean
    house = ("kittywatch.hub", "kittywatch.events", "kittywatch.errors", "kittywatch.home", "kittywatch.natural")
    known = (*house, *lanes)
    for path in package.glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] in (["from"], ["import"]) and words[1].startswith("kittywatch"):
                version = words[1:] == ["kittywatch", "import", "__version__"]
                assert version or words[1].startswith(known), f"{path.name}: {line}"
