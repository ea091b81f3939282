"""The aliases that ride with a run's batches, to a server that takes them.

Rules of this module:
- They ride beside the events that they belong to, or later, and alone where no events go.
- A batch that was refused whole goes once more without them: what is wrong with it may be theirs.
- What the server says nothing of stays claimed until the run ends, so that a run tries each once.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import TYPE_CHECKING

from kittywatch.store.aliases import OutgoingAlias
from kittywatch.sync import features
from kittywatch.sync.claims import Claims
from kittywatch.sync.clock import Clock
from kittywatch.sync.verdicts import Taken

if TYPE_CHECKING:
    import sqlite3

    from kittywatch.store.store import Store
    from kittywatch.sync.http import Http

MAX_ALIASES = 1000


class Riders:
    """One run's aliases for one destination. `delivered` counts them, `refused` has the reasons by alias."""

    def __init__(self, store: Store, claims: Claims, http: Http, destination: int, clock: Clock) -> None:
        self.delivered = 0
        self.refused: dict[str, str] = {}
        self._store = store
        self._claims = claims
        self._http = http
        self._destination = destination
        self._clock = clock
        self._welcome: bool | None = None

    def board(self, event_ids: Collection[str] = (), *, without: Collection[int] = ()) -> list[OutgoingAlias]:
        """Claim what may ride beside some events; nothing where the server doesn't take aliases. Raises StoreError."""
        if self._welcome is False:
            return []
        found = self._claims.take_aliases(self._destination, limit=MAX_ALIASES, beside=event_ids, without=without)
        if found and self._welcome is None:
            self._welcome = self._is_welcome()
        if found and not self._welcome:
            self._claims.settle_aliases(waiting=[one.key for one in found])
            return []
        return found

    def alight(self, riders: list[OutgoingAlias], taken: Taken) -> None:
        """Settle what the server said of them. Raises StoreError."""
        if not riders:
            return
        fates = {one.key: taken.aliases.get(one.alias, ("missing", "")) for one in riders}
        delivered = [key for key, (fate, _) in fates.items() if fate in ("delivered", "duplicate")]
        refused = {key: reason for key, (fate, reason) in fates.items() if fate == "refused"}
        waiting = list(fates) if taken.others_again else []
        self._claims.settle_aliases(delivered=delivered, refused=refused, waiting=waiting)
        self.delivered += len(delivered)
        self.refused |= {one.alias: refused[one.key] for one in riders if one.key in refused}
        if not taken.aliases and not taken.others_again:
            self._welcome = False
            self._store.transact(features.forget)  # it said that it takes them

    def get_off(self, riders: list[OutgoingAlias]) -> None:
        """They ride no more in this run: a batch with them was refused whole. Raises StoreError."""
        self._welcome = False
        self._claims.settle_aliases(waiting=[one.key for one in riders])

    def _is_welcome(self) -> bool:
        """Whether the server takes aliases, as it said or says."""
        now = self._clock.now()
        named = self._store.read(functools.partial(features.known, destination=self._destination, now=now))
        if named is None:
            named = features.ask(self._http)
            if named is None:
                return False

            def keep(connection: sqlite3.Connection, named: frozenset[str] = named) -> None:
                features.remember(connection, self._destination, named, now=now)

            self._store.transact(keep)
        return features.ALIASES in named
