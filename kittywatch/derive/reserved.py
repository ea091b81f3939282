"""What commits still to come in a walk are known to have brought: no earlier commit may take it by its lane.

Known it is from the ledger, which says what a commit brought when it was looked at; and where commits were put on
other ground since, from the time and the lane that a step kept.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from kittywatch.derive.book import Book
from kittywatch.derive.log import Entry, Log, making
from kittywatch.derive.settle import Rules
from kittywatch.derive.snapshot import Key, Snapshot
from kittywatch.derive.steps import Shown, shown, steps_between
from kittywatch.workpackages.reader import WorkPackage


class Reserved:
    """The entries that the rest of a walk claims. `reached` is to be called with each of `snapshots`, in their order.

    A commit that brings a work package back at the lane that it had takes no step, and needs no entry. What is found
    out of commits that nobody looked at is put into the book's `landed`, for this walk. `chain` are all commits of the
    walk, also those that it has passed: what these brought themselves, no rewritten commit did.
    """

    def __init__(self, book: Book, snapshots: Sequence[Snapshot], rules: Rules, chain: Set[str]) -> None:
        self.open: set[Entry] = set()
        self._book = book
        self._rules = rules
        self._shown: dict[Key, Shown] = {key: known.shown for key, known in book.known.items()}
        own = {entry for commit in chain & book.landed.keys() for _, entry in book.landed[commit]}
        self._makings = {key: _makings(log, chain, own) for key, log in book.logs.items() if log.entries}
        for snapshot in snapshots:
            self.open |= self._claimed(snapshot)

    def reached(self, snapshot: Snapshot) -> None:
        """The walk has come to the next snapshot, which takes what is its own."""
        self.open -= {entry for _, entry in self._book.landed.get(snapshot.commit or "", ())}

    def _claimed(self, snapshot: Snapshot) -> set[Entry]:
        landed = self._book.landed.get(snapshot.commit or "", [])
        claimed: set[Entry] = set()
        for package in snapshot.packages:
            key = (package.feature, package.wp_id)
            now, before = shown(package), self._shown.get(key)
            if now is None or (before is not None and now.lane == before.lane):
                continue
            own = [entry for owner, entry in landed if owner == key]
            if not own and snapshot.commit is not None and snapshot.origin == "here":
                own = self._rewritten(key, before, package, snapshot)
                if own:
                    self._book.landed.setdefault(snapshot.commit, []).extend((key, entry) for entry in own)
            claimed.update(own)
            self._shown[key] = now
        return claimed

    def _rewritten(self, key: Key, before: Shown | None, package: WorkPackage, snapshot: Snapshot) -> list[Entry]:
        """What a commit of which nothing is known has in common with one that was told; all of its steps, or none."""
        makings = self._makings.get(key)
        if not makings:
            return []
        found: list[Entry] = []
        for step in steps_between(before, package, self._rules.names):
            event_id = self._rules.identify(package, step, step.moment or snapshot.moment)
            alike = [entry for entry in makings.get(making(event_id, step.new), ()) if entry not in found]
            if not alike:
                return []
            found.append(alike[0])
        for entry in found:
            makings[entry.making].remove(entry)
        return found


def _makings(log: Log, chain: Set[str], own: Set[Entry]) -> dict[tuple[str, str], list[Entry]]:
    """The steps of a log by what they keep wherever their commit is put, in their order where several are alike.

    Without those that commits of the chain brought: the ones that they told, and the ones in `own`.
    """
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in log.entries:
        if entry.kind == "step" and entry.event_id and entry.commit not in chain and entry not in own:
            found.setdefault(entry.making, []).append(entry)
    return found
