"""The tree of a team's projects and features, with how far each one is."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from kittywatch.hub.board import project_slugs
from kittywatch.hub.schema import work_packages
from kittywatch.workpackages.schemes import CATEGORIES

_FROM_THE_LEFT = ("done", "review", "active", "blocked", "backlog")


@dataclass(frozen=True, kw_only=True)
class Share:
    """A category's part of a bar that is 100 wide."""

    category: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, kw_only=True)
class FeatureView:
    """A feature with how many work packages each category has; `total` leaves out what was canceled."""

    project: str
    name: str
    counts: dict[str, int]

    @property
    def dom_id(self) -> str:
        return feature_id(self.project, self.name)

    @property
    def total(self) -> int:
        return sum(self.counts.values()) - self.counts["canceled"]

    @property
    def done(self) -> int:
        return self.counts["done"]

    @property
    def shares(self) -> list[Share]:
        shares, x = [], 0.0
        for category in _FROM_THE_LEFT:
            width = 100 * self.counts[category] / (self.total or 1)
            shares.append(Share(category=category, count=self.counts[category], x=round(x, 2), width=round(width, 2)))
            x += width
        return shares


@dataclass(frozen=True, kw_only=True)
class ProjectView:
    """`total` counts the work packages of all its features, also of those that are not in `features`."""

    project: str
    slug: str
    total: int
    features: list[FeatureView]

    @property
    def dom_id(self) -> str:
        return _id("project", self.project)

    @property
    def order(self) -> str:
        """Where it stands among the projects."""
        return f"{self.slug[:120]}/{self.project}"


def tree(connection: Connection, team_id: int, *, only: Collection[tuple[str, str]] | None = None) -> list[ProjectView]:
    """The projects by name, their features latest number first; `only` some features and their projects."""
    table = work_packages.c
    conditions = [table.team_id == team_id, table.known]
    projects = {project for project, _ in only or ()}
    if only is not None:
        conditions.append(table.project.in_(projects))
    query = (
        select(table.project, table.feature, table.category, func.count())
        .where(*conditions)
        .group_by(table.project, table.feature, table.category)
    )
    found: dict[str, dict[str, dict[str, int]]] = {}
    for project, feature, category, count in connection.execute(query):
        found.setdefault(project, {}).setdefault(feature, dict.fromkeys(CATEGORIES, 0))[category] = count
    slugs = project_slugs(connection, team_id)
    views = [
        ProjectView(
            project=project,
            slug=slugs.get(project, project),
            total=sum(sum(counts.values()) for counts in by_feature.values()),
            features=[
                FeatureView(project=project, name=name, counts=by_feature[name])
                for name in sorted(by_feature, reverse=True)
                if only is None or (project, name) in only
            ],
        )
        for project, by_feature in found.items()
    ]
    return sorted(views, key=lambda view: view.order)


def feature_id(project: str, feature: str) -> str:
    """The id of a feature's row in the page."""
    return _id("feature", f"{project}\n{feature}")


def _id(kind: str, name: str) -> str:
    return f"{kind}-" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
