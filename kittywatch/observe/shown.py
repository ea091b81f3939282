"""What a checkout shows right now, for whoever wants to see the lanes and not what changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from kittywatch.derive.changes import BrokenContent
from kittywatch.git.output import File
from kittywatch.observe.history import History
from kittywatch.observe.reader import Reader
from kittywatch.observe.worktree import blob_name, read_file
from kittywatch.project import Project
from kittywatch.workpackages.layout import feature_of
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.spec_kitty import coordination_worktree, log_of


class Shown(Struct, frozen=True):
    """Every work package that counts, and the contents that can't."""

    packages: tuple[WorkPackage, ...]
    broken: tuple[BrokenContent, ...]


def shown_now(project: Project) -> Shown:
    """Every work package of the worktree, edits that are not committed included; writes nothing; raises GitError.

    A mission with a coordination branch is where that one's worktree shows it, or the branch (rule E11).
    """
    git = project.git
    tip = git.head().tip
    with Reader(git, project.names) as reader:
        files = {file.path: file for file in git.files(tip)} if tip else {}
        for path in git.dirty():
            if not git.sources.states_lanes(path):
                continue
            read = read_file(git.root, path, git.sources)
            if read is None:
                files.pop(path, None)
                continue
            files[path] = _provided(reader, path, read[0])
        files |= _coordinated(project, reader, files)
        history = History(reader, git)
        _, found = history.difference(history.tree(None), files.values(), (), datetime.now(UTC))
    return Shown(tuple(one.package for one in found.packages), found.broken)


def _provided(reader: Reader, path: str, data: bytes) -> File:
    """A file of a worktree, as if it were in a commit."""
    name = blob_name(data)
    reader.provide(name, data)
    return File(path, "100644", name)


def _coordinated(project: Project, reader: Reader, files: Mapping[str, File]) -> dict[str, File]:
    """The logs of missions that are kept on a coordination branch, in place of what this worktree has."""
    found: dict[str, File] = {}
    for path in [path for path in files if path.endswith("/meta.json")]:
        feature = feature_of(path)
        branch = reader.meta(files[path], feature).coordination if feature is not None else None
        if feature is None or branch is None:
            continue
        log = log_of(feature)
        read = read_file(project.git.main_root / coordination_worktree(feature), log)
        if read is not None:
            found[log] = _provided(reader, log, read[0])
        elif (committed := project.git.file(f"refs/heads/{branch}", log)) is not None:
            found[log] = committed
    return found
