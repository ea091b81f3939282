"""Which lane source a card is of, and the cards of one source.

A card has the source that its events stated last. What version 1.0.0 of an event can say states none, and is
spec-kitty's: a transition then is frontmatter's, and of a work package that was only created nothing is known yet. It
counts as of the source of its feature's others, else as of its project's event log, else as of frontmatter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select, tuple_

from kittywatch.hub.schema import events, work_packages

FRONTMATTER, EVENT_LOG, CHECKLIST, MARKDOWN, RECORDS = "frontmatter", "event-log", "checklist", "markdown", "records"
ORDER = (FRONTMATTER, EVENT_LOG, MARKDOWN, CHECKLIST, RECORDS)
LONGEST = 40
WITH_OWN_LANES = (MARKDOWN, RECORDS)
"""Sources whose lanes are the project's to name."""
FIRST_OF_OWN_LANES = "to_do"
"""A creation doesn't say in which lane a work package begins; most projects call it so."""
_TABLE = work_packages.c


class _Names(dict[str, str]):
    def __missing__(self, source: str) -> str:
        return source.replace("-", " ").capitalize()


SOURCE_NAMES: Mapping[str, str] = _Names()
"""The names of sources for people."""


def of_source(team_id: int, source: str) -> ColumnElement[bool]:
    """Which of a team's work packages are of a source."""
    features, found = _features_without(team_id)
    here = tuple_(_TABLE.project, _TABLE.feature).in_(features.having(found == source))
    return or_(_TABLE.source == source, and_(_TABLE.source == "", here))


def is_of_source(team_id: int, source: str) -> ColumnElement[bool]:
    """Which of a team's events are of work packages of a source."""
    key = (_TABLE.project, _TABLE.feature, _TABLE.wp_id)
    there = select(*key).where(_TABLE.team_id == team_id, _TABLE.known, of_source(team_id, source))
    return tuple_(events.c.project, events.c.feature, events.c.wp_id).in_(there)


def sources(connection: Connection, team_id: int, project: str) -> list[str]:
    """The sources of a team's project, of all of them where that is empty."""
    query = select(_TABLE.source).where(_TABLE.team_id == team_id, _TABLE.known).distinct()
    if project:
        query = query.where(_TABLE.project == project)
    there = set(connection.execute(query).scalars())
    if there <= {"", FRONTMATTER}:
        return [FRONTMATTER] if there else []
    if "" in there:
        features, found = _features_without(team_id, project)
        there |= {row.found for row in connection.execute(features.add_columns(found.label("found")))}
    return sorted(there - {""}, key=lambda one: (ORDER.index(one) if one in ORDER else len(ORDER), one))


def _features_without(team_id: int, project: str = "") -> tuple[Select[Any], ColumnElement[str]]:
    """The features with work packages of which no source is known, and the source that those count as of."""
    other, logged = work_packages.alias("other"), work_packages.alias("logged")
    logs = select(logged.c.project).where(logged.c.team_id == team_id, logged.c.source == EVENT_LOG)
    query = select(other.c.project, other.c.feature).where(other.c.team_id == team_id, other.c.known)
    if project:
        query = query.where(other.c.project == project)
    query = query.group_by(other.c.project, other.c.feature).having(func.min(other.c.source) == "")
    beside = case((other.c.project.in_(logs), EVENT_LOG), else_=FRONTMATTER)
    return query, func.coalesce(func.min(func.nullif(other.c.source, "")), beside)
