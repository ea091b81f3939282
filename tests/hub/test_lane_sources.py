"""Several lane sources in one project: what they have in common as columns, and each with its own lanes if chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, select, text

from kittywatch.hub import board, history, migrations, projections
from kittywatch.hub.board import Filter
from kittywatch.hub.columns import columns
from kittywatch.hub.database import reading, writing
from kittywatch.hub.ingest import store
from kittywatch.hub.lane_sources import sources
from kittywatch.hub.limits import Limits
from kittywatch.hub.parsing import open_batch
from kittywatch.hub.schema import PROJECTIONS, work_packages
from kittywatch.hub.sessions import Login
from kittywatch.natural import natural
from kittywatch.workpackages.categories import guessed_category
from kittywatch.workpackages.schemes import SPEC_KITTY_3
from tests.hub.browsers import is_live, serious_faults, sign_in
from tests.hub.hubs import PROJECT, Hub, Machine, created, event, moved, moved_3
from tests.hub.test_layout import CUT, picture
from tests.selection import some

SIX = [f"category-{one}" for one in ("backlog", "active", "review", "done", "blocked", "canceled")]
NINE = list(SPEC_KITTY_3.lanes)
FOUR = ["planned", "doing", "for_review", "done"]
TO_DO = ["to_do", "in_progress", "qa", "done"]
OTHER = "11111111-2222-4333-8444-555555555555"


def step(source: str, wp_id: str, before: str, after: str, *, lamport: int, **changes: Any) -> Any:
    """A transition as a source of version 1.1.0 tells it."""
    means = {"previous_category": guessed_category(before), "new_category": guessed_category(after)}
    payload = means | {"feature_slug": f"of-{source}"} | changes.pop("payload", {})
    beside = {"schema_version": "1.1.0", "source": source} | changes
    return moved(wp_id, before, after, lamport=lamport, payload=payload, **beside)


def born(source: str, wp_id: str, title: str, *, lamport: int, **changes: Any) -> Any:
    beside: dict[str, Any] = {"schema_version": "1.1.0", "source": source} | changes
    return created(wp_id, title, lamport=lamport, payload={"feature_slug": f"of-{source}"}, **beside)


def story(lamport: int = 1) -> list[Any]:
    """One project with all five, in each one's own words."""
    told: list[Any] = []

    def tell(make: Callable[..., Any], *args: Any, **changes: Any) -> None:
        told.append(make(*args, lamport=lamport + len(told), **changes))

    plain = {"payload": {"feature_slug": "of-frontmatter"}}
    logged = {"payload": {"feature_slug": "of-event-log"}}
    for n, lane in enumerate(FOUR, start=1):
        tell(created, f"WP{n:02}", "Seven canonical event-type contracts", **plain)
        if n > 1:
            tell(moved, f"WP{n:02}", "planned", lane, **plain)
    for n, lane in enumerate(NINE, start=1):
        tell(created, f"WP{n:02}", "DecisionPoint Event Constants and Reducer Transitions", **logged)
        if n > 1:
            tell(moved_3, f"WP{n:02}", "planned", lane, source="event-log", **logged)
    for n, lane in enumerate(TO_DO, start=1):
        tell(born, "markdown", f"BACK-{n * 7}", "Search that forgives typing errors")
        if n > 1:
            tell(step, "markdown", f"BACK-{n * 7}", "to_do", lane)
    for n in range(1, 13):
        tell(born, "checklist", f"T{n:03}" if n % 2 else f"1.{n}", "Write the contract test for it first")
        if n % 3 == 0:
            tell(step, "checklist", f"T{n:03}" if n % 2 else f"1.{n}", "planned", "done")
    for n, lane in enumerate(["pending", "in_progress", "review", "done", "deferred", "cancelled"], start=1):
        tell(born, "records", f"{n}-{n + 1}-user-login", "As a user I want to stay signed in")
        tell(step, "records", f"{n}-{n + 1}-user-login", "backlog", lane)
    return told


def take(engine: Engine, login: Login, batch: list[Any]) -> None:
    data = json.dumps({"events": batch}).encode()
    with writing(engine) as connection:
        said = store(connection, login, open_batch(data, team_slug="cats", limits=Limits()))
    assert {one.status for one in said} == {"success"}


def keys(engine: Engine, login: Login, source: str = "", project: str = PROJECT) -> list[str]:
    with reading(engine) as connection:
        return [column.key for column in columns(connection, login.team_id, project, source)]


def ids(engine: Engine, login: Login, source: str) -> list[str]:
    with reading(engine) as connection:
        found = board.changes(connection, login.team_id, Filter(source=source), after=0)
    assert found is not None
    return sorted((card.wp_id for card in found.cards), key=natural)


def standing(engine: Engine) -> list[list[tuple[Any, ...]]]:
    with reading(engine) as connection:
        return [sorted(map(tuple, connection.execute(select(table))), key=repr) for table in PROJECTIONS]


def test_each_source_has_its_own_lanes_and_all_have_categories(engine: Engine, login: Login) -> None:
    take(engine, login, story())
    assert keys(engine, login) == SIX
    assert keys(engine, login, "frontmatter") == FOUR
    assert keys(engine, login, "event-log") == NINE
    assert keys(engine, login, "markdown") == TO_DO
    assert keys(engine, login, "checklist") == ["planned", "done"]
    records = ["pending", "in_progress", "review", "done", "deferred", "cancelled"]
    assert keys(engine, login, "records") == records
    with reading(engine) as connection:
        every = ["frontmatter", "event-log", "markdown", "checklist", "records"]
        assert sources(connection, login.team_id, PROJECT) == sources(connection, login.team_id, "") == every
        assert sources(connection, login.team_id, OTHER) == []
        counted = {one: sum(board.counts(connection, login.team_id, Filter(source=one)).values()) for one in every}
        assert counted == {"frontmatter": 4, "event-log": 9, "markdown": 4, "checklist": 12, "records": 6}
        assert sum(board.counts(connection, login.team_id, Filter()).values()) == 35
        told = history.activity(connection, login.team_id, Filter(source="markdown"), limit=100)
        assert {entry.wp_id for entry in told} == {"BACK-7", "BACK-14", "BACK-21", "BACK-28"}
    before = standing(engine)
    with writing(engine) as connection:
        projections.rebuild(connection, login.team_id)
    assert standing(engine) == before


def test_lanes_of_two_sources_are_those_of_one_board_only_by_what_they_mean(engine: Engine, login: Login) -> None:
    take(engine, login, [step("checklist", "T001", "planned", "done", lamport=1)])
    assert keys(engine, login) == ["planned", "done"]
    take(engine, login, [step("markdown", "BACK-1", "to_do", "done", lamport=2, project_uuid=OTHER)])
    assert keys(engine, login) == ["planned", "done"]
    assert keys(engine, login, project=OTHER) == ["done"]
    assert keys(engine, login, project="") == ["category-backlog", "category-done"]
    take(engine, login, [moved("WP01", "planned", "doing", lamport=3)])
    assert keys(engine, login) == keys(engine, login, project="") == SIX[:4]
    assert keys(engine, login, "checklist", "") == ["planned", "done"]


def test_what_was_only_created_counts_as_of_its_features_source(engine: Engine, login: Login) -> None:
    """Version 1.0.0 of a creation states none, and says what both spec-kitties say."""
    mission: dict[str, Any] = {"payload": {"feature_slug": "mission"}}
    older: dict[str, Any] = {"payload": {"feature_slug": "older"}}
    take(engine, login, [created("WP01", lamport=1, **mission), created("WP02", lamport=2, **mission)])
    assert keys(engine, login) == FOUR
    assert ids(engine, login, "frontmatter") == ["WP01", "WP02"]
    take(engine, login, [moved_3("WP01", "planned", "claimed", lamport=3, source="event-log", **mission)])
    assert keys(engine, login) == NINE
    assert ids(engine, login, "event-log") == ["WP01", "WP02"]
    assert ids(engine, login, "frontmatter") == []
    # A feature of which nothing is known is of the log that its project has.
    take(engine, login, [created("WP01", lamport=4, payload={"feature_slug": "new"})])
    assert keys(engine, login) == NINE
    assert ids(engine, login, "event-log") == ["WP01", "WP01", "WP02"]
    take(engine, login, [created("WP05", lamport=5, **older), moved("WP06", "planned", "done", lamport=6, **older)])
    assert ids(engine, login, "frontmatter") == ["WP05", "WP06"]
    assert keys(engine, login) == SIX


def test_a_page_of_one_source_hears_of_what_becomes_another_ones(engine: Engine, login: Login) -> None:
    take(engine, login, [created("WP01", lamport=1), created("WP02", lamport=2)])
    with reading(engine) as connection:
        everything = board.changes(connection, login.team_id, Filter(), after=0)
    assert everything is not None
    take(engine, login, [moved_3("WP01", "planned", "claimed", lamport=3, source="event-log")])
    with reading(engine) as connection:
        wanted = Filter(source="frontmatter")
        news = board.changes(connection, login.team_id, wanted, after=everything.position)
    assert news is not None
    assert {board.dom_id((PROJECT, "001-purr", one)) for one in ("WP01", "WP02")} == set(news.gone)


def test_the_last_source_that_is_stated_counts(engine: Engine, login: Login) -> None:
    """Lanes go from frontmatter to an event log; what a person tells by hand states none."""
    later = [moved("WP01", "planned", "doing", lamport=1)]
    later.append(moved_3("WP01", "in_progress", "for_review", lamport=2, source="event-log"))
    later.append(moved_3("WP01", "for_review", "approved", lamport=3, observer="by hand"))
    for one in later[::-1]:
        take(engine, login, [one])
    with reading(engine) as connection:
        card = board.card(connection, login.team_id, (PROJECT, "001-purr", "WP01"))
    assert card is not None
    assert (card.source, card.lane) == ("event-log", "approved")


def test_a_database_from_before_has_them_afterwards(engine: Engine, login: Login) -> None:
    """What a migration puts into new columns is what a rebuild would."""
    told = [one for one in story() if one.get("source") in (None, "event-log")]
    take(engine, login, [*told, created("BACK-10", lamport=90, schema_version="1.1.0")])
    expected = standing(engine)
    names = [name for name, _ in migrations.MIGRATIONS]
    first = names.index("order of ids")
    with writing(engine) as connection:
        connection.execute(text("DROP INDEX work_packages_by_id"))
        for column in ("place", "source"):
            connection.execute(text(f"ALTER TABLE work_packages DROP COLUMN {column}"))
        connection.execute(text("DELETE FROM schema_versions WHERE version > :last"), {"last": first})
    assert migrations.migrate(engine) == names[first:]
    with reading(engine) as connection:
        rows = connection.execute(select(work_packages.c.wp_id, work_packages.c.place, work_packages.c.source)).all()
    assert all(row.place == natural(row.wp_id) for row in rows)
    assert {row.source for row in rows} == {"", "frontmatter", "event-log"}
    with writing(engine) as connection:
        projections.rebuild(connection, login.team_id)
    assert standing(engine) == expected


# In a browser.


@pytest.fixture
def hub(start_hub: Callable[..., Hub], sqlite_database: str) -> Hub:
    return start_hub(sqlite_database)


@some("width", [1440, 360], quick=1)
def test_a_project_is_opened_up_by_source(
    new_page: Callable[..., Page], hub: Hub, machine: Machine, axe: str, tmp_path: Path, width: int
) -> None:
    assert set(machine.statuses(story())) == {"success"}
    page = new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    sign_in(page, f"{hub.url}/?project={PROJECT}")
    is_live(page)

    def is_sound(name: str) -> None:
        assert page.evaluate(CUT) == []
        picture(page, tmp_path, f"sources-{name}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_faults(page, axe) == []

    def lanes() -> list[str]:
        return page.locator(".lanes .lane h2").all_inner_texts()

    chips = page.locator(".sources .chip")
    names = ["All sources", "Frontmatter", "Event log", "Markdown", "Checklist", "Records"]
    expect(chips).to_have_text(names)
    assert lanes() == ["To do", "In progress", "In review", "Done", "Blocked", "Canceled"]
    expect(page.locator(".lanes .card")).to_have_count(35)
    is_sound("all")
    for name, shown in {
        "Frontmatter": ["Planned", "Doing", "For review", "Done"],
        "Markdown": ["To do", "In progress", "Qa", "Done"],
        "Checklist": ["Planned", "Done"],
        "Records": ["Pending", "In progress", "Review", "Done", "Deferred", "Cancelled"],
    }.items():
        chips.get_by_text(name, exact=True).click()
        expect(page.locator(".sources [aria-current]")).to_have_text(name)
        assert lanes() == shown
        is_sound(name.lower())
    expect(page).to_have_url(f"{hub.url}/?project={PROJECT}&source=records")


def test_the_filter_of_a_source_holds_for_what_arrives(
    new_page: Callable[..., Page], hub: Hub, machine: Machine
) -> None:
    machine.statuses(story())
    page = new_page(reduced_motion="reduce")
    sign_in(page, f"{hub.url}/?project={PROJECT}&source=records")
    is_live(page)
    expect(page.locator(".sources [aria-current]")).to_have_text("Records")
    machine.statuses(
        [
            step("records", "9-1-log-out", "backlog", "review", lamport=200),
            step("markdown", "BACK-99", "to_do", "in_progress", lamport=201),
        ]
    )
    expect(page.locator("#lane-review .id")).to_have_text(["9-1-log-out", "3-4-user-login"])
    expect(page.locator(".lanes .card .id", has_text="BACK-99")).to_have_count(0)
    # A lane more is a column more.
    machine.statuses([step("records", "9-1-log-out", "review", "drafted", lamport=202)])
    expect(page.locator(".lanes .lane")).to_have_count(7)
    page.fill("[name=text]", "log")
    expect(page.locator(".lanes .card")).to_have_count(7)
    expect(page).to_have_url(f"{hub.url}/?text=log&project={PROJECT}&source=records")
    page.locator(".lanes .open").first.click()
    expect(page.locator("#drawer .facts")).to_contain_text("Records")


def test_a_source_that_comes_is_offered(new_page: Callable[..., Page], hub: Hub, machine: Machine) -> None:
    machine.statuses([moved("WP01", "planned", "doing", lamport=1)])
    page = new_page()
    sign_in(page, hub.url)
    is_live(page)
    expect(page.locator(".sources")).to_have_count(0)
    machine.statuses([moved_3("WP01", "planned", "claimed", lamport=2, source="event-log", project_uuid=OTHER)])
    expect(page.locator(".sources .chip")).to_have_text(["All sources", "Frontmatter", "Event log"])
    expect(page.locator(".lanes .lane")).to_have_count(6)
    # The columns are the same with it.
    machine.statuses([step("markdown", "BACK-1", "to_do", "in_progress", lamport=3)])
    expect(page.locator(".sources .chip")).to_have_text(["All sources", "Frontmatter", "Event log", "Markdown"])


def test_machines_ask_for_a_source_too(hub: Hub, machine: Machine) -> None:
    feature = {"feature_slug": "of-markdown", "feature_number": None, "target_branch": "main", "wp_count": 4}
    told = story()
    told.append(event("FeatureCreated", feature | {"created_at": "2026-03-01T00:00:01+00:00"}, lamport=300))
    machine.statuses(told)

    def asked(**query: str) -> list[Any]:
        response = machine.http.get("/api/v1/events/", params=query, headers=machine.headers)
        assert response.status_code == httpx.codes.OK
        return [one["payload"].get("wp_id") for one in response.json()["events"]]

    assert set(asked(source="markdown")) == {"BACK-7", "BACK-14", "BACK-21", "BACK-28"}
    assert set(asked(source="event-log")) == {f"WP{n:02}" for n in range(1, 10)}
    assert asked(source="markdown", wp_id="BACK-7") == ["BACK-7"]
    assert asked(source="nothing\0") == []
