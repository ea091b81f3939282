"""Files that are replaced whole or not at all, readable by their owner alone."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Write `data` beside `path` and put it in its place in one step; raises OSError and leaves nothing behind.

    Without `durable` a crash of the machine may bring the old file back.
    """
    # Not tempfile, whose import takes longer than the write. Eight random bytes don't meet again.
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(path: Path) -> None:
    """Remove what a killed `replace_file` has left beside a file; for whoever holds the lock of its writers."""
    prefix = f".{path.name}."
    for found in path.parent.iterdir():
        rest = found.name.removeprefix(prefix)
        if rest != found.name and len(rest) == 16 and not rest.strip("0123456789abcdef"):
            found.unlink(missing_ok=True)
