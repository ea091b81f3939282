"""What a checkout shows right now, for whoever wants to see the lanes and not what changed."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from msgspec import Struct

from kittywatch.derive.changes import BrokenContent
from kittywatch.git.output import File
from kittywatch.observe.history import History
from kittywatch.observe.reader import Reader
from kittywatch.observe.worktree import read_file
from kittywatch.project import Project
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.sources import states_lanes


class Shown(Struct, frozen=True):
    """Every work package that counts, and the contents that can't."""

    packages: tuple[WorkPackage, ...]
    broken: tuple[BrokenContent, ...]


def shown_now(project: Project) -> Shown:
    """Every work package of the worktree, edits that are not committed included; writes nothing; raises GitError."""
    git = project.git
    tip = git.head().tip
    with Reader(git, project.names) as reader:
        files = {file.path: file for file in git.files(tip)} if tip else {}
        for path in git.dirty():
            if not states_lanes(path):
                continue
            read = read_file(git.root, path)
            if read is None:
                files.pop(path, None)
                continue
            blob = f"worktree:{hashlib.sha256(read[0]).hexdigest()}"
            reader.provide(blob, read[0])
            files[path] = File(path, "100644", blob)
        history = History(reader, git)
        _, found = history.difference(history.tree(None), files.values(), (), datetime.now(UTC))
    return Shown(tuple(one.package for one in found.packages), found.broken)
