"""Reads the files of work packages and features from a repository, each content once."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Set
from datetime import UTC, datetime

from msgspec import Struct

from kittywatch.derive.changes import BrokenContent, Key
from kittywatch.git.linear import commits_between, files_of
from kittywatch.git.output import Commit, File
from kittywatch.git.repository import Git
from kittywatch.startup.digests import sha256
from kittywatch.workpackages.event_log import Log, LogReader
from kittywatch.workpackages.features import Meta, read_dependencies, read_meta
from kittywatch.workpackages.lane_source import Unit
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.layout import place
from kittywatch.workpackages.reader import Problem, WorkPackage
from kittywatch.workpackages.text import MAX_BYTES

SYMLINK = "120000"
_NAMED = 100  # units whose trees are read one by one; more of them with everything there is
_REMEMBERED = 50_000  # files; a long-running watcher starts over there
_REMEMBERED_LOGS = 2_000  # versions of logs, whose lines are kept once


class UnitTree(Struct, frozen=True):
    """A unit as a tree shows it: its files, the work packages that count, what is broken, and a feature's own files."""

    files: Mapping[str, File]
    packages: Mapping[Key, WorkPackage]
    broken: tuple[BrokenContent, ...] = ()
    meta: File | None = None
    tasks: File | None = None


class Reader:
    """Reads the files of lane sources, and the features' own, by blob, each blob once.

    A context: within it one process of git serves the blobs; what was read stays for the next time.
    """

    def __init__(self, git: Git, names: LaneNames) -> None:
        self._git = git
        self.names = names
        self._objects = git.objects()
        self._tip: str | None = None
        self._files: dict[Unit, list[File]] = {}
        self._said: dict[tuple[str, str], tuple[object, str]] = {}
        self._provided: dict[str, bytes] = {}
        self._logs: dict[str, Log] = {}
        self._log_reader = LogReader()
        self.units: dict[Unit, list[UnitTree]] = {}
        self._metas: dict[tuple[str, str], Meta] = {}
        self._dependencies: dict[str, dict[str, tuple[str, ...]]] = {}
        self._beginnings: dict[str, datetime | None] = {}

    def __enter__(self) -> Reader:
        self._provided.clear()
        if len(self._said) > _REMEMBERED:
            self._said.clear()
            self.units.clear()
        if len(self._logs) > _REMEMBERED_LOGS:
            self._logs.clear()
        self._log_reader.forget()
        return self

    def __exit__(self, *_: object) -> None:
        self._objects.close()

    def files(self, commit: str | None, units: Set[Unit]) -> dict[Unit, list[File]]:
        """The files of some units in a commit; remembered for the commit that was asked for last."""
        if commit is None:
            return {unit: [] for unit in units}
        if commit != self._tip:
            self._tip, self._files = commit, {}
        missing = units - self._files.keys()
        if missing:
            self._files |= {unit: [] for unit in missing}
            self._files |= self._few_files(commit, missing) or self._many_files(commit, missing)
        return {unit: self._files[unit] for unit in units}

    def _few_files(self, commit: str, units: Set[Unit]) -> dict[Unit, list[File]] | None:
        return files_of(self._objects, commit, units, self._git.sources) if len(units) <= _NAMED else None

    def _many_files(self, commit: str, units: Set[Unit]) -> dict[Unit, list[File]]:
        files: dict[Unit, list[File]] = {}
        for file in self._git.files(commit):
            unit = self._git.sources.unit_of(file.path)
            if unit is not None and unit in units:
                files.setdefault(unit, []).append(file)
        return files

    def commits_between(self, old: str, new: str) -> list[Commit] | None:
        """A short stretch of linear history, None where there is none between two commits."""
        return None if self._git.is_grafted else commits_between(self._objects, old, new, self._git.sources)

    def newest(self, commits: Iterable[str]) -> datetime | None:
        """When the latest of some commits was committed, None where none of them is there."""
        stated = (self._objects.commit(commit) for commit in commits)
        moments = [datetime.fromtimestamp(one.committed, UTC) for one in stated if one is not None]
        return max(moments, default=None)

    def said(self, file: File) -> tuple[object, str]:
        """What a file says by itself, as its source reads it, and the id of its content for errors."""
        found = self._said.get((file.path, file.blob))
        return found if found is not None else self._read(file, self._data(file) or b"")

    def log(self, file: File) -> Log:
        """What an event log says."""
        if file.blob not in self._logs:
            self._logs[file.blob] = self._log_reader.read(self._data(file) or b"", file.path)
        return self._logs[file.blob]

    def prefetch(self, files: Iterable[File]) -> None:
        """Read many files at once, which is faster than one by one; the larger ones are left for later."""
        sources = self._git.sources
        wanted = {
            (file.path, file.blob): file
            for file in files
            if (file.path, file.blob) not in self._said and file.is_regular and file.blob not in self._provided
        }
        missing = [
            file
            for file in wanted.values()
            if sources.states_lanes(file.path) and sources.largest(file.path) == MAX_BYTES
        ]
        for file, data in zip(missing, self._objects.read_many(file.blob for file in missing), strict=True):
            self._read(file, data or b"")

    def _read(self, file: File, data: bytes) -> tuple[object, str]:
        source = self._git.sources.source_of(file.path)
        said = source.read(file.path, data, self.names) if source is not None else None
        found = self._said[file.path, file.blob] = said, content_key(data)
        return found

    def provide(self, blob: str, data: bytes) -> None:
        """Let a file of a worktree stand under a name of its own, as if it were a blob."""
        self._provided[blob] = data

    def provided(self, blob: str) -> bytes | None:
        """What was provided under a name, None for nothing."""
        return self._provided.get(blob)

    def _data(self, file: File) -> bytes | None:
        most = self._git.sources.largest(file.path)
        return self._provided[file.blob] if file.blob in self._provided else self._objects.read(file.blob, most)

    def meta(self, file: File | None, feature: str) -> Meta:
        key = (feature, file.blob if file else "")
        if key not in self._metas:
            self._metas[key] = read_meta(self._objects.read(file.blob) if file else None, feature)
        return self._metas[key]

    def dependencies(self, file: File | None) -> dict[str, tuple[str, ...]]:
        if file is None:
            return {}
        if file.blob not in self._dependencies:
            self._dependencies[file.blob] = read_dependencies(self._objects.read(file.blob))
        return self._dependencies[file.blob]

    def began(self, feature: str, pathspecs: Iterable[str], tip: str | None) -> datetime | None:
        """The author time of the first commit that `tip` reaches with one of the files of a feature's work packages."""
        if feature not in self._beginnings and tip is not None:
            self._beginnings[feature] = self._git.began(tip, pathspecs)
        return self._beginnings.get(feature)

    def link_target(self, file: File) -> str | None:
        """The path that a symbolic link leads to, None where it leaves the project."""
        target = (self._objects.read(file.blob) or b"").decode("utf-8", "surrogateescape")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), target))
        return None if target.startswith("/") or path.startswith("..") else path


def content_key(data: bytes) -> str:
    """What makes two broken contents the same: their frontmatter, or all of it where it has no end.

    The body doesn't matter, so that one broken field is told once, however often the text below it is saved.
    """
    text = data.replace(b"\r\n", b"\n")
    end = text.find(b"\n---", 3)
    return sha256(text[: end if end > 0 else len(text)]).hexdigest()[:32]


def broken_content(problem: Problem, content: str, packages: Mapping[Key, WorkPackage], feature: str) -> BrokenContent:
    """A problem as something to be told once for its content; a second file of one id once for its path."""
    where = place(problem.path)
    owner = next((one.wp_id for one in packages.values() if one.problem is problem), None)
    reason, duplicate, _ = problem.reason.partition(" is already the id of ")
    # Which file has the id doesn't matter: when that one goes and the next one takes its place, nothing is news.
    key = sha256(f"{problem.path}\0{reason}\0{'' if duplicate else content}".encode(errors="replace"))
    wp_id = owner or (reason if duplicate else where.wp_id if where else None)
    return BrokenContent(problem, feature, wp_id, key.hexdigest()[:32])
