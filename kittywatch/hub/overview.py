"""The tree of a team's projects and features, with how far each one is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from kittywatch.hub.board import project_slugs
from kittywatch.hub.cards import LANES
from kittywatch.hub.schema import work_packages


@dataclass(frozen=True, kw_only=True)
class Share:
    """A lane's part of a bar that is 100 wide."""

    lane: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, kw_only=True)
class FeatureView:
    project: str
    name: str
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.counts["done"]

    @property
    def shares(self) -> list[Share]:
        shares, x = [], 0.0
        for lane in reversed(LANES):
            width = 100 * self.counts[lane] / (self.total or 1)
            shares.append(Share(lane=lane, count=self.counts[lane], x=round(x, 2), width=round(width, 2)))
            x += width
        return shares


@dataclass(frozen=True, kw_only=True)
class ProjectView:
    project: str
    slug: str
    features: list[FeatureView]

    @property
    def total(self) -> int:
        return sum(feature.total for feature in self.features)


def tree(connection: Connection, team_id: int) -> list[ProjectView]:
    """The projects by name, their features latest number first."""
    table = work_packages.c
    query = (
        select(table.project, table.feature, table.lane, func.count())
        .where(table.team_id == team_id, table.known)
        .group_by(table.project, table.feature, table.lane)
    )
    found: dict[str, dict[str, dict[str, int]]] = {}
    for project, feature, lane, count in connection.execute(query):
        found.setdefault(project, {}).setdefault(feature, dict.fromkeys(LANES, 0))[lane] = count
    slugs = project_slugs(connection, team_id)
    views = [
        ProjectView(project=project, slug=slugs.get(project, project), features=_features(project, by_feature))
        for project, by_feature in found.items()
    ]
    return sorted(views, key=lambda view: (view.slug, view.project))


def _features(project: str, by_feature: dict[str, dict[str, Any]]) -> list[FeatureView]:
    names = sorted(by_feature, reverse=True)
    return [FeatureView(project=project, name=name, counts=by_feature[name]) for name in names]
