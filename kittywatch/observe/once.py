"""One look at every worktree of a project, for commands that look and end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from kittywatch.errors import KittywatchError
from kittywatch.git.repository import Git
from kittywatch.observe.observation import Observed, Observer
from kittywatch.observe.worktree import SETTLED
from kittywatch.project import Project


def observe_all(project: Project, name: str = "scan") -> Iterator[Observed]:
    """Observe each worktree, this one first; raises StoreError.

    A broken file that somebody may still be writing is looked at again when it has had the time to settle (rule R5).
    """
    roots = [project.git.root, *(root for root in project.git.worktrees() if root != project.git.root)]
    for root in roots:
        try:
            git = project.git if root == project.git.root else Git.find(root)
        except KittywatchError:
            continue  # a worktree whose directory is gone
        observer = Observer(project if git is project.git else Project(git, project.store, project.warn), name)
        seen = observer.observe()
        yield seen
        if seen.unsettled:
            threading.Event().wait(SETTLED)
            yield observer.observe()
