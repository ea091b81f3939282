"""Two replicas on one PostgreSQL: 100 clients, 20,000 events doubled and reordered, a replica that is killed.

A campaign has 50,000 events.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import Engine, func, select
from websockets.sync.client import ClientConnection, connect

from kittywatch.hub import accounts, export, projections, sessions, tokens
from kittywatch.hub.database import open_engine, reading, writing
from kittywatch.hub.schema import PROJECTIONS, events
from tests.hub.conftest import Run
from tests.hub.hubs import MACHINE, Hub, Machine, created, moved
from tests.selection import CAMPAIGN
from tests.waiting import DEADLINE

CLIENTS = 100
EVENTS = 50_000 if CAMPAIGN else 20_000
_PATH = ["planned", "doing", "for_review", "doing", "for_review", "done"]


@dataclass(kw_only=True)
class Traffic:
    """What the clients know: how many events were taken, and what each result said."""

    taken: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    failovers: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)


def everything() -> list[list[Any]]:
    """For each client its events: ten features of its own, fifty events each."""
    clients = []
    for number in range(CLIENTS):
        told: list[Any] = []
        node = f"{number:012x}"
        while len(told) < EVENTS // CLIENTS:
            feature = f"{number:03d}-{len(told)}"
            common: dict[str, Any] = {"payload": {"feature_slug": feature}, "node_id": node, "project_slug": None}
            for n in range(10):
                wp_id = f"WP{n:02d}"
                needs = [f"WP{n - 1:02d}"] if n else []
                told.append(created(wp_id, "x" * n + "y", lamport=len(told) + 1, needs=needs, **common))
                for before, after in pairwise(_PATH[:5]):
                    told.append(moved(wp_id, before, after, lamport=len(told) + 1, **common))
        clients.append(told)
    return clients


async def deliver(urls: list[str], access: str, told: list[Any], traffic: Traffic, seed: int) -> None:
    """Send everything, some of it twice, shuffled, to whichever replica answers, until each event is taken."""
    chance = random.Random(seed)
    waiting = told + chance.sample(told, len(told) // 5)
    chance.shuffle(waiting)
    replica = seed
    async with httpx.AsyncClient(timeout=DEADLINE, trust_env=False) as http:
        while waiting:
            batch = waiting[:120]
            body = gzip.compress(json.dumps({"events": batch}).encode(), compresslevel=1)
            headers = {"Authorization": f"Bearer {access}", "Content-Encoding": "gzip"}
            url = f"{urls[replica % len(urls)]}/api/v1/events/batch/"
            try:
                response = await http.post(url, content=body, headers=headers)
            except httpx.TransportError:
                replica += 1
                traffic.failovers += 1
                await asyncio.sleep(0.05)
                continue
            if response.status_code in (429, 503):
                await asyncio.sleep(float(response.headers["Retry-After"]))
                continue
            assert response.status_code == 200, response.text
            for result in response.json()["results"]:
                traffic.statuses[result["status"]] = traffic.statuses.get(result["status"], 0) + 1
            waiting = waiting[len(batch) :]
            traffic.taken += len(batch)
            traffic.reached.set()


async def kill_twice(hub: Hub, traffic: Traffic, total: int) -> None:
    """SIGKILL the replica at a third and at two thirds of the traffic, and start it again."""
    for part in (1, 2):
        while traffic.taken < total * part / 3:
            traffic.reached.clear()
            await traffic.reached.wait()
        await asyncio.to_thread(hub.stop, signal.SIGKILL)
        await asyncio.to_thread(hub.start)


def logins(engine: Engine) -> list[str]:
    """An access token for each client, made in the database, without the cost of 100 passwords."""
    with writing(engine) as connection:
        user, key = accounts.user_named(connection, "mira"), tokens.signing_key(connection)
        return [
            tokens.issue(key, sessions.open_session(connection, user, kind="machine").login) for _ in range(CLIENTS)
        ]


def standing(engine: Engine) -> list[Any]:
    with reading(engine) as connection:
        return [sorted(tuple(row) for row in connection.execute(select(table)).all()) for table in PROJECTIONS]


def hear(socket: ClientConnection, count: int) -> list[str]:
    """The ids of the next events of others, whatever comes between."""
    heard: list[str] = []
    while len(heard) < count:
        message = json.loads(socket.recv(timeout=DEADLINE))
        heard += [message["event"]["event_id"]] if message["type"] == "event" else []
    return heard


@pytest.mark.long
def test_nothing_is_lost_or_doubled(start_hub: Callable[..., Hub], postgresql_database: str) -> None:
    first, second = start_hub(postgresql_database), start_hub(postgresql_database, new=False)
    engine = open_engine(postgresql_database)
    told = everything()
    total = sum(len(client) * 6 // 5 for client in told)

    async def load() -> Traffic:
        traffic = Traffic()
        clients = [
            deliver([first.url, second.url], access, mine, traffic, seed)
            for seed, (access, mine) in enumerate(zip(logins(engine), told, strict=True))
        ]
        await asyncio.gather(kill_twice(second, traffic, total), *clients)
        return traffic

    traffic = asyncio.run(load())
    assert second.starts == 3
    assert set(traffic.statuses) <= {"success", "duplicate"}
    expected = sorted(
        (event for client in told for event in client),
        key=lambda event: (event["lamport_clock"], event["node_id"], event["event_id"]),
    )
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar() == EVENTS
        team = accounts.team_named(connection, "cats")
        exported = [json.loads(line)["event_id"] for line in export.lines(connection, team.id)]
    assert exported == [event["event_id"] for event in expected]
    before = standing(engine)
    with writing(engine) as connection:
        assert projections.rebuild(connection, team.id) == EVENTS
    assert standing(engine) == before
    engine.dispose()


def test_news_of_one_replica_reach_the_sockets_of_the_other(
    start_hub: Callable[..., Hub], postgresql_database: str
) -> None:
    first, second = start_hub(postgresql_database), start_hub(postgresql_database, new=False)
    access = [first.access_token(first.open_login(name)) for name in ("mira", "tom")]
    with Machine(first.url, access[0]) as sender, Machine(second.url, access[1]) as listener:
        headers = {"Authorization": f"Bearer {listener.ws_token()}"}
        url = second.url.replace("http", "ws", 1) + "/ws/v1/events/"
        with connect(url, additional_headers=headers, proxy=None) as socket:
            assert json.loads(socket.recv(timeout=DEADLINE))["type"] == "snapshot"
            told = [created(f"WP{n:02d}", lamport=n, node_id=MACHINE) for n in range(1, 30)]
            for event in told:
                assert sender.statuses([event]) == ["success"]
            heard = hear(socket, len(told))
    assert heard == [event["event_id"] for event in told]


def test_a_database_that_goes_away_is_503_and_then_all_goes_on(
    start_hub: Callable[..., Hub], postgresql: str, postgresql_database: str
) -> None:
    first, second = start_hub(postgresql_database), start_hub(postgresql_database, new=False)
    name = postgresql_database.rsplit("/", 1)[1]
    access = [hub.access_token(hub.open_login("mira")) for hub in (first, second)]
    with Machine(first.url, access[0]) as machine, Machine(second.url, access[1]) as listener:
        headers = {"Authorization": f"Bearer {listener.ws_token()}"}
        url = second.url.replace("http", "ws", 1) + "/ws/v1/events/"
        with connect(url, additional_headers=headers, proxy=None) as socket:
            assert json.loads(socket.recv(timeout=DEADLINE))["type"] == "snapshot"
            with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as admin:
                admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
                query = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
                admin.execute(query, [name])
                refused = machine.send([created("WP01", lamport=1)])
                assert refused.status_code == 503
                assert int(refused.headers["Retry-After"]) >= 1
                assert machine.http.get("/readyz").status_code == 503
                assert machine.http.get("/healthz").status_code == 200
                admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
            told = created("WP01", lamport=1)
            assert machine.statuses([told]) == ["success"]
            assert hear(socket, 1) == [told["event_id"]]


def test_a_replica_of_a_newer_version_waits_for_the_migration(run: Run, postgresql_database: str) -> None:
    refused = run("serve", "--database", postgresql_database)
    assert refused.code == 1
    assert "run `kittywatch hub migrate`" in refused.err
    assert run("migrate", "--database", postgresql_database).code == 0
    assert "up to date" in run("migrate", "--database", postgresql_database).err
