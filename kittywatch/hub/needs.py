"""What work packages wait for: a dependency is open until what it needs is released.

What is needed is a work package of the same feature. Where ids are the project's, as those of tasks that go from
milestone to milestone, it may be in any other feature too.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, FromClause, and_, case, exists, literal_column, or_, select, tuple_

from kittywatch.hub.schema import dependencies, work_packages
from kittywatch.natural import natural

_CHUNK = 400
_OVER = ("done", "canceled")
_EDGE = dependencies.c
_TABLE = work_packages.c

Key: TypeAlias = tuple[str, str, str]


def is_blocked() -> ColumnElement[bool]:
    """Which work packages wait for another one."""
    joined, is_open = _open_edges()
    mine = and_(
        _EDGE.team_id == _TABLE.team_id,
        _EDGE.project == _TABLE.project,
        _EDGE.feature == _TABLE.feature,
        _EDGE.wp_id == _TABLE.wp_id,
    )
    return and_(_TABLE.category.not_in(_OVER), exists(select(_EDGE.needs).select_from(joined).where(mine, is_open)))


def needs_of(connection: Connection, team_id: int, keys: list[Key]) -> dict[Key, list[tuple[str, bool]]]:
    """For each key what it needs, and whether that is still open."""
    joined, is_open = _open_edges()
    found: dict[Key, list[tuple[str, bool]]] = defaultdict(list)
    for start in range(0, len(keys), _CHUNK):
        wanted = tuple_(_EDGE.project, _EDGE.feature, _EDGE.wp_id).in_(keys[start : start + _CHUNK])
        query = select(_EDGE.project, _EDGE.feature, _EDGE.wp_id, _EDGE.needs, is_open.label("is_open"))
        for row in connection.execute(query.select_from(joined).where(_EDGE.team_id == team_id, wanted)):
            found[(row.project, row.feature, row.wp_id)].append((row.needs, bool(row.is_open)))
    for some in found.values():
        some.sort(key=lambda one: natural(one[0]))
    return found


def dependents(connection: Connection, team_id: int, keys: Collection[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """The work packages that need some of those with the keys."""
    listed = list(keys)
    near = tuple_(_EDGE.project, _EDGE.feature, _EDGE.needs).in_(listed)
    here = tuple_(_TABLE.project, _TABLE.feature, _TABLE.wp_id).in_(listed)
    query = select(_TABLE.project, _TABLE.wp_id).where(_TABLE.team_id == team_id, here, _has_ids_of_project(_TABLE))
    anywhere = [tuple(row) for row in connection.execute(query)]
    wanted = or_(near, tuple_(_EDGE.project, _EDGE.needs).in_(anywhere)) if anywhere else near
    edges = select(_EDGE.project, _EDGE.feature, _EDGE.wp_id).where(_EDGE.team_id == team_id, wanted)
    return {tuple(row) for row in connection.execute(edges)}


def blockers(needs: Iterable[tuple[str, bool]], category: str) -> tuple[str, ...]:
    """Those of what is needed that a work package in a lane of a category waits for."""
    return tuple(needed for needed, is_open in needs if is_open and category not in _OVER)


@functools.cache
def _open_edges() -> tuple[FromClause, ColumnElement[bool]]:
    """Dependencies beside what they need in the same feature, and which of them are open."""
    near, far = work_packages.alias("near"), work_packages.alias("far")
    joined = dependencies.outerjoin(
        near,
        and_(
            near.c.team_id == _EDGE.team_id,
            near.c.project == _EDGE.project,
            near.c.feature == _EDGE.feature,
            near.c.wp_id == _EDGE.needs,
            near.c.known,
        ),
    )
    elsewhere = (
        select(far.c.wp_id)
        .where(
            far.c.team_id == _EDGE.team_id,
            far.c.project == _EDGE.project,
            far.c.wp_id == _EDGE.needs,
            far.c.known,
            _has_ids_of_project(far.c),
        )
        .correlate(dependencies)
    )
    is_open = case(
        (near.c.released.is_not(None), ~near.c.released),
        (exists(elsewhere), ~exists(elsewhere.where(far.c.released))),
        else_=_EDGE.resolution == "",
    )
    return joined, and_(is_open, _EDGE.resolution != "skipped")


def _has_ids_of_project(columns: Any) -> ColumnElement[bool]:
    # In the query's text: with a parameter no database would use the index that has these alone.
    found: ColumnElement[bool] = columns.source == literal_column("'markdown'")
    return found
