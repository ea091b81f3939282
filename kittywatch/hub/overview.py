"""The tree of a team's projects and features, with how far each one is."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select, tuple_

from kittywatch.hub.board import project_slugs
from kittywatch.hub.schema import work_packages
from kittywatch.natural import natural
from kittywatch.workpackages.categories import CATEGORIES

_FROM_THE_LEFT = ("done", "review", "active", "blocked", "backlog")

_TABLE = work_packages.c


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
    def place(self) -> str:
        """Where it stands among its project's features, which are shown from the last to the first."""
        return natural(self.name)

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
    conditions = [_TABLE.team_id == team_id, _TABLE.known]
    if only is not None:
        conditions.append(_TABLE.project.in_({project for project, _ in only}))
    found = _features(connection, conditions, only)
    totals = select(_TABLE.project, func.count()).where(*conditions).group_by(_TABLE.project)
    slugs = project_slugs(connection, team_id)
    views = [
        ProjectView(
            project=project,
            slug=slugs.get(project, project),
            total=total,
            features=sorted(found[project], key=lambda feature: feature.place, reverse=True),
        )
        for project, total in map(tuple, connection.execute(totals))
    ]
    return sorted(views, key=lambda view: view.order)


def _features(
    connection: Connection, conditions: list[ColumnElement[bool]], only: Collection[tuple[str, str]] | None
) -> defaultdict[str, list[FeatureView]]:
    """Each project's features; `only` some of them, without a look at the rows of all the others."""
    if only is not None:
        conditions = [*conditions, tuple_(_TABLE.project, _TABLE.feature).in_(only)]
    query = (
        select(_TABLE.project, _TABLE.feature, _TABLE.category, func.count())
        .where(*conditions)
        .group_by(_TABLE.project, _TABLE.feature, _TABLE.category)
    )
    counts: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(CATEGORIES, 0))
    for project, feature, category, count in connection.execute(query):
        counts[project, feature][category] = count
    found: defaultdict[str, list[FeatureView]] = defaultdict(list)
    for (project, feature), lanes in counts.items():
        found[project].append(FeatureView(project=project, name=feature, counts=lanes))
    return found


def feature_id(project: str, feature: str) -> str:
    """The id of a feature's row in the page."""
    return _id("feature", f"{project}\n{feature}")


def _id(kind: str, name: str) -> str:
    return f"{kind}-" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
