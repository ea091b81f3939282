"""kittywatch's own files in $SPEC_KITTY_HOME, known by their names. Others keep files there too."""

from __future__ import annotations

import os
import re
from pathlib import Path

from kittywatch.store.database import NAME

_OWN = re.compile(
    rf"{re.escape(NAME)}(?:-journal|-wal|-shm|\.corrupt-.*|\.rebuilt.*)?"
    r"|clock\.json|credentials|\.(?:clock\.json|credentials)\.[0-9a-f]{16}"
    r"|(?:clock|salvage|credentials|deliverer)\.lock|kittywatch-bug-.*\.txt"
)
_CLAIMS = "claims"


def own_files(directory: Path) -> list[Path]:
    """The files in a home that kittywatch made, in their names' order; links count by their own name."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    own = [directory / name for name in names if _OWN.fullmatch(name) and not (directory / name).is_dir()]
    return [*own, *sorted((directory / _CLAIMS).glob("*.lock"))]


def own_directories(directory: Path) -> list[Path]:
    """The directories that kittywatch made, inner ones first; others may have files there too."""
    return [path for path in (directory / _CLAIMS, directory) if path.is_dir()]
