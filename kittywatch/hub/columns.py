"""The columns of a board: the lanes of one scheme, or the categories where its cards are of schemes with other lanes.

A column is told by a key: a lane's name, or `category-` and a category, which is no lane's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from kittywatch.hub.lane_sources import CHECKLIST, EVENT_LOG, FRONTMATTER, of_source, sources
from kittywatch.hub.schema import work_packages
from kittywatch.workpackages.categories import CATEGORIES, CATEGORY_TITLES, Category, guessed_category, lane_title
from kittywatch.workpackages.schemes import SCHEMES, SPEC_KITTY_2, SPEC_KITTY_3, scheme_of

_PREFIX = "category-"
_SPEC_KITTY = (FRONTMATTER, EVENT_LOG)
_LANES_OF: Mapping[str, Mapping[str, Category]] = {
    FRONTMATTER: SPEC_KITTY_2.lanes,
    EVENT_LOG: SPEC_KITTY_3.lanes,
    CHECKLIST: {"planned": "backlog", "done": "done"},
}
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


def columns(
    connection: Connection, team_id: int, project: str, source: str = "", *, beside: Sequence[str] | None = None
) -> list[Column]:
    """The columns for a team's project, or for all of them where that is empty; of one lane source, or of all.

    `beside` are all sources that there are, None where nobody has looked.
    """
    query = select(_TABLE.project, _TABLE.source, _TABLE.lane, _TABLE.category)
    query = query.where(_TABLE.team_id == team_id, _TABLE.known)
    if project:
        query = query.where(_TABLE.project == project)
    if source:
        query = query.where(of_source(team_id, source))
    rows = connection.execute(query.distinct()).all()
    there: Sequence[str] = [source]
    if not source:
        there = sources(connection, team_id, project) if beside is None else beside
    lanes = {row.lane: str(row.category) for row in rows}
    if (known := _known(there, lanes)) is not None:
        return [Column(key=lane, category=category) for lane, category in known.items()]
    is_plain = len(lanes) == len({(row.lane, row.category) for row in rows})
    if len({row.project for row in rows}) == 1 and len(there) == 1 and is_plain:
        return [Column(key=lane, category=lanes[lane]) for lane in _ordered(lanes)]
    categories = {row.category for row in rows}
    for row in rows:
        categories |= _beside(row.source, row.lane)
    return [Column(key=f"{_PREFIX}{one}", category=one) for one in CATEGORIES if one in categories]


def _known(there: Sequence[str], lanes: Mapping[str, str]) -> Mapping[str, Category] | None:
    """All lanes of the one scheme that some lanes are of, None where they are of several or of one's own."""
    if len(there) > 1:
        return None
    own = _LANES_OF.get(there[0]) if there else None
    if own is not None and all(own.get(lane) == category for lane, category in lanes.items()):
        return own
    # Which lanes are frontmatter's can't be told where no event states a source.
    scheme = scheme_of(*lanes) if not lanes or there[0] in _SPEC_KITTY else None
    return scheme.lanes if scheme is not None else None


def _beside(source: str, lane: str) -> set[str]:
    """The categories that a source's scheme has beside that of a lane."""
    if source in _LANES_OF and source not in _SPEC_KITTY:
        return {*_LANES_OF[source].values()}
    schemes = SCHEMES.values() if source in ("", *_SPEC_KITTY) else ()
    return {category for scheme in schemes if lane in scheme.lanes for category in scheme.lanes.values()}


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
