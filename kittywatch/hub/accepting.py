"""Taking connections from the listening socket: one place that counts them before they cost anything.

asyncio's own accept loop knows no limit, logs each failure to accept, thousands a second when there are no file
descriptors left, and leaves Nagle's algorithm on for sockets that were made without naming TCP.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from kittywatch.hub.addresses import network_of
from kittywatch.hub.connections import Connections, Entry

BACKLOG = 1024
_HANDSHAKE_SECONDS = 10.0
_PAUSE_SECONDS = 0.2
_UNREAD_MILLISECONDS = 30_000  # how long the kernel keeps what the other side doesn't take
_AT_ONCE = 8  # few, so that who came just before has sent its request when it would have to give way
_log = logging.getLogger("kittywatch.hub.accepting")


class Acceptor:
    """Hands each connection that may stay to a protocol from `make_protocol`; `run` is its one task.

    Whoever connects from its construction on is heard.
    """

    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        make_protocol: Callable[[Entry], asyncio.Protocol],
        *,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._make_protocol = make_protocol
        self._tls = tls
        self._starting: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        listener.listen(BACKLOG)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        taken = 0
        while True:
            try:
                connection, address = await loop.sock_accept(self._listener)
            except ConnectionError:
                continue  # it went before it was taken
            except OSError as error:
                _log.error("a connection could not be taken: %s", error.strerror)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._take(connection, str(address[0]))
            taken += 1
            if taken % _AT_ONCE == 0:
                await asyncio.sleep(0)  # those that are there already go on meanwhile

    def _take(self, connection: socket.socket, address: str) -> None:
        entry = self._connections.admit(network_of(address))
        if entry is None:
            connection.close()
            _log.warning("a connection was turned away: there are too many")
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
        task = asyncio.create_task(self._start(connection, entry))

        def close() -> None:
            task.cancel()

        entry.close = close
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _start(self, connection: socket.socket, entry: Entry) -> None:
        loop = asyncio.get_running_loop()
        started = False
        try:
            await loop.connect_accepted_socket(
                lambda: self._make_protocol(entry),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._tls else None,
            )
            started = True
        except OSError:  # no TLS, or gone meanwhile
            pass
        finally:
            if not started:
                self._connections.remove(entry)
                connection.close()
