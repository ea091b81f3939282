"""Work packages with ids of any source: in the order in which people read them, each with a page of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.hub.browsers import ids_in, is_live, sign_in
from tests.hub.hubs import FEATURE, PROJECT, Hub, Machine, created, event, moved

# As they stand on the board.
IDS = [
    *("1", "1-2-user-login", "1.", "1.1", "1.2", "1.10", "12", "12.3"),
    *("A..B", "BACK-1.2", "BACK-1.10", "BACK-2", "back-3", "BACK-10", "BACK-222"),
    *("T001", "T002", "T010", "WP01", "WP99", "WP100", "x" * 40),
]
AT_ONCE = {"timestamp": "2026-03-01T00:00:01+00:00"}


def of_any_version(wp_id: str) -> dict[str, str]:
    return {"schema_version": "1.0.0" if re.fullmatch(r"WP\d\d", wp_id) else "1.1.0"}


def all_created(ids: list[str], *, lamport: int = 1, **changes: Any) -> list[Any]:
    return [
        created(one, f"Title of {one}", lamport=n, **of_any_version(one), **AT_ONCE, **changes)
        for n, one in enumerate(ids, start=lamport)
    ]


@pytest.fixture
def pages(hub: Hub) -> Iterator[httpx.Client]:
    cookie = hub.open_login("mira", kind="browser").secret
    with httpx.Client(base_url=hub.url, headers={"Cookie": f"kittywatch={cookie}"}, trust_env=False) as client:
        yield client


def ids_of(html: str) -> list[str]:
    return re.findall(r'<span class="id">([^<]*)</span> <bdi class="title"', html)


def test_each_has_its_page_and_its_events(hub: Hub, machine: Machine, pages: httpx.Client) -> None:
    assert set(machine.statuses(all_created(IDS[::-1]))) == {"success"}
    assert ids_of(pages.get("/").text) == IDS
    for one in IDS:
        page = pages.get(f"/wp/{PROJECT}/{FEATURE}/{quote(one, safe='')}")
        assert page.status_code == 200
        assert f"Title of {one}<" in page.text
        assert pages.get(f"/wp/{PROJECT}/{FEATURE}/{one}").text.count("</pre>") == 1
        asked = {"wp_id": one, "feature": FEATURE}
        found = machine.http.get("/api/v1/events/", params=asked, headers=machine.headers).json()["events"]
        assert [told["payload"]["wp_id"] for told in found] == [one]
    assert ids_of(pages.get("/", params={"text": "back-1."}).text) == ["BACK-1.2", "BACK-1.10"]


def test_a_lane_of_many_pages_goes_on_in_their_order(hub: Hub, machine: Machine, pages: httpx.Client) -> None:
    ids = [f"BACK-{n // 10}.{n % 10}" if n % 3 else f"back-{n}" for n in range(1, 131)]
    machine.statuses(all_created(ids))
    text = pages.get("/").text
    shown = ids_of(text)
    while more := re.search(r'href="(/cards\?[^"]*)"', text):
        text = pages.get(more[1].replace("&amp;", "&")).text
        shown += ids_of(text)
    assert len(shown) == 130

    def numbers(one: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", one)]

    assert [numbers(one) for one in shown] == sorted(numbers(one) for one in ids)


def test_an_error_stands_in_the_story_of_what_it_is_of(hub: Hub, machine: Machine, pages: httpx.Client) -> None:
    machine.statuses(all_created(["BACK-1.2"]))
    said = {"error_type": "validation", "stack_trace": None, "agent_id": None, "feature_slug": FEATURE}
    for n, wp_id in enumerate(("BACK-1.2", "no id/at all?")):
        payload = said | {"wp_id": wp_id, "error_message": f"error {n}"}
        machine.statuses([event("ErrorLogged", payload, lamport=8 + n)])
    assert "error 0" in pages.get(f"/wp/{PROJECT}/{FEATURE}/BACK-1.2").text
    activity = pages.get("/activity").text
    link = re.search(r'<a href="([^"]*)"( data-drawer)?>no id/at all\?</a>', activity)
    assert link is not None
    assert link.groups() == (f"/feature/{PROJECT}/{FEATURE}", None)


def test_the_board_of_a_browser(new_page: Callable[..., Page], hub: Hub, machine: Machine) -> None:
    """What arrives goes where it belongs; the drawer, its address and the search know every id."""
    told = all_created(["BACK-10", "1.10", "T001"])
    told.append(created("BACK-2", needs=["BACK-10", "BACK-9", "1.10"], lamport=4, schema_version="1.1.0", **AT_ONCE))
    machine.statuses(told)
    page = new_page(reduced_motion="reduce")
    sign_in(page, hub.url)
    is_live(page)
    assert ids_in(page, "planned") == ["1.10", "BACK-2", "BACK-10", "T001"]
    page.evaluate("window.untouched = true")
    machine.statuses(all_created(["BACK-9", "BACK-111", "1.9"], lamport=5))
    in_order = ["1.9", "1.10", "BACK-2", "BACK-9", "BACK-10", "BACK-111", "T001"]
    expect(page.locator("#lane-planned .card .id")).to_have_text(in_order)
    assert page.evaluate("window.untouched") is True
    card = page.locator(".card", has=page.get_by_text("BACK-2", exact=True))
    expect(card.locator(".waits")).to_have_text("Blocked by 1.10 BACK-9 BACK-10")
    card.locator(".open").click()
    expect(page.locator("#drawer h2 .id")).to_have_text("BACK-2")
    expect(page.locator("#drawer dd .waits")).to_have_text("1.10, BACK-9, BACK-10")
    machine.statuses([moved("BACK-2", "planned", "doing", lamport=9, schema_version="1.1.0")])
    expect(page.locator("#drawer .moment").first).to_contain_text("claude moved")
    page.reload()
    is_live(page)
    expect(page.locator("#drawer h2 .id")).to_have_text("BACK-2")
    page.locator("#drawer .close").click()
    page.fill("[name=text]", "1.1")
    expect(page.locator(".lanes .card .id")).to_have_text(["1.10"])
    page.fill("[name=text]", "")
    page.locator("#activity a", has_text="BACK-111").click()
    expect(page.locator("#drawer h2 .id")).to_have_text("BACK-111")


def test_features_stand_by_their_numbers_too(new_page: Callable[..., Page], hub: Hub, machine: Machine) -> None:
    names = [{"feature_slug": f"v1.{n}"} for n in (2, 10, 9)]
    machine.statuses([created("WP01", lamport=n, payload=one) for n, one in enumerate(names, start=1)])
    page = new_page()
    sign_in(page, hub.url)
    is_live(page)
    expect(page.locator("#tree .name")).to_have_text(["v1.10", "v1.9", "v1.2"])
    machine.statuses([created("WP01", lamport=9, payload={"feature_slug": "v1.11"})])
    expect(page.locator("#tree .name")).to_have_text(["v1.11", "v1.10", "v1.9", "v1.2"])
