"""Features whose directories were renamed: all of a feature is shown under the name that its directory has now.

Names that renames join are one feature's. It is shown under the one that no rename leads on from; of several such, or
where there is none, under the one that was told of last. An event keeps the name that it was emitted under in its body;
its column `feature` has the one that it is shown under, and so have the projections.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, func, insert, select, update

from kittywatch.hub.offers import OfferedRename
from kittywatch.hub.schema import events, renames, supersessions
from kittywatch.hub.sessions import Login
from kittywatch.hub.supersession import next_positions

MOST_OF_PROJECT = 1000
TOO_MANY = f"More than {MOST_OF_PROJECT} features of the project would be renamed."
_CHUNK = 400

Names: TypeAlias = Mapping[tuple[str, str], str]  # project, a name that a feature had: the one that it is shown under
Pair: TypeAlias = tuple[str, str]  # a name, and the one that came after it


@dataclass(frozen=True, kw_only=True)
class RenameResult:
    """What became of one rename; the protocol's result without its empty fields is `to_dict`."""

    offered: OfferedRename
    status: str
    error_message: str | None = None

    def to_dict(self) -> dict[str, Any]:
        one = self.offered
        result: dict[str, Any] = {"project_uuid": one.project, "feature_slug": one.feature}
        result |= {"renamed_to": one.renamed_to, "status": self.status}
        return result if self.error_message is None else {**result, "error_message": self.error_message}


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A feature that is shown under `shown` from now on, and the other names that it has had."""

    project: str
    shown: str
    others: list[str]


def take(
    connection: Connection, login: Login, offered: Sequence[OfferedRename]
) -> tuple[list[RenameResult], list[Moved]]:
    """Take the renames that a login offers: what became of each, and the features that are others' continuation now.

    Their events are under their names afterwards; the projections are not yet.
    """
    known = _told(connection, login.team_id, {one.project for one in offered if one.project and not one.reason})
    results, news = [], []
    for one in offered:
        told = known[one.project or ""]
        status, reason = "success", one.reason
        if not reason and (one.feature, one.renamed_to) in told:
            status = "duplicate"
        elif not reason and len(told) >= MOST_OF_PROJECT:
            reason = TOO_MANY
        if reason:
            status = "rejected"
        elif status == "success":
            told.append((str(one.feature), str(one.renamed_to)))
            news.append(one)
        results.append(RenameResult(offered=one, status=status, error_message=reason or None))
    _insert(connection, login, news)
    moved: list[Moved] = []
    for project in sorted({str(one.project) for one in news}):
        new = {one.feature for one in news if one.project == project}
        features = _features(project, known[project])
        moved += [feature for feature in features if new & {feature.shown, *feature.others}]
    _settle(connection, login.team_id, moved)
    return results, moved


def settle_anew(connection: Connection, team_id: int) -> None:
    """Put all of a team's events under the names that their features are shown under."""
    for project, told in _told(connection, team_id, None).items():
        _settle(connection, team_id, _features(project, told))


def names_of(connection: Connection, team_id: int, projects: Collection[str] | None = None) -> Names:
    """The names under which some projects' renamed features are shown, all projects' for None."""
    told = _told(connection, team_id, projects)
    return {(project, name): shown for project in told for name, shown in shown_names(told[project]).items()}


def shown_name(connection: Connection, team_id: int, project: str, feature: str) -> str:
    """The name that a feature is shown under, which is its own unless it was renamed."""
    return names_of(connection, team_id, {project}).get((project, feature), feature) if project and feature else feature


def any_since(connection: Connection, team_id: int, position: int) -> bool:
    """Whether a rename was told of past a position."""
    query = select(func.count()).select_from(renames).where(renames.c.team_id == team_id, renames.c.position > position)
    return bool(connection.execute(query).scalar_one())


def shown_names(told: Sequence[Pair]) -> dict[str, str]:
    """For each name in a project's renames, in the order in which they were told, the one to show."""
    families: dict[str, list[Pair]] = {}
    for pair in told:
        first, second = families.get(pair[0], []), families.get(pair[1], [])
        joined = [*first, *(second if second is not first else ()), pair]
        families |= {name: joined for one in joined for name in one}
    place = {pair: number for number, pair in enumerate(told)}
    return {name: _shown(family, place) for name, family in families.items()}


def _shown(family: list[Pair], place: Mapping[Pair, int]) -> str:
    left = {old for old, _ in family}
    ends = [pair for pair in family if pair[1] not in left]
    return max(ends or family, key=lambda pair: place[pair])[1]


def _features(project: str, told: Sequence[Pair]) -> list[Moved]:
    others: dict[str, list[str]] = defaultdict(list)
    for name, shown in shown_names(told).items():
        others[shown] += [name] if name != shown else []
    return [Moved(project=project, shown=shown, others=sorted(names)) for shown, names in others.items()]


def _told(connection: Connection, team_id: int, projects: Collection[str] | None) -> dict[str, list[Pair]]:
    table = renames.c
    query = select(table.project, table.feature, table.renamed_to).where(table.team_id == team_id)
    query = query.order_by(table.position)
    found: dict[str, list[Pair]] = defaultdict(list)
    parts: Iterable[list[str] | None] = [None] if projects is None else _chunks(projects)
    for some in parts:
        for row in connection.execute(query if some is None else query.where(table.project.in_(some))):
            found[row.project].append((row.feature, row.renamed_to))
    return found


def _insert(connection: Connection, login: Login, news: list[OfferedRename]) -> None:
    rows = [
        {
            "team_id": login.team_id,
            "project": one.project,
            "feature": one.feature,
            "renamed_to": one.renamed_to,
            "position": position,
            "commit_id": one.commit,
            "session_id": login.session_id,
            "received_at": time.time(),
        }
        for position, one in zip(next_positions(connection, len(news)), news, strict=True)
    ]
    if rows:
        connection.execute(insert(renames), rows)


def _settle(connection: Connection, team_id: int, features: list[Moved]) -> None:
    for one in features:
        for table in (events, supersessions):
            for some in _chunks(one.others):
                here = (table.c.team_id == team_id, table.c.project == one.project, table.c.feature.in_(some))
                connection.execute(update(table).where(*here).values(feature=one.shown))


def _chunks(names: Collection[str]) -> Iterator[list[str]]:
    listed = sorted(names)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]
