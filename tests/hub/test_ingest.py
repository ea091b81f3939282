"""Storing: whatever the order of arrival, what stands in the projections is what a rebuild gives."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, select

from kittywatch.hub import board, export, projections
from kittywatch.hub.board import Filter
from kittywatch.hub.columns import Column, columns
from kittywatch.hub.database import reading, writing
from kittywatch.hub.ingest import store
from kittywatch.hub.limits import Limits
from kittywatch.hub.parsing import open_batch
from kittywatch.hub.schema import PROJECTIONS, events
from kittywatch.hub.sessions import Login
from tests.hub.hubs import FEATURE, PROJECT, created, event, moved, moved_3


def take(engine: Engine, login: Login, batch: list[Any]) -> list[str]:
    data = json.dumps({"events": batch}).encode()
    with writing(engine) as connection:
        return [r.status for r in store(connection, login, open_batch(data, team_slug="cats", limits=Limits()))]


def standing(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    with reading(engine) as connection:
        return {
            table.name: sorted(tuple(row) for row in connection.execute(select(table)).all()) for table in PROJECTIONS
        }


def story() -> list[Any]:
    """What happened to three work packages on two machines, with equal clocks among them."""
    told = [
        event(
            "FeatureCreated",
            {
                "feature_slug": FEATURE,
                "feature_number": "001",
                "target_branch": "main",
                "wp_count": 3,
                "created_at": "2026-03-01T00:00:00Z",
            },
            lamport=1,
        )
    ]
    told += [created("WP01", lamport=2), created("WP02", lamport=3, needs=["WP01"])]
    told += [created("WP03", lamport=4, needs=["WP01", "WP02"])]
    path = ["planned", "doing", "for_review", "doing", "for_review", "done"]
    for number, (before, after) in enumerate(pairwise(path)):
        node = "b" * 12 if number % 2 else "a" * 12
        told.append(moved("WP01", before, after, lamport=5 + number // 2, node_id=node))
    told.append(
        event(
            "WPAssigned",
            {
                "wp_id": "WP02",
                "agent_id": "codex",
                "phase": "implementation",
                "retry_count": 0,
                "feature_slug": FEATURE,
            },
            lamport=9,
        )
    )
    told.append(
        event(
            "DependencyResolved",
            {"wp_id": "WP02", "dependency_wp_id": "WP01", "resolution_type": "completed", "feature_slug": FEATURE},
            lamport=10,
        )
    )
    told.append(
        event(
            "WPAssigned",
            {"wp_id": "WP02", "agent_id": "lost", "phase": "review", "retry_count": 0, "feature_slug": None},
            lamport=11,
        )
    )
    told.append(
        event(
            "FeatureCompleted",
            {"feature_slug": FEATURE, "total_wps": 3, "completed_at": "2026-03-02T00:00:00Z", "total_duration": None},
            lamport=12,
        )
    )
    return told


@pytest.mark.parametrize("seed", range(6))
def test_order_of_arrival_does_not_matter(engine: Engine, login: Login, seed: int) -> None:
    told = story()
    arriving = told + random.Random(seed).sample(told, 6)
    random.Random(seed).shuffle(arriving)
    while arriving:
        size = random.Random(seed + len(arriving)).randint(1, 5)
        take(engine, login, arriving[:size])
        arriving = arriving[size:]
    before = standing(engine)
    with writing(engine) as connection:
        assert projections.rebuild(connection, login.team_id) == len(told)
    assert standing(engine) == before
    with reading(engine) as connection:
        first = board.card(connection, login.team_id, (PROJECT, FEATURE, "WP01"))
        second = board.card(connection, login.team_id, (PROJECT, FEATURE, "WP02"))
        exported = [json.loads(line)["event_id"] for line in export.lines(connection, login.team_id)]
    assert first is not None
    assert (first.lane, first.rework) == ("done", 1)
    assert second is not None
    assert (second.agent, second.needs, second.blocked_by) == ("codex", ("WP01",), ())
    order = sorted(told, key=lambda e: (e["lamport_clock"], e["node_id"], e["event_id"]))
    assert exported == [e["event_id"] for e in order]


def test_arrival_has_its_own_time_and_the_events_stays(engine: Engine, login: Login) -> None:
    one = created("WP01", lamport=1, timestamp="2001-02-03T04:05:06+05:30")
    take(engine, login, [one])
    with reading(engine) as connection:
        row = connection.execute(select(events)).one()
    assert row.timestamp == "2001-02-03T04:05:06+05:30"
    assert json.loads(row.body)["timestamp"] == "2001-02-03T04:05:06+05:30"
    assert row.received_at > 1_700_000_000


def test_what_blocks_a_card(engine: Engine, login: Login) -> None:
    take(engine, login, [created("WP01", lamport=1), created("WP02", lamport=2, needs=["WP01", "WP09"])])
    key = (PROJECT, FEATURE, "WP02")
    blocked = Filter(blocked="1")

    def seen() -> tuple[tuple[str, ...], int]:
        with reading(engine) as connection:
            card = board.card(connection, login.team_id, key)
            assert card is not None
            return card.blocked_by, sum(board.counts(connection, login.team_id, blocked).values())

    assert seen() == (("WP01", "WP09"), 1)
    take(engine, login, [moved("WP01", "planned", "done", lamport=3)])
    assert seen() == (("WP09",), 1)
    resolution = {"wp_id": "WP02", "dependency_wp_id": "WP09", "resolution_type": "skipped", "feature_slug": FEATURE}
    take(engine, login, [event("DependencyResolved", resolution, lamport=4)])
    assert seen() == ((), 0)
    take(engine, login, [moved("WP01", "done", "doing", lamport=5)])
    assert seen() == (("WP01",), 1)


def test_pages_of_a_lane_meet_and_miss_nothing(engine: Engine, login: Login) -> None:
    take(engine, login, [created(f"WP{n:02d}", lamport=n, timestamp="2026-03-01T00:00:00Z") for n in range(1, 100)])
    with reading(engine) as connection:
        shown, cursor = [], ""
        while True:
            page = board.lane_page(
                connection,
                login.team_id,
                Filter(),
                column=Column(key="planned", category="backlog"),
                count=0,
                cursor=cursor,
            )
            shown += [card.wp_id for card in page.cards]
            cursor = page.cursor
            if not cursor:
                break
    assert shown == [f"WP{n:02d}" for n in range(1, 100)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), 3),
        (Filter(text="LOUDLY"), 1),
        (Filter(text="100%_"), 1),
        (Filter(text="%"), 1),
        (Filter(text="wp0"), 3),
        (Filter(agent="claude"), 1),
        (Filter(feature="elsewhere"), 0),
        (Filter(project=PROJECT, feature=FEATURE), 3),
    ],
)
def test_filters(engine: Engine, login: Login, wanted: Filter, found: int) -> None:
    take(engine, login, [created("WP01", "Purr loudly", lamport=1), created("WP02", "100%_ done", lamport=2)])
    take(engine, login, [created("WP03", lamport=3), moved("WP03", "planned", "doing", lamport=4)])
    with reading(engine) as connection:
        assert sum(board.counts(connection, login.team_id, wanted).values()) == found


def test_changes_tell_what_moved_what_it_frees_and_what_left_the_filter(engine: Engine, login: Login) -> None:
    take(engine, login, [created("WP01", lamport=1), created("WP02", lamport=2, needs=["WP01"])])
    take(engine, login, [created("WP03", lamport=3)])
    with reading(engine) as connection:
        everything = board.changes(connection, login.team_id, Filter(), after=0)
    assert everything is not None
    take(engine, login, [moved("WP01", "planned", "done", lamport=4)])
    with reading(engine) as connection:
        news = board.changes(connection, login.team_id, Filter(), after=everything.position)
        filtered = board.changes(connection, login.team_id, Filter(blocked="1"), after=everything.position)
    assert news is not None
    assert filtered is not None
    assert {card.wp_id for card in news.cards} == {"WP01", "WP02"}
    assert news.gone == []
    assert filtered.cards == []
    assert board.dom_id((PROJECT, FEATURE, "WP02")) in filtered.gone


OTHER = "11111111-2222-4333-8444-555555555555"


def keys(engine: Engine, login: Login, project: str = "") -> list[str]:
    with reading(engine) as connection:
        return [column.key for column in columns(connection, login.team_id, project)]


def test_columns_are_the_schemes_or_the_categories_of_several(engine: Engine, login: Login) -> None:
    nine = [
        *("planned", "claimed", "in_progress", "for_review", "in_review", "approved", "done", "blocked", "canceled"),
    ]
    take(engine, login, [created("WP01", lamport=1)])
    assert keys(engine, login) == ["planned", "doing", "for_review", "done"]
    take(engine, login, [moved_3("WP01", "planned", "claimed", lamport=2)])
    assert keys(engine, login) == nine
    take(engine, login, [moved("WP01", "planned", "doing", lamport=3, project_uuid=OTHER)])
    six = ["category-backlog", "category-active", "category-review", "category-done"]
    assert keys(engine, login) == [*six, "category-blocked", "category-canceled"]
    assert keys(engine, login, PROJECT) == nine
    assert keys(engine, login, OTHER) == ["planned", "doing", "for_review", "done"]
    with reading(engine) as connection:
        found = board.counts(connection, login.team_id, Filter())
        assert (found["category-active"], sum(found.values())) == (2, 2)
        first, second = board.changes(connection, login.team_id, Filter(), after=0).cards  # type: ignore[union-attr]
        assert {first.column, second.column} == {"category-active"}
    # What a page shows that has heard of one scheme only is shown anew.
    two = [Column(key="planned", category="backlog"), Column(key="doing", category="active")]
    with reading(engine) as connection:
        assert board.changes(connection, login.team_id, Filter(), two, after=0) is None


def test_what_a_lane_means_is_asked_of_its_category(engine: Engine, login: Login) -> None:
    take(engine, login, [created("WP01", lamport=1), created("WP02", lamport=2, needs=["WP01"])])
    path = ["planned", "claimed", "in_progress", "for_review", "in_review", "in_progress", "blocked", "in_progress"]
    steps = [moved_3("WP01", path[n], path[n + 1], lamport=3 + n) for n in range(len(path) - 1)]
    take(engine, login, steps)
    blocked = Filter(blocked="1")
    with reading(engine) as connection:
        card = board.card(connection, login.team_id, (PROJECT, FEATURE, "WP01"))
        assert card is not None
        assert (card.lane, card.category, card.rework) == ("in_progress", "active", 1)
        assert sum(board.counts(connection, login.team_id, blocked).values()) == 1
    take(engine, login, [moved_3("WP01", "in_progress", "approved", lamport=20)])
    with reading(engine) as connection:
        assert sum(board.counts(connection, login.team_id, blocked).values()) == 0
    take(engine, login, [moved_3("WP01", "approved", "done", lamport=21)])
    take(engine, login, [moved_3("WP02", "planned", "canceled", lamport=22)])
    before = standing(engine)
    with writing(engine) as connection:
        projections.rebuild(connection, login.team_id)
    assert standing(engine) == before


def test_an_older_step_that_comes_late_moves_no_card(engine: Engine, login: Login) -> None:
    take(engine, login, [moved_3("WP01", "planned", "claimed", lamport=1)])
    take(engine, login, [moved_3("WP01", "in_progress", "for_review", lamport=2)])
    late = moved_3("WP01", "claimed", "in_progress", lamport=3, payload={"lane_now": "for_review"})
    take(engine, login, [late])
    with reading(engine) as connection:
        card = board.card(connection, login.team_id, (PROJECT, FEATURE, "WP01"))
        assert card is not None
        assert (card.lane, card.category, card.since) == ("for_review", "review", "2026-03-01T00:00:02+00:00")


def test_what_an_unknown_lane_means_is_kept_when_an_older_step_comes_late(engine: Engine, login: Login) -> None:
    """No scheme here has the lane; the card has its category."""
    other = {"previous_category": "backlog", "new_category": "review"}
    take(engine, login, [moved("WP01", "to_do", "qa", lamport=1, schema_version="1.1.0", payload=other)])
    late = {"previous_category": "backlog", "new_category": "active", "lane_now": "qa"}
    take(engine, login, [moved("WP01", "to_do", "coding", lamport=2, schema_version="1.1.0", payload=late)])
    with reading(engine) as connection:
        card = board.card(connection, login.team_id, (PROJECT, FEATURE, "WP01"))
        assert card is not None
        assert (card.lane, card.category) == ("qa", "review")


def test_work_packages_of_any_id(engine: Engine, login: Login) -> None:
    ids = ["WP100", "BACK-1.2", "T001", "1.1", "x" * 40]
    take(engine, login, [moved_3(one, "planned", "claimed", lamport=n) for n, one in enumerate(ids, start=1)])
    with reading(engine) as connection:
        for one in ids:
            card = board.card(connection, login.team_id, (PROJECT, FEATURE, one))
            assert card is not None
            assert card.path.endswith(f"/{one}")
        assert sum(board.counts(connection, login.team_id, Filter(text="back-1")).values()) == 1
