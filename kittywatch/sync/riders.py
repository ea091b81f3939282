"""What rides with a run's batches beside events, to a server that takes it: aliases, renames, moves of work packages.

Rules of this module:
- They ride beside the events that they belong to, or later, and alone where no events go.
- A batch that was refused whole goes once more without them: what is wrong with it may be theirs.
- What the server says nothing of is not sent again before the next run, so that a run tries each once.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from kittywatch.store import renames
from kittywatch.store.aliases import OutgoingAlias
from kittywatch.store.delivery import Outgoing
from kittywatch.store.renames import OutgoingRename
from kittywatch.sync import features
from kittywatch.sync.claims import Claims
from kittywatch.sync.clock import Clock
from kittywatch.sync.verdicts import Taken

if TYPE_CHECKING:
    import sqlite3

    from kittywatch.store.store import Store
    from kittywatch.sync.http import Http

MAX_RIDERS = 1000  # of each kind


class Beside(Struct, frozen=True):
    """What is sent beside a batch's events; moves are among the renames."""

    aliases: Sequence[OutgoingAlias] = ()
    renames: Sequence[OutgoingRename] = ()

    def __bool__(self) -> bool:
        return bool(self.aliases or self.renames)


class Riders:
    """One run's riders for one destination.

    `aliases`, `renames` and `moves` count those delivered, `aliases_refused` and `renames_refused` have the reasons of
    others.
    """

    def __init__(self, store: Store, claims: Claims, http: Http, destination: int, clock: Clock) -> None:
        self.aliases = self.renames = self.moves = 0
        self.aliases_refused: dict[str, str] = {}
        self.renames_refused: dict[str, str] = {}
        self._store = store
        self._claims = claims
        self._http = http
        self._destination = destination
        self._clock = clock
        self._named: frozenset[str] | None = None
        self._unwelcome: set[str] = set()
        self._tried: set[OutgoingRename] = set()

    def board(self, events: Collection[Outgoing] = (), *, without: Collection[int] = ()) -> Beside:
        """Take what may ride beside some events; nothing that the server doesn't take. Raises StoreError."""
        return Beside(self._board_aliases(events, without), self._board_renames(events, without))

    def alight(self, riders: Beside, taken: Taken) -> None:
        """Settle what the server said of them. Raises StoreError."""
        if riders.aliases:
            self._settle_aliases(riders.aliases, taken)
        if riders.renames and not taken.others_again:
            self._settle_renames(riders.renames, taken)

    def get_off(self, riders: Beside) -> None:
        """They ride no more in this run: a batch with them was refused whole. Raises StoreError."""
        self._unwelcome |= {features.ALIASES, features.RENAMES, features.MOVES}
        self._claims.settle_aliases(waiting=[one.key for one in riders.aliases])

    def named(self) -> frozenset[str] | None:
        """What the server says that it can, asked until it answers; None where it can't be asked. Raises StoreError."""
        if self._named is None:
            self._named = self._ask()
        return self._named

    def _board_aliases(self, events: Collection[Outgoing], without: Collection[int]) -> list[OutgoingAlias]:
        if features.ALIASES in self._unwelcome:
            return []
        ids = [event.event_id for event in events]
        found = self._claims.take_aliases(self._destination, limit=MAX_RIDERS, beside=ids, without=without)
        if found and not self._is_welcome(features.ALIASES):
            self._claims.settle_aliases(waiting=[one.key for one in found])
            return []
        return found

    def _board_renames(self, events: Collection[Outgoing], without: Collection[int]) -> list[OutgoingRename]:
        beside = {event.project for event in events}
        found: list[OutgoingRename] = []
        for feature, look in ((features.RENAMES, renames.sendable), (features.MOVES, renames.sendable_moves)):
            if feature in self._unwelcome:
                continue
            sendable = functools.partial(look, destination=self._destination, beside=beside, without=without)
            fresh = [one for one in self._store.read(sendable) if one not in self._tried]
            found += fresh if fresh and self._is_welcome(feature) else []
        return found[:MAX_RIDERS]

    def _settle_aliases(self, riders: Sequence[OutgoingAlias], taken: Taken) -> None:
        fates = {one.key: taken.aliases.get(one.alias, ("missing", "")) for one in riders}
        delivered = [key for key, (fate, _) in fates.items() if fate in ("delivered", "duplicate")]
        refused = {key: reason for key, (fate, reason) in fates.items() if fate == "refused"}
        waiting = list(fates) if taken.others_again else []
        self._claims.settle_aliases(delivered=delivered, refused=refused, waiting=waiting)
        self.aliases += len(delivered)
        self.aliases_refused |= {one.alias: refused[one.key] for one in riders if one.key in refused}
        if not taken.aliases and not taken.others_again:
            self._broke_its_word(features.ALIASES)

    def _settle_renames(self, riders: Sequence[OutgoingRename], taken: Taken) -> None:
        self._tried.update(riders)
        fates = {one: taken.renames.get(one.name, ("missing", "")) for one in riders}
        settled = [one for one, (fate, _) in fates.items() if fate in ("delivered", "duplicate", "refused")]
        self._store.transact(lambda connection: renames.settle(connection, self._destination, settled))
        refused = {one: reason for one, (fate, reason) in fates.items() if fate == "refused"}
        moved = sum(one.move is not None for one in settled if one not in refused)
        self.renames += len(settled) - len(refused) - moved
        self.moves += moved
        self.renames_refused |= {str(one): reason for one, reason in refused.items()}
        if not taken.renames:
            for feature in {features.RENAMES if one.move is None else features.MOVES for one in riders}:
                self._broke_its_word(feature)

    def _broke_its_word(self, feature: str) -> None:
        self._unwelcome.add(feature)
        self._store.transact(features.forget)  # it said that it takes them

    def _is_welcome(self, feature: str) -> bool:
        """Whether the server takes riders of a kind, as it said or says."""
        named = self.named()
        if named is None or feature not in named:
            self._unwelcome.add(feature)
            return False
        return True

    def _ask(self) -> frozenset[str] | None:
        now = self._clock.now()
        named = self._store.read(functools.partial(features.known, destination=self._destination, now=now))
        if named is None and (named := features.ask(self._http)) is not None:

            def keep(connection: sqlite3.Connection, named: frozenset[str] = named) -> None:
                features.remember(connection, self._destination, named, now=now)

            self._store.transact(keep)
        return named
