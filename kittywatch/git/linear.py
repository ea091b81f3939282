"""A short linear history, and the files of some units, from objects alone.

Most observations find a commit or two on top of what was seen last. Those need no other command of git than the one
that serves the objects. Everything else, merges, rewritten history, a shallow clone, is None here: git is asked then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from kittywatch.git.objects import Entry, Objects, Stated, Tree
from kittywatch.git.output import Commit, File
from kittywatch.workpackages.globs import Rest, leads, walk
from kittywatch.workpackages.lane_source import Unit
from kittywatch.workpackages.sources import Sources

LONGEST = 16  # commits


class _NotHereError(Exception):
    """An object is missing or out of the ordinary."""


def commits_between(objects: Objects, old: str, new: str, sources: Sources) -> list[Commit] | None:
    """The commits after `old` up to `new`, oldest first, each with what it changes of the sources' files.

    None where `old` isn't one of the last few first parents of `new`, or a merge lies in between.
    """
    chain: list[tuple[str, Stated]] = []
    at = new
    try:
        while at != old:
            stated = objects.commit(at)
            if stated is None or len(stated.parents) != 1 or len(chain) == LONGEST:
                return None
            chain.append((at, stated))
            at = stated.parents[0]
        before = _top(objects.commit(old))
        commits = []
        for commit_id, stated in reversed(chain):
            after = _top(stated)
            changed, removed = _difference(objects, before, after, sources.rests) if after != before else ([], [])
            moment = datetime.fromtimestamp(stated.seconds, UTC)
            commits.append(Commit(commit_id, stated.parents, moment, tuple(changed), tuple(removed)))
            before = after
    except _NotHereError:
        return None
    return commits


def files_of(objects: Objects, commit: str, units: Iterable[Unit], sources: Sources) -> dict[Unit, list[File]] | None:
    """The files of some units in a commit, None where git has to be asked."""
    wanted = list(units)
    if any("\N{REPLACEMENT CHARACTER}" in (unit.feature or "") for unit in wanted):
        return None  # its name is not what the tree says
    try:
        top = _tree(objects, _top(objects.commit(commit)))
        return {unit: list(_files(objects, top, [glob.rest for glob in sources.globs_of(unit)])) for unit in wanted}
    except _NotHereError:
        return None


def _top(stated: Stated | None) -> Entry:
    """The whole tree of a commit."""
    if stated is None:
        raise _NotHereError
    return Entry("40000", stated.tree)


def _tree(objects: Objects, entry: Entry) -> Tree:
    tree = objects.tree(entry.id)
    if tree is None:
        raise _NotHereError
    return tree


def _files(objects: Objects, top: Entry | Tree | None, rests: list[Rest], prefix: str = "") -> Iterator[File]:
    """The files below a directory that some patterns match."""

    def below(node: Entry | Tree | None) -> Tree | None:
        if node is None or isinstance(node, dict):
            return node
        if node.is_submodule:
            return {}
        return _tree(objects, node) if node.is_directory else None

    for path, entry in walk(rests, top, below, prefix):
        assert isinstance(entry, Entry)
        yield File(path, entry.mode, entry.id)


def _difference(
    objects: Objects, old: Entry, new: Entry, rests: list[Rest], prefix: str = ""
) -> tuple[list[File], list[str]]:
    """The difference of two directories in what some patterns match: files as in `new`, and paths that it lacks."""
    before, after = _tree(objects, old), _tree(objects, new)
    changed: list[File] = []
    removed: list[str] = []
    for name in before.keys() | after.keys():
        one, other = before.get(name), after.get(name)
        if one == other or not (left := leads(rests, name)):
            continue
        if one is not None and other is not None and one.is_directory and other.is_directory:
            inner = _difference(objects, one, other, [rest for rest in left if rest], f"{prefix}{name}/")
        else:
            inner = _replaced(objects, one, other, left, f"{prefix}{name}")
        changed += inner[0]
        removed += inner[1]
    return changed, removed


def _replaced(
    objects: Objects, old: Entry | None, new: Entry | None, left: Sequence[Rest], path: str
) -> tuple[list[File], list[str]]:
    """The difference at a path where not both sides have a directory."""
    before, after = list(_at(objects, old, left, path)), list(_at(objects, new, left, path))
    there = {file.path for file in after}
    return after, [file.path for file in before if file.path not in there]


def _at(objects: Objects, entry: Entry | None, left: Sequence[Rest], path: str) -> Iterator[File]:
    if entry is None or entry.is_submodule:
        return
    if entry.is_directory:
        yield from _files(objects, entry, [rest for rest in left if rest], f"{path}/")
    elif any(not rest for rest in left):
        yield File(path, entry.mode, entry.id)
