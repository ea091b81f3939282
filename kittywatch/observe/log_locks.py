"""The locks that spec-kitty holds on a mission's log while it works on it (rule E10).

An operation that fails takes its lines away again, so a log is not looked at before its lock is free.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_DIRECTORY = "spec-kitty-locks"

if os.name == "nt":  # pragma: no cover - only Windows has it; there a lock can't be asked for without taking it

    def _is_locked(descriptor: int) -> bool:
        return False

else:
    import fcntl

    def _is_locked(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # closing it lets go of it again
        except BlockingIOError:
            return True
        return False


def is_held(common: Path, feature: str) -> bool:
    """Tell whether somebody works on a mission's log; `common` is the git directory that all worktrees share."""
    with contextlib.suppress(OSError):
        descriptor = os.open(common / _DIRECTORY / f"{feature}.status.lock", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            return _is_locked(descriptor)
        finally:
            os.close(descriptor)
    return False
