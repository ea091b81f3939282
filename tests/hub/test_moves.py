"""A work package that moved to another feature: one card, in the feature that it is in now, whatever came first."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import connect

from kittywatch.hub.names import Names, moved, shown_names
from tests.hub.hubs import PROJECT, Hub, Machine, created, event
from tests.hub.hubs import moved as step
from tests.hub.test_renames import OTHER_PROJECT, browser, rebuild, rename, send, standing, statuses
from tests.waiting import DEADLINE

OLD, NEW, LATER = "m-1", "m-2", "m-3"
IN_OLD, IN_NEW = {"feature_slug": OLD}, {"feature_slug": NEW}
NEWER: dict[str, Any] = {"schema_version": "1.1.0", "source": "markdown"}


def move(old: Any = OLD, new: Any = NEW, wp_id: Any = "BACK-2", **changes: Any) -> dict[str, Any]:
    return rename(old, new, wp_id=wp_id, **changes)


def history() -> tuple[list[Any], list[Any]]:
    """What is told before and after BACK-2 goes to another milestone; BACK-1 stays."""
    before = [
        created("BACK-1", "Stays", lamport=1, payload=IN_OLD, **NEWER),
        created("BACK-2", "Goes", needs=["BACK-1"], lamport=2, payload=IN_OLD, **NEWER),
        step("BACK-2", "planned", "doing", lamport=3, payload=IN_OLD, **NEWER),
        step("BACK-1", "planned", "done", lamport=4, payload=IN_OLD, **NEWER),
    ]
    after = [
        created("BACK-3", "Was there", lamport=5, payload=IN_NEW, **NEWER),
        step("BACK-2", "doing", "for_review", lamport=6, payload=IN_NEW, **NEWER),
    ]
    return before, after


def cards(hub: Hub) -> list[tuple[str, str]]:
    """The cards of the board: feature and id."""
    with browser(hub) as pages:
        board = pages.get("/").text
    paths = [part.split('"')[0] for part in board.split(f'class="open" href="/wp/{PROJECT}/')[1:]]
    return sorted((path.split("/")[0], path.split("/")[1]) for path in paths)


def test_there_is_one_card_with_its_whole_story(hub: Hub, machine: Machine) -> None:
    before, after = history()
    send(machine, before)
    answer = send(machine, after[:1], move())
    assert answer["renames"] == [
        {
            "project_uuid": PROJECT,
            "feature_slug": OLD,
            "renamed_to": NEW,
            "wp_id": "BACK-2",
            "commit": "c" * 40,
            "status": "success",
        }
    ]
    assert cards(hub) == [(OLD, "BACK-1"), (NEW, "BACK-2"), (NEW, "BACK-3")]
    assert set(machine.statuses(after[1:])) == {"success"}
    assert cards(hub) == [(OLD, "BACK-1"), (NEW, "BACK-2"), (NEW, "BACK-3")]
    with browser(hub) as pages:
        for feature in (NEW, OLD):  # an address from before leads there too
            page = pages.get(f"/wp/{PROJECT}/{feature}/BACK-2")
            assert page.status_code == 200
            assert page.text.count("</pre>") == 3
        board = pages.get("/").text
        assert 'name">m-1</bdi><span class="count">1/1</span>' in board
        assert 'name">m-2</bdi><span class="count">0/2</span>' in board
        shown = pages.get(f"/?project={PROJECT}&feature={OLD}").text
        assert ("BACK-1</span>" in shown, "BACK-2</span>" in shown) == (True, False)
        counts = pages.get(f"/feature/{PROJECT}/{NEW}").text
        assert "<b>1</b> In review" in counts
    for feature in (NEW, OLD):
        asked = {"feature": feature, "wp_id": "BACK-2"}
        listed = machine.http.get("/api/v1/events/", params=asked, headers=machine.headers).json()["events"]
        assert [one["event_id"] for one in listed] == [
            before[1]["event_id"],
            before[2]["event_id"],
            after[1]["event_id"],
        ]


def test_a_move_is_taken_once_and_a_rebuild_changes_nothing(hub: Hub, machine: Machine) -> None:
    before, after = history()
    send(machine, before)
    assert statuses(send(machine, after, move())) == ["success"]
    there = standing(hub.database)
    assert statuses(send(machine, [], move(), move(commit="c" * 40))) == ["duplicate", "duplicate"]
    assert machine.statuses(before + after) == ["duplicate"] * 6
    assert standing(hub.database) == there
    rebuild(hub.database)
    assert standing(hub.database) == there


def test_whatever_comes_first(hub: Hub, machine: Machine) -> None:
    """The move before all events; the events under the new feature before it and those under the old one after."""
    before, after = history()
    assert statuses(send(machine, [], move())) == ["success"]
    send(machine, after)
    send(machine, before)
    expected = [(OLD, "BACK-1"), (NEW, "BACK-2"), (NEW, "BACK-3")]
    assert cards(hub) == expected
    there = standing(hub.database)
    rebuild(hub.database)
    assert standing(hub.database) == there


def test_there_and_back_and_on(hub: Hub, machine: Machine) -> None:
    before, _ = history()
    send(machine, before)
    where: list[str] = []
    for old, new, commit in (
        *((OLD, NEW, "1"), (NEW, OLD, "2"), (OLD, NEW, "3"), (NEW, LATER, "4")),
        *((LATER, OLD, None), (OLD, LATER, None), (LATER, OLD, None)),
    ):
        assert statuses(send(machine, [], move(old, new, commit=commit))) == ["success"]
        where += [feature for feature, wp_id in cards(hub) if wp_id == "BACK-2"]
    assert where == [NEW, OLD, NEW, LATER, OLD, LATER, OLD]
    # What another machine tells of the same commits, late, changes nothing.
    late = send(machine, [], move(OLD, NEW, commit="1"), move(NEW, OLD, commit="2"), move(LATER, OLD, commit=None))
    assert statuses(late) == ["duplicate"] * 3
    assert (OLD, "BACK-2") in cards(hub)
    once = send(machine, [], move(OLD, NEW, commit=None), move(NEW, OLD, commit=None), move(OLD, NEW, commit=None))
    assert statuses(once) == ["success"] * 3
    assert (NEW, "BACK-2") in cards(hub)
    there = standing(hub.database)
    rebuild(hub.database)
    assert standing(hub.database) == there


def test_beside_features_that_are_renamed(hub: Hub, machine: Machine) -> None:
    before, after = history()
    send(machine, [*before, *after])
    assert statuses(send(machine, [], move(), rename(NEW, "second"), rename(OLD, "first"))) == ["success"] * 3
    expected = [("first", "BACK-1"), ("second", "BACK-2"), ("second", "BACK-3")]
    assert cards(hub) == expected
    machine.statuses([step("BACK-2", "for_review", "done", lamport=9, payload=IN_OLD, **NEWER)])
    assert cards(hub) == expected
    # Its other moves are known under names that features don't have any more.
    assert statuses(send(machine, [], move("third", "fourth"), rename("second", "third"))) == ["success"] * 2
    assert cards(hub) == [("first", "BACK-1"), ("fourth", "BACK-2"), ("third", "BACK-3")]
    there = standing(hub.database)
    rebuild(hub.database)
    assert standing(hub.database) == there


def test_a_rename_joins_what_moves_had_apart(hub: Hub, machine: Machine) -> None:
    before, after = history()
    send(machine, [*before, *after], move(), move("m-8", "m-9"))
    assert (NEW, "BACK-2") in cards(hub)
    assert statuses(send(machine, [], rename(NEW, "m-8"))) == ["success"]
    assert cards(hub) == [(OLD, "BACK-1"), ("m-8", "BACK-3"), ("m-9", "BACK-2")]
    there = standing(hub.database)
    rebuild(hub.database)
    assert standing(hub.database) == there


def test_what_is_refused_and_whose_it_is(
    hub: Hub, machine: Machine, foreign_machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = history()
    send(machine, [*before, created("BACK-2", lamport=9, payload=IN_OLD, project_uuid=OTHER_PROJECT, **NEWER)])
    there = standing(hub.database)
    refused = [
        *(move(wp_id=one) for one in ("", "a b", "../x", "-1", "x" * 41, 7, ["BACK-2"], "BACK-2\n")),
        *(
            move(new=OLD),
            move(new=".."),
            move(new="a\0"),
            move(commit="c" * 65),
            move(commit="\0"),
            move(project_uuid="x"),
        ),
    ]
    answer = send(machine, [], *refused)
    assert statuses(answer) == ["rejected"] * len(refused)
    assert all(one["error_message"] for one in answer["renames"])
    assert statuses(send(foreign_machine, [], move())) == ["success"]
    assert standing(hub.database) == there
    assert statuses(send(machine, [], move())) == ["success"]
    assert cards(hub) == [(OLD, "BACK-1"), (NEW, "BACK-2")]
    with browser(hub) as pages:
        assert f"/wp/{OTHER_PROJECT}/{OLD}/BACK-2" in pages.get("/").text


def test_a_feature_may_have_any_name(hub: Hub, machine: Machine) -> None:
    """A milestone is no directory."""
    before, _ = history()
    name = "v1/beta & more?"
    assert statuses(send(machine, before, move(new=name))) == ["success"]
    with browser(hub) as pages:
        board = pages.get("/").text
        path = f"/wp/{PROJECT}/v1%2Fbeta%20%26%20more%3F/BACK-2"
        assert f'class="open" href="{path}"' in board
        page = pages.get(path).text
    assert page.count("</pre>") == 2


def test_the_hub_says_that_it_takes_them(hub: Hub, machine: Machine) -> None:
    assert "work-package-renames" in machine.http.get("/api/v1/").json()["features"]


def test_it_waits_for_what_it_needs_wherever_that_is(hub: Hub, machine: Machine) -> None:
    """BACK-2 needs BACK-1, which stays in the other feature; ids of records are each feature's own."""
    before, after = history()
    other: dict[str, Any] = {"schema_version": "1.1.0", "source": "records"}
    send(machine, [*before, *after], move())
    send(machine, [created("7", needs=["6"], lamport=7, payload=IN_NEW, **other)])
    send(machine, [step("6", "pending", "done", lamport=8, payload=IN_OLD, **other)])

    def waiting() -> list[str]:
        with browser(hub) as pages:
            page = pages.get("/", params={"blocked": "1"}).text
            tags = pages.get("/").text.count('class="tag waits"')
        shown = re.findall(r'class="open" href="/wp/[^"]*/([^"/]*)"', page)
        assert tags == len(shown)
        return sorted(shown)

    assert waiting() == ["7"]
    with browser(hub) as pages:
        position = pages.get("/").text.split('data-position="')[1].split('"')[0]
        headers = {"Cookie": pages.headers["Cookie"], "Origin": hub.url}
    url = f"{hub.url.replace('http', 'ws', 1)}/live?after={position}"
    with connect(url, additional_headers=headers, proxy=None) as page:
        send(machine, [step("BACK-1", "done", "doing", lamport=9, payload=IN_OLD, **NEWER)])
        while (said := json.loads(page.recv(timeout=DEADLINE)))["type"] != "changes":
            assert said["type"] in ("hello", "ping"), said
    assert {card["said"].split()[0] for card in said["cards"]} == {"BACK-1", "BACK-2"}
    assert waiting() == ["7", "BACK-2"]


def test_open_pages_begin_anew(hub: Hub, machine: Machine) -> None:
    before, _ = history()
    send(machine, before)
    with browser(hub) as pages:
        position = pages.get("/").text.split('data-position="')[1].split('"')[0]
        headers = {"Cookie": pages.headers["Cookie"], "Origin": hub.url}
    url = f"{hub.url.replace('http', 'ws', 1)}/live?after={position}"
    with connect(url, additional_headers=headers, proxy=None) as page:
        send(machine, [], move())
        while (said := json.loads(page.recv(timeout=DEADLINE)))["type"] != "reload":
            assert said["type"] in ("hello", "ping", "changes"), said


def test_errors_and_aliases_go_along(hub: Hub, machine: Machine) -> None:
    """What another machine told of the same step, under the other feature, is the same step."""
    before, after = history()
    twin = step("BACK-2", "planned", "doing", lamport=8, payload=IN_NEW, node_id="b" * 12, **NEWER)
    said = {"wp_id": "BACK-2", "error_type": "validation", "error_message": "twice", "feature_slug": OLD}
    error = event("ErrorLogged", said | {"stack_trace": None, "agent_id": None}, lamport=7)
    send(machine, [*before, error], move())
    send(machine, [*after, twin])
    body = {"events": [], "aliases": [{"alias": twin["event_id"], "event_id": before[2]["event_id"]}]}
    answer = machine.http.post("/api/v1/events/batch/", json=body, headers=machine.headers).json()
    assert [one["status"] for one in answer["aliases"]] == ["success"]
    with browser(hub) as pages:
        page = pages.get(f"/wp/{PROJECT}/{NEW}/BACK-2").text
    assert page.count("</pre>") == 4, "created, moved once, the error, moved again"
    there = standing(hub.database)
    rebuild(hub.database)
    assert standing(hub.database) == there


# Pure.


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=8))
def test_moves_in_their_order_end_where_the_last_one_led(steps: list[tuple[str, str]]) -> None:
    """Whoever goes from feature to feature is in the last one."""
    path = ["a"]
    for _, after in steps:
        if after != path[-1]:
            path.append(after)
    pairs = list(pairwise(path))
    if pairs:
        shown = shown_names(moved(pairs, {}))
        assert set(shown.values()) == {path[-1]}


def test_names() -> None:
    names = Names(features={("p", "a"): "b"}, packages={("p", "b", "X-1"): "c", ("p", "c", "X-1"): "c"})
    assert names.shown("p", "a") == "b"
    assert names.shown("p", "a", "X-1") == names.shown("p", "b", "X-1") == "c"
    assert names.shown("p", "a", "X-2") == "b"
    assert names.shown("q", "a", "X-1") == "a"
    assert moved([("a", "b"), ("b", "c")], {"a": "b"}) == [("b", "c")]
