"""What a worktree's files show beyond the commit that is checked out.

git says which files differ; only those are read. A file is opened when it is a regular one inside the project, and
read no further than a work package may be long.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Set
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from kittywatch.derive.changes import Key, WorktreeLook
from kittywatch.git.output import File
from kittywatch.git.repository import Git
from kittywatch.observe.history import History
from kittywatch.observe.log_locks import is_held
from kittywatch.observe.reader import Reader
from kittywatch.startup.digests import Digest, sha256
from kittywatch.workpackages.globs import walk
from kittywatch.workpackages.lane_source import Unit
from kittywatch.workpackages.layout import feature_of
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.sources import DEFAULT, Sources
from kittywatch.workpackages.spec_kitty import is_log

SETTLED = 0.25  # seconds without a write, after which a broken file is no half-written one (rule R5)
_READS = 5
_LONG = 1 << 20  # bytes
_NAME = "worktree:"
_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_file(root: Path, path: str, sources: Sources = DEFAULT, before: bytes = b"") -> tuple[bytes, float] | None:
    """The bytes of a project's file, cut a byte after the most that is read, and when it was last written.

    That is in seconds since 1970.

    None where there is none that may be read. Believes two equal reads: one alone may be torn, if somebody writes. A
    long file that only got longer than it was `before` is believed at once.
    """
    try:
        target = (root / path).resolve(strict=True)
        # A link anywhere on the way may lead out of the project. As in a commit, it may lead within its unit only.
        if not target.is_relative_to(root.resolve().joinpath(*path.split("/")[:2])):
            return None
        most = sources.largest(path)
        last = _read(target, most)
        grown = last is not None and len(before) >= _LONG and last[0].startswith(before)
        for _ in range(0 if grown else _READS):
            again = _read(target, most)
            if again == last:
                break
            last = again
    except (OSError, RuntimeError, ValueError):
        return None
    return last


def blob_name(data: bytes) -> str:
    """A name for what a file says, as if it were a blob; the same content has the same one."""
    return _NAME + sha256(data).hexdigest()


def _read(target: Path, most: int) -> tuple[bytes, float] | None:
    descriptor = os.open(target, _OPEN)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return None
        # Room for the most that may be read is not made for every file; one that grows meanwhile is read again.
        return file.read(min(most, about.st_size) + 1), about.st_mtime


def files_below(directory: Path) -> dict[str, Path] | None:
    """What a directory of a worktree has below it, None of a file; links are files, as git has them."""
    if directory.is_symlink() or not directory.is_dir():
        return None
    try:
        return {path.name: path for path in directory.iterdir()}
    except OSError:
        return {}


class Worktree:
    """The worktree of one checkout, and which of its files differed from the commit when all were last looked at.

    `held` are the edits that wait for their record (rule D3b).
    """

    def __init__(self, git: Git, reader: Reader) -> None:
        self._git = git
        self._sources = git.sources
        self._reader = reader
        self._dirty: set[str] = set()
        self._named: dict[str, tuple[bytes, Digest]] = {}
        self.held: dict[Key, WorkPackage] = {}

    def look(self, history: History, tip: str | None, moment: datetime, keys: Set[Key] = frozenset()) -> WorktreeLook:
        """Look at everything; of the work packages `keys`, say also what they show when they have no edit."""
        self._dirty = {path for path in self._git.dirty() if self._sources.states_lanes(path)}
        return self._look(history, tip, moment, keys, self._dirty)

    def look_at_paths(
        self, history: History, tip: str | None, moment: datetime, keys: Set[Key], paths: Iterable[str]
    ) -> WorktreeLook:
        """Look at some files alone, and at what else differs in their units."""
        touched = {path for path in paths if self._sources.states_lanes(path)}
        self._dirty |= touched
        units = {self._sources.unit_of(path) for path in touched}
        seen = {path for path in self._dirty if self._sources.unit_of(path) in units}
        there = {key for key in keys if not units.isdisjoint(self._sources.units_of(key))}
        return self._look(history, tip, moment, there, seen)

    def look_at_packages(self, history: History, tip: str | None, moment: datetime, keys: Set[Key]) -> WorktreeLook:
        """Look at some work packages alone."""
        paths: set[str] = set()
        for unit in {unit for key in keys for unit in self._sources.units_of(key)}:
            paths |= {file.path for file in self._reader.files(tip, {unit})[unit]} | self._there(unit)
        look = self._look(history, tip, moment, keys, {path for path in paths if self._sources.states_lanes(path)})
        return replace(look, edited={key: one for key, one in look.edited.items() if key in keys}, broken=())

    def _there(self, unit: Unit) -> set[str]:
        """The files of a unit that the worktree has."""
        rests = [glob.rest for glob in self._sources.globs_of(unit)]
        return {path for path, _ in walk(rests, self._git.root, files_below)}

    def _look(
        self, history: History, tip: str | None, moment: datetime, keys: Set[Key], paths: Iterable[str]
    ) -> WorktreeLook:
        held = {path for path in paths if is_log(path) and is_held(self._git.common, str(feature_of(path)))}
        read = self._read_files(sorted(set(paths) - held))
        added_to = {path for path in read if self._sources.is_added_to(path)}
        growing = {path for path in added_to if self._drop_half_line(path, read, moment)}
        committed = history.tree(tip)
        changed = [File(path, "100644", blob) for path, (blob, _) in read.items() if blob]
        removed = [path for path, (blob, _) in read.items() if not blob]
        after, found = history.difference(committed, changed, removed, moment)
        edited = {one.package.key: one.package for one in found.packages}
        states = {one.package.key: one.base for one in found.packages}
        clean = {
            key: package
            for key in keys
            if key not in edited and (package := history.package(after, key)) is not None and package.lane is not None
        }
        states |= {key: history.state(committed, key) for key in clean}
        settling = {path for path, (_, written) in read.items() if 0 <= moment.timestamp() - written < SETTLED}
        young = {one.problem.path for one in found.broken} & settling
        return WorktreeLook(
            tip,
            moment,
            {key: one for key, one in edited.items() if one.lane is not None},
            clean,
            {key: state for key, state in states.items() if state is not None},
            tuple(one for one in found.broken if one.problem.path not in young),
            found.features,
            found.graphs,
            found.renamed,
            tuple(sorted(young | held | growing)),
            {key: self._fingerprint(one.path, read) for key, one in (edited | clean).items()},
            frozenset(key for key, one in edited.items() if one.path in settling),
            before={one.package.key: one.before for one in found.packages if one.before is not None},
        )

    def _drop_half_line(self, path: str, read: dict[str, tuple[str, float]], moment: datetime) -> bool:
        """Leave out the last line of a file that somebody is adding to (rule E9); whether there is one."""
        blob, written = read[path]
        data = self._reader.provided(blob)
        if not data or data.endswith(b"\n") or not 0 <= moment.timestamp() - written < SETTLED:
            return False
        whole = data[: data.rfind(b"\n") + 1]
        read[path] = (blob_name(whole), written)
        self._reader.provide(read[path][0], whole)
        return True

    def _read_files(self, paths: Iterable[str]) -> dict[str, tuple[str, float]]:
        """What files say now, as names of contents that the reader knows, and when they were written.

        The name of one that isn't there is "".
        """
        found: dict[str, tuple[str, float]] = {}
        for path in paths:
            read = read_file(self._git.root, path, self._sources, self._named[path][0] if path in self._named else b"")
            found[path] = ("", 0.0) if read is None else (self._name(path, read[0]), read[1])
            if read is not None:
                self._reader.provide(found[path][0], read[0])
        return found

    def _name(self, path: str, data: bytes) -> str:
        """As `blob_name`; of a long file that was only added to since the last time, only that is gone through."""
        if len(data) < _LONG:
            return blob_name(data)
        before, digest = self._named.get(path, (b"", None))
        if digest is None or not data.startswith(before):
            digest = sha256(data)
        else:
            digest = digest.copy()
            digest.update(data[len(before) :])
        self._named[path] = data, digest
        return _NAME + digest.hexdigest()

    def _fingerprint(self, path: str, read: Mapping[str, tuple[str, float]]) -> str:
        if path in read:
            return read[path][0]
        now = read_file(self._git.root, path, self._sources)
        return blob_name(now[0]) if now else ""
