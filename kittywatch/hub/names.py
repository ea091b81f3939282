"""The names that features and their work packages are shown under, by what was told of renames and moves: pure.

Names that renames join are one feature's. It is shown under the one that no rename leads on from; of several such, or
where there is none, under the one that was told of last. A work package that moved to another feature is shown in one
feature by the same rule, with the features in place of names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Pair: TypeAlias = tuple[str, str]  # a name, and the one that came after it


@dataclass(frozen=True, kw_only=True)
class Names:
    """Where things are shown: features by project and name, moved work packages by project, feature and id.

    The features of `packages`, and what they lead to, are names that are shown.
    """

    features: Mapping[tuple[str, str], str] = field(default_factory=dict)
    packages: Mapping[tuple[str, str, str], str] = field(default_factory=dict)

    def shown(self, project: str, feature: str, wp_id: str = "") -> str:
        """The feature to show something in that was told of a feature, or of a work package in it."""
        feature = self.features.get((project, feature), feature)
        return self.packages.get((project, feature, wp_id), feature)


def shown_names(told: Sequence[Pair]) -> dict[str, str]:
    """For each name in the pairs, in the order in which they were told, the one to show."""
    families: dict[str, list[Pair]] = {}
    for pair in told:
        first, second = families.get(pair[0], []), families.get(pair[1], [])
        joined = [*first, *(second if second is not first else ()), pair]
        families |= {name: joined for one in joined for name in one}
    place = {pair: number for number, pair in enumerate(told)}
    return {name: _shown(family, place) for name, family in families.items()}


def moved(told: Iterable[Pair], features: Mapping[str, str]) -> list[Pair]:
    """The moves of a work package between features as they are shown, without those that lead nowhere any more."""
    pairs = [(features.get(before, before), features.get(after, after)) for before, after in told]
    return [pair for pair in pairs if pair[0] != pair[1]]


def _shown(family: list[Pair], place: Mapping[Pair, int]) -> str:
    left = {old for old, _ in family}
    ends = [pair for pair in family if pair[1] not in left]
    return max(ends or family, key=lambda pair: place[pair])[1]
