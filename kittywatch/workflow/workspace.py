"""A workspace: one checkout whose work packages are edited by one command at a time.

- All edits of a command are worked out and checked before the first file is written.
- A lock of the repository keeps commands apart. Others (editors, agents) don't know it: a file that has changed since
  it was read is read again.
- Files are replaced whole, with their mode. What fails leaves every file as it was.
- Lanes in an event log are spec-kitty-cli's to write: a feature that has one is refused.
- Lanes are kept in one place: in a worktree that was made for a work package, the main worktree's files are edited.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kittywatch.errors import KittywatchError, WorkflowError
from kittywatch.git.repository import Git
from kittywatch.observe.observation import Observer
from kittywatch.observe.worktree import read_file
from kittywatch.project import Project
from kittywatch.store.files import replace_file, sweep
from kittywatch.store.lock import locked
from kittywatch.workflow import upstream
from kittywatch.workflow.checkout import WORKTREES, Checkout
from kittywatch.workflow.feature import Feature, choose_feature, load_feature
from kittywatch.workflow.missions import keeps_lanes_in_a_log
from kittywatch.workpackages.text import MAX_BYTES

_ATTEMPTS = 20


class OutdatedError(Exception):
    """A file has changed since it was read."""


class Workspace:
    """A checkout to edit in.

    `hints` name what the command was called for: the branch, then directories; `chosen` is the feature that it was.
    """

    def __init__(self, project: Project, name: str, directory: Path, wp_id: str | None = None) -> None:
        called = project.git
        if called.directory != called.common and called.root.is_relative_to(called.main_root / WORKTREES):
            project = Project(Git.find(called.main_root), project.store, project.warn)
        self.project = project
        self.name = name
        self.checkout = Checkout(project.git)
        self.hints = _hints(called, directory)
        self.chosen: str | None = None
        self._wp_id = wp_id

    @property
    def root(self) -> Path:
        return self.project.git.root

    def feature(self, stated: str | None) -> Feature:
        """The feature that the command means, as it is now; raises WorkflowError, also if its lanes are in a log."""
        self.chosen = choose_feature(self.root, stated, self.hints)
        if keeps_lanes_in_a_log(self.project.git, self.chosen):
            raise upstream.refusal(self.name, self.chosen, self._wp_id)
        return self.load(self.chosen)

    def load(self, slug: str) -> Feature:
        """A feature as it is now; raises WorkflowError."""
        return load_feature(self.root, slug, self.project.names)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands from editing meanwhile."""
        common = self.project.git.common
        if not os.access(common, os.W_OK):
            raise WorkflowError(f"{common} is read-only", remedy="make it writable: commands keep a lock there")
        with locked(common / "kittywatch-edit.lock"):
            yield

    def edit(
        self,
        slug: str,
        work: Callable[[Feature], Mapping[str, bytes]],
        *,
        message: str | None = None,
        around: Callable[[], None] | None = None,
    ) -> str | None:
        """Replace files of a feature by what `work` makes of it; returns the commit, which a `message` asks for.

        `around` is done after all is checked and before anything is written. Raises KittywatchError, and then
        nothing has changed. `work` is called again when a file changes meanwhile.
        """
        with self.locked():
            for _ in range(_ATTEMPTS):
                feature = self.load(slug)
                try:
                    return self._write(feature, work(feature), message, around)
                except OutdatedError:
                    continue
        raise WorkflowError(f"the files of {slug} change all the time", remedy="run the command again when they rest")

    def sweep(self, feature: Feature) -> None:
        """Remove what a killed command has left beside the files of a feature."""
        with self.locked():
            for path in feature.files:
                sweep((self.root / path).resolve())

    def observe(self, *, worktree: bool = True) -> None:
        """Emit what was edited; a failure is a warning, for the edit stands and a later observation emits it."""
        try:
            seen = Observer(self.project, f"command:{self.name}").observe(worktree=worktree)
        except KittywatchError as error:
            self.project.warn(f"the edit stands, but was not told yet: {error}")
            return
        if seen.busy:
            self.project.warn(f"git is in the middle of something ({seen.busy}); the edit is told when it is done")

    def _write(
        self, feature: Feature, new: Mapping[str, bytes], message: str | None, around: Callable[[], None] | None
    ) -> str | None:
        old = {path: self._current(path) for path in new}
        for path, data in old.items():
            expected = feature.files.get(path, feature.tasks)
            if data != expected:
                raise OutdatedError
        if around is not None:
            around()
        changed = {path: data for path, data in new.items() if data != old[path]}
        written: list[str] = []
        try:
            for path, data in changed.items():
                written.append(path)
                self._replace(path, data)
            return self.checkout.commit_only(list(changed), message) if message and changed else None
        except BaseException as error:
            for path in written:
                if self._current(path) == changed[path]:
                    self._replace(path, old[path])
            if isinstance(error, OSError):
                raise WorkflowError(
                    f"{self.root / path}: {error.strerror}", remedy="make the file and its directory writable"
                ) from error
            raise

    def _current(self, path: str) -> bytes:
        read = read_file(self.root, path)
        if read is None:
            raise WorkflowError(f"{path} cannot be read, or leads out of its feature", remedy="mend the file")
        if len(read[0]) > MAX_BYTES:
            raise WorkflowError(f"{path} is larger than 1 MiB", remedy="make it smaller, or edit it by hand")
        return read[0]

    def _replace(self, path: str, data: bytes) -> None:
        # As in reading, a link may lead to a file of the same feature, which is then the one to replace.
        target = (self.root / path).resolve(strict=True)
        if not target.is_relative_to(self.root.resolve().joinpath(*path.split("/")[:2])):
            raise WorkflowError(f"{path} leads out of its feature", remedy="replace the link by a file")
        if not os.access(target, os.W_OK):
            raise PermissionError(13, "it is read-only", str(target))
        sweep(target)
        replace_file(target, data, mode=stat.S_IMODE(target.stat().st_mode))


def _hints(git: Git, directory: Path) -> tuple[str, ...]:
    ref = git.head().ref or ""
    hints = [ref.removeprefix("refs/heads/"), git.root.name]
    try:
        parts = directory.resolve().relative_to(git.root.resolve()).parts
    except ValueError:
        parts = ()
    inside = parts[1:2] if parts[:1] == ("kitty-specs",) else ()
    return tuple(one for one in (*inside, *hints) if one)
