"""Looking up host names without ever holding up the end of the process.

asyncio asks the system in threads of a pool, and Python joins those at exit, however long a broken resolver takes. Here
each question has a daemon thread of its own, which nobody waits for once its asker has given up.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any


class _Patient:
    """The lookup that an event loop gets in place of its own."""

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()

        def settle(found: list[Any] | None, error: OSError | UnicodeError | None) -> None:
            if answer.done():
                return  # nobody waits any more
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(found or [])

        def ask() -> None:
            found, failed = None, None
            try:
                found = socket.getaddrinfo(host, port, family, type, proto, flags)
            except (OSError, UnicodeError) as error:
                failed = error
            try:
                loop.call_soon_threadsafe(settle, found, failed)
            except RuntimeError:
                return  # the loop is closed: its deadline was sooner

        threading.Thread(target=ask, name="kittywatch-dns", daemon=True).start()
        return await answer


_Usual: Any = getattr(asyncio, "ProactorEventLoop", asyncio.SelectorEventLoop)


class EventLoop(_Patient, _Usual):  # type: ignore[misc]
    """The platform's event loop, with lookups that hold up nobody."""
