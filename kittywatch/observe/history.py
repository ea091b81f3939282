"""From commits to snapshots: what the work packages of a project looked like after each commit.

A walk keeps, for the features that it meets, which files they consist of, so that a work package that moves, is
copied or loses its place to another file is compared by what counts before and after, not by its path.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Set
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.derive.snapshot import BrokenContent, FeatureFacts, Key, Origin, Roster, Snapshot
from kittywatch.git.linear import commits_between, files_of
from kittywatch.git.output import Commit, File
from kittywatch.git.repository import Git
from kittywatch.startup.digests import sha256
from kittywatch.workpackages.features import Meta, dependencies_of, first_of_each, read_dependencies, read_meta
from kittywatch.workpackages.lanes import Lane, LaneNames
from kittywatch.workpackages.layout import SPECS, feature_of, place
from kittywatch.workpackages.reader import Problem, WorkPackage, read_work_package

_SYMLINK = "120000"
_NAMED = 100  # features whose trees are read one by one; more of them with everything there is
_UNDONE = frozenset(("planned", "doing", "for_review"))
_REMEMBERED = 50_000  # files; a long-running watcher starts over there


class Reader:
    """Reads work packages and the features' own files of a repository by blob, each blob once.

    A context: within it one process of git serves the blobs; what was read stays for the next time.
    """

    def __init__(self, git: Git, names: LaneNames) -> None:
        self._git = git
        self._names = names
        self._objects = git.objects()
        self._tip: str | None = None
        self._files: dict[str, list[File]] = {}
        self._packages: dict[tuple[str, str], tuple[WorkPackage | Problem, str]] = {}
        self._provided: dict[str, bytes] = {}
        self._metas: dict[tuple[str, str], Meta] = {}
        self._dependencies: dict[str, dict[str, tuple[str, ...]]] = {}
        self._beginnings: dict[str, datetime | None] = {}

    def __enter__(self) -> Reader:
        self._provided.clear()
        if len(self._packages) > _REMEMBERED:
            self._packages.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._objects.close()

    def files(self, commit: str | None, features: Set[str]) -> dict[str, list[File]]:
        """The files of some features in a commit; remembered for the commit that was asked for last."""
        if commit is None:
            return {feature: [] for feature in features}
        if commit != self._tip:
            self._tip, self._files = commit, {}
        missing = features - self._files.keys()
        if missing:
            self._files |= {feature: [] for feature in missing}
            self._files |= self._few_files(commit, missing) or self._many_files(commit, missing)
        return {feature: self._files[feature] for feature in features}

    def _few_files(self, commit: str, features: Set[str]) -> dict[str, list[File]] | None:
        return files_of(self._objects, commit, sorted(features)) if len(features) <= _NAMED else None

    def _many_files(self, commit: str, features: Set[str]) -> dict[str, list[File]]:
        files: dict[str, list[File]] = {}
        for file in self._git.files(commit):
            feature = feature_of(file.path)
            if feature is not None and feature in features:
                files.setdefault(feature, []).append(file)
        return files

    def commits_between(self, old: str, new: str) -> list[Commit] | None:
        """A short stretch of linear history, None where there is none between two commits."""
        return None if self._git.is_grafted else commits_between(self._objects, old, new)

    def package(self, file: File) -> tuple[WorkPackage | Problem, str]:
        """What a work package's file says, and the id of its content for errors."""
        found = self._packages.get((file.path, file.blob))
        return found if found is not None else self._parse(file, self._data(file.blob) or b"")

    def prefetch(self, files: Iterable[File]) -> None:
        """Read many work packages at once, which is faster than one by one."""
        wanted = {
            (file.path, file.blob): file
            for file in files
            if file.is_regular and file.blob not in self._provided and place(file.path) is not None
        }
        missing = [file for key, file in wanted.items() if key not in self._packages]
        for file, data in zip(missing, self._objects.read_many(file.blob for file in missing), strict=True):
            self._parse(file, data or b"")

    def _parse(self, file: File, data: bytes) -> tuple[WorkPackage | Problem, str]:
        read = read_work_package(file.path, data, self._names), content_key(data)
        self._packages[file.path, file.blob] = read
        return read

    def provide(self, blob: str, data: bytes) -> None:
        """Let a file of a worktree stand under a name of its own, as if it were a blob."""
        self._provided[blob] = data

    def _data(self, blob: str) -> bytes | None:
        return self._provided[blob] if blob in self._provided else self._objects.read(blob)

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

    def began(self, feature: str, tip: str | None) -> datetime | None:
        """The author time of the first commit that `tip` reaches with a work package of a feature."""
        if feature not in self._beginnings and tip is not None:
            self._beginnings[feature] = self._git.began(tip, feature)
        return self._beginnings.get(feature)

    def link_target(self, file: File) -> str | None:
        """The path that a symbolic link leads to, None where it leaves the project."""
        target = (self._objects.read(file.blob) or b"").decode("utf-8", "surrogateescape")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), target))
        return None if target.startswith("/") or path.startswith("..") else path


class _Feature(Struct, frozen=True):
    """One feature as a tree shows it: the work packages that count, what is broken, and its own files."""

    packages: dict[str, WorkPackage]
    broken: tuple[BrokenContent, ...]
    meta: File | None
    tasks: File | None


class Walk:
    """Goes along a chain of commits, from what the commit `start` shows, or from nothing."""

    def __init__(self, reader: Reader, start: str | None = None) -> None:
        self._reader = reader
        self._start = start
        self._trees: dict[str, dict[str, File]] = {}
        self._features: dict[str, _Feature] = {}
        self._began: dict[str, datetime] = {}

    def step(self, commit: Commit, *, origin: Origin = "here", past: bool = False) -> Snapshot | None:
        """The snapshot of the next commit, None where it changes no work package."""
        return self.change(commit.changed, commit.removed, commit.moment, commit=commit.id, origin=origin, past=past)

    def change(
        self,
        changed: Iterable[File],
        removed: Iterable[str],
        moment: datetime,
        *,
        commit: str | None = None,
        origin: Origin = "here",
        past: bool = False,
    ) -> Snapshot | None:
        """The snapshot after some files changed."""
        changed, removed = list(changed), list(removed)
        self._reader.prefetch(changed)
        touched = self._apply(changed, removed)
        packages: list[WorkPackage] = []
        broken: list[BrokenContent] = []
        moved: set[Key] = set()
        gone: set[Key] = set()
        facts: dict[str, FeatureFacts] = {}
        rosters: dict[str, Roster] = {}
        for feature, before in touched.items():
            after = self._feature(feature)
            news = [one for wp_id, one in after.packages.items() if before.packages.get(wp_id) != one]
            packages += [self._complete(one, after) for one in news]
            broken += [one for one in after.broken if one not in before.broken]
            moved |= {(feature, one.wp_id) for one in news if _lane(before.packages.get(one.wp_id)) != one.lane}
            gone |= {(feature, wp_id) for wp_id in before.packages.keys() - after.packages.keys()}
            if any(_lane(before.packages.get(one.wp_id)) is None for one in news):
                counted = sum(1 for one in after.packages.values() if one.lane)
                if counted:
                    self._began.setdefault(feature, moment)
                facts[feature] = FeatureFacts(self._reader.meta(after.meta, feature), counted)
            if any(_was_done(one) for one in news):
                rosters[feature] = self._roster(feature, after, commit or self._start)
        if not packages and not broken and not gone:
            return None
        return Snapshot(
            moment,
            tuple(packages),
            commit,
            origin,
            tuple(broken),
            facts,
            past,
            moved=frozenset(moved),
            gone=frozenset(gone),
            rosters=rosters,
        )

    def package(self, key: Key) -> WorkPackage | None:
        """A work package as the walk shows it now, None where its file is gone or can't be read."""
        return self._feature(key[0]).packages.get(key[1])

    def _apply(self, changed: Collection[File], removed: Collection[str]) -> dict[str, _Feature]:
        """Put changes into the trees; returns the features that they touch, as they were."""
        touched: dict[str, _Feature] = {}
        self._enter({feature for path in [*removed, *(file.path for file in changed)] if (feature := feature_of(path))})
        for path, file in [*((path, None) for path in removed), *((file.path, file) for file in changed)]:
            feature = feature_of(path)
            if feature is None or not _matters(path, feature):
                continue
            if feature not in touched:
                touched[feature] = self._feature(feature)
            tree = self._trees[feature]
            if file is None:
                tree.pop(path, None)
            else:
                tree[path] = file
            self._features.pop(feature, None)
        return touched

    def _feature(self, feature: str) -> _Feature:
        found = self._features.get(feature)
        if found is None:
            self._enter({feature})
            found = self._features[feature] = self._read(self._trees[feature])
        return found

    def _enter(self, features: Set[str]) -> None:
        """Learn of which files features consist that the walk comes to for the first time."""
        new = features - self._trees.keys()
        for feature, files in self._reader.files(self._start, new).items() if new else ():
            self._trees[feature] = {file.path: file for file in files if _matters(file.path, feature)}
        self._reader.prefetch(file for feature in new for file in self._trees[feature].values())

    def _read(self, tree: dict[str, File]) -> _Feature:
        read: list[tuple[str, WorkPackage | Problem]] = []
        contents: dict[str, str] = {}
        for path in tree:
            file = self._regular(path, tree)
            if file is not None and place(path) is not None:
                package, contents[path] = self._reader.package(file)
                read.append((path, package))
        packages, problems = first_of_each(read)
        broken = tuple(broken_content(problem, contents[problem.path], packages) for problem in problems)
        own = {path.rsplit("/", 1)[-1]: file for path, file in tree.items() if path.count("/") == 2}
        return _Feature(packages, broken, own.get("meta.json"), own.get("tasks.md"))

    def _regular(self, path: str, tree: dict[str, File]) -> File | None:
        """The file at a path; through a symbolic link what it leads to within its feature (rule R1)."""
        file = tree[path]
        if file.is_regular:
            return file
        target = self._reader.link_target(file) if file.mode == _SYMLINK else None
        found = tree.get(target) if target else None
        return File(path, found.mode, found.blob) if found and found.is_regular else None

    def _roster(self, name: str, feature: _Feature, tip: str | None) -> Roster:
        # One that can't be read now stays where it was last seen: a feature isn't complete without it.
        unread: dict[str, tuple[str, ...]] = {one.wp_id: () for one in feature.broken if one.wp_id is not None}
        stated = {wp_id: self._complete(one, feature).dependencies or () for wp_id, one in feature.packages.items()}
        began = self._reader.meta(feature.meta, name).created_at
        if began is None and all(one.lane in ("done", None) for one in feature.packages.values()):
            moment = self._began.get(name) if self._start is None else self._reader.began(name, tip)
            began = moment.isoformat() if moment else None
        return Roster(unread | stated, began)

    def _complete(self, package: WorkPackage, feature: _Feature) -> WorkPackage:
        if package.dependencies is not None:
            return package
        return replace(package, dependencies=dependencies_of(package, self._reader.dependencies(feature.tasks)))


def content_key(data: bytes) -> str:
    """What makes two broken contents the same: their frontmatter, or all of it where it has no end.

    The body doesn't matter, so that one broken field is told once, however often the text below it is saved.
    """
    text = data.replace(b"\r\n", b"\n")
    end = text.find(b"\n---", 3)
    return sha256(text[: end if end > 0 else len(text)]).hexdigest()[:32]


def broken_content(problem: Problem, content: str, packages: dict[str, WorkPackage]) -> BrokenContent:
    """A problem as something to be told once for its content; a second file of one id once for its path."""
    where = place(problem.path)
    owner = next((one.wp_id for one in packages.values() if one.problem is problem), None)
    reason, duplicate, _ = problem.reason.partition(" is already the id of ")
    # Which file has the id doesn't matter: when that one goes and the next one takes its place, nothing is news.
    key = sha256(f"{problem.path}\0{reason}\0{'' if duplicate else content}".encode(errors="replace"))
    wp_id = owner or (reason if duplicate else where.wp_id if where else None)
    return BrokenContent(problem, where.feature if where else "", wp_id, key.hexdigest()[:32])


def _lane(package: WorkPackage | None) -> Lane | None:
    return package.lane if package else None


def _was_done(package: WorkPackage) -> bool:
    """Whether it is done, or may have been on the way to where it is; done may have other names in a trail."""
    return package.lane == "done" or any(record.lane not in _UNDONE for record in package.trail)


def _matters(path: str, feature: str) -> bool:
    return place(path) is not None or path in (f"{SPECS}/{feature}/meta.json", f"{SPECS}/{feature}/tasks.md")
