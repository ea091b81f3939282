"""Which ids are of one transition: pure. Ids and aliases in, the one event to show out.

An alias says that an event with that id is the same transition as another event. Ids that aliases join are a family.
Of a family's events that have come, one is shown: one that no alias leads away from to another that has come, and of
several the one with the least id. So what is shown depends on which events and aliases came, not on their order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

MOST_RELATIVES = 1000
OTHER_KIND = "The alias and the event are of another project, work package or type."
CYCLE = "The event leads back to the alias."
TOO_MANY = f"More than {MOST_RELATIVES} ids would be one transition."

Kind: TypeAlias = tuple[str, str, str, str]  # event type, project, feature, work package


@dataclass(frozen=True, kw_only=True)
class Relative:
    """An event that has come; `superseded_by` is the event that is shown in its place, None where it is shown."""

    position: int
    kind: Kind
    superseded_by: str | None


@dataclass
class Kinship:
    """Aliases and events around some ids: `leads` has for each alias the ids that it leads to."""

    leads: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    joined: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    events: dict[str, Relative] = field(default_factory=dict)

    def add(self, alias: str, event_id: str) -> None:
        self.leads[alias].add(event_id)
        self.joined[alias].add(event_id)
        self.joined[event_id].add(alias)

    def remove(self, alias: str, event_id: str) -> None:
        self.leads[alias].discard(event_id)
        self.joined[alias].discard(event_id)
        self.joined[event_id].discard(alias)

    def has(self, alias: str, event_id: str) -> bool:
        return event_id in self.leads.get(alias, ())

    def objection(self, alias: str, event_id: str) -> str:
        """Why an alias can't be, empty where it can."""
        mine, theirs = self.family(alias), self.family(event_id)
        if len(self.kinds(mine | theirs)) > 1:
            return OTHER_KIND
        if alias in _reached(self.leads, event_id):
            return CYCLE
        return TOO_MANY if len(mine | theirs) > MOST_RELATIVES else ""

    def family(self, event_id: str) -> set[str]:
        """All ids that aliases join with one, itself among them."""
        return _reached(self.joined, event_id)

    def kinds(self, ids: Iterable[str]) -> set[Kind]:
        return {self.events[one].kind for one in ids if one in self.events}

    def shown(self, family: Iterable[str]) -> str | None:
        """The event of a family that is shown, None where none has come."""
        come = {one for one in family if one in self.events}
        last = [one for one in come if not (_reached(self.leads, one) - {one}) & come]
        return min(last, default=None)


def _reached(ways: Mapping[str, set[str]], start: str) -> set[str]:
    found, ahead = {start}, [start]
    while ahead:
        fresh = ways.get(ahead.pop(), set()) - found
        found |= fresh
        ahead += fresh
    return found
