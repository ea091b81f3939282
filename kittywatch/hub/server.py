"""uvicorn's server with our own way of taking connections."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import Callable

import uvicorn

from kittywatch.hub.accepting import Acceptor
from kittywatch.hub.addresses import Networks
from kittywatch.hub.config import Config
from kittywatch.hub.connections import Connections, Entry
from kittywatch.hub.transports import HttpTransport

_OTHER_FILES = 128  # the database's connections, logs, files that are served
_MOST_FILES = 65_536


class Server(uvicorn.Server):
    """Serves on the one socket that `run` gets; `on_started` is called when it does."""

    def __init__(self, settings: uvicorn.Config, config: Config, *, on_started: Callable[[], None]) -> None:
        super().__init__(settings)
        limits = config.limits
        proxies = Networks(config.trusted_proxy) if config.trusted_proxy else None
        self._connections = Connections(
            most=min(limits.connections, max(64, _files() - _OTHER_FILES)),
            strangers=limits.strangers,
            at_network=limits.strangers_at_address,
            of_login=limits.connections_of_login,
            is_shared=lambda network: proxies is not None and network in proxies,
        )
        self._on_started = on_started
        self._accepting: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        if self.started and sockets:
            acceptor = Acceptor(sockets[0], self._connections, self._protocol, tls=self.config.ssl)
            self._accepting = asyncio.create_task(acceptor.run())
            _spare_the_collector()
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._accepting
        await super().shutdown(sockets)

    def _protocol(self, entry: Entry) -> asyncio.Protocol:
        return HttpTransport(
            connections=self._connections,
            entry=entry,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )


def _spare_the_collector() -> None:
    """Let garbage collection pass over what is there at the start and stays: modules, templates, tables.

    A full collection stops every thread, and took a tenth of a second to look through all of that.
    """
    gc.collect()
    gc.freeze()


def _files() -> int:
    """How many files this process may have open, after asking for as many as it may ask for."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return _MOST_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft if soft != resource.RLIM_INFINITY else _MOST_FILES
