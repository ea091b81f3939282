"""A short linear history, and the files of some features, from objects alone.

Most observations find a commit or two on top of what was seen last. Those need no other command of git than the one
that serves the objects. Everything else, merges, rewritten history, a shallow clone, is None here: git is asked then.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from kittywatch.git.objects import Entry, Objects, Stated, Tree
from kittywatch.git.output import Commit, File
from kittywatch.workpackages.layout import IN_FEATURE, SPECS

LONGEST = 16  # commits


class _NotHereError(Exception):
    """An object is missing or out of the ordinary."""


def commits_between(objects: Objects, old: str, new: str) -> list[Commit] | None:
    """The commits after `old` up to `new`, oldest first, each with what it changes under kitty-specs/.

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
        before = _specs(objects, objects.commit(old))
        commits = []
        for commit_id, stated in reversed(chain):
            after = _specs(objects, stated)
            changed, removed = _difference(objects, before, after) if after != before else ([], [])
            moment = datetime.fromtimestamp(stated.seconds, UTC)
            commits.append(Commit(commit_id, stated.parents, moment, tuple(changed), tuple(removed)))
            before = after
    except _NotHereError:
        return None
    return commits


def files_of(objects: Objects, commit: str, features: list[str]) -> dict[str, list[File]] | None:
    """The files that matter of some features in a commit, None where git has to be asked."""
    try:
        specs = _specs(objects, objects.commit(commit))
        directory = _tree(objects, specs) if specs else {}
        if any("\N{REPLACEMENT CHARACTER}" in feature for feature in features):
            return None  # its name is not what the tree says
        return {feature: list(_feature(objects, feature, directory.get(feature))) for feature in features}
    except _NotHereError:
        return None


def _feature(objects: Objects, feature: str, entry: Entry | None) -> Iterator[File]:
    if entry is None or not entry.is_directory:
        return
    for name, one in _tree(objects, entry).items():
        if name in IN_FEATURE:
            yield from _files(objects, f"{SPECS}/{feature}/{name}", one)


def _specs(objects: Objects, stated: Stated | None) -> Entry | None:
    """The entry of kitty-specs/ in a commit, None where it has none."""
    if stated is None:
        raise _NotHereError
    return _tree(objects, Entry("40000", stated.tree)).get(SPECS)


def _tree(objects: Objects, entry: Entry) -> Tree:
    tree = objects.tree(entry.id)
    if tree is None:
        raise _NotHereError
    return tree


def _files(objects: Objects, path: str, entry: Entry | None) -> Iterator[File]:
    """The file at a path, or all files below it."""
    if entry is None or entry.is_submodule:
        return
    if not entry.is_directory:
        yield File(path, entry.mode, entry.id)
        return
    for name, one in _tree(objects, entry).items():
        yield from _files(objects, f"{path}/{name}", one)


def _difference(
    objects: Objects, old: Entry | None, new: Entry | None, path: str = SPECS
) -> tuple[list[File], list[str]]:
    """The difference at or below a path: files as in `new`, and paths that it lacks."""
    if old is None or new is None or not (old.is_directory and new.is_directory):
        before, after = list(_files(objects, path, old)), list(_files(objects, path, new))
        there = {file.path for file in after}
        return after, [file.path for file in before if file.path not in there]
    before_tree, after_tree = _tree(objects, old), _tree(objects, new)
    changed: list[File] = []
    removed: list[str] = []
    for name in before_tree.keys() | after_tree.keys():
        one, other = before_tree.get(name), after_tree.get(name)
        if one != other:
            inner = _difference(objects, one, other, f"{path}/{name}")
            changed += inner[0]
            removed += inner[1]
    return changed, removed
