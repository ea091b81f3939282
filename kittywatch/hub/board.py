"""What the board shows, read from the projections: lanes of cards, the tree of projects and features, what changed.

Every query is for one team. A lane is shown in pages, its latest first; the cursor of a page is the place of its last
card, so that cards which arrive meanwhile shift nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, tuple_

from kittywatch.hub import moments, needs, renaming
from kittywatch.hub.columns import Column, column_of, columns
from kittywatch.hub.feed import last_position
from kittywatch.hub.lane_sources import of_source
from kittywatch.hub.schema import projects, work_packages
from kittywatch.natural import natural

PAGE_SIZE = 40
MOST_CHANGES = 200
_AGENT_LENGTH = 60  # characters of a name in the filter
_CUT = "…"
_TABLE = work_packages.c

Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which cards are wanted; empty means all. `text` is looked for in id, title, feature and agent.

    `source` is a lane source.
    """

    project: str = ""
    feature: str = ""
    agent: str = ""
    text: str = ""
    blocked: str = ""
    source: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Filter:
        return cls(**{field.name: query.get(field.name, "")[:300].replace("\0", "") for field in fields(cls)})

    def to_query(self, **changes: str) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)} | changes
        return urlencode({name: value for name, value in values.items() if value})


@dataclass(frozen=True, kw_only=True)
class CardView:
    """One card; `needs` are all it depends on, `blocked_by` those that it waits for. `column` is its column's key."""

    project: str
    project_slug: str
    feature: str
    wp_id: str
    title: str
    lane: str
    category: str
    column: str
    agent: str
    source: str
    since: str | None
    rework: int
    needs: tuple[str, ...]
    blocked_by: tuple[str, ...]
    order: float

    @property
    def key(self) -> Key:
        return (self.project, self.feature, self.wp_id)

    @property
    def dom_id(self) -> str:
        return dom_id(self.key)

    @property
    def path(self) -> str:
        return package_path(self.key)

    @property
    def place(self) -> str:
        """Where it stands among cards that have been in their lane for as long."""
        return f"{self.project}/{self.feature}/{natural(self.wp_id)}"

    @property
    def moment(self) -> str:
        """Since when it is in its lane, for people; empty if nobody knows."""
        return moments.shown(self.since) if self.since else ""

    @property
    def hue(self) -> int:
        return hue_of(self.agent)


@dataclass(frozen=True, kw_only=True)
class LanePage:
    """A page of a column, by its key; `cursor` is empty when there is nothing after it."""

    lane: str
    category: str
    count: int
    cards: list[CardView]
    cursor: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is different since a position: cards, ids of cards that left, and all their (project, feature)."""

    position: int
    cards: list[CardView]
    gone: list[str]
    features: frozenset[tuple[str, str]]


def followed(connection: Connection, team_id: int, wanted: Filter) -> Filter:
    """The same filter with the name that its feature is shown under."""
    return replace(wanted, feature=renaming.shown_name(connection, team_id, wanted.project, wanted.feature))


def hue_of(agent: str) -> int:
    """One of twelve colours for an agent, the same everywhere."""
    return int(hashlib.sha256(agent.encode("utf-8", "surrogatepass")).hexdigest(), 16) % 12


def dom_id(key: Key) -> str:
    return "wp-" + hashlib.sha256("\n".join(key).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def package_path(key: Key) -> str:
    """The address of a work package's page."""
    return "/wp/" + "/".join(quote(part, safe="") for part in key)


def feature_path(project: str, feature: str) -> str:
    """The address of a feature's page."""
    return f"/feature/{quote(project, safe='')}/{quote(feature, safe='')}"


def counts(
    connection: Connection, team_id: int, wanted: Filter, shown: Sequence[Column] | None = None
) -> dict[str, int]:
    """How many cards each of some columns has, of those of the filter's projects for None."""
    shown = columns(connection, team_id, wanted.project, wanted.source) if shown is None else shown
    grouped = (_TABLE.lane, _TABLE.category)
    query = select(*grouped, func.count().label("count")).where(*_conditions(team_id, wanted)).group_by(*grouped)
    found = dict.fromkeys((column.key for column in shown), 0)
    for row in connection.execute(query):
        key = column_of(row, shown)
        if key is not None:
            found[key] += int(row[2])
    return found


def lane_page(
    connection: Connection, team_id: int, wanted: Filter, *, column: Column, count: int, cursor: str = ""
) -> LanePage:
    """A page of a column, after the cursor if there is one."""
    conditions = [*_conditions(team_id, wanted), column.condition]
    place = _place(cursor)
    if place is not None:
        key = tuple_(_TABLE.project, _TABLE.feature, _TABLE.place)
        seconds, *last = place
        conditions.append(
            or_(
                _TABLE.lane_since_seconds < seconds,
                and_(_TABLE.lane_since_seconds == seconds, key > tuple_(*last)),
            )
        )
    query = (
        select(work_packages)
        .where(*conditions)
        .order_by(_TABLE.lane_since_seconds.desc(), _TABLE.project, _TABLE.feature, _TABLE.place)
        .limit(PAGE_SIZE + 1)
    )
    rows = connection.execute(query).all()
    shown = rows[:PAGE_SIZE]
    following = ""
    if len(rows) > PAGE_SIZE:
        last_row = shown[-1]
        following = f"{last_row.lane_since_seconds!r}/{last_row.project}/{last_row.wp_id}/{last_row.feature}"
    cards = _views(connection, team_id, shown, [column])
    return LanePage(lane=column.key, category=column.category, count=count, cards=cards, cursor=following)


def changes(
    connection: Connection, team_id: int, wanted: Filter, shown: Sequence[Column] | None = None, *, after: int
) -> Changes | None:
    """What is different past a position: cards that changed or whose needs did, and cards that left the filter.

    None if that is more than MOST_CHANGES cards, or one is in none of the columns that are `shown`.
    """
    position = last_position(connection, team_id)  # first, so that what comes meanwhile comes again
    shown = columns(connection, team_id, wanted.project, wanted.source) if shown is None else shown
    query = select(_TABLE.project, _TABLE.feature, _TABLE.wp_id).where(
        _TABLE.team_id == team_id, _TABLE.changed > after
    )
    keys = {tuple(row) for row in connection.execute(query.limit(MOST_CHANGES + 1))}
    keys |= needs.dependents(connection, team_id, list(keys)[:MOST_CHANGES])
    if wanted.source:
        keys |= _without_source(connection, team_id, {key[:2] for key in keys})
    if len(keys) > MOST_CHANGES:
        return None
    rows = connection.execute(
        select(work_packages)
        .where(*_conditions(team_id, wanted), tuple_(_TABLE.project, _TABLE.feature, _TABLE.wp_id).in_(keys))
        .order_by(_TABLE.changed)
    ).all()
    if any(column_of(row, shown) is None for row in rows):
        return None
    there = {(row.project, row.feature, row.wp_id) for row in rows}
    gone = [dom_id(key) for key in keys - there]
    features = frozenset((key[0], key[1]) for key in keys)
    return Changes(position=position, cards=_views(connection, team_id, rows, shown), gone=gone, features=features)


def card(connection: Connection, team_id: int, key: Key) -> CardView | None:
    """One card, None if the team has none of that key."""
    conditions = (_TABLE.team_id == team_id, _TABLE.known)
    here = and_(_TABLE.project == key[0], _TABLE.feature == key[1], _TABLE.wp_id == key[2])
    rows = connection.execute(select(work_packages).where(*conditions, here)).all()
    return next(iter(_views(connection, team_id, rows, ())), None)


def agents(connection: Connection, team_id: int) -> list[str]:
    """Who has work packages, for the filter; `shown_agent` has cut long names."""
    name = func.substr(_TABLE.agent, 1, _AGENT_LENGTH + 1).label("name")
    query = select(name).where(_TABLE.team_id == team_id, _TABLE.known, _TABLE.agent != "").distinct()
    return [shown_agent(found) for found in connection.execute(query.order_by(name).limit(200)).scalars()]


def shown_agent(name: str) -> str:
    """An agent's name, cut where it is long; as a filter's agent that means all names which begin so."""
    return name if len(name) <= _AGENT_LENGTH else name[:_AGENT_LENGTH] + _CUT


def project_slugs(connection: Connection, team_id: int) -> dict[str, str]:
    query = select(projects.c.project, projects.c.slug).where(projects.c.team_id == team_id)
    return {row.project: row.slug for row in connection.execute(query)}


def _conditions(team_id: int, wanted: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_TABLE.team_id == team_id, _TABLE.known]
    for column, value in ((_TABLE.project, wanted.project), (_TABLE.feature, wanted.feature)):
        if value:
            conditions.append(column == value)
    if len(wanted.agent) == _AGENT_LENGTH + 1 and wanted.agent.endswith(_CUT):
        conditions.append(_TABLE.agent.startswith(wanted.agent[:-1], autoescape=True))
    elif wanted.agent:
        conditions.append(_TABLE.agent == wanted.agent)
    if wanted.text:
        columns = (_TABLE.wp_id, _TABLE.title, _TABLE.feature, _TABLE.agent)
        conditions.append(or_(*(column.icontains(wanted.text, autoescape=True) for column in columns)))
    if wanted.blocked:
        conditions.append(needs.is_blocked())
    if wanted.source:
        conditions.append(of_source(team_id, wanted.source))
    return conditions


def _without_source(connection: Connection, team_id: int, features: Iterable[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """The work packages of some features that are of the source of the feature's others."""
    wanted = tuple_(_TABLE.project, _TABLE.feature).in_(list(features))
    query = select(_TABLE.project, _TABLE.feature, _TABLE.wp_id).where(
        _TABLE.team_id == team_id, _TABLE.source == "", wanted
    )
    return {tuple(row) for row in connection.execute(query.limit(MOST_CHANGES + 1))}


def _views(connection: Connection, team_id: int, rows: Iterable[Row[Any]], shown: Sequence[Column]) -> list[CardView]:
    rows = list(rows)
    slugs = project_slugs(connection, team_id)
    edges = needs.needs_of(connection, team_id, [(row.project, row.feature, row.wp_id) for row in rows])
    views = []
    for row in rows:
        mine = edges.get((row.project, row.feature, row.wp_id), [])
        views.append(
            CardView(
                project=row.project,
                project_slug=slugs.get(row.project, row.project),
                feature=row.feature,
                wp_id=row.wp_id,
                title=row.title,
                lane=row.lane,
                category=row.category,
                column=column_of(row, shown) or row.lane,
                agent=row.agent,
                source=row.source,
                since=row.lane_since,
                rework=row.rework,
                needs=tuple(needed for needed, _ in mine),
                blocked_by=needs.blockers(mine, row.category),
                order=row.lane_since_seconds,
            )
        )
    return views


def _place(cursor: str) -> tuple[float, str, str, str] | None:
    parts = cursor.replace("\0", "").split("/", 3)  # PostgreSQL takes NUL in no text
    if len(parts) != 4:
        return None
    try:
        return (float(parts[0]), parts[1], parts[3], natural(parts[2]))
    except ValueError:
        return None
