"""Honest clients for the campaign: as plain as can be, and as stubborn as the protocol asks them to be."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from kittywatch.hub import accounts, sessions, tokens
from kittywatch.hub.database import open_engine, writing
from tests.hub.hubs import created, moved

PATIENCE = 90.0
_LANES = ("planned", "doing", "for_review", "done")


@dataclass
class Account:
    """What the honest clients know: which events were taken, each result, and what else they were told."""

    taken: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)


class Client:
    """One machine that tells a few events at a time until `over` is set, and then until all of them are taken."""

    def __init__(self, urls: list[str], access: str, number: int, account: Account) -> None:
        self._urls = urls
        self._access = access
        self._number = number
        self._account = account
        self._chance = random.Random(number)
        self._lamport = 0
        self._replica = number

    async def run(self, over: asyncio.Event, *, pause: float) -> None:
        send = self._over_socket if self._number % 3 == 0 else self._in_batch
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
            while not over.is_set():
                await self._deliver(send, http, self._some_events())
                with_luck = self._chance.uniform(0.5, 1.5) * pause
                await asyncio.wait([asyncio.ensure_future(over.wait())], timeout=with_luck)

    def _some_events(self) -> list[dict[str, Any]]:
        told = []
        for _ in range(self._chance.randint(1, 6)):
            self._lamport += 1
            place: dict[str, Any] = {"payload": {"feature_slug": f"{self._number:03d}-{self._lamport // 400}"}}
            common = place | {"node_id": f"{self._number:012x}", "lamport": self._lamport}
            wp_id = f"WP{self._lamport // 4 % 100:02d}"
            step = self._lamport % 4
            told.append(moved(wp_id, _LANES[step - 1], _LANES[step], **common) if step else created(wp_id, **common))
        return told

    async def _deliver(self, send: Any, http: httpx.AsyncClient, waiting: list[dict[str, Any]]) -> None:
        delay = 0.2
        while waiting:
            try:
                results = await send(http, f"{self._urls[self._replica % len(self._urls)]}", waiting)
            except (httpx.TransportError, WebSocketException, OSError, TimeoutError) as error:
                self._account.again[type(error).__name__] += 1
                results = {}
            for event_id, status in results.items():
                self._account.statuses[status] += 1
                if status in ("success", "duplicate"):
                    self._account.taken.append(event_id)
            waiting = [one for one in waiting if results.get(one["event_id"]) not in ("success", "duplicate")]
            if waiting:
                self._replica += 1
                await asyncio.sleep(delay * self._chance.uniform(0.5, 1.5))
                delay = min(delay * 2, 5.0)

    async def _in_batch(self, http: httpx.AsyncClient, url: str, told: list[Any]) -> dict[str, str]:
        body = gzip.compress(json.dumps({"events": told}).encode(), compresslevel=1)
        headers = {"Authorization": f"Bearer {self._access}", "Content-Encoding": "gzip"}
        answer = await http.post(f"{url}/api/v1/events/batch/", content=body, headers=headers)
        if answer.status_code != 200:
            self._account.again[str(answer.status_code)] += 1
            return {}
        return {result["event_id"]: result["status"] for result in answer.json()["results"]}

    async def _over_socket(self, http: httpx.AsyncClient, url: str, told: list[Any]) -> dict[str, str]:
        answer = await http.post(f"{url}/api/v1/ws-token/", headers={"Authorization": f"Bearer {self._access}"})
        if answer.status_code != 200:
            self._account.again[str(answer.status_code)] += 1
            return {}
        headers = {"Authorization": f"Bearer {answer.json()['ws_token']}"}
        results: dict[str, str] = {}
        address = url.replace("http", "ws", 1) + "/ws/v1/events/"
        try:
            async with (
                asyncio.timeout(PATIENCE),
                connect(address, additional_headers=headers, proxy=None, max_size=None) as socket,
            ):
                for one in told:
                    await socket.send(json.dumps(one))
                while len(results) < len(told):
                    message = json.loads(await socket.recv())
                    if message["type"] == "ack":
                        results[message["event_id"]] = message["status"]
        except (WebSocketException, OSError, TimeoutError) as error:
            close = getattr(error, "rcvd", None)
            self._account.again[f"socket {close.code if close else type(error).__name__}"] += 1
        return results


def logins(database: str, name: str, count: int) -> list[str]:
    """Access tokens of so many logins, good for a day."""
    engine = open_engine(database)
    with writing(engine) as connection:
        user, key = accounts.user_named(connection, name), tokens.signing_key(connection)
        opened = [sessions.open_session(connection, user, kind="machine") for _ in range(count)]
        issued = [tokens.issue(key, one.login, lifetime=86400) for one in opened]
    engine.dispose()
    return issued


async def all_of_them(urls: list[str], access: list[str], over: asyncio.Event, *, pause: float) -> Account:
    account = Account()
    clients = [Client(urls, one, number, account) for number, one in enumerate(access)]
    await asyncio.gather(*(client.run(over, pause=pause) for client in clients))
    return account
