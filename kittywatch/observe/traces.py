"""What kittywatch leaves in a repository beside hooks and identity: a few small files in its git directories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def git_directories(common: Path) -> Iterator[Path]:
    """The git directory that all worktrees share, and those of the linked worktrees."""
    yield common
    yield from sorted(path for path in (common / "worktrees").glob("*") if path.is_dir())


def traces_in(common: Path) -> list[Path]:
    """The files that kittywatch made in a repository's git directories."""
    return [
        path
        for directory in git_directories(common)
        for pattern in ("kittywatch-*", ".kittywatch-*", "kittywatch.lock")
        for path in sorted(directory.glob(pattern))
        if not path.is_dir()
    ]
