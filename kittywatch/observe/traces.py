"""What kittywatch leaves in a repository beside hooks and identity: a few small files in its git directories."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from kittywatch.git.repository import Git
from kittywatch.store.files import replace_file
from kittywatch.sync.identity import CONFIG
from kittywatch.workpackages.layout import as_bytes


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


def note_observed(git: Git, tip: str | None) -> None:
    """Leave the commit that was looked at, and the paths that matter, for the hooks' stub.

    It then needs no Python to see that nothing moved. The configuration is one of them: it may say that others matter.
    Without the file, or with an older commit in it, the stub looks in vain at worst. A worktree that is being removed
    gets none: git takes its files away first, and then expects nothing new in its git directory.
    """
    with contextlib.suppress(OSError):
        if tip is not None and (git.root / ".git").exists():
            lines = "".join(f"{line}\n" for line in (tip, *git.sources.pathspecs, CONFIG.as_posix()))
            replace_file(git.directory / "kittywatch-observed", as_bytes(lines), durable=False)
