"""The columns of a board: the lanes of its projects' scheme, or the categories where its projects have several.

A column is told by a key: a lane's name, or `category-` and a category, which is no lane's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from kittywatch.hub.schema import work_packages
from kittywatch.workpackages.categories import CATEGORY_TITLES, guessed_category, lane_title
from kittywatch.workpackages.schemes import CATEGORIES, SCHEMES, Category, scheme_of

_PREFIX = "category-"
_TABLE = work_packages.c
CATEGORY_NAMES: Mapping[str, str] = {str(category): title for category, title in CATEGORY_TITLES.items()}


class _LaneNames(dict[str, str]):
    """The names of lanes and columns for people, by their keys."""

    def __missing__(self, key: str) -> str:
        if key.startswith(_PREFIX):
            return CATEGORY_NAMES.get(key.removeprefix(_PREFIX), key)
        return lane_title(key)


LANE_NAMES: Mapping[str, str] = _LaneNames()


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column; `category` is what its cards have in common."""

    key: str
    category: str

    @property
    def condition(self) -> ColumnElement[bool]:
        """Which work packages are in it."""
        return in_column(self.key)

    def has(self, row: Row[Any]) -> bool:
        """Whether a row of `work_packages` is in it."""
        return self.key in (row.lane, f"{_PREFIX}{row.category}")


def in_column(key: str) -> ColumnElement[bool]:
    """Which work packages are in the column of a key."""
    if key.startswith(_PREFIX):
        return _TABLE.category == key.removeprefix(_PREFIX)
    return _TABLE.lane == key


def columns(connection: Connection, team_id: int, project: str) -> list[Column]:
    """The columns for a team's project, or for all of them where that is empty."""
    query = select(_TABLE.project, _TABLE.lane, _TABLE.category).where(_TABLE.team_id == team_id, _TABLE.known)
    if project:
        query = query.where(_TABLE.project == project)
    rows = connection.execute(query.distinct()).all()
    lanes = {row.lane: str(row.category) for row in rows}
    scheme = scheme_of(*lanes)
    if scheme is not None:
        return [Column(key=lane, category=category) for lane, category in scheme.lanes.items()]
    if len({row.project for row in rows}) == 1:
        return [Column(key=lane, category=lanes[lane]) for lane in _ordered(lanes)]
    there = set(lanes.values())
    there |= {
        category for lane in lanes for one in SCHEMES.values() if lane in one.lanes for category in one.lanes.values()
    }
    return [Column(key=f"{_PREFIX}{one}", category=one) for one in CATEGORIES if one in there]


def column_of(row: Row[Any], shown: Iterable[Column]) -> str | None:
    """The key of the column that a row of `work_packages` is in, None where none of those shown has it."""
    return next((column.key for column in shown if column.has(row)), None)


def category_of(lane: str, stated: str | None = None) -> Category:
    """What a lane means: as an event states it, else as it is most likely meant."""
    return stated if stated in CATEGORIES else guessed_category(lane)


def _ordered(lanes: Mapping[str, str]) -> list[str]:
    """Lanes of several schemes in the order of the work."""
    places = {lane: place for scheme in SCHEMES.values() for place, lane in enumerate(scheme.lanes)}
    rank = {category: place for place, category in enumerate(CATEGORIES)}
    return sorted(lanes, key=lambda lane: (rank.get(lanes[lane], len(rank)), places.get(lane, len(places)), lane))  # type: ignore[call-overload]
