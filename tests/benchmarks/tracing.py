"""What pytest does for `tests.benchmarks.coverage`, as a plugin: which processes are measured, and event loops.

Processes that tests of other parts start are not measured: hubs and whole command lines cost minutes, and say nothing
that the tests of these parts don't.

Where a task is cancelled, as with every connection that anyio opens, Python 3.11 reports the return of frames that it
has not reported the call of. Coverage's tracer then takes the frames that called the loop for left, and sees none of
their lines. So after each run of a loop it is told anew which frames there are.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

_TESTS = Path(__file__).parents[1]
_CONFIGURATION = "COVERAGE_PROCESS_CONFIG"
_OTHERS = frozenset(("beside", "demo", "doctor", "everywhere", "examples", "fuzz", "hub"))
_run_until_complete = asyncio.BaseEventLoop.run_until_complete


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let the processes that a test starts be measured, or not."""
    found = os.environ.get(_CONFIGURATION)
    if found is None or item.path.relative_to(_TESTS).parts[0] not in _OTHERS:
        return (yield)
    del os.environ[_CONFIGURATION]
    try:
        return (yield)
    finally:
        os.environ[_CONFIGURATION] = found


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
