"""What the commits on one side of two diverged ones did, and what of it the other side has in another form."""

from __future__ import annotations

from collections.abc import Iterator, Set
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from kittywatch.derive.snapshot import Key, Origin, Snapshot
from kittywatch.git.output import Commit
from kittywatch.git.repository import Git
from kittywatch.observe.history import Reader, Walk
from kittywatch.observe.plans import keys_of


class Changes(Struct):
    """What the commits of a side did: the last one to move a work package's lane, the last one to change it at all,
    what those made here moved and those from elsewhere showed, and the last of these; `moments` are authors' times.
    """

    moved: dict[Key, tuple[Commit, Origin]] = field(default_factory=dict)
    changed: dict[Key, tuple[Commit, Origin]] = field(default_factory=dict)
    here: list[Snapshot] = field(default_factory=list)
    elsewhere: list[Snapshot] = field(default_factory=list)
    horizon: list[str] = field(default_factory=list)
    moments: set[datetime] = field(default_factory=set)

    def others(self, without: Set[Key]) -> Iterator[Snapshot]:
        """What others' commits showed, one after the other, but for some work packages; of these it is only known."""
        for one in self.elsewhere:
            yield replace(one, only_known=True)
            rest = one.without(without)
            if rest.packages:
                yield replace(rest, broken=())

    def over_others(self, without: Set[Key]) -> dict[Key, Snapshot]:
        """For work packages that others changed and that were moved here last: that move."""
        changed = {key for one in self.elsewhere for key in keys_of(one)} - without
        ours = {key for key in changed & self.moved.keys() if self.moved[key][1] == "here"}
        return {key: part for one in self.here for key in ours if (part := one.within({key})) is not None}

    def last(self, key: Key, *, moves: bool) -> tuple[Commit, Origin] | None:
        return (self.moved if moves else self.changed).get(key)


def squashed(git: Git, reader: Reader, keys: Set[Key], old: str, new: str) -> set[Key]:
    """Those of some work packages that `new` still shows as commits of `old` left them, as the trail says, though none
    of its own commits moved the lane: they went a round, which became a single commit, and have not been taken back.
    """
    base = git.merge_base(old, new)
    if base is None:
        return set()
    before, went, now = (
        {key: one.trail for key in keys if (one := walk.package(key)) is not None}
        for walk in (Walk(reader, base), Walk(reader, old), Walk(reader, new))
    )
    return {
        key
        for key, trail in went.items()
        if len(trail) > len(before.get(key, ())) and now.get(key, ())[: len(trail)] == trail
    }
