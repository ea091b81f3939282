"""A feature's directory that was renamed: everything of it is shown under its new name, whatever came first."""

from __future__ import annotations

import gzip
import itertools
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from websockets.sync.client import connect

from kittywatch.hub import export, projections
from kittywatch.hub.database import open_engine, reading, writing
from kittywatch.hub.names import shown_names
from kittywatch.hub.offers import LONGEST_NAME
from kittywatch.hub.renaming import MOST_OF_PROJECT, TOO_MANY
from kittywatch.hub.schema import PROJECTIONS, events
from tests.hub.hubs import FEATURE, PROJECT, Hub, Machine, created, event, moved
from tests.waiting import DEADLINE

NEW = "007-groom"
OTHER_PROJECT = "7d444840-9dc0-41d1-b245-5ffdce74fad2"


def rename(old: Any = FEATURE, new: Any = NEW, **changes: Any) -> dict[str, Any]:
    said = {"project_uuid": PROJECT, "feature_slug": old, "renamed_to": new, "commit": "c" * 40}
    return said | changes


def send(machine: Machine, told: list[Any], *renames: Any) -> dict[str, Any]:
    content = gzip.compress(json.dumps({"events": told, "renames": renames}).encode())
    headers = machine.headers | {"Content-Encoding": "gzip"}
    response = machine.http.post("/api/v1/events/batch/", content=content, headers=headers)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def statuses(answer: dict[str, Any]) -> list[str]:
    return [one["status"] for one in answer["renames"]]


def named(feature: str, **payload: Any) -> dict[str, Any]:
    return {"payload": {"feature_slug": feature, **payload}}


def history(*, old: str = FEATURE, new: str = NEW) -> tuple[list[Any], list[Any]]:
    """What is told before and after the directory was renamed."""
    feature = {"feature_slug": old, "feature_number": "001", "target_branch": "main", "wp_count": 2}
    before = [
        event("FeatureCreated", feature | {"created_at": "2026-03-01T00:00:01+00:00"}, lamport=1),
        created("WP01", "Purr", lamport=2, **named(old)),
        created("WP02", "Purr louder", needs=["WP01"], lamport=3, **named(old)),
        moved("WP01", "planned", "doing", lamport=4, **named(old)),
    ]
    after = [
        moved("WP01", "doing", "for_review", lamport=5, **named(new)),
        moved("WP02", "planned", "doing", lamport=6, **named(new)),
        created("WP03", "Purr at night", lamport=7, **named(new)),
    ]
    return before, after


def standing(database: str) -> list[list[tuple[Any, ...]]]:
    """The projections, and which event is shown under which name."""
    engine = open_engine(database)
    with reading(engine) as connection:
        tables = [sorted(map(tuple, connection.execute(select(table))), key=repr) for table in PROJECTIONS]
        told = connection.execute(select(events.c.event_id, events.c.feature).order_by(events.c.event_id)).all()
    engine.dispose()
    return [*tables, [tuple(row) for row in told]]


def rebuild(database: str) -> None:
    engine = open_engine(database)
    with writing(engine) as connection:
        projections.rebuild(connection, 1)
    engine.dispose()


def browser(hub: Hub) -> httpx.Client:
    cookie = hub.open_login("mira", kind="browser").secret
    return httpx.Client(base_url=hub.url, headers={"Cookie": f"kittywatch={cookie}"}, trust_env=False)


def test_everything_is_shown_under_the_new_name(hub: Hub, machine: Machine) -> None:
    before, after = history()
    send(machine, before)
    answer = send(machine, after[:2], rename())
    assert answer["renames"] == [
        {"project_uuid": PROJECT, "feature_slug": FEATURE, "renamed_to": NEW, "status": "success"}
    ]
    assert set(machine.statuses(after[2:])) == {"success"}
    with browser(hub) as pages:
        board = pages.get("/").text
        assert f"/wp/{PROJECT}/{NEW}/WP01" in board
        assert FEATURE not in board
        page = pages.get(f"/wp/{PROJECT}/{NEW}/WP01").text
        assert page.count("</pre>") == 3, "the whole timeline"
        assert 'name">007-groom</bdi><span class="count">0/3</span>' in board
        for path in (
            f"/wp/{PROJECT}/{{}}/WP01",
            f"/feature/{PROJECT}/{{}}",
            f"/activity?project={PROJECT}&feature={{}}",
        ):
            new, old = (pages.get(path.format(name)) for name in (NEW, FEATURE))
            assert new.status_code == old.status_code == 200
            assert new.text.count(NEW) == old.text.count(NEW) > 0
        shown = pages.get(f"/?project={PROJECT}&feature={FEATURE}").text
        assert shown.count(f"/wp/{PROJECT}/{NEW}/WP0") == board.count(f"/wp/{PROJECT}/{NEW}/WP0")
    for name in (NEW, FEATURE):
        listed = machine.http.get("/api/v1/events/", params={"feature": name}, headers=machine.headers).json()
        assert [one["event_id"] for one in listed["events"]] == [one["event_id"] for one in before + after]


def test_an_export_has_the_events_as_they_are_and_the_name_beside_them(hub: Hub, machine: Machine) -> None:
    before, after = history()
    send(machine, [*before, *after], rename())
    engine = open_engine(hub.database)
    with reading(engine) as connection:
        plain = [json.loads(line) for line in export.lines(connection, 1)]
        beside = [json.loads(line) for line in export.lines(connection, 1, with_originals=True)]
    engine.dispose()
    assert [one["payload"]["feature_slug"] for one in plain] == [FEATURE] * 4 + [NEW] * 3
    assert [one["event"] for one in beside] == plain
    assert {one["feature"] for one in beside} == {NEW}


def test_a_rename_is_taken_once_and_a_rebuild_changes_nothing(hub: Hub, machine: Machine) -> None:
    before, after = history()
    send(machine, before)
    assert statuses(send(machine, after, rename())) == ["success"]
    there = standing(hub.database)
    assert statuses(send(machine, [], rename(), rename(commit=None))) == ["duplicate", "duplicate"]
    assert machine.statuses(before + after) == ["duplicate"] * 7
    assert standing(hub.database) == there
    rebuild(hub.database)
    assert standing(hub.database) == there


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ([("a", "b")], {"a": "b", "b": "b"}),
        ([("a", "b"), ("b", "c")], dict.fromkeys("abc", "c")),
        ([("b", "c"), ("a", "b")], dict.fromkeys("abc", "c")),
        ([("a", "b"), ("a", "c")], dict.fromkeys("abc", "c")),
        ([("a", "c"), ("a", "b"), ("b", "c")], dict.fromkeys("abc", "c")),
        ([("a", "b"), ("b", "a")], dict.fromkeys("ab", "a")),
        ([("a", "b"), ("b", "a"), ("a", "c")], dict.fromkeys("abc", "c")),
        ([("a", "b"), ("x", "y")], {"a": "b", "b": "b", "x": "y", "y": "y"}),
    ],
)
def test_the_name_that_no_rename_leads_on_from_is_shown(told: list[tuple[str, str]], shown: dict[str, str]) -> None:
    assert shown_names(told) == shown


def test_what_is_refused(hub: Hub, machine: Machine) -> None:
    before, _ = history()
    send(machine, before)
    there = standing(hub.database)
    refused = [
        {},
        "rename",
        rename(new=FEATURE),
        rename(new=""),
        rename(new=".."),
        rename(new="a/b"),
        rename(new="a\0b"),
        rename(new="x" * (LONGEST_NAME + 1)),
        rename(new=7),
        rename(project_uuid="elsewhere"),
        rename(commit="c" * 65),
    ]
    answer = send(machine, [], *refused)
    assert statuses(answer) == ["rejected"] * len(refused)
    assert all(one["error_message"] for one in answer["renames"])
    assert standing(hub.database) == there
    many = [rename(f"{n:04d}-a", f"{n:04d}-b") for n in range(MOST_OF_PROJECT + 1)]
    told = send(machine, [], *many[:600]), send(machine, [], *many[600:])
    assert list(itertools.chain(*map(statuses, told))) == ["success"] * MOST_OF_PROJECT + ["rejected"]
    assert told[1]["renames"][-1]["error_message"] == TOO_MANY


def test_a_rename_is_of_one_project_and_one_team(hub: Hub, machine: Machine, foreign_machine: Machine) -> None:
    before, _ = history()
    send(machine, before)
    send(machine, [created("WP01", lamport=9, project_uuid=OTHER_PROJECT)])
    there = standing(hub.database)
    assert statuses(send(foreign_machine, [], rename())) == ["success"]
    assert standing(hub.database) == there
    assert statuses(send(machine, [], rename())) == ["success"]
    with browser(hub) as pages:
        board = pages.get("/").text
    assert f"/wp/{OTHER_PROJECT}/{FEATURE}/WP01" in board
    assert f"/wp/{PROJECT}/{NEW}/WP01" in board


def test_open_pages_begin_anew(hub: Hub, machine: Machine) -> None:
    before, after = history()
    send(machine, before)
    with browser(hub) as pages:
        position = pages.get("/").text.split('data-position="')[1].split('"')[0]
        headers = {"Cookie": pages.headers["Cookie"], "Origin": hub.url}
    url = f"{hub.url.replace('http', 'ws', 1)}/live?after={position}&project={PROJECT}&feature={FEATURE}"
    with connect(url, additional_headers=headers, proxy=None) as page:
        send(machine, [], rename())

        def next_of(kind: str) -> Any:
            while (said := json.loads(page.recv(timeout=DEADLINE)))["type"] != kind:
                assert said["type"] in ("hello", "ping", "changes"), said
            return said

        next_of("reload")
        send(machine, after[:1])
        said = next_of("changes")
        assert [card["id"] for card in said["cards"]]
        assert NEW in said["cards"][0]["html"]


def test_two_features_that_become_one(hub: Hub, machine: Machine) -> None:
    """The events under the new name came first, as from a machine that knows nothing of the old one."""
    before, after = history()
    send(machine, after)
    assert statuses(send(machine, [], rename())) == ["success"]
    send(machine, before)
    late = standing(hub.database)
    rebuild(hub.database)
    assert standing(hub.database) == late
    with browser(hub) as pages:
        page = pages.get(f"/wp/{PROJECT}/{NEW}/WP01").text
    assert page.count("</pre>") == 3
