"""Which side of a merge a lane came in with."""

from __future__ import annotations

from collections.abc import Iterator, Set
from datetime import datetime

from kittywatch.derive.snapshot import Key
from kittywatch.observe.git import Commit, Git
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
