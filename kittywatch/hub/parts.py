"""The parts of the board's page that are the same for all of a team who look with one filter."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy import Connection

from kittywatch.hub import board, history, overview
from kittywatch.hub.board import Filter
from kittywatch.hub.columns import columns
from kittywatch.hub.feed import last_position
from kittywatch.hub.lane_sources import sources
from kittywatch.hub.pages import fragment


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Rendered parts: `board` has the lanes, `news` the activity, `agents` the options of the filter."""

    board: Markup
    tree: Markup
    news: Markup
    agents: Markup


def parts_of(connection: Connection, team_id: int, wanted: Filter) -> Parts:
    """All parts at one moment; the board says the position of the last event that it counts in."""
    position = last_position(connection, team_id)
    there = sources(connection, team_id, wanted.project)
    shown = columns(connection, team_id, wanted.project, wanted.source, beside=there)
    count = board.counts(connection, team_id, wanted, shown)
    lanes = [board.lane_page(connection, team_id, wanted, column=one, count=count[one.key]) for one in shown]
    tree = overview.tree(connection, team_id)
    activity = history.activity(connection, team_id, wanted)
    common = {"wanted": wanted}
    return Parts(
        board=_part(
            "lanes.html",
            position=position,
            lanes=lanes,
            tree=tree,
            sources=there,
            **common,
        ),
        tree=_part("tree.html", tree=tree, **common),
        news=_part("news.html", activity=activity, **common),
        agents=_part("agents.html", agents=board.agents(connection, team_id), **common),
    )


def _part(template: str, **values: object) -> Markup:
    return Markup(fragment(template, **values))  # the template has escaped what needs it
