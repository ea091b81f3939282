"""Run kittywatch in a process that kills itself at a line of its own code.

`python killing.py LINE COMMAND…` dies by SIGKILL when the LINE-th line of the package is reached that changes
something or is about to: lines of the store, the emitter, the observation and the watcher, in whichever thread.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

PLACES = ("/store/", "/emit/", "/observe/observation.py", "/observe/watcher.py", "/derive/book.py")


def main() -> None:
    left = int(sys.argv[1])

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        name = frame.f_code.co_filename
        if "kittywatch" not in name or not any(place in name for place in PLACES):
            return None
        if event == "line":
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.argv = ["kittywatch", *sys.argv[2:]]
    if sys.argv[1] == "hook":
        from kittywatch.githooks.entry import run

        sys.settrace(trace)
        run("post-commit", [])
        return
    from kittywatch.cli.main import main as command

    threading.settrace(trace)
    sys.settrace(trace)
    command()


if __name__ == "__main__":
    main()
