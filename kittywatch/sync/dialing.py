"""Opening a WebSocket, with the library set up so that nothing hangs and nothing leaks.

Rules of this module:
- The token is in a header and nowhere else. The library's own log would show it: it gets a logger that says nothing.
- Redirects are not followed: the token is for one server.
- A server that stops reading must not hold a sender for ever: sends have a deadline in the kernel.
- Proxies come from the environment, but plain http, which is for this machine alone, goes through none.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import struct
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from kittywatch.errors import UnreachableError
from kittywatch.sync.address import server_url, trust
from kittywatch.sync.link import LONGEST_MESSAGE

PATH = "/ws/v1/events/"
OPEN_SECONDS = 10.0
SEND_SECONDS = 5.0
PING_SECONDS = 15.0
PONG_SECONDS = 10.0
CLOSE_SECONDS = 1.0

_silent = logging.Logger("kittywatch.websocket", logging.CRITICAL + 1)


class StatusError(OSError):
    """The server answered the handshake with another status than 101. Not the library's own error, which it follows."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class _Connection(ClientConnection):
    """A connection whose sends have a deadline, and whose handshake follows nobody elsewhere."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        limit_sending(sock, SEND_SECONDS)
        super().__init__(sock, *args, **options)

    def handshake(self, *args: Any, **options: Any) -> None:
        try:
            super().handshake(*args, **options)
        except InvalidStatus as error:
            raise StatusError(error.response.status_code) from None


def dial(
    base: str,
    token: str,
    *,
    authority: Path | None = None,
    ping_seconds: float = PING_SECONDS,
    pong_seconds: float = PONG_SECONDS,
) -> ClientConnection:
    """A WebSocket to the server at `base`, opened with a token that is good once; raises SyncError.

    `authority` is a file of certificates to trust besides the system's. A server that doesn't answer a ping within
    `pong_seconds` is taken for gone.
    """
    url = websocket_url(base)
    parts = urlsplit(url)
    try:
        connection = connect(
            url,
            ssl=trust(authority) if parts.scheme == "wss" else None,
            additional_headers={"Authorization": f"Bearer {token}"},
            proxy=True if parts.scheme == "wss" else None,
            open_timeout=OPEN_SECONDS,
            ping_interval=ping_seconds,
            ping_timeout=pong_seconds,
            close_timeout=CLOSE_SECONDS,
            max_size=LONGEST_MESSAGE,
            logger=_silent,
            create_connection=_Connection,
        )
        return connection.__enter__()  # newer versions want to be asked so; whoever has it closes it
    except StatusError as error:
        # Also 401: the token was used or has run out, and the next attempt brings a new one.
        raise UnreachableError(f"{base} opens no WebSocket for us (HTTP {error.status})") from None
    except (OSError, WebSocketException, ImportError, EOFError) as error:
        # Of a TLS failure the reason helps; what a proxy's error says may hold the proxy's password.
        reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else type(error).__name__
        raise UnreachableError(f"{base}: no WebSocket ({reason})") from None


def websocket_url(base: str) -> str:
    """`https://host/base` → `wss://host/base/ws/v1/events/`; raises SyncError where that may not be used."""
    parts = urlsplit(server_url(base))
    return urlunsplit((parts.scheme.replace("http", "ws"), parts.netloc, parts.path + PATH, "", ""))


def limit_sending(sock: socket.socket, seconds: float) -> None:
    """Let the kernel give up on a send that makes no progress."""
    if os.name == "nt":  # pragma: no cover - only Windows has it so
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, int(seconds * 1000))
    else:
        sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
        )
