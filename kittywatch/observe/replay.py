"""Replay: the history of a revision, emitted as far as it is not yet (rule B2).

A replay resolves the own steps of every commit that a revision reaches, as an observation does, without a boundary:
what was there before the project's baseline is emitted like all else, what came in from elsewhere is known.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.derive.changes import CommitChanges, Provenance
from kittywatch.derive.commits import resolve_commit
from kittywatch.derive.facts import Fact
from kittywatch.derive.ledger import Alias, LedgerState
from kittywatch.derive.resolve import Occurrence, Resolver, Rules
from kittywatch.emit.emitter import EventEmitter
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.errors import ProjectError, StoreError
from kittywatch.events import Event, random_id
from kittywatch.git.ancestry import Ancestry
from kittywatch.git.output import Commit
from kittywatch.git.repository import Git
from kittywatch.observe.history import History
from kittywatch.observe.provenance import Origins
from kittywatch.observe.reader import Reader
from kittywatch.store.views import Views
from kittywatch.workpackages.lanes import LaneNames

BATCH = 2_000  # commits a transaction: what Ctrl-C can cost, and how long others wait
_ATTEMPTS = 50
_VIEW = "replay"


class Scope(Struct, frozen=True):
    """The part of a history that is emitted: commits authored at or after `since`, and one feature."""

    since: datetime | None = None
    feature: str | None = None


class Summary(Struct):
    """The work of a replay; `elsewhere` counts steps that others emitted."""

    commits: int = 0
    packages: int = 0
    emitted: int = 0
    already_emitted: int = 0
    elsewhere: int = 0

    def __str__(self) -> str:
        words = [
            _count(self.commits, "commit") + " read",
            _count(self.packages, "work package"),
            _count(self.emitted, "event") + " told",
            f"{self.already_emitted} already told",
        ]
        if self.elsewhere:
            words.append(f"{self.elsewhere} left out")
        return ", ".join(words)


class _OutdatedError(Exception):
    """Another process has changed the project's ledger."""


class _Known(Struct, frozen=True):
    """What the store knew when a replay, or the rest of one, was resolved."""

    version: int
    observed: bool
    baselines: tuple[str, ...]
    elsewhere: tuple[str, ...]
    state: LedgerState

    @classmethod
    def read(cls, unit: UnitOfWork) -> _Known:
        found = unit.ledger.boundaries()
        observed = Views(unit.connection, unit.project).observed()
        baselines, elsewhere = tuple(found["baseline"]), tuple(found["elsewhere"])
        return cls(unit.ledger.version(), observed, baselines, elsewhere, unit.ledger.read())


class Replay:
    """One run over one revision; `progress` hears of each commit done."""

    def __init__(
        self,
        git: Git,
        names: LaneNames,
        emitter: EventEmitter,
        *,
        scope: Scope | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.git = git
        self.rules = Rules(names, emitter.context.event_id)
        self.emitter = emitter
        self.scope = scope or Scope()
        self.summary = Summary()
        self._progress = progress
        self._correlation_id = random_id()

    def run(self, revision: str, *, dry_run: bool = False) -> Iterator[list[Event]]:
        """Emit, a transaction at a time; yields the events of each. Raises GitError, StoreError, ProjectError."""
        tip = self.git.commit_id(revision)
        if self.git.is_shallow:
            raise ProjectError(
                "this clone is shallow: the history before its first commits is missing, and with it what they changed",
                remedy="`git fetch --unshallow`, then run this again",
            )
        commits = self.git.commits(tip)
        self.summary.commits = len(commits)
        changes = self._changes(commits)
        if any(one.features for one in changes):
            self.emitter.context.target_branch()  # asks git, which a transaction must not wait for
        for _ in range(_ATTEMPTS):
            try:
                yield from self._attempt(commits, changes, dry_run=dry_run)
            except _OutdatedError:
                continue
            return
        raise StoreError(
            f"{self.git.root} is being observed by so many processes that the replay never got its turn",
            remedy="run the command again; nothing is lost",
        )

    def _changes(self, commits: Sequence[Commit]) -> list[CommitChanges]:
        found: list[CommitChanges] = []
        with Reader(self.git, self.rules.names) as reader:
            for number, one in enumerate(History(reader, self.git).changes(commits), start=1):
                scoped = self._scoped(one)
                if scoped:
                    found.append(scoped)
                self._progress(number, len(commits))
        return found

    def _scoped(self, changes: CommitChanges) -> CommitChanges:
        feature = self.scope.feature
        if feature is None:
            return changes
        packages = tuple(one for one in changes.packages if one.package.feature == feature)
        broken = tuple(one for one in changes.broken if one.feature == feature)
        return replace(changes, packages=packages, broken=broken)

    # One attempt: resolved in memory, written in batches.

    def _attempt(
        self, commits: Sequence[Commit], changes: Sequence[CommitChanges], *, dry_run: bool
    ) -> Iterator[list[Event]]:
        known = self.emitter.peek(_Known.read)
        state, version = known.state, known.version
        provenance = self._provenance(known, changes)
        walk = {commit.id: commit.parents for commit in commits}
        asked = {one for history in state.histories.values() for entry in history.entries for one in entry.commits}
        marked = {one.commit for one in changes} | (asked & walk.keys())
        resolver = Resolver(state, Ancestry(self.git, walk, marked=marked, asked=asked), self.rules)
        recorded = Origins(self.git, (), lambda commits: set()).recorded(one.commit for one in changes)
        where = [
            Occurrence(
                one.moment, _VIEW, one.commit, None, provenance[one.commit], one.commit in recorded, is_replay=True
            )
            for one in changes
        ]
        for one in changes:
            for new, old in one.renamed.items():
                state.rename(new, old, one.commit)
        for one, at in zip(changes, where, strict=True):
            resolver.join(one, at)
        facts: list[Fact] = []
        for number, (one, at) in enumerate(zip(changes, where, strict=True), start=1):
            facts += resolve_commit(resolver, one, at)
            if number % BATCH == 0 and not dry_run:
                yield self._write(facts, state, version)
                facts, version = [], version + 1
        if dry_run:
            yield self._count(self.emitter.rehearse(functools.partial(self._emit, facts=facts, aliases=())), state)
        else:
            yield self._write(facts, state, version)
        self.summary.packages = len({c.package.key for one in changes for c in one.packages})

    def _provenance(self, known: _Known, changes: Sequence[CommitChanges]) -> Mapping[str, Provenance]:
        """Whose news the commits are: all of a project that was never observed is history."""
        ids = [one.commit for one in changes]
        found = dict.fromkeys(ids, Provenance.HISTORY)
        if known.observed:
            after = self.git.not_reached(ids, known.baselines) if known.baselines else set(ids)
            ours = self.git.not_reached(after, known.elsewhere) if known.elsewhere else after
            found |= dict.fromkeys(after - ours, Provenance.REMOTE)
            origins = Origins(self.git, (), lambda commits: set())
            found |= origins.of(one for one in ids if one in ours)
        since = self.scope.since
        if since is not None:
            found |= {one.commit: Provenance.OUT_OF_SCOPE for one in changes if one.moment < since}
        return found

    def _write(self, facts: list[Fact], state: LedgerState, version: int) -> list[Event]:
        def work(unit: UnitOfWork) -> list[Event]:
            if unit.ledger.version() != version:
                raise _OutdatedError
            unit.ledger.save(state)
            return self._emit(unit, facts, state.aliases)

        events = self._count(self.emitter.transact(work), state)
        state.saved()
        return events

    def _emit(self, unit: UnitOfWork, facts: list[Fact], aliases: Sequence[Alias]) -> list[Event]:
        unit.correlation_id = self._correlation_id
        return unit.emit(facts, "replay", aliases)

    def _count(self, events: list[Event], state: LedgerState) -> list[Event]:
        self.summary.emitted += len(events)
        self.summary.already_emitted += state.already_emitted
        self.summary.elsewhere += state.not_ours
        state.already_emitted = state.not_ours = 0
        return events


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
