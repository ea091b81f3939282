"""Rewritten history: a view's new tip does not descend from the one that it showed last (rules O4, O5).

What the new side has is joined to what is known by commit, by git's own pairs of old and new commits, and by identity.
A work package that has lost nothing is resolved commit by commit, as after a fast-forward. For one that has lost
entries the net difference counts:

| lane at both tips | came with new steps | came with known steps that the old tip lacked | nothing came |
|---|---|---|---|
| the same | silent: what was lost is in the new steps | silent | silent |
| another | the net difference is emitted | silent: it is known | taken back, or an edit again (reset --soft) |

What was lost came before the net difference, which is no copy of it though it may go back to its lane. New steps are
those that were made here: others' are recorded as theirs. What was lost of others' is not taken back here, and neither
is what a pull brought afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime

from msgspec import Struct, field

from kittywatch.derive.changes import CommitChanges, Key, PackageChange
from kittywatch.derive.commits import emitted_facts, resolve_commit
from kittywatch.derive.distinct import one_by_one
from kittywatch.derive.facts import EmittedStep, Fact
from kittywatch.derive.ledger import Entry, PendingEdit, behind, identity
from kittywatch.derive.resolve import Occurrence, Resolver, is_alive
from kittywatch.derive.steps import LaneState, Step, lane_state, steps_between
from kittywatch.workpackages.reader import WorkPackage


class Rewrite(Struct, frozen=True):
    """A view that went from `old` to `new`, at a moment of observation.

    `came` are the commits that only `new` reaches, parents first; `was` and `now` what both tips show of the work
    packages that either side has changed. `pulled` are those that others' commits moved that a pull brought last.
    """

    view: str
    old: str
    new: str
    moment: datetime
    came: Sequence[tuple[CommitChanges, Occurrence]] = ()
    was: Mapping[Key, LaneState] = field(default_factory=dict)
    now: Mapping[Key, WorkPackage] = field(default_factory=dict)
    pulled: Set[Key] = frozenset()


class _Fresh(Struct, frozen=True):
    """Steps of a commit that are not known yet."""

    change: PackageChange
    where: Occurrence
    steps: Sequence[Step]


def resolve_rewrite(resolver: Resolver, rewrite: Rewrite) -> list[Fact]:
    """Resolve a rewrite; what came commit by commit first, then the net differences."""
    kept = [key for key in sorted(rewrite.was) if not _is_stated(resolver, key, rewrite)]
    contained = {key: _entries(resolver, key, rewrite, rewrite.old) for key in kept}
    fresh: dict[Key, list[_Fresh]] = {}
    for changes, where in rewrite.came:
        unknown = resolver.join(changes, where)
        for change in changes.packages:
            key = resolver.state.key(*change.package.key)
            if key in unknown:
                fresh.setdefault(key, []).append(_Fresh(change, where, unknown[key]))
    for key in _lost(resolver, contained, rewrite):
        for one in fresh.get(key, ()):
            if not one.where.is_ours:  # what others did is theirs, whatever was lost here
                resolver.steps(one.change, one.where)
    lost = _lost(resolver, contained, rewrite)
    facts: list[Fact] = []
    for changes, where in rewrite.came:
        facts += resolve_commit(resolver, changes, where, without=lost)
    for key in kept:
        if key in lost or key not in fresh:
            made = [one for one in fresh.get(key, ()) if one.where.is_ours]
            facts += _Net(resolver, rewrite, key, lost.get(key, []), contained[key]).resolve(made)
    return facts


class _Net:
    """The net difference of one work package that has lost entries."""

    def __init__(
        self, resolver: Resolver, rewrite: Rewrite, key: Key, lost: list[Entry], contained: list[Entry]
    ) -> None:
        self.resolver = resolver
        self.state = resolver.state
        self.rewrite = rewrite
        self.key = key
        self.lost = lost
        self.contained = contained
        self.was = rewrite.was[key]
        self.package = rewrite.now.get(key)

    def resolve(self, fresh: Sequence[_Fresh]) -> list[Fact]:
        """Resolve it by the module's table."""
        now = lane_state(self.package)
        if now is None or self.package is None:
            return []
        if fresh:
            facts: list[Fact] = []
            if now.lane != self.was.lane:
                facts = self._emit_net(self.package, fresh[-1])
            self._absorb(fresh)
            return facts
        if now.lane == self.was.lane:
            self._contain(now)
            return []
        if self._is_known(now):
            for entry in self.lost:
                self.state.link(self.key, entry, self.rewrite.new)
            return []
        return self._take_back(self.package) if self.contained else []

    def _emit_net(self, package: WorkPackage, last: _Fresh) -> list[Fact]:
        emitted: list[EmittedStep] = []
        used = list(self.lost)
        steps = steps_between(self.was, package, self.resolver.rules.names)
        for step, taken in one_by_one(steps, self.state.history(self.key), used):
            emitted += self.resolver.step(self.key, package, step, last.where, taken)
        self.resolver.take_over_rest(self.key, package, last.where)
        self.lost = used
        return emitted_facts(emitted, last.where.commit)

    def _absorb(self, fresh: Sequence[_Fresh]) -> None:
        """Let the new commits have what was lost in them: each of their steps is one of these entries."""
        last = fresh[-1].where.commit
        assert last is not None
        for entry in self.lost:
            self.state.link(self.key, entry, last)
        for one in fresh:
            commit = one.where.commit or last
            for step in one.steps:
                same = [entry for entry in self.lost if entry.kind == "step" and entry.lane == step.new]
                steps = [entry for entry in self.lost if entry.kind == "step"]
                if not steps:
                    continue
                entry = (same or steps)[-1]
                moment = self.resolver.moment(self.state.history(self.key), step, one.where, [])
                self.state.link(self.key, entry, commit, step.new)
                self.state.identify(self.key, entry, identity(moment, step.new), unrecorded=step.moment is None)
                self.state.alias(self.resolver.rules.identify(one.change.package, step, moment), entry)

    def _contain(self, now: LaneState) -> None:
        """Let the commit that came with the known step to the lane have what was lost in it: it may be a squash."""
        steps = list(self.state.history(self.key).steps())
        for _, where in reversed(self.rewrite.came):
            if where.commit is not None and any((where.commit, now.lane) in entry.links for entry in steps):
                for entry in self.lost:
                    self.state.link(self.key, entry, where.commit)
                return

    def _is_known(self, now: LaneState) -> bool:
        """Whether the new tip has a known step to its lane that the old tip did not have."""
        return any(
            entry.lane == now.lane and entry not in self.contained and _reached(self.resolver, entry, self.rewrite.new)
            for entry in self.state.history(self.key).steps()
            if is_alive(entry, self.rewrite.view)
        )

    def _take_back(self, package: WorkPackage) -> list[Fact]:
        """What nothing replaces was taken back, unless the worktree still shows it: then it is an edit again."""
        steps = [entry for entry in self.lost if entry.kind == "step"]
        if self.key in self.rewrite.pulled or (steps and steps[-1].status == "remote"):
            self._void()
            return []
        look, edit = self.resolver.look, self.resolver.pending.get(self.key)
        shows = look.shows(self.key) if look is not None else None
        if shows is not None and (shows == self.was or (edit is not None and shows == edit.state)):
            if edit is None:
                written = look.written.get(self.key, "") if look is not None else ""
                edit = self.resolver.pending[self.key] = PendingEdit(self.was, written=written)
            edit.entries = [*self.lost, *edit.entries]
            return []
        where = Occurrence(self.rewrite.moment, self.rewrite.view, tip=self.rewrite.new)
        taken_back = self.resolver.take_back(self.key, package, self.was, where)
        self._void()
        return emitted_facts([taken_back], None)

    def _void(self) -> None:
        for entry in self.lost:
            self.state.void(self.key, entry, self.rewrite.view)


def _lost(resolver: Resolver, contained: Mapping[Key, list[Entry]], rewrite: Rewrite) -> dict[Key, list[Entry]]:
    """What the old tip had, and the new one has not; without work packages of which nothing is."""
    lost = {
        key: [one for one in entries if not _reached(resolver, one, rewrite.new)] for key, entries in contained.items()
    }
    return {key: entries for key, entries in lost.items() if entries}


def _is_stated(resolver: Resolver, key: Key, rewrite: Rewrite) -> bool:
    """Whether either tip has steps that are stated with an id: those count commit by commit, and are never taken back,
    though frontmatter may show another lane where the log isn't (rule E10).
    """
    now = rewrite.now.get(key)
    return (now is not None and bool(now.stated)) or any(
        entry.stated_order is not None and _reached(resolver, entry, rewrite.old)
        for entry in resolver.state.history(key).steps()
    )


def _entries(resolver: Resolver, key: Key, rewrite: Rewrite, tip: str) -> list[Entry]:
    entries = (entry for entry in resolver.state.history(key).entries if entry.kind in ("step", "assigned"))
    alive = (entry for entry in entries if is_alive(entry, rewrite.view))
    return [entry for entry in alive if _reached(resolver, entry, tip)]


def _reached(resolver: Resolver, entry: Entry, tip: str) -> bool:
    return behind(entry, tip, resolver.graph, inclusive=True)
