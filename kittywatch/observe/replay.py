"""Replay: the history of a revision, told as far as it is not told yet (rule B2).

A replay is a view of its own that begins with nothing and walks the first-parent chain, oldest first. Commits that
were there before the project's baseline are told like all others, into the log before the baseline; commits that came
in from elsewhere are known, not told.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Set
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.derive.beside import Taken
from kittywatch.derive.book import Book, tell
from kittywatch.derive.reserved import Reserved
from kittywatch.derive.settle import Known, Rules
from kittywatch.derive.snapshot import Key, Origin, Snapshot
from kittywatch.emit.emitter import EventEmitter
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.events import Event, random_id
from kittywatch.git.output import Commit
from kittywatch.git.repository import Git
from kittywatch.observe.history import Reader, Walk
from kittywatch.observe.merges import movers, sides
from kittywatch.workpackages.lanes import LaneNames

BATCH = 2_000  # snapshots a transaction: what Ctrl-C can cost, and how long others wait


class Scope(Struct, frozen=True):
    """What of a history is told: commits authored at or after `since`, and one feature."""

    since: datetime | None = None
    feature: str | None = None


class Summary(Struct):
    """What a replay did."""

    commits: int = 0
    packages: int = 0
    told: int = 0
    already_told: int = 0
    elsewhere: int = 0

    def __str__(self) -> str:
        words = [
            _count(self.commits, "commit") + " read",
            _count(self.packages, "work package"),
            _count(self.told, "event") + " told",
            f"{self.already_told} already told",
        ]
        if self.elsewhere:
            words.append(f"{self.elsewhere} left out")
        return ", ".join(words)


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
        self.rules = Rules(names, emitter.context.event_id, "history")
        self.emitter = emitter
        self.scope = scope or Scope()
        self.summary = Summary()
        self._progress = progress
        self._known: dict[Key, Known] = {}
        self._elsewhere: list[str] = []
        self._packages: set[Key] = set()
        self._left_out: set[str] = set()
        self._met: set[str] = set()
        self._complete: set[str] = set()
        self._taken: dict[Key, Taken] = {}
        self._chain: frozenset[str] = frozenset()
        self._correlation_id = random_id()

    def run(self, revision: str, *, dry_run: bool = False) -> Iterator[list[Event]]:
        """Tell, a transaction at a time; yields the events of each. Raises GitError, StoreError."""
        tip = self.git.commit_id(revision)
        chain = self.git.first_parents(tip)
        self.summary.commits = len(chain)
        commits = list(self.git.history(tip))
        self._chain = frozenset(commit.id for commit in commits)
        snapshots = self._snapshots(commits, self._origins(tip))
        if any(snapshot.features for snapshot in snapshots):
            self.emitter.context.target_branch()  # asks git, which a transaction must not wait for
        if dry_run:
            yield self._done(*self.emitter.rehearse(lambda unit: self._tell(unit, snapshots, [])))
            return
        for start in range(0, len(snapshots), BATCH):
            batch = snapshots[start : start + BATCH]
            later = snapshots[start + BATCH :]
            work = functools.partial(self._tell, snapshots=batch, later=later)
            yield self._done(*self.emitter.transact(work))

    def _origins(self, tip: str) -> Callable[[str], tuple[Origin, bool]]:
        """Whose news a commit is, and whether it was there before the baseline."""

        def horizons(unit: UnitOfWork) -> dict[str, list[str]]:
            return unit.ledger.horizons()

        found = self.emitter.peek(horizons)
        self._elsewhere = found["elsewhere"]
        after_baseline = set(self.git.first_parents(tip, without=found["baseline"])) if found["baseline"] else None
        ours = set(self.git.first_parents(tip, without=found["elsewhere"])) if found["elsewhere"] else None

        def origin(commit: str) -> tuple[Origin, bool]:
            past = after_baseline is not None and commit not in after_baseline
            return ("elsewhere" if not past and ours is not None and commit not in ours else "here"), past

        return origin

    def _snapshots(self, commits: list[Commit], origin: Callable[[str], tuple[Origin, bool]]) -> list[Snapshot]:
        snapshots: list[Snapshot] = []
        with Reader(self.git, self.rules.names) as reader:
            reader.prefetch(file for commit in commits for file in commit.changed)
            walk = Walk(reader)
            for number, commit in enumerate(commits, start=1):
                whose, past = origin(commit.id)
                snapshot = walk.step(commit, origin=whose, past=past)
                if snapshot is not None and len(commit.parents) > 1 and whose == "here":
                    snapshots += self._merged(reader, commit, snapshot)
                elif snapshot is not None:
                    snapshots.append(snapshot)
                self._progress(number, len(commits))
        return snapshots

    def _merged(self, reader: Reader, merge: Commit, snapshot: Snapshot) -> Iterator[Snapshot]:
        """What each side brought into a merge, and then what the merge added to all of them."""
        if snapshot.moved:
            for side, brought in sides(self.git, reader, merge, snapshot.moved, snapshot.moment):
                foreign = self._foreign(reader, side, merge, brought) if not snapshot.past else frozenset()
                for keys, origin in ((foreign, "elsewhere"), (brought - foreign, "side")):
                    part = snapshot.within(keys)
                    if part is not None:
                        yield replace(part, origin=origin)
                snapshot = snapshot.without(brought)
        yield snapshot

    def _foreign(self, reader: Reader, side: str, merge: Commit, keys: Set[Key]) -> frozenset[Key]:
        """The work packages that somebody elsewhere moved last of those that a side brought into a merge."""
        if not self._elsewhere:
            return frozenset()

        def origins(commits: Iterable[str]) -> dict[str, Origin]:
            found = list(commits)
            ours = self.git.not_reached(found, self._elsewhere)
            return {commit: "here" if commit in ours else "elsewhere" for commit in found}

        if origins([side])[side] == "elsewhere":
            return frozenset(keys)
        moved = movers(self.git, reader, side, merge, keys, origins, merge.moment)
        return frozenset(key for key, (_, origin) in moved.items() if origin == "elsewhere")

    def _tell(self, unit: UnitOfWork, snapshots: list[Snapshot], later: list[Snapshot]) -> tuple[list[Event], Book]:
        """Tell within a transaction; changes nothing of the replay itself, because it may have to be done again."""
        unit.correlation_id = self._correlation_id
        book = unit.ledger.read()
        book.known = {key: unit.ledger.rebound(known) for key, known in self._known.items()}
        book.left_out, book.met, book.complete = set(self._left_out), set(self._met), set(self._complete)
        book.taken = {key: replace(taken) for key, taken in self._taken.items()}
        reserved = Reserved(book, [*snapshots, *later], self.rules, self._chain)
        for snapshot in snapshots:
            reserved.reached(snapshot)
            scoped = self._scoped(snapshot)
            if scoped is None:
                continue
            tellings = tell(book, scoped, self.rules, reserved.open)
            unit.emit(tellings, "replay")
        unit.ledger.save(book)
        return unit.events, book

    def _done(self, events: list[Event], book: Book) -> list[Event]:
        """Go on from what a transaction that stands has told."""
        self._known, self._left_out, self._met = dict(book.known), book.left_out, book.met
        self._complete, self._taken = book.complete, book.taken
        self._packages |= book.known.keys()
        self.summary.packages = len(self._packages)
        self.summary.told += len(events)
        self.summary.already_told += book.already_told
        self.summary.elsewhere += book.withheld
        return events

    def _scoped(self, snapshot: Snapshot) -> Snapshot | None:
        if self.scope.since is not None and snapshot.moment < self.scope.since:
            snapshot = replace(snapshot, origin="elsewhere")
        return snapshot if self.scope.feature is None else snapshot.only(self.scope.feature)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
