"""Missions whose lanes spec-kitty-cli 3 or newer keeps in an event log, and where that log is (rule E11)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from msgspec import Struct

from kittywatch.git.repository import Git
from kittywatch.observe.worktree import read_file
from kittywatch.workpackages.event_log import Log, LogReader
from kittywatch.workpackages.features import read_meta
from kittywatch.workpackages.layout import SPECS
from kittywatch.workpackages.spec_kitty import coordination_worktree, log_of


class Place(Struct, frozen=True):
    """One copy of a mission's log: `name` is its path, or a branch and the path."""

    name: str
    log: Log


def logs_of(git: Git, slug: str, reader: LogReader | None = None) -> Iterator[Place]:
    """The copies of a mission's log: the main worktree's, then its coordination worktree's, else that branch's.

    Worktrees of lanes are left out: what they have is older.
    """
    reader = reader or LogReader()
    path = log_of(slug)
    here = git.main_root.resolve()
    coordination = here / coordination_worktree(slug)
    others = [root for root in git.worktrees() if root.resolve() == coordination]
    for root in (here, *others):
        read = read_file(root, path)
        if read is not None:
            yield Place(str(root / path), reader.read(read[0]))
    about = read_file(here, f"{SPECS}/{slug}/meta.json")
    branch = read_meta(about[0] if about else None, slug).coordination or f"kitty/mission-{slug}"
    if not others and f"refs/heads/{branch}" in git.branches():
        with closing(git.objects()) as objects:
            data = objects.read(f"refs/heads/{branch}:{path}")
        if data is not None:
            yield Place(f"{branch}:{path}", reader.read(data))


def keeps_lanes_in_a_log(git: Git, slug: str) -> bool:
    """Whether any copy of a mission's log states a lane: then nobody else may."""
    return any(place.log.lanes for place in logs_of(git, slug))
