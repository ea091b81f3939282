"""The watcher: observes every worktree of a project for as long as it runs.

Events say where to look, and never what happened: that is decided by looking, in one thread, this one. A file that was
closed or moved into place is looked at once; one that is being written when it has been quiet for a moment; a broken
one again when it has settled (rule R5); a worktree that git is busy in when git is done (rule O6).
"""

from __future__ import annotations

import contextlib
import os
import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from kittywatch.errors import GitError, KittywatchError, StoreError
from kittywatch.git.repository import Git
from kittywatch.observe.due import Due
from kittywatch.observe.observation import Observed, Observer
from kittywatch.observe.tree_watch import TreeWatch, silent_file_system
from kittywatch.observe.waits import seconds_until
from kittywatch.observe.worktree import SETTLED
from kittywatch.project import Project
from kittywatch.store.lock import locked

QUIET = 0.05  # seconds without an event after which a file that nobody closed counts as written
GIT_QUIET = 0.02
BUSY_RETRY = 0.5
FAILED_RETRY = 2.0
GONE_RETRY = 1.0
MARK = "kittywatch-watcher"
HOOKED = "kittywatch-hooked"  # a hook that leaves looking to the watcher makes it
LOCK = "kittywatch-watch.lock"

_Thing: TypeAlias = "tuple[Path, str | None]"
"""A worktree's top, and a file in it or None for all of it."""


@dataclass
class _Watched:
    """One worktree that is watched."""

    git: Git
    observer: Observer


class Watcher:
    """Watches the project that `project` is a checkout of; `told` is called after each observation.

    `at_home` hears the name of a file in the store's directory that changed, by whichever process: the queue, say.
    """

    def __init__(
        self,
        project: Project,
        told: Callable[[Observed], None],
        *,
        poll: bool = False,
        at_home: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._project = project
        self._told = told
        self._at_home = at_home
        self._home = project.store.directory.resolve()
        self._warn = project.warn
        self._heard: queue.SimpleQueue[tuple[Path, bool] | None] = queue.SimpleQueue()
        self._due: Due[_Thing] = Due()
        self._worktrees: dict[Path, _Watched] = {}
        self._stopped = False
        self._watch = TreeWatch(lambda path, over: self._heard.put((path, over)), self.rescan, self._warn, poll=poll)

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Watch until `stop`; calls `ready` when everything that is there has been looked at once."""
        try:
            self._find_worktrees()
            self._look_at_due()
            self._watch_home()
            ready()
            while not self._stopped:
                self._hear(self._due.next())
                self._look_at_due()
        finally:
            self.close()

    def _watch_home(self) -> None:
        """The first look made it. On a file system without events it is not worth polling the worktrees for."""
        if self._watch.polling or silent_file_system(self._home) is None:
            self._watch.watch(self._home, below=False)

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler or another thread."""
        self._stopped = True
        self._heard.put(None)

    def rescan(self) -> None:
        """Events were lost: look at everything again."""
        self._heard.put((self._project.git.common / "worktrees", True))
        for root in list(self._worktrees):
            self._heard.put((root / ".git", True))

    def close(self) -> None:
        self._watch.close()
        for root in list(self._worktrees):
            self._leave(root)

    # Hearing.

    def _hear(self, until: float | None) -> None:
        """Wait for events until a time of the monotonic clock at most, and note what they ask for."""
        with contextlib.suppress(queue.Empty):
            heard = self._heard.get(timeout=seconds_until(until))
            while True:
                if heard is not None:
                    self._note(*heard)
                heard = self._heard.get_nowait()

    def _note(self, path: Path, over: bool) -> None:
        now = time.monotonic()
        common = self._project.git.common
        if path.parent == self._home:
            self._at_home(path.name)
        if path == common / "worktrees" or common / "worktrees" in path.parents:
            self._due.put_off((common, None), now + GIT_QUIET)
        for root, watched in self._worktrees.items():
            if path == watched.git.directory or watched.git.directory in path.parents or path == root / ".git":
                if not path.name.startswith("kittywatch-"):
                    self._due.put_off((root, None), now + GIT_QUIET)
            elif path == root:
                self._due.put_off((root, None), now + GIT_QUIET)
            elif root in path.parents:
                self._note_file(root, path.relative_to(root), over, now)

    def _note_file(self, root: Path, path: Path, over: bool, now: float) -> None:
        """Note what happened to a file or a directory of a worktree."""
        sources = self._project.git.sources
        name = path.as_posix()
        if path.parts[0] not in sources.tops:
            return
        if not sources.states_lanes(name):
            if not path.suffix or len(path.parts) == 1:
                self._due.put_off((root, None), now + GIT_QUIET)  # a directory came or went
        elif over:
            self._due.ask((root, name), now)
        else:
            self._due.put_off((root, name), now + QUIET)

    # Looking.

    def _look_at_due(self) -> None:
        paths: dict[Path, set[str]] = {}
        whole: list[Path] = []
        for root, path in self._due.take(time.monotonic()):
            if path is None:
                whole.append(root)
            else:
                paths.setdefault(root, set()).add(path)
        if self._project.git.common in whole:
            self._find_worktrees()
        for root in whole:
            if root in self._worktrees:
                self._look(root, None)
        for root in paths.keys() - set(whole):
            if root in self._worktrees:
                self._look(root, frozenset(paths[root]))

    def _look(self, root: Path, paths: frozenset[str] | None) -> None:
        watched = self._worktrees[root]
        now = time.monotonic()
        if not watched.git.directory.is_dir() or not root.is_dir():
            self._gone(root)
            return
        for top in watched.git.sources.tops:
            self._watch.watch(root / top, below=True)
        self._watch.watch(watched.git.directory / "logs", below=False)
        if paths is None:
            self._watch.check()
        try:
            seen = watched.observer.observe(paths=paths, patient=False)
        except (GitError, StoreError, OSError) as error:
            remedy = error.remedy if isinstance(error, KittywatchError) else "it is tried again"
            self._warn(f"{error}; {remedy}")
            self._due.ask((root, None), now + FAILED_RETRY)
            return
        if seen.busy:
            self._due.ask((root, None), now + BUSY_RETRY)
        for path in seen.unsettled:
            self._due.put_off((root, path or None), now + SETTLED)
        self._told(seen)

    # Worktrees that come and go.

    def _find_worktrees(self) -> None:
        """Watch every worktree that there is now; one that is new is looked at."""
        self._watch.watch(self._project.git.common, below=False)
        self._watch.watch(self._project.git.common / "worktrees", below=False)
        try:
            roots = self._project.git.worktrees()
        except (GitError, OSError):
            self._gone(self._project.git.root)
            return
        for root in self._worktrees.keys() - set(roots):
            self._leave(root)
        for root in roots:
            if root not in self._worktrees and root.is_dir():
                self._enter(root)

    def _enter(self, root: Path) -> None:
        try:
            git = self._project.git if root == self._project.git.root else Git.find(root)
        except KittywatchError:
            return  # half made, or broken: another event, or the next look, says more
        project = self._project if git is self._project.git else Project(git, self._project.store, self._warn)
        hooked = git.directory / HOOKED
        self._worktrees[root] = _Watched(git, Observer(project, "watcher", each_commit=hooked.exists))
        for directory, below in (
            (root, False),
            *((root / top, True) for top in git.sources.tops),
            (git.directory, False),
            (git.directory / "logs", False),
        ):
            self._watch.watch(directory, below=below)
        mark(git.directory)
        self._due.ask((root, None), time.monotonic())

    def _leave(self, root: Path) -> None:
        watched = self._worktrees.pop(root)
        with contextlib.suppress(KittywatchError, OSError):
            if watched.observer.worktree.held:  # the watcher's end ends the wait for a record (rule D3b)
                self._told(watched.observer.observe(waits=False))
        unmark(watched.git.directory)
        self._watch.forget(root)
        self._watch.forget(watched.git.directory)

    def _gone(self, root: Path) -> None:
        """A worktree's directory was deleted; the project's own may come back, under the same name."""
        if root in self._worktrees:
            self._leave(root)
        self._watch.forget(self._project.git.common)
        self._due.ask((self._project.git.common, None), time.monotonic() + GONE_RETRY)


def mark(directory: Path) -> None:
    """Tell the hooks' stub, in a worktree's git directory, that a watcher sees what happens there.

    A process number with its start time, which no later process has, and the store that the watcher writes to.
    Without /proc there is no mark, and the hooks look for themselves.
    """
    with contextlib.suppress(OSError):
        (directory / HOOKED).unlink(missing_ok=True)
    with contextlib.suppress(OSError, IndexError):
        started = Path("/proc/self/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
        text = f"{os.getpid()} {started} {os.environ.get('SPEC_KITTY_HOME', '')}\n"
        (directory / MARK).write_text(text, "utf-8")


def unmark(directory: Path) -> None:
    """Take the mark away, if it is this process's."""
    path = directory / MARK
    with contextlib.suppress(OSError):
        if path.read_text("utf-8").startswith(f"{os.getpid()} "):
            path.unlink()
            (directory / HOOKED).unlink(missing_ok=True)


@contextlib.contextmanager
def alone(common: Path) -> Iterator[str | None]:
    """Hold the repository's watcher lock; yields who holds it already, None where nobody does."""
    path = common / LOCK
    note = common / "kittywatch-watch.pid"
    with locked(path, wait=False) as held:
        if not held:
            holder = ""
            with contextlib.suppress(OSError):
                holder = note.read_text("utf-8").strip()
            yield holder or "another process"
            return
        with contextlib.suppress(OSError):
            note.write_text(f"process {os.getpid()}\n", "utf-8")
        try:
            yield None
        finally:
            with contextlib.suppress(OSError):
                note.unlink()
