"""A database that is there and cannot be written to: nothing is wrong with the events, and all goes on afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import httpx
import psycopg
import pytest
from sqlalchemy import Connection, text
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from kittywatch.hub import ingest
from kittywatch.hub.database import is_postgresql, open_engine, writing
from tests.hub.clusters import frozen
from tests.hub.hubs import Hub, Machine, created
from tests.hub.outages import OUTAGES, a_table_missing, read_only
from tests.waiting import DEADLINE, until


def is_ready(hub: Hub) -> bool:
    return httpx.get(f"{hub.url}/readyz", timeout=DEADLINE, trust_env=False).status_code == 200


def closing(socket: ClientConnection) -> tuple[list[str], int | None]:
    """What a socket says of events until the hub closes it, and the code that it closes with."""
    said = []
    with suppress(ConnectionClosed):
        while True:
            message = json.loads(socket.recv(timeout=DEADLINE))
            said += [] if message["type"] == "ping" else [message["type"]]
    return said, socket.close_code


OF_DATABASES = [
    pytest.param(kind, outage, id=f"{kind}-{outage.__name__}")
    for kind in ("sqlite", "postgresql")
    for outage in OUTAGES
    if (kind, outage) != ("sqlite", read_only)  # SQLite has no standby
]


@pytest.mark.parametrize(("database", "outage"), OF_DATABASES, indirect=["database"])
def test_nothing_is_rejected_while_nothing_can_be_stored(
    hub: Hub, machine: Machine, outage: Callable[[Hub], AbstractContextManager[None]]
) -> None:
    url = hub.url.replace("http", "ws", 1) + "/ws/v1/events/"
    assert is_ready(hub)
    told = created("WP01", lamport=1)
    headers = {"Authorization": f"Bearer {machine.ws_token()}"}
    with connect(url, additional_headers=headers, proxy=None) as socket:
        assert json.loads(socket.recv(timeout=DEADLINE))["type"] == "snapshot"
        with outage(hub):  # after the snapshot, which a socket gets from the database or not at all
            refused = machine.send([told])
            assert refused.status_code == 503, refused.text
            assert int(refused.headers["Retry-After"]) >= 1
            until(lambda: not is_ready(hub), what="/readyz to say no")
            assert httpx.get(f"{hub.url}/healthz", timeout=DEADLINE, trust_env=False).status_code == 200
            with suppress(ConnectionClosed):  # by the outage already, where it ends connections
                socket.send(json.dumps(told))
            assert closing(socket) == ([], 1013)
    until(lambda: machine.send([told]).status_code == 200, what="the database to be back")
    assert machine.statuses([told]) == ["duplicate"]
    until(lambda: is_ready(hub), what="/readyz to say yes")
    assert told["payload"]["title"] not in hub.output()


def test_a_socket_is_not_opened_for_nothing(hub: Hub, machine: Machine) -> None:
    """Without a database there is no snapshot: the client hears that, and comes again."""
    headers = {"Authorization": f"Bearer {machine.ws_token()}"}
    url = hub.url.replace("http", "ws", 1) + "/ws/v1/events/"
    with a_table_missing(hub), connect(url, additional_headers=headers, proxy=None) as socket:
        assert closing(socket) == ([], 1013)


def test_a_value_that_no_database_holds_is_rejected_alone(
    hub: Hub, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trigger stands for what parsing doesn't know of: it refuses one event for what is in it."""
    engine = open_engine(hub.database)
    with writing(engine) as connection:
        _refuse_bad(connection)
    engine.dispose()
    told = [created("WP01", lamport=1), created("WP02", "bad", lamport=2), created("WP03", lamport=3)]
    assert machine.statuses(told) == ["success", "rejected", "success"]
    assert ingest.CHANNEL == "kittywatch"


def _refuse_bad(connection: Connection) -> None:
    if is_postgresql(connection):
        connection.execute(text("ALTER TABLE events ADD CHECK (body NOT LIKE '%\"bad\"%')"))
        return
    # SQLite adds no CHECK to a table that is there; its triggers abort with the same class of error.
    connection.execute(
        text(
            "CREATE TRIGGER bad BEFORE INSERT ON events WHEN NEW.body LIKE '%\"bad\"%'"
            " BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed'); END"
        )
    )


def test_a_strangers_notify_ends_no_listening(start_hub: Callable[..., Hub], postgresql_database: str) -> None:
    """What anybody who may connect to the database can say; news of other replicas go on coming."""
    hub = start_hub(postgresql_database)
    with psycopg.connect(postgresql_database, autocommit=True) as stranger:
        for payload in ("", "no number", "9" * 5000, "-1", "²"):
            stranger.execute("SELECT pg_notify('kittywatch', %s)", [payload])
    other = start_hub(postgresql_database, new=False)
    access = [one.access_token(one.open_login(name)) for one, name in ((hub, "mira"), (other, "tom"))]
    with Machine(hub.url, access[0]) as listener, Machine(other.url, access[1]) as sender:
        headers = {"Authorization": f"Bearer {listener.ws_token()}"}
        with connect(hub.url.replace("http", "ws", 1) + "/ws/v1/events/", additional_headers=headers, proxy=None) as it:
            assert json.loads(it.recv(timeout=DEADLINE))["type"] == "snapshot"
            told = created("WP01", lamport=1)
            assert sender.statuses([told]) == ["success"]
            assert json.loads(it.recv(timeout=DEADLINE))["event"]["event_id"] == told["event_id"]
    assert is_ready(hub)
    assert "broke" not in hub.output()


@pytest.mark.long
def test_a_frozen_database_keeps_nobody_waiting(
    start_hub: Callable[..., Hub], postgresql: str, postgresql_database: str
) -> None:
    """Every call and page has its answer while the database says nothing, and afterwards all goes on by itself."""
    hub = start_hub(postgresql_database)
    cookies = {"kittywatch": hub.open_login("mira", kind="browser").secret}
    told = created("WP01", lamport=1)
    with (
        Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine,
        httpx.Client(base_url=hub.url, cookies=cookies, timeout=DEADLINE, trust_env=False) as browser,
    ):
        assert machine.statuses([created("WP02", lamport=2)]) == ["success"]
        assert browser.get("/").status_code == 200
        with frozen(postgresql):
            assert not is_ready(hub)
            assert browser.get("/", headers={"Accept": "text/html"}).status_code == 503
            assert machine.send([told]).status_code == 503
            assert machine.http.get("/healthz").status_code == 200
        until(lambda: machine.send([told]).status_code == 200, what="the database to be back")
        until(lambda: is_ready(hub), what="/readyz to say yes")
        assert browser.get("/").status_code == 200
    assert machine.access not in hub.output()
