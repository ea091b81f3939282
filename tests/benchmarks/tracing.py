"""Lets coverage see what runs after an event loop: a plugin of pytest, for `tests.benchmarks.coverage`.

Where a task is cancelled, as with every connection that anyio opens, Python 3.11 reports the return of frames that it
has not reported the call of. Coverage's tracer then takes the frames that called the loop for left, and sees none of
their lines. So after each run of a loop it is told anew which frames there are.
"""

from __future__ import annotations

import asyncio
import sys
from types import FrameType
from typing import Any

_run_until_complete = asyncio.BaseEventLoop.run_until_complete


def run_until_complete(self: asyncio.BaseEventLoop, future: Any) -> Any:
    """What the method of an event loop does."""
    try:
        return _run_until_complete(self, future)
    finally:
        _see_again()


def _see_again() -> None:
    tracer = sys.gettrace()
    if tracer is None:
        return
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    for frame in reversed(frames):
        tracer(frame, "call", None)


asyncio.BaseEventLoop.run_until_complete = run_until_complete  # type: ignore[method-assign]
