"""Operations under way: a view is not looked at while git is in the middle of one (rule O6).

Inside a hook git is by nature in the middle of something, and some of its state files are still there although the
operation has come to its end. What each hook may take for an end is written down here, and nowhere else:

- post-rewrite of a rebase runs when all commits stand, before the state directory is removed.
- post-commit of a cherry-pick or revert runs before CHERRY_PICK_HEAD is removed; of several picks, the last one has
  itself alone left in the list.
- post-merge runs before MERGE_HEAD is removed.

With `rebase --apply`, post-checkout runs before there is any state file, and only HEAD's log says that a rebase begins;
and post-rewrite runs before HEAD is back on its branch.
"""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path
from typing import NamedTuple

from kittywatch.errors import GitError
from kittywatch.git import reflog
from kittywatch.git.repository import Git

_REBASE = ("rebase-merge", "rebase-apply")
_HEADS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")
_BISECT = "BISECT_START"
_BEGINS = 60.0  # seconds; a rebase that has no state directory by then never came to have one


def busy(directory: Path, hook: str | None = None) -> str | None:
    """Name the operation under way in a worktree's git directory, for people; None if the view may be looked at.

    `hook` is the name of the hook that asks, None for observers outside of git.
    """
    if (directory / _BISECT).exists():
        return "bisect"
    for state in _REBASE:
        if (directory / state).exists() and hook != "post-rewrite":
            return "rebase"
    if hook == "post-rewrite":
        return None
    if hook in (None, "post-checkout") and _begins_rebase(directory):
        return "rebase"
    if (directory / "sequencer").exists():
        return None if hook == "post-commit" and _left(directory / "sequencer" / "todo") <= 1 else "sequence of picks"
    if hook is None:
        for head in _HEADS:
            if (directory / head).exists():
                return head.removesuffix("_HEAD").lower().replace("_", "-")
        if (directory / "index.lock").exists():
            return "index.lock"
    return None


def ends_apply(directory: Path, hook: str | None) -> bool:
    """Tell whether a rebase with `--apply` has come to its end, and HEAD is about to return to its branch."""
    return hook == "post-rewrite" and (directory / "rebase-apply").is_dir()


def rebased(git: Git, before: str | None) -> str | None:
    """The full name of the branch that is rebased with `--apply`, None where that can't be said.

    It is written down if the rebase stopped on its way. Else git notes where the branch was; of several that are
    there, it is `before`, the one that HEAD was last seen on.
    """
    with contextlib.suppress(OSError):
        name = (git.directory / "rebase-apply" / "head-name").read_text("utf-8", "surrogateescape").strip()
        return name if name.startswith("refs/heads/") else None
    with contextlib.suppress(OSError, GitError):
        found = git.branches(at=(git.directory / "ORIG_HEAD").read_text("ascii", "replace").strip())
        if before in found:
            return before
        return found.pop() if len(found) == 1 else None
    return None


def _begins_rebase(directory: Path) -> bool:
    log = reflog.head_log(directory)
    with contextlib.suppress(OSError):
        if abs(time.time() - log.stat().st_mtime) < _BEGINS:
            entry = reflog.last(log)
            return entry is not None and entry.begins_rebase
    return False


def _left(todo: Path) -> int:
    try:
        lines = todo.read_bytes().splitlines()
    except OSError:
        return 0
    return sum(1 for line in lines if line.strip() and not line.startswith(b"#"))


class Index(NamedTuple):
    """The fingerprint of a worktree's index: time of writing in nanoseconds, inode, size in bytes."""

    written: int
    inode: int
    size: int

    @property
    def age(self) -> float:
        """The seconds since git wrote it; infinite where the clock was set back."""
        age = time.time() - self.written / 1e9
        return age if age >= 0 else math.inf


def index(directory: Path) -> Index | None:
    """The index of a worktree as it is now; None where there is none."""
    try:
        found = (directory / "index").stat()
    except OSError:
        return None
    return Index(found.st_mtime_ns, found.st_ino, found.st_size)
