"""Logging for a server: what the same line says a thousand times a second is said a few times, and counted."""

from __future__ import annotations

import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from kittywatch.hub import access
from kittywatch.hub.patience import broken_connection

_WINDOW_SECONDS = 10.0
_IN_WINDOW = 10


@dataclass
class _Seen:
    since: float
    count: int = 0


class Seldom(logging.Filter):
    """Lets each message, whatever stands in it, through so often in a while; a later one says how many it left out."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: defaultdict[tuple[str, str], _Seen] = defaultdict(lambda: _Seen(self._clock()))

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == access.LOGGER:
            return True
        now = self._clock()
        seen = self._seen[(record.name, str(record.msg))]
        left_out = 0
        if now - seen.since > _WINDOW_SECONDS:
            left_out = max(0, seen.count - _IN_WINDOW)
            seen.since, seen.count = now, 0
        seen.count += 1
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} times more)", ()
        return seen.count <= _IN_WINDOW


class Outages(logging.Filter):
    """Makes what SQLAlchemy says of a connection that broke, with a stack, a line; every other error keeps its stack.

    A database that goes away breaks each connection wherever it happens to be: the place says nothing of a fault.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("sqlalchemy.") or not record.exc_info:
            return True
        if error := broken_connection(record.exc_info[1]):
            first = next(iter(str(error).splitlines()), type(error).__name__)
            record.msg, record.args = "the connection to the database broke: %s", (first,)
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = record.exc_text = record.stack_info = None
        return True


def log_to_stderr() -> None:
    """Everything of ours, and what libraries warn of."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Outages())
    handler.addFilter(Seldom())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    # These speak of every frame and statement when they are let.
    for name in ("uvicorn.error", "websockets", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
