"""Which side of a merge a lane came in with, and who moved it there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from datetime import datetime

from kittywatch.derive.snapshot import Key, Origin
from kittywatch.git.output import Commit
from kittywatch.git.repository import Git
from kittywatch.observe.history import Reader, Walk


def sides(
    git: Git, reader: Reader, merge: Commit, keys: Set[Key], now: datetime
) -> Iterator[tuple[str, frozenset[Key]]]:
    """Each parent of a merge but the first, with those of some work packages that have its lane after the merge.

    A work package that several sides agree on is the first one's.
    """
    left = set(keys)
    for side in merge.parents[1:]:
        if not left:
            return
        walk = Walk(reader, side)
        snapshot = walk.change(*git.difference(side, merge.id), now)
        brought = frozenset(left - snapshot.moved) if snapshot else frozenset(left)
        left -= brought
        yield side, brought


def movers(
    git: Git,
    reader: Reader,
    side: str,
    merge: Commit,
    keys: Set[Key],
    origins: Callable[[Iterable[str]], Mapping[str, Origin]],
    now: datetime,
) -> dict[Key, tuple[Commit, Origin]]:
    """The last commit on a side of a merge that moved each of some work packages, through merges made here, and whose
    it was. Where none did, others may have merged the lane away: then it came with the merge, and is theirs.
    """
    commits = list(git.history(side, since=merge.parents[0]))
    whose = origins(commit.id for commit in commits)
    walk = Walk(reader, next(iter(commits[0].parents), None) if commits else None)
    found: dict[Key, tuple[Commit, Origin]] = {}
    for commit in commits:
        snapshot = walk.step(commit)
        moved = snapshot.moved & keys if snapshot is not None else frozenset()
        found |= dict.fromkeys(moved, (commit, whose[commit.id]))
        if len(commit.parents) > 1 and moved and whose[commit.id] == "here":
            for inner, brought in sides(git, reader, commit, moved, now):
                found |= movers(git, reader, inner, commit, brought, origins, now)
    away = merged_away(git, reader, side, merge, keys - found.keys(), origins, now)
    return found | dict.fromkeys(away, (merge, "elsewhere"))


def merged_away(
    git: Git,
    reader: Reader,
    side: str,
    merge: Commit,
    keys: Set[Key],
    origins: Callable[[Iterable[str]], Mapping[str, Origin]],
    now: datetime,
) -> frozenset[Key]:
    """Those of some work packages that others moved on a side all the same, though no commit of its chain did:
    in a merge, or from a lane and back, as the trail says.

    The rest are as they were where the sides parted: if that is their lane after the merge, it was chosen in the merge.
    """
    base = git.merge_base(merge.parents[0], side) if keys and origins([side])[side] == "elsewhere" else None
    if base is None:
        return frozenset()
    walk = Walk(reader, base)
    trails = {key: one.trail for key in keys if (one := walk.package(key)) is not None}
    net = walk.change(*git.difference(base, side), now)
    moved = net.moved if net is not None else frozenset()
    went_round = {key for key, trail in trails.items() if (one := walk.package(key)) and one.trail != trail}
    return (moved | went_round) & keys
