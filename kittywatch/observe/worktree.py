"""What a worktree's files show beyond the commit that is checked out.

git says which files differ; only those are read. A file is opened when it is a regular one inside the project, and
read no further than a work package may be long.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from kittywatch.derive.edits import WorktreeLook
from kittywatch.derive.snapshot import Key
from kittywatch.observe.git import File, Git
from kittywatch.observe.history import Reader, Walk
from kittywatch.workpackages.layout import SPECS, place
from kittywatch.workpackages.reader import MAX_BYTES

_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_file(root: Path, path: str) -> bytes | None:
    """The bytes of a project's file, cut after 1 MiB and a byte; None where there is none that may be read."""
    target = root / path
    try:
        if target.is_symlink() or target.parent.is_symlink():
            target = target.resolve(strict=True)
            if not target.is_relative_to(root.resolve()):
                return None
        descriptor = os.open(target, _OPEN)
    except (OSError, RuntimeError, ValueError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        try:
            return file.read(MAX_BYTES + 1)
        except OSError:
            return None


def look(git: Git, reader: Reader, tip: str | None, moment: datetime, keys: Iterable[Key] = ()) -> WorktreeLook:
    """Look at the whole worktree; of the work packages `keys`, say also what they show when they have no edit."""
    return _look(git, reader, tip, moment, keys, [path for path in git.dirty() if place(path) is not None])


def look_at(git: Git, reader: Reader, tip: str | None, moment: datetime, keys: Iterable[Key]) -> WorktreeLook:
    """Look at some work packages alone."""
    keys = set(keys)
    paths = []
    for feature in {key[0] for key in keys}:
        committed = {file.path for file in (git.files(tip, feature) if tip else ())}
        tasks = git.root / SPECS / feature / "tasks"
        found = {path.relative_to(git.root).as_posix() for path in tasks.rglob("WP[0-9][0-9]*.md")}
        paths += [path for path in committed | found if place(path) is not None]
    seen = _look(git, reader, tip, moment, keys, paths)
    edited = {key: package for key, package in seen.edited.items() if key in keys}
    return WorktreeLook(moment, edited, seen.clean)


def _look(
    git: Git, reader: Reader, tip: str | None, moment: datetime, keys: Iterable[Key], paths: Iterable[str]
) -> WorktreeLook:
    changed: list[File] = []
    removed: list[str] = []
    for path in paths:
        data = read_file(git.root, path)
        if data is None:
            removed.append(path)
        else:
            blob = f"worktree:{hashlib.sha256(data).hexdigest()}"
            reader.provide(blob, data)
            changed.append(File(path, "100644", blob))
    walk = Walk(reader, (lambda feature: git.files(tip, feature)) if tip else (lambda feature: ()))
    snapshot = walk.change(changed, removed, moment)
    edited = {(one.feature, one.wp_id): one for one in snapshot.packages} if snapshot else {}
    clean = {}
    for key in keys:
        package = walk.package(key)
        if package is not None and package.lane is not None and key not in edited:
            clean[key] = package
    if snapshot is None:
        return WorktreeLook(moment, edited, clean)
    edited = {key: one for key, one in edited.items() if one.lane is not None}
    return WorktreeLook(moment, edited, clean, snapshot.broken, snapshot.features)
