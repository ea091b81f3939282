"""What hostile clients send, each as much as one likes, and how they behave."""

from __future__ import annotations

import gzip
import json
import os
import random
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress

import httpx
import psycopg
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.hub.hubs import created

SOMEWHERE = ("127.0.0.2", 0)  # strangers have another address than honest clients
HANDSHAKE = (
    "GET /ws/v1/events/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_SUSPICIOUS = b"[]" * 40  # enough brackets to be looked at
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "an unterminated string of escaped quotes": lambda n: _SUSPICIOUS + b'{"a":"' + b'\\"' * (n // 2),
    "strings that end and one that doesn't": lambda n: _SUSPICIOUS + b'""' * (n // 2) + b'"',
    "backslashes": lambda n: _SUSPICIOUS + b'"' + b"\\" * n,
    "backslashes outside strings": lambda n: _SUSPICIOUS + b"\\" * n + b'"',
    "brackets that open": lambda n: b"[" * n,
    "brackets that close": lambda n: b"]" * n,
    "empty lists": lambda n: b"[" + b"[]," * (n // 3),
    "objects in a row": lambda n: b"{}" * (n // 2),
    "nested as deep as allowed": lambda n: (b"[" * 31 + b"]" * 31) * (n // 62),
    "an event that ends in the middle of its title": lambda n: json.dumps(created("WP01", "x" * n, lamport=1)).encode()[
        : n - 1
    ],
    "a title that spells NUL": lambda n: json.dumps(created("WP01", "\\u0000" * (n // 8), lamport=1)).encode(),
    "a long fraction of a second": lambda n: json.dumps(
        created("WP01", lamport=1, timestamp=f"2026-03-01T00:00:00.{'1' * n}Z")
    ).encode(),
    "a long number": lambda n: json.dumps(created("WP01", lamport=1)).encode()[:-1] + b',"x":' + b"9" * n + b"}",
    "many fields": lambda n: b"{" + b",".join(b'"%d":0' % k for k in range(n // 10)) + b"}",
}


class Attacker:
    """Somebody with a login of another team, and without; does one thing after another until `over` is set."""

    def __init__(self, urls: list[str], access: list[str], database: str, over: threading.Event) -> None:
        self._urls = urls
        self._access = access
        self._database = database
        self._over = over
        self._chance = random.Random(7)
        self.done: dict[str, int] = {}

    def run(self) -> None:
        ways = (self._half_requests, self._messages, self._batches, self._readers, self._notices, self._guesses)
        while not self._over.is_set():
            way = self._chance.choice(ways)
            with suppress(OSError, httpx.HTTPError, WebSocketException, psycopg.Error, TimeoutError, KeyError):
                way(self._chance.choice(self._urls))
            self.done[way.__name__] = self.done.get(way.__name__, 0) + 1

    def _half_requests(self, url: str) -> None:
        port = int(url.rsplit(":", 1)[1])
        with ExitStack() as held:
            for _ in range(300):
                one = held.enter_context(
                    socket.create_connection(("127.0.0.1", port), timeout=10, source_address=SOMEWHERE)
                )
                one.sendall(
                    self._chance.choice((b"", b"GET / HTTP/1.1\r\nX: ", b"\x16\x03\x01", b"POST / HTTP/9.9\r\n\r\n"))
                )
            self._over.wait(self._chance.uniform(0, 3))

    def _socket(self, url: str) -> str:
        headers = {"Authorization": f"Bearer {self._chance.choice(self._access)}"}
        return str(
            httpx.post(f"{url}/api/v1/ws-token/", headers=headers, timeout=30, trust_env=False).json()["ws_token"]
        )

    def _messages(self, url: str) -> None:
        headers = {"Authorization": f"Bearer {self._socket(url)}"}
        address = url.replace("http", "ws", 1) + "/ws/v1/events/"
        with connect(address, additional_headers=headers, proxy=None, max_size=None, open_timeout=30) as it:
            for _ in range(20):
                it.send(self._chance.choice(list(HOSTILE.values()))(self._chance.choice((100, 10_000, 240_000))))

    def _batches(self, url: str) -> None:
        told = [created(f"WP{n % 100:02d}", os.urandom(2000).hex(), lamport=n + 1) for n in range(800)]
        body = gzip.compress(json.dumps({"events": told}).encode(), compresslevel=1)
        headers = {"Authorization": f"Bearer {self._chance.choice(self._access)}", "Content-Encoding": "gzip"}
        bodies = (body, b'{"events":[' + b"[]," * 3_000_000 + b"1]}", gzip.compress(b" " * (200 << 20)), body[:-5])

        def send(one: bytes) -> None:
            with suppress(httpx.HTTPError):
                httpx.post(f"{url}/api/v1/events/batch/", content=one, headers=headers, timeout=60, trust_env=False)

        threads = [threading.Thread(target=send, args=(self._chance.choice(bodies),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _readers(self, url: str) -> None:
        """Listen, and read nothing."""
        port = int(url.rsplit(":", 1)[1])
        with ExitStack() as held:
            for _ in range(5):
                token = self._socket(url)
                one = held.enter_context(
                    socket.create_connection(("127.0.0.1", port), timeout=10, source_address=SOMEWHERE)
                )
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                one.sendall(HANDSHAKE.replace("TOKEN", token).encode())
            self._over.wait(self._chance.uniform(0, 10))

    def _notices(self, _url: str) -> None:
        with psycopg.connect(self._database, autocommit=True, connect_timeout=5) as stranger:
            stranger.execute("SELECT pg_notify('kittywatch', %s)", [self._chance.choice(("x", "", "-1", "9" * 4000))])

    def _guesses(self, url: str) -> None:
        for n in range(5):
            body = {"username": f"nobody{n}", "password": "wrong"}
            httpx.post(f"{url}/api/v1/token/", json=body, timeout=60, trust_env=False)
