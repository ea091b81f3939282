"""Who may be connected at once: so many in all, so many strangers, so many strangers of one address.

A stranger is a connection that has shown no login yet. What strangers may hold leaves a reserve for everybody else.
Past a limit the stranger gives way who has waited longest without a whole request, since whoever means well sends one
at once; only where all are being answered the new one is turned away. Computes only: closing is the caller's business.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(eq=False, kw_only=True)
class Entry:
    """One connection. `is_busy` while a whole request is being answered, `session_id` the login that it showed last."""

    network: str
    close: Callable[[], None] = field(default=lambda: None)
    is_busy: bool = False
    session_id: str | None = None


class Connections:
    """`most` in all, `strangers` of them without a login, `at_network` of these from one network, `of_login` a login.

    `shared` are networks that many come from, a proxy's: their number is not limited.
    """

    def __init__(
        self, *, most: int, strangers: int, at_network: int, of_login: int, is_shared: Callable[[str], bool]
    ) -> None:
        self._most = most
        self._most_strangers = min(strangers, most * 3 // 4)
        self._at_network = at_network
        self._of_login = of_login
        self._is_shared = is_shared
        self._entries: dict[Entry, None] = {}
        self._strangers: dict[Entry, None] = {}
        self._by_network: defaultdict[str, dict[Entry, None]] = defaultdict(dict)
        self._logins: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def admit(self, network: str) -> Entry | None:
        """A new connection's entry, None where it has to be turned away; `close` of who gives way is called."""
        here = self._by_network[network]
        full = len(here) >= self._at_network and not self._is_shared(network)
        if full and not self._give_way(here):
            return None
        crowded = len(self._strangers) >= self._most_strangers or len(self._entries) >= self._most
        if crowded and not self._give_way(self._strangers):
            return None
        entry = Entry(network=network)
        for group in (self._entries, self._strangers, self._by_network[network]):
            group[entry] = None
        return entry

    def show_login(self, entry: Entry, session_id: str) -> bool:
        """A connection has shown whose it is; False where that login has as many connections as it may have."""
        if entry.session_id == session_id or entry not in self._entries:
            return True
        if self._logins[session_id] >= self._of_login:
            return False
        self._forget_login(entry)
        self._logins[session_id] += 1
        entry.session_id = session_id
        self._no_stranger(entry)
        return True

    def remove(self, entry: Entry) -> None:
        """A connection has ended, or is about to; again does nothing."""
        self._entries.pop(entry, None)
        self._forget_login(entry)
        self._no_stranger(entry)

    def _forget_login(self, entry: Entry) -> None:
        if entry.session_id is not None:
            self._logins[entry.session_id] -= 1
            if not self._logins[entry.session_id]:
                del self._logins[entry.session_id]
            entry.session_id = None

    def _no_stranger(self, entry: Entry) -> None:
        self._strangers.pop(entry, None)
        here = self._by_network.get(entry.network)
        if here is not None:
            here.pop(entry, None)
            if not here:
                del self._by_network[entry.network]

    def _give_way(self, group: Iterable[Entry]) -> bool:
        idle = next((entry for entry in group if not entry.is_busy), None)
        if idle is None:
            return False
        self.remove(idle)
        idle.close()
        return True
