"""Updates for connected pages: what is different past a position, as one JSON text for all that show the same.

Cards, entries and rows of the tree are rendered by the templates that rendered the page. Of the tree only the rows of
features with changed cards are in it. Where a feature was renamed, so much is different that pages begin anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection

from kittywatch.hub import board, history, overview, renaming
from kittywatch.hub.board import CardView, Changes, Filter
from kittywatch.hub.columns import LANE_NAMES, columns
from kittywatch.hub.feed import last_position
from kittywatch.hub.lane_sources import sources
from kittywatch.hub.overview import ProjectView
from kittywatch.hub.pages import fragment

_RELOAD = '{"type":"reload"}'


@dataclass(frozen=True, kw_only=True)
class Update:
    """A message to pages, and the position that a page shows with it."""

    position: int
    text: str


def update_of(connection: Connection, team_id: int, wanted: Filter, *, after: int) -> Update | None:
    """What is different past a position, None where nothing came; where it is too much to list, that."""
    position = last_position(connection, team_id)  # first, so that what comes meanwhile comes again
    if position <= after:
        return None
    wanted = board.followed(connection, team_id, wanted)
    if renaming.any_since(connection, team_id, after):
        return Update(position=position, text=_RELOAD)
    there = sources(connection, team_id, wanted.project)
    shown = columns(connection, team_id, wanted.project, wanted.source, beside=there)
    found = board.changes(connection, team_id, wanted, shown, after=after)
    withdrawn = history.withdrawn(connection, team_id, after=after)
    if found is None or withdrawn is None:
        return Update(position=position, text=_RELOAD)
    entries = history.activity(connection, team_id, wanted, after=after)
    message = {
        "type": "changes",
        "position": found.position,
        "counts": board.counts(connection, team_id, wanted, shown),
        "sources": there,
        "gone": found.gone,
        "cards": [_card(card, wanted) for card in found.cards],
        "withdrawn": withdrawn,
        "activity": fragment("entries.html", activity=entries),
        "tree": _tree(connection, team_id, wanted, found),
        "agents": sorted({board.shown_agent(card.agent) for card in found.cards if card.agent}),
    }
    return Update(position=found.position, text=msgspec.json.encode(message).decode())


def _card(card: CardView, wanted: Filter) -> dict[str, Any]:
    return {
        "id": card.dom_id,
        "lane": card.column,
        "order": card.order,
        "place": card.place,
        "said": f"{card.wp_id} {card.title[:80]}: {LANE_NAMES[card.lane]}",
        "html": fragment("card.html", card=card, wanted=wanted),
    }


def _tree(connection: Connection, team_id: int, wanted: Filter, found: Changes) -> dict[str, Any]:
    shown = overview.tree(connection, team_id, only=found.features)
    there = {feature.dom_id for project in shown for feature in project.features}
    gone = {overview.feature_id(*feature) for feature in found.features} - there
    return {"projects": [_project(project, wanted) for project in shown], "gone": sorted(gone)}


def _project(project: ProjectView, wanted: Filter) -> dict[str, Any]:
    features = [
        {
            "id": feature.dom_id,
            "place": feature.place,
            "html": fragment("tree_feature.html", project=project, feature=feature, wanted=wanted),
        }
        for feature in project.features
    ]
    return {
        "id": project.dom_id,
        "order": project.order,
        "html": fragment("tree_project.html", project=replace(project, features=[]), wanted=wanted),
        "features": features,
    }
