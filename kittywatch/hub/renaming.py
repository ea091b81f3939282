"""Features whose directories were renamed, and work packages that moved to another feature: shown where they are now.

All of a feature is shown under the name that its directory has now, all of a work package in the feature that it is in
now (names.py). An event keeps the feature that it was emitted under in its body; its column `feature` has the one that
it is shown in, and so have the projections.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, func, insert, select, update

from kittywatch.hub.database import upsert
from kittywatch.hub.names import Names, Pair, moved, shown_names
from kittywatch.hub.offers import OfferedRename
from kittywatch.hub.schema import events, moves, renames, supersessions
from kittywatch.hub.sessions import Login
from kittywatch.hub.supersession import next_positions

MOST_OF_PROJECT = 1000
MOST_MOVES_OF_PROJECT = 100_000
TOO_MANY = f"More than {MOST_OF_PROJECT} features of the project would be renamed."
TOO_MANY_MOVES = f"More than {MOST_MOVES_OF_PROJECT} work packages of the project would have moved."
_CHUNK = 400

Package: TypeAlias = tuple[str, str]  # project, id


@dataclass(frozen=True, kw_only=True)
class RenameResult:
    """What became of one rename or move; the protocol's result without its empty fields is `to_dict`."""

    offered: OfferedRename
    status: str
    error_message: str | None = None

    def to_dict(self) -> dict[str, Any]:
        one = self.offered
        result: dict[str, Any] = {"project_uuid": one.project, "feature_slug": one.feature}
        result |= {"renamed_to": one.renamed_to, "status": self.status}
        if one.wp_id is not None:
            result |= {"wp_id": one.wp_id, "commit": one.commit}
        return result if self.error_message is None else {**result, "error_message": self.error_message}


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A feature, or a work package's, that is shown under `shown` from now on, and the other names that it has had.

    `wp_id` is empty for a whole feature.
    """

    project: str
    shown: str
    others: list[str]
    wp_id: str = ""


def take(
    connection: Connection, login: Login, offered: Sequence[OfferedRename]
) -> tuple[list[RenameResult], list[Moved]]:
    """Take the renames and moves that a login offers: what became of each, and what is shown elsewhere now.

    Its events are under the names that they are shown under afterwards; the projections are not yet.
    """
    features = _take_renames(connection, login, [one for one in offered if one.wp_id is None])
    packages = _take_moves(connection, login, [one for one in offered if one.wp_id is not None])
    results = [(features if one.wp_id is None else packages).pop(0) for one in offered]
    fresh = [result.offered for result in results if result.status == "success"]
    return results, _settle_news(connection, login.team_id, fresh)


def _take_renames(connection: Connection, login: Login, offered: list[OfferedRename]) -> list[RenameResult]:
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
    rows = [
        _row(login, one, position) | {"commit_id": one.commit}
        for position, one in zip(next_positions(connection, len(news)), news, strict=True)
    ]
    if rows:
        connection.execute(insert(renames), rows)
    return results


def _take_moves(connection: Connection, login: Login, offered: list[OfferedRename]) -> list[RenameResult]:
    good = [one for one in offered if one.project and one.wp_id and not one.reason]
    known = _moves(connection, login.team_id, {(str(one.project), str(one.wp_id)) for one in good})
    room = {one.project: _room_for_moves(connection, login.team_id, str(one.project)) for one in good}
    results = []
    news: dict[tuple[Any, ...], OfferedRename] = {}
    for one in offered:
        told = known[str(one.project), str(one.wp_id)]
        move = (str(one.feature), str(one.renamed_to), one.commit or "")
        # A move that has no commit yet may come again: the work package went back meanwhile.
        is_known = move in told if one.commit else told[-1:] == [move]
        status, reason = "duplicate" if is_known else "success", one.reason
        if not reason and not is_known and room[one.project] <= 0:
            reason = TOO_MANY_MOVES
        if reason:
            status = "rejected"
        elif not is_known:
            room[one.project] -= 1
            told.append(move)
            key = (one.project, one.wp_id, *move)
            news.pop(key, None)  # what is told again stands where it was told last
            news[key] = one
        results.append(RenameResult(offered=one, status=status, error_message=reason or None))
    rows = [
        _row(login, one, position) | {"wp_id": one.wp_id, "commit_id": one.commit or ""}
        for position, one in zip(next_positions(connection, len(news)), news.values(), strict=True)
    ]
    upsert(connection, moves, rows)
    return results


def _row(login: Login, one: OfferedRename, position: int) -> dict[str, Any]:
    row: dict[str, Any] = {"team_id": login.team_id, "project": one.project, "feature": one.feature}
    row |= {"renamed_to": one.renamed_to, "position": position, "session_id": login.session_id}
    return row | {"received_at": time.time()}


def _settle_news(connection: Connection, team_id: int, fresh: Collection[OfferedRename]) -> list[Moved]:
    """Put what renames and moves concern under the names that it is shown under; the whole features come first."""
    renamed = {one.project or "" for one in fresh if one.wp_id is None}
    touched: list[Moved] = []
    for project in sorted(renamed):
        new = {one.feature for one in fresh if one.project == project and one.wp_id is None}
        found = _features(project, _told(connection, team_id, {project})[project])
        touched += [feature for feature in found if new & {feature.shown, *feature.others}]
    _settle(connection, team_id, touched)
    shown = {(feature.project, feature.shown) for feature in touched}
    packages = {(one.project or "", one.wp_id or "") for one in fresh if one.wp_id is not None}
    elsewhere = [
        package
        for package in _packages(connection, team_id, packages, renamed)
        if (package.project, package.wp_id) in packages
        or any((package.project, name) in shown for name in (package.shown, *package.others))
    ]
    _settle(connection, team_id, elsewhere)
    return [*touched, *elsewhere]


def settle_anew(connection: Connection, team_id: int) -> None:
    """Put all of a team's events under the names that they are shown under."""
    for project, told in _told(connection, team_id, None).items():
        _settle(connection, team_id, _features(project, told))
    _settle(connection, team_id, list(_packages(connection, team_id, None, ())))


def names_of(
    connection: Connection,
    team_id: int,
    projects: Collection[str] | None = None,
    packages: Collection[Package] = (),
) -> Names:
    """The names under which some projects' features are shown, all projects' for None, and some work packages'."""
    told = _told(connection, team_id, projects)
    features = {(project, name): shown for project in told for name, shown in shown_names(told[project]).items()}
    found = {
        (one.project, name, one.wp_id): one.shown
        for one in _packages(connection, team_id, packages, ())
        for name in (one.shown, *one.others)
    }
    return Names(features=features, packages=found)


def shown_name(connection: Connection, team_id: int, project: str, feature: str, wp_id: str = "") -> str:
    """The feature that a feature, or a work package of it, is shown as: its own unless it was renamed, or moved."""
    if not project or not feature:
        return feature
    packages = {(project, wp_id)} if wp_id else ()
    return names_of(connection, team_id, {project}, packages).shown(project, feature, wp_id)


def names_anywhere(connection: Connection, team_id: int, feature: str, wp_id: str = "") -> set[str]:
    """The names that a feature, or a work package of it, is shown under in those projects that have a rename of it."""
    projects = {project for project, name in names_of(connection, team_id).features if name == feature}
    if wp_id:
        query = select(moves.c.project).where(moves.c.team_id == team_id, moves.c.wp_id == wp_id).distinct()
        projects |= set(connection.execute(query).scalars())
    return {shown_name(connection, team_id, project, feature, wp_id) for project in projects}


def any_since(connection: Connection, team_id: int, position: int) -> bool:
    """Whether a rename or a move was told of past a position."""
    for table in (renames, moves):
        query = select(func.count()).select_from(table).where(table.c.team_id == team_id, table.c.position > position)
        if connection.execute(query).scalar_one():
            return True
    return False


def _features(project: str, told: Sequence[Pair]) -> list[Moved]:
    return _families(project, told, "")


def _families(project: str, told: Sequence[Pair], wp_id: str) -> list[Moved]:
    others: dict[str, list[str]] = defaultdict(list)
    for name, shown in shown_names(told).items():
        others[shown] += [name] if name != shown else []
    return [Moved(project=project, shown=shown, others=sorted(names), wp_id=wp_id) for shown, names in others.items()]


def _packages(
    connection: Connection, team_id: int, packages: Collection[Package] | None, projects: Collection[str]
) -> Iterator[Moved]:
    """Where some moved work packages are shown, and all of some projects; of all projects for None."""
    found = _moves(connection, team_id, packages, projects)
    told = _told(connection, team_id, {project for project, _ in found})
    features = {project: shown_names(pairs) for project, pairs in told.items()}
    for (project, wp_id), steps in found.items():
        pairs = moved(((before, after) for before, after, _ in steps), features.get(project, {}))
        yield from _families(project, pairs, wp_id)


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


def _moves(
    connection: Connection, team_id: int, packages: Collection[Package] | None, projects: Collection[str] = ()
) -> dict[Package, list[tuple[str, str, str]]]:
    """What was told of some work packages, in that order: the feature before, the one after, the commit or nothing."""
    table = moves.c
    query = select(table.project, table.wp_id, table.feature, table.renamed_to, table.commit_id)
    query = query.where(table.team_id == team_id).order_by(table.position)
    found: dict[Package, list[tuple[str, str, str]]] = defaultdict(list)
    queries = [query] if packages is None else [query.where(table.project.in_(some)) for some in _chunks(projects)]
    for project in {project for project, _ in packages or ()} - {*projects}:
        ids = {wp_id for other, wp_id in packages or () if other == project}
        queries += [query.where(table.project == project, table.wp_id.in_(some)) for some in _chunks(ids)]
    for one in queries:
        for row in connection.execute(one):
            found[row.project, row.wp_id].append((row.feature, row.renamed_to, row.commit_id))
    return found


def _room_for_moves(connection: Connection, team_id: int, project: str) -> int:
    query = select(func.count()).select_from(moves).where(moves.c.team_id == team_id, moves.c.project == project)
    return MOST_MOVES_OF_PROJECT - int(connection.execute(query).scalar_one())


def _settle(connection: Connection, team_id: int, families: list[Moved]) -> None:
    for one in families:
        for table in (events, supersessions):
            for some in _chunks(one.others):
                here = [table.c.team_id == team_id, table.c.project == one.project, table.c.feature.in_(some)]
                here += [table.c.wp_id == one.wp_id] if one.wp_id else []
                connection.execute(update(table).where(*here).values(feature=one.shown))


def _chunks(names: Collection[str]) -> Iterator[list[str]]:
    listed = sorted(names)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]
