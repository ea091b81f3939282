"""What a checkout shows right now, for whoever wants to see the lanes and not what changed."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from kittywatch.derive.snapshot import Snapshot
from kittywatch.git.output import File
from kittywatch.observe.history import Reader, Walk
from kittywatch.observe.worktree import read_file
from kittywatch.project import Project
from kittywatch.workpackages.layout import place


def shown_now(project: Project) -> Snapshot:
    """Every work package of the worktree, edits that are not committed included; writes nothing; raises GitError."""
    git = project.git
    now = datetime.now(UTC)
    tip = git.head().tip
    with Reader(git, project.names) as reader:
        files = {file.path: file for file in git.files(tip)} if tip else {}
        for path in git.dirty():
            if place(path) is None:
                continue
            read = read_file(git.root, path)
            if read is None:
                files.pop(path, None)
                continue
            blob = f"worktree:{hashlib.sha256(read[0]).hexdigest()}"
            reader.provide(blob, read[0])
            files[path] = File(path, "100644", blob)
        return Walk(reader).change(files.values(), (), now) or Snapshot(now, ())
