"""A process that is killed at a chosen step, for tests: `python -m tests.store.killing WHAT HOME NUMBER`.

A step is a line of kittywatch's own code that keeps something: the store, the emitter, emissions by hand. For each
NUMBER-th of them in turn a child is forked that kills itself with SIGKILL before it, until one survives; `random` kills
NUMBER children at any moment. After each the home is checked. Prints how many steps there were. Forks, and so is no
place for threads: the tests start it as a process of its own.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import kittywatch
from kittywatch.store.database import NAME
from kittywatch.store.salvage import salvage
from tests.store import stores

_PACKAGE = Path(kittywatch.__file__).parent
_EMISSION = tuple(str(_PACKAGE / name) for name in ("store/", "emit/"))
_MENDING = tuple(str(_PACKAGE / "store" / name) for name in ("salvage.py", "files.py", "lock.py"))


def survives(step: int, traced: tuple[str, ...], work: Callable[[int], None]) -> tuple[bool, list[str]]:
    """Fork a child that does `work` and dies before its line number `step`: whether it lived, and what it reported.

    `work` gets a pipe to report on, a line a report.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            _die_at(step, traced)
            work(writing)
            status = 0
        finally:
            sys.settrace(None)
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        reported = pipe.read().split()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False, reported
    if os.WEXITSTATUS(status):
        raise SystemExit(f"the child failed at step {step}")
    return True, reported


def _die_at(step: int, traced: tuple[str, ...]) -> None:
    left = step

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(traced):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def emission(home: Path, stride: int, *, fresh: bool) -> int:
    """Kill an emission every so many steps, into a home that is new each time or always the same one."""
    told: list[str] = []
    step = random.randrange(stride)
    while True:
        place = home / str(step) if fresh else home
        told = [] if fresh else told

        def work(pipe: int, place: Path = place, step: int = step) -> None:
            target = stores.emitter(place, stores.unexpected)
            wp_id = f"WP{step % 100:02d}"
            event = target.emit_wp_status_changed(wp_id, "planned", "doing", feature_slug=f"{step // 100:03d}-many")
            assert event is not None
            os.write(pipe, f"{event['event_id']}\n".encode())

        lived, reported = survives(step, _EMISSION, work)
        told += reported
        _observe_again(place, told)
        if fresh:
            shutil.rmtree(place)
        if lived:
            return step
        step += stride


def _observe_again(home: Path, told: list[str]) -> None:
    """The next process finds all that was told, and goes on."""
    target = stores.emitter(home, stores.unexpected)
    event = stores.note(target, "next")
    assert event is not None
    told.append(event)
    target.store.close()
    assert stores.check_whole(home, told) == stores.copy_value(home)


def at_random(home: Path, times: int) -> int:
    """Kill a process that emits without pause, at random moments; returns how many emissions had come back.

    A moment is so many emissions after its start, and a bit: however slow it is, something has been told by then.
    """
    seed = random.randrange(1 << 32)
    print(f"seed {seed}", file=sys.stderr)
    moments = random.Random(seed)
    told: list[str] = []
    for _ in range(times):
        told += _killed_after(home, moments.choice((0, 0, 1, 2, 4, 7)), moments.uniform(0, 0.006))
        _observe_again(home, told)
    return len(told)


def _killed_after(home: Path, emissions: int, seconds: float) -> list[str]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            target = stores.emitter(home, stores.unexpected)
            while True:
                for event_id in stores.steps(target, 4):
                    os.write(writing, f"{event_id}\n".encode())
        finally:
            os._exit(1)
    os.close(writing)
    data = b""
    while data.count(b"\n") < emissions:
        data += _more(reading)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            data += _more(reading)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while chunk := os.read(reading, 4096):
        data += chunk
    os.close(reading)
    return data.decode().split()


def _more(reading: int) -> bytes:
    if chunk := os.read(reading, 4096):
        return chunk
    raise SystemExit("the child failed")


def mending(home: Path, stride: int) -> int:
    """Kill a process that mends a damaged database, every so many steps: the old one is there whole, or the new one."""
    origin = home / "origin"
    target = stores.emitter(origin, stores.unexpected)
    told = stores.steps(target, 6)
    target.store.close()
    stores.break_an_index(origin)
    damaged = (origin / NAME).read_bytes()
    step = random.randrange(stride)
    while True:
        place = home / str(step)
        shutil.copytree(origin, place)

        def work(pipe: int, place: Path = place) -> None:
            salvage(place / NAME, 6)

        lived, _ = survives(step, _MENDING, work)
        if (place / NAME).read_bytes() != damaged:
            stores.check_whole(place, told)
        salvage(place / NAME, 6)
        stores.check_whole(place, told)
        kept = [path for path in place.glob(f"{NAME}.corrupt-*") if path.read_bytes() == damaged]
        assert kept, "the damaged database is gone"
        shutil.rmtree(place)
        if lived:
            return step
        step += stride


if __name__ == "__main__":
    what, where, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    kinds: dict[str, Callable[[], int]] = {
        "emission": lambda: emission(where, number, fresh=False),
        "first-emission": lambda: emission(where, number, fresh=True),
        "random": lambda: at_random(where, number),
        "mending": lambda: mending(where, number),
    }
    print(kinds[what]())
