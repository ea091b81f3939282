"""What a worktree's files show beyond the commit that is checked out.

git says which files differ; only those are read. A file is opened when it is a regular one inside the project, and
read no further than a work package may be long.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Set
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from kittywatch.derive.edits import WorktreeLook
from kittywatch.derive.snapshot import Key
from kittywatch.git.output import File
from kittywatch.git.repository import Git
from kittywatch.observe.history import Reader, Walk
from kittywatch.startup.digests import sha256
from kittywatch.workpackages.layout import SPECS, feature_of, place
from kittywatch.workpackages.reader import MAX_BYTES

SETTLED = 0.25  # seconds without a write, after which a broken file is no half-written one (rule R5)
_READS = 5
_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_file(root: Path, path: str) -> tuple[bytes, float] | None:
    """The bytes of a project's file, cut after 1 MiB and a byte, and when it was last written, in seconds since 1970.

    None where there is none that may be read. Believes two equal reads: one alone may be torn, if somebody writes.
    """
    try:
        target = (root / path).resolve(strict=True)
        # A link anywhere on the way may lead out of the project. As in a commit, it may lead within its feature only.
        if not target.is_relative_to(root.resolve().joinpath(*path.split("/")[:2])):
            return None
        last = _read(target)
        for _ in range(_READS):
            again = _read(target)
            if again == last:
                break
            last = again
    except (OSError, RuntimeError, ValueError):
        return None
    return last


def _blob(data: bytes) -> str:
    """A name for what a file says, as if it were a blob; the same content has the same one."""
    return f"worktree:{sha256(data).hexdigest()}"


def _read(target: Path) -> tuple[bytes, float] | None:
    descriptor = os.open(target, _OPEN)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return None
        return file.read(MAX_BYTES + 1), about.st_mtime


class Worktree:
    """The worktree of one checkout, and which of its files differed from the commit when all were last looked at."""

    def __init__(self, git: Git, reader: Reader) -> None:
        self._git = git
        self._reader = reader
        self._dirty: set[str] = set()

    def look(self, tip: str | None, moment: datetime, keys: Set[Key] = frozenset()) -> WorktreeLook:
        """Look at everything; of the work packages `keys`, say also what they show when they have no edit."""
        self._dirty = {path for path in self._git.dirty() if place(path) is not None}
        return self._look(tip, moment, keys, self._dirty)

    def look_at_paths(self, tip: str | None, moment: datetime, keys: Set[Key], paths: Iterable[str]) -> WorktreeLook:
        """Look at some files alone, and at what else differs in their features."""
        touched = {path for path in paths if place(path) is not None}
        self._dirty |= touched
        features = {feature_of(path) for path in touched}
        seen = {path for path in self._dirty if feature_of(path) in features}
        return self._look(tip, moment, {key for key in keys if key[0] in features}, seen)

    def look_at_packages(self, tip: str | None, moment: datetime, keys: Set[Key]) -> WorktreeLook:
        """Look at some work packages alone."""
        paths: set[str] = set()
        for feature in {key[0] for key in keys}:
            paths |= {file.path for file in self._reader.files(tip, {feature})[feature]}
            tasks = self._git.root / SPECS / feature / "tasks"
            paths |= {path.relative_to(self._git.root).as_posix() for path in tasks.rglob("WP[0-9][0-9]*.md")}
        look = self._look(tip, moment, keys, {path for path in paths if place(path) is not None})
        return replace(look, edited={key: one for key, one in look.edited.items() if key in keys}, broken=())

    def _look(self, tip: str | None, moment: datetime, keys: Set[Key], paths: Iterable[str]) -> WorktreeLook:
        changed: list[File] = []
        removed: list[str] = []
        times: dict[str, float] = {}
        fingerprints: dict[str, str] = {}
        for path in sorted(paths):
            read = read_file(self._git.root, path)
            if read is None:
                removed.append(path)
                continue
            blob = _blob(read[0])
            self._reader.provide(blob, read[0])
            changed.append(File(path, "100644", blob))
            times[path], fingerprints[path] = read[1], blob
        walk = Walk(self._reader, tip)
        snapshot = walk.change(changed, removed, moment)
        packages = snapshot.packages if snapshot else ()
        edited = {(one.feature, one.wp_id): one for one in packages}
        clean = {
            key: package
            for key in keys
            if key not in edited and (package := walk.package(key)) is not None and package.lane is not None
        }
        broken = snapshot.broken if snapshot else ()
        young = {
            one.problem.path for one in broken if 0 <= moment.timestamp() - times.get(one.problem.path, 0) < SETTLED
        }
        return WorktreeLook(
            moment,
            {key: one for key, one in edited.items() if one.lane is not None},
            clean,
            tuple(one for one in broken if one.problem.path not in young),
            snapshot.features if snapshot else {},
            snapshot.rosters if snapshot else {},
            tuple(sorted(young)),
            {key: fingerprints.get(one.path) or self._fingerprint(one.path) for key, one in (edited | clean).items()},
        )

    def _fingerprint(self, path: str) -> str:
        read = read_file(self._git.root, path)
        return _blob(read[0]) if read else ""
