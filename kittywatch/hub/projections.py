"""Projections kept in step with the events, in the transaction that stores them, and made again from nothing.

Both ways go through the same folds (cards.py), so a rebuild gives what was there. A work package whose new events all
come after what was folded is continued from its row; any other is folded anew from its events. Only events that are
SHOWN count (schema.py).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, and_, delete, func, select, tuple_

from kittywatch.events import ErrorLogged, Event, FeatureCompleted, FeatureCreated, from_json
from kittywatch.events.fields import WP_ID
from kittywatch.hub import cards, renaming, supersession
from kittywatch.hub.cards import Card, order_of
from kittywatch.hub.database import lock_team, upsert
from kittywatch.hub.kinship import Relative
from kittywatch.hub.names import Names
from kittywatch.hub.renaming import Moved
from kittywatch.hub.schema import (
    PROJECTIONS,
    SHOWN,
    dependencies,
    events,
    features,
    projects,
    supersessions,
    work_packages,
)
from kittywatch.natural import natural

Key: TypeAlias = tuple[str, str, str]  # project, feature, wp_id
Placed: TypeAlias = tuple[int, Event]  # position, event
_CHUNK = 400
_OF_FEATURES = ("FeatureCreated", "FeatureCompleted")
_WP_ID = re.compile(WP_ID)


def key_of(event: Event, names: Names) -> Key:
    """Whose event it is; the feature is empty where the event names none, wp_id where it is about no work package.

    `names` say where its project's renamed features and moved work packages are shown.
    """
    project, feature = str(event.project_uuid), event.payload.feature_slug or ""
    wp_id = getattr(event.payload, "wp_id", None) or ""
    # An ErrorLogged may say anything for a work package.
    is_wp_id = not isinstance(event, ErrorLogged) or _WP_ID.match(wp_id) is not None
    wp_id = wp_id if is_wp_id else ""
    return (project, names.shown(project, feature, wp_id), wp_id)


def update(connection: Connection, team_id: int, placed: list[Placed], names: Names) -> None:
    """Let the projections of a team follow events that were just stored, where the `names` show them."""
    by_key: dict[Key, list[Placed]] = defaultdict(list)
    for position, event in placed:
        by_key[key_of(event, names)].append((position, event))
    touched = {key: news for key, news in by_key.items() if key[2]}
    _save_cards(connection, team_id, _follow(connection, team_id, touched))
    of_features = {key[:2] for key, news in by_key.items() if _tells_of_its_feature(news)}
    _save_features(connection, team_id, of_features)
    _update_projects(connection, team_id, [event for _, event in placed])


def move(connection: Connection, team_id: int, renamed: Iterable[Moved]) -> None:
    """Let the projections of a team follow features that are shown under another name now, and moved work packages."""
    for one in renamed:
        for table in (dependencies, work_packages) if one.wp_id else (dependencies, work_packages, features):
            here = and_(table.c.project == one.project, table.c.feature.in_([one.shown, *one.others]))
            here = and_(here, table.c.wp_id == one.wp_id) if one.wp_id else here
            connection.execute(delete(table).where(table.c.team_id == team_id, here))
        which = events.c.wp_id == one.wp_id if one.wp_id else events.c.wp_id != ""
        told = and_(events.c.project == one.project, events.c.feature == one.shown, which)
        query = select(events.c.wp_id).where(events.c.team_id == team_id, told, SHOWN).distinct()
        keys = [(one.project, one.shown, str(wp_id)) for wp_id in connection.execute(query).scalars()]
        moved = _last_supersessions(connection, team_id, keys)
        for key in keys:
            folded = _folded(key, list(_events_of(connection, team_id, key)), moved)
            _save_cards(connection, team_id, {key: folded})
        _save_features(connection, team_id, set() if one.wp_id else {(one.project, one.shown)})


def refold(connection: Connection, team_id: int, changed: Iterable[Relative]) -> None:
    """Let the projections of a team follow events that were stored before and are shown no more, or again."""
    kinds = [relative.kind for relative in changed]
    told = {kind[1:]: list(_events_of(connection, team_id, kind[1:])) for kind in kinds if kind[3]}
    moved = _last_supersessions(connection, team_id, list(told))
    _save_cards(connection, team_id, {key: _folded(key, placed, moved) for key, placed in told.items() if placed})
    for key, placed in told.items():
        for table in (dependencies, work_packages) if not placed else ():
            here = and_(table.c.project == key[0], table.c.feature == key[1], table.c.wp_id == key[2])
            connection.execute(delete(table).where(table.c.team_id == team_id, here))
    _save_features(connection, team_id, {(kind[1], kind[2]) for kind in kinds if kind[0] in _OF_FEATURES})
    for project in {kind[1] for kind in kinds}:
        _save_project_anew(connection, team_id, project)


def rebuild(connection: Connection, team_id: int) -> int:
    """Make a team's projections again from its events, aliases, renames and moves; the number of events read."""
    lock_team(connection, team_id)
    renaming.settle_anew(connection, team_id)
    supersession.agree_anew(connection, team_id)
    moved = _last_supersessions(connection, team_id, None)
    for table in PROJECTIONS:
        connection.execute(delete(table).where(table.c.team_id == team_id))
    query = (
        select(events.c.project, events.c.feature, events.c.wp_id, events.c.position, events.c.body)
        .where(events.c.team_id == team_id, SHOWN)
        .order_by(events.c.project, events.c.feature, events.c.wp_id)
        .execution_options(yield_per=2000)
    )
    count = 0
    for (project, feature, wp_id), rows in groupby(connection.execute(query), key=lambda row: tuple(row[:3])):
        placed = [(row.position, from_json(row.body)) for row in rows]
        count += len(placed)
        if wp_id:
            key = (project, feature, wp_id)
            _save_cards(connection, team_id, {key: _folded(key, placed, moved)})
        _save_features(connection, team_id, {(project, feature)} if _tells_of_its_feature(placed) else set())
        _update_projects(connection, team_id, [event for _, event in placed])
    return count


def _follow(connection: Connection, team_id: int, touched: dict[Key, list[Placed]]) -> dict[Key, Card]:
    stored = _load_cards(connection, team_id, list(touched))
    result = {}
    for key, news in touched.items():
        news.sort(key=lambda pair: order_of(pair[1]))
        card = stored.get(key, Card())
        if order_of(news[0][1]) < card.last:
            card = cards.fold(list(_events_of(connection, team_id, key)))
        else:
            for position, event in news:
                card = cards.apply(card, event, position=position)
        result[key] = card
    return result


def _events_of(connection: Connection, team_id: int, key: Key) -> Iterator[Placed]:
    here = and_(events.c.project == key[0], events.c.feature == key[1], events.c.wp_id == key[2])
    query = select(events.c.position, events.c.body).where(events.c.team_id == team_id, here, SHOWN)
    for row in connection.execute(query):
        yield row.position, from_json(row.body)


def _folded(key: Key, placed: list[Placed], moved: dict[Key, int]) -> Card:
    """The card of all shown events of a work package; it also changed when one of them was superseded last."""
    card = cards.fold(placed)
    return replace(card, changed=max(card.changed, moved.get(key, 0)))


def _last_supersessions(connection: Connection, team_id: int, keys: list[Key] | None) -> dict[Key, int]:
    """Where in the order of arrival an event of some work packages, of all for None, was superseded last."""
    table = supersessions.c
    query = select(table.project, table.feature, table.wp_id, func.max(table.position)).where(table.team_id == team_id)
    query = query.group_by(table.project, table.feature, table.wp_id)
    found = {}
    for start in range(0, 1 if keys is None else len(keys), _CHUNK):
        some = query
        if keys is not None:
            some = query.where(tuple_(table.project, table.feature, table.wp_id).in_(keys[start : start + _CHUNK]))
        for project, feature, wp_id, position in connection.execute(some):
            found[(project, feature, wp_id)] = position
    return found


def _load_cards(connection: Connection, team_id: int, keys: list[Key]) -> dict[Key, Card]:
    needs: dict[Key, dict[str, str]] = defaultdict(dict)
    table = dependencies
    for row in _rows_of(connection, team_id, keys, table=table):
        needs[(row.project, row.feature, row.wp_id)][row.needs] = row.resolution
    found = {}
    for row in _rows_of(connection, team_id, keys, table=work_packages):
        key = (row.project, row.feature, row.wp_id)
        found[key] = Card(
            title=row.title,
            lane=row.lane,
            category=row.category,
            released=row.released,
            source=row.source,
            agent=row.agent,
            created_at=row.created_at,
            lane_since=row.lane_since,
            started_at=row.started_at,
            done_at=row.done_at,
            transitions=row.transitions,
            rework=row.rework,
            needs=tuple(needs[key].items()),
            known=row.known,
            last=(row.last_lamport, row.last_node, row.last_event),
            changed=row.changed,
        )
    return found


def _rows_of(connection: Connection, team_id: int, keys: list[Key], *, table: Any) -> Iterable[Row[Any]]:
    for start in range(0, len(keys), _CHUNK):
        wanted = tuple_(table.c.project, table.c.feature, table.c.wp_id).in_(keys[start : start + _CHUNK])
        yield from connection.execute(select(table).where(table.c.team_id == team_id, wanted))


def _save_cards(connection: Connection, team_id: int, changed: dict[Key, Card]) -> None:
    upsert(connection, work_packages, [_card_row(team_id, key, card) for key, card in changed.items()])
    edges = [
        {**_key_row(team_id, key), "needs": needed, "resolution": resolution}
        for key, card in changed.items()
        for needed, resolution in card.needs
    ]
    # Only a creation names dependencies, so an edge goes only when a fold that starts again finds another creation.
    for start in range(0, len(changed), _CHUNK):
        keys = list(changed)[start : start + _CHUNK]
        wanted = tuple_(dependencies.c.project, dependencies.c.feature, dependencies.c.wp_id).in_(keys)
        connection.execute(delete(dependencies).where(dependencies.c.team_id == team_id, wanted))
    upsert(connection, dependencies, edges)


def _card_row(team_id: int, key: Key, card: Card) -> dict[str, Any]:
    last_lamport, last_node, last_event = card.last
    return {
        **_key_row(team_id, key),
        "place": natural(key[2]),
        "title": card.title or key[2],
        "lane": card.lane,
        "category": card.category,
        "released": card.released,
        "agent": card.agent,
        "created_at": card.created_at,
        "lane_since": card.lane_since,
        "lane_since_seconds": cards.seconds_of(card.lane_since),
        "started_at": card.started_at,
        "done_at": card.done_at,
        "transitions": card.transitions,
        "rework": card.rework,
        "last_lamport": last_lamport,
        "last_node": last_node,
        "last_event": last_event,
        "changed": card.changed,
        "known": card.known,
        "source": card.source,
    }


def _key_row(team_id: int, key: Key) -> dict[str, Any]:
    return {"team_id": team_id, "project": key[0], "feature": key[1], "wp_id": key[2]}


def _tells_of_its_feature(placed: list[Placed]) -> bool:
    return any(isinstance(event, FeatureCreated | FeatureCompleted) for _, event in placed)


def _save_features(connection: Connection, team_id: int, named: set[tuple[str, str]]) -> None:
    for project, feature in named:
        query = select(events.c.body).where(
            events.c.team_id == team_id,
            events.c.project == project,
            events.c.feature == feature,
            events.c.event_type.in_(_OF_FEATURES),
            SHOWN,
        )
        told = sorted((from_json(body) for body in connection.execute(query).scalars()), key=order_of)
        upsert(connection, features, [_feature_row(team_id, project, feature, told)] if told else [])


def _feature_row(team_id: int, project: str, feature: str, told: list[Event]) -> dict[str, Any]:
    row: dict[str, Any] = {"team_id": team_id, "project": project, "feature": feature}
    row |= dict.fromkeys(("number", "target_branch", "declared", "created_at", "completed_at", "total_duration"))
    for event in told:
        if isinstance(event, FeatureCreated):
            row["number"], row["target_branch"] = event.payload.feature_number, event.payload.target_branch
            row["declared"], row["created_at"] = event.payload.wp_count, event.payload.created_at
        elif isinstance(event, FeatureCompleted):
            row["completed_at"], row["total_duration"] = event.payload.completed_at, event.payload.total_duration
    row["last_lamport"], row["last_node"], row["last_event"] = order_of(told[-1])
    return row


def _update_projects(connection: Connection, team_id: int, news: list[Event]) -> None:
    latest: dict[str, Event] = {}
    for event in news:
        project = str(event.project_uuid)
        if project not in latest or order_of(event) > order_of(latest[project]):
            latest[project] = event
    query = select(projects).where(projects.c.team_id == team_id, projects.c.project.in_(latest))
    stored = {row.project: (row.last_lamport, row.last_node, row.last_event) for row in connection.execute(query)}
    rows = []
    for project, event in latest.items():
        if order_of(event) > stored.get(project, cards.START):
            lamport, node, event_id = order_of(event)
            slug = event.project_slug or project
            rows.append({"team_id": team_id, "project": project, "slug": slug, "last_lamport": lamport})
            rows[-1] |= {"last_node": node, "last_event": event_id}
    upsert(connection, projects, rows)


def _save_project_anew(connection: Connection, team_id: int, project: str) -> None:
    table = events.c
    query = (
        select(table.body)
        .where(table.team_id == team_id, table.project == project, SHOWN)
        .order_by(table.lamport_clock.desc(), table.node_id.desc(), table.event_id.desc())
        .limit(1)
    )
    connection.execute(delete(projects).where(projects.c.team_id == team_id, projects.c.project == project))
    _update_projects(connection, team_id, [from_json(body) for body in connection.execute(query).scalars()])
