"""The board in a real browser: two pages, live; sign-in; a server that restarts; the keyboard alone; hostile titles."""

from __future__ import annotations

import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.hub.browsers import ids_in, is_live, serious_faults, sign_in
from tests.hub.hubs import FEATURE, PASSWORD, PROJECT, Hub, Machine, created, event, moved
from tests.selection import some
from tests.waiting import until

HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'>",
    "\"><svg onload=window.hacked=3> {{ 7 * 7 }} ' javascript:window.hacked=4",
    "\u202egnp.drac\u202c \u2066left\u2069 \u200b zero",
    "long " * 2000,
    "w" * 10_000,
]


@pytest.fixture
def hub(start_hub: Callable[..., Hub], sqlite_database: str) -> Hub:
    return start_hub(sqlite_database)


def test_signing_in_and_out(new_page: Callable[..., Page], hub: Hub) -> None:
    page = new_page()
    sign_in(page, f"{hub.url}/?text=purr", password="wrong")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]")
    expect(page.locator("[name=text]")).to_have_value("purr")
    page.click(".account summary")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(hub.url)
    expect(page).to_have_url(f"{hub.url}/sign-in?next=%2F")


def test_a_one_time_password_is_changed_at_once(new_page: Callable[..., Page], hub: Hub) -> None:
    from kittywatch.hub import accounts
    from kittywatch.hub.database import open_engine, writing

    engine = open_engine(hub.database)
    with writing(engine) as connection:
        user = accounts.user_named(connection, "tom")
        accounts.set_password(connection, user, password="one-time-words", must_change=True)
    engine.dispose()
    page = new_page()
    sign_in(page, hub.url, "tom", "one-time-words")
    expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
    page.goto(hub.url)
    expect(page).to_have_url(f"{hub.url}/password")
    page.fill("[name=current]", "one-time-words")
    page.fill("[name=new]", "a longer password")
    page.click("button[type=submit]")
    is_live(page)


def test_a_card_moves_on_both_pages_when_its_event_arrives(
    new_page: Callable[..., Page], hub: Hub, machine: Machine
) -> None:
    machine.statuses([created("WP01", "Purr", lamport=1), created("WP02", "Nap", lamport=2, needs=["WP01"])])
    pages = [new_page(), new_page(color_scheme="dark", reduced_motion="reduce")]
    for page, name in zip(pages, ("mira", "tom"), strict=True):
        sign_in(page, hub.url, name)
        is_live(page)
        assert ids_in(page, "planned") == ["WP02", "WP01"]
        page.evaluate("window.untouched = true")
    machine.statuses([moved("WP01", "planned", "doing", lamport=3)])
    for page in pages:
        expect(page.locator("#lane-doing .id")).to_have_text(["WP01"])
        expect(page.locator("#lane-planned .id")).to_have_text(["WP02"])
        expect(page.locator("#lane-planned .tag.waits")).to_contain_text("WP01")
        expect(page.locator("#announcer")).to_contain_text("WP01 Purr: Doing")
        expect(page.locator("#activity .entry").first).to_contain_text("claude moved WP01")
    machine.statuses([moved("WP01", "doing", "done", lamport=4)])
    for page in pages:
        expect(page.locator("#lane-done .id")).to_have_text(["WP01"])
        expect(page.locator("#lane-planned .tag.waits")).to_have_count(0)
        expect(page.locator(".lane [data-count=done]")).to_have_text("1")
        assert page.evaluate("window.untouched") is True


def test_the_board_says_when_the_hub_is_away_and_catches_up(board: Page, hub: Hub, machine: Machine) -> None:
    machine.statuses([created("WP01", lamport=1)])
    expect(board.locator("#lane-planned .id")).to_have_text(["WP01"])
    board.evaluate("window.untouched = true")
    hub.stop(signal.SIGKILL)
    expect(board.locator("#badge")).to_contain_text("Reconnecting")
    hub.start()
    with Machine(hub.url, machine.access) as again:
        again.statuses([moved("WP01", "planned", "doing", lamport=2), created("WP02", lamport=3)])
    is_live(board)
    expect(board.locator("#lane-doing .id")).to_have_text(["WP01"])
    expect(board.locator("#lane-planned .id")).to_have_text(["WP02"])
    assert board.evaluate("window.untouched") is True


def test_the_board_says_when_what_it_shows_may_be_old(
    new_page: Callable[..., Page], hub: Hub, machine: Machine
) -> None:
    page = new_page()
    page.clock.install()
    sign_in(page, hub.url)
    is_live(page)
    hub.stop(signal.SIGKILL)

    def says(word: str, *, after: int) -> bool:
        page.clock.fast_forward(after)
        return word in page.locator("#badge").inner_text()

    until(lambda: says("Stale", after=31_000), what="the badge to say Stale")
    hub.start()
    with Machine(hub.url, machine.access) as again:
        again.statuses([created("WP01", lamport=1)])
    # In small steps: a connection that has just come about would be old at once.
    until(lambda: says("Live", after=500), what="the badge to say Live")
    expect(page.locator("#lane-planned .id")).to_have_text(["WP01"])


def test_a_transition_that_was_shown_twice_is_shown_once(board: Page, machine: Machine) -> None:
    """Cards, counts, activity and an open drawer, without a reload."""
    told = [moved("WP01", "planned", "doing", lamport=2), moved("WP01", "doing", "for_review", lamport=3)]
    other = moved("WP01", "planned", "doing", lamport=9, node_id="b" * 12)
    assert machine.statuses([created("WP01", lamport=1), *told, other]) == ["success"] * 4
    expect(board.locator("#lane-doing .card")).to_have_count(1)
    expect(board.locator("#activity .entry")).to_have_count(4)
    board.locator("#lane-doing .card .open").click()
    expect(board.locator("#drawer .moment")).to_have_count(4)
    body = {"events": [], "aliases": [{"alias": other["event_id"], "event_id": told[0]["event_id"]}]}
    machine.http.post("/api/v1/events/batch/", json=body, headers=machine.headers)
    expect(board.locator("#drawer .moment")).to_have_count(3)
    expect(board.locator("#lane-for_review .card")).to_have_count(1)
    expect(board.locator("#lane-doing .card")).to_have_count(0)
    expect(board.locator("#activity .entry")).to_have_count(3)


def test_the_drawer_tells_where_each_transition_came_from(board: Page, hub: Hub, machine: Machine) -> None:
    told = [created("WP01", "Purr", lamport=1), moved("WP01", "planned", "doing", lamport=2, build_id="the-attic")]
    machine.statuses(told)
    board.locator("#lane-doing .open").click()
    drawer = board.locator("#drawer")
    expect(drawer.locator(".moment").first).to_contain_text("claude moved Planned")
    expect(drawer.locator(".source").first).to_contain_text(
        "machine a1b2c3d4e5f6 · checkout the-attic · delivered by mira"
    )
    drawer.locator("summary").first.click()
    expect(drawer.locator("pre").first).to_contain_text(told[1]["event_id"])
    address = board.url
    assert "card=" in address
    board.keyboard.press("Escape")
    expect(drawer).not_to_be_visible()
    expect(board.locator("#lane-doing .open")).to_be_focused()
    board.goto(address)
    expect(drawer.locator("h2")).to_contain_text("Purr")


def test_with_the_keyboard_alone(board: Page, machine: Machine) -> None:
    machine.statuses([created("WP01", lamport=1), created("WP02", lamport=2), created("WP03", lamport=3)])
    machine.statuses([moved("WP03", "planned", "doing", lamport=4)])
    expect(board.locator("#lane-doing .id")).to_have_text(["WP03"])
    board.keyboard.press("Tab")
    expect(board.locator(".skip")).to_be_focused()
    board.keyboard.press("/")
    expect(board.locator("[name=text]")).to_be_focused()
    for _ in range(20):
        board.keyboard.press("Tab")
        if board.evaluate("document.activeElement.matches('.card .open')"):
            break
    focused = board.locator(".card .open:focus")
    expect(focused).to_contain_text("WP02")
    board.keyboard.press("ArrowDown")
    expect(focused).to_contain_text("WP01")
    board.keyboard.press("ArrowRight")
    expect(focused).to_contain_text("WP03")
    board.keyboard.press("Enter")
    expect(board.locator("#drawer h2")).to_contain_text("WP03")
    board.keyboard.press("Escape")
    expect(focused).to_contain_text("WP03")
    # A card that moves while it has the focus keeps it.
    machine.statuses([moved("WP03", "doing", "done", lamport=5)])
    expect(board.locator("#lane-done .open")).to_be_focused()


def test_filters_are_addresses_and_hold_for_what_arrives(board: Page, hub: Hub, machine: Machine) -> None:
    machine.statuses([created("WP01", "Purr loudly", lamport=1), created("WP02", "Nap", lamport=2)])
    board.fill("[name=text]", "purr loud")
    expect(board.locator(".card .id")).to_have_text(["WP01"])
    expect(board).to_have_url(f"{hub.url}/?text=purr+loud")
    machine.statuses([created("WP03", "Purr loudly again", lamport=3), created("WP04", "Nap again", lamport=4)])
    expect(board.locator(".card .id")).to_have_text(["WP03", "WP01"])
    expect(board.locator("#lane-planned .count")).to_have_text("2")
    board.locator("#tree").get_by_text(FEATURE).click()
    expect(board.locator("h1")).to_have_text(FEATURE)
    expect(board.locator(".card .id")).to_have_count(4)
    board.go_back()
    expect(board.locator(".card .id")).to_have_text(["WP03", "WP01"])
    board.reload()
    expect(board.locator(".card .id")).to_have_text(["WP03", "WP01"])


def test_hostile_titles_do_nothing(board: Page, hub: Hub, machine: Machine) -> None:
    told = [created(f"WP{n:02d}", title, lamport=n) for n, title in enumerate(HOSTILE, start=1)]
    hostile = HOSTILE[0]
    told.append(moved("WP01", "planned", "doing", lamport=50, by=hostile, build_id=hostile, project_slug=hostile))
    note = {
        "wp_id": "WP01",
        "entry_type": "note",
        "entry_content": HOSTILE[1],
        "author": hostile,
        "feature_slug": FEATURE,
    }
    told.append(event("HistoryAdded", note, lamport=51))
    assert set(machine.statuses(told)) == {"success"}
    expect(board.locator(".card")).to_have_count(len(HOSTILE))
    for path in ("/", f"/wp/{PROJECT}/{FEATURE}/WP01", f"/feature/{PROJECT}/{FEATURE}", "/activity"):
        board.goto(hub.url + path)
        if path == "/":
            is_live(board)
            expect(board.locator("#lane-planned .title").last).to_have_text(HOSTILE[1])
            for size in (1440, 360):
                board.set_viewport_size({"width": size, "height": 800})
                assert board.evaluate("document.documentElement.scrollWidth") <= size
        assert board.evaluate("window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@some("width", [1440, 360], quick=1)
def test_axe_finds_no_serious_fault(
    new_page: Callable[..., Page], hub: Hub, machine: Machine, axe: str, scheme: str, width: int
) -> None:
    machine.statuses([created("WP01", "Purr", lamport=1), created("WP02", "Nap", lamport=2, needs=["WP01"])])
    path = ["planned", "doing", "for_review", "doing", "for_review", "done"]
    steps = pairwise(path)
    machine.statuses([moved("WP01", a, b, lamport=3600 * n) for n, (a, b) in enumerate(steps, start=1)])
    machine.statuses([created("WP03", lamport=30000, needs=["WP02"]), moved("WP02", "planned", "doing", lamport=30001)])
    page = new_page(color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce")
    page.goto(f"{hub.url}/sign-in")
    assert serious_faults(page, axe) == []
    sign_in(page, hub.url)
    is_live(page)
    assert serious_faults(page, axe) == []
    page.locator("#lane-done .open").click()
    page.wait_for_selector("#drawer[open] .timeline")
    assert serious_faults(page, axe) == []
    for path_ in (f"/feature/{PROJECT}/{FEATURE}", "/activity", f"/wp/{PROJECT}/{FEATURE}/WP01"):
        page.goto(hub.url + path_)
        assert serious_faults(page, axe) == []


@pytest.mark.long
def test_ten_thousand_cards_come_page_by_page(hub: Hub, machine: Machine, new_page: Callable[..., Page]) -> None:
    for batch in range(11):
        features = [f"{number:03d}-many" for number in range(batch * 10, batch * 10 + 10)]
        told = [
            created(f"WP{n:02d}", lamport=n + 1, payload={"feature_slug": feature})
            for feature in features
            for n in range(100)
        ]
        assert set(machine.statuses(told)) == {"success"}
    page = new_page()
    sign_in(page, hub.url)
    is_live(page)
    expect(page.locator("#lane-planned .count")).to_have_text("11000")
    first = page.locator("#lane-planned .card").count()
    assert first < 200

    def scrolled() -> bool:
        page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
        return page.locator("#lane-planned .card").count() > first

    until(scrolled, what="the next page of cards")


def test_the_hub_needs_nothing_from_elsewhere(board: Page, hub: Hub, machine: Machine) -> None:
    machine.statuses([created("WP01", lamport=1)])
    asked: list[str] = []
    board.on("request", lambda request: asked.append(request.url))
    board.reload()
    is_live(board)
    board.locator("#lane-planned .open").click()
    board.wait_for_selector("#drawer[open] .timeline")
    assert asked
    assert all(url.startswith(hub.url) for url in asked)
    static = Path(__file__).parents[2] / "kittywatch" / "hub" / "static"
    assert not [path for path in static.iterdir() if "https://" in path.read_text(encoding="utf-8")]
