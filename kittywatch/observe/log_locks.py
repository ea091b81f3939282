"""The locks that spec-kitty holds on a mission's log while it works on it (rule E10).

An operation that fails takes its lines away again, so a log is not looked at before its lock is free.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path

_DIRECTORY = "spec-kitty-locks"


def is_held(common: Path, feature: str) -> bool:
    """Tell whether somebody works on a mission's log; `common` is the git directory that all worktrees share.

    On Windows a lock can't be asked for without taking it: there nobody ever seems to.
    """
    if os.name == "nt":
        return False
    fcntl = importlib.import_module("fcntl")
    with contextlib.suppress(OSError):
        descriptor = os.open(common / _DIRECTORY / f"{feature}.status.lock", os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # closing it lets go of it again
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False
