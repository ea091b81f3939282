"""What the board shows beside the cards: the filter's agents, timelines, activity, charts, and how to begin."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Page, expect

from kittywatch.hub import accounts
from kittywatch.hub.database import open_engine, writing
from kittywatch.hub.history import RAW_LENGTH, TIMELINE_LENGTH
from tests.hub.browsers import is_live, serious_faults, sign_in
from tests.hub.hubs import FEATURE, PROJECT, Hub, Machine, created, event, moved

PLACE = f"/wp/{PROJECT}/{FEATURE}/WP01"
NAPS = {"feature_slug": "002-nap"}
ZONE = re.compile(r"1 Mar 2026, 0\d:\d\d UTC")


@pytest.fixture
def hub(start_hub: Callable[..., Hub], sqlite_database: str) -> Hub:
    return start_hub(sqlite_database)


def browser_of(hub: Hub, name: str = "mira") -> httpx.Client:
    cookies = {"kittywatch": hub.open_login(name, kind="browser").secret}
    return httpx.Client(base_url=hub.url, cookies=cookies, trust_env=False, headers={"Accept": "text/html"})


def note(text: str, *, lamport: int) -> object:
    payload = {
        "wp_id": "WP01",
        "entry_type": "note",
        "entry_content": text,
        "author": "mira",
        "feature_slug": FEATURE,
    }
    return event("HistoryAdded", payload, lamport=lamport)


def assigned(wp_id: str, agent: str, *, lamport: int) -> object:
    payload = {
        "wp_id": wp_id,
        "agent_id": agent,
        "phase": "implementation",
        "retry_count": 0,
        "feature_slug": FEATURE,
    }
    return event("WPAssigned", payload, lamport=lamport)


def test_a_long_timeline_comes_page_by_page(board: Page, hub: Hub, machine: Machine) -> None:
    told = [note(f"note {n}", lamport=n + 2) for n in range(2 * TIMELINE_LENGTH)]
    assert set(machine.statuses([created("WP01", lamport=1), *told])) == {"success"}
    board.locator(".card .open").click()
    moments = board.locator("#drawer .moment")
    expect(moments).to_have_count(TIMELINE_LENGTH)
    board.locator("#drawer .timeline .more").click()
    expect(moments).to_have_count(2 * TIMELINE_LENGTH)
    moments.nth(3).locator("summary").click()
    # What comes in meanwhile is put on top; what was loaded and unfolded stays.
    machine.statuses([moved("WP01", "planned", "doing", lamport=900)])
    expect(moments).to_have_count(2 * TIMELINE_LENGTH + 1)
    expect(moments.first).to_contain_text("claude moved")
    expect(board.locator("#drawer .facts")).to_contain_text("Doing")
    expect(moments.nth(4).locator("details")).to_have_attribute("open", "")
    board.locator("#drawer .timeline .more").click()
    expect(moments).to_have_count(2 * TIMELINE_LENGTH + 2)
    expect(moments.last).to_contain_text("Created")
    expect(board.locator("#drawer .timeline .more")).to_have_count(0)
    texts = moments.locator(".said").all_inner_texts()
    assert texts == [f"note {n}" for n in reversed(range(2 * TIMELINE_LENGTH))]


def test_no_page_is_as_long_as_what_came_in(hub: Hub, machine: Machine) -> None:
    """Timelines, agents' names and raw events are cut, however long they are; all of it can be had."""
    chance = random.Random(1)
    for batch in range(8):
        told = [note(chance.randbytes(50_000).hex(), lamport=20 * batch + n + 2) for n in range(10)]
        told.append(created(f"WP{batch:02d}", lamport=20 * batch + 15))
        told.append(assigned(f"WP{batch:02d}", chance.randbytes(50_000).hex(), lamport=20 * batch + 16))
        assert set(machine.statuses(told)) == {"success"}
    with browser_of(hub) as browser:
        for path in ("/", PLACE, "/activity", f"/feature/{PROJECT}/{FEATURE}"):
            answer = browser.get(path)
            assert answer.status_code == 200
            assert len(answer.content) < 80 * 2 * RAW_LENGTH, path
        whole = re.search(rf'href="({re.escape(PLACE)}\?event=\w+)"', browser.get(PLACE).text)
        assert whole is not None
        raw = browser.get(whole[1])
        assert len(raw.text) > 100_000
        assert raw.headers["Content-Type"].startswith("text/plain")
        assert browser.get(f"{PLACE}?event=01J00000000000000000000000").status_code == 404
    with browser_of(hub, "rex") as foreign:
        assert foreign.get(whole[1]).status_code == 404


def test_new_agents_are_in_the_filter_and_long_names_filter_too(board: Page, machine: Machine) -> None:
    long = "claude:opus-4-7:reviewer-renata:reviewer:" + "z" * 500
    machine.statuses([created("WP01", lamport=1), created("WP02", lamport=2)])
    machine.statuses([assigned("WP01", "mira", lamport=3), assigned("WP02", long, lamport=4)])
    options = board.locator("[name=agent] option")
    expect(options).to_have_text(["All agents", re.compile("^claude:opus.*…$"), "mira"])
    board.locator("[name=agent]").select_option(index=1)
    expect(board.locator(".card .id")).to_have_text(["WP02"])
    board.reload()
    expect(board.locator(".card .id")).to_have_text(["WP02"])
    expect(board.locator("[name=agent]")).to_have_value(re.compile("^claude:opus"))


def test_activity_its_link_and_the_title_follow_the_filter(board: Page, hub: Hub, machine: Machine) -> None:
    machine.statuses([created("WP01", "Purr", lamport=1), created("WP07", "Nap", lamport=2, payload=NAPS)])
    entries = board.locator("#activity .entry")
    expect(entries).to_have_count(2)
    board.locator("#tree").get_by_text("002-nap").click()
    expect(entries).to_have_count(1)
    expect(entries).to_contain_text("WP07")
    expect(board).to_have_title("002-nap · kittywatch")
    expect(board.locator(".news .more")).to_have_attribute("href", re.compile("feature=002-nap"))
    machine.statuses([moved("WP01", "planned", "doing", lamport=3)])
    machine.statuses([moved("WP07", "planned", "doing", lamport=4, payload=NAPS)])
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("WP07")
    board.locator(".news .more").click()
    expect(board.locator("#main .entry")).to_have_count(2)
    board.go_back()
    expect(board).to_have_title("002-nap · kittywatch")
    board.locator("#tree .all").click()
    expect(board).to_have_title("Board · kittywatch")
    expect(entries).to_have_count(4)


def test_times_say_their_zone(board: Page, hub: Hub, machine: Machine) -> None:
    told = [created("WP01", lamport=1), moved("WP01", "planned", "doing", lamport=2)]
    told[1]["timestamp"] = "2026-03-01T05:30:00+05:30"
    machine.statuses(told)
    board.locator(".card .open").click()
    times = board.locator("#drawer time")
    expect(times).to_have_count(3)
    for n in range(3):
        expect(times.nth(n)).to_contain_text(ZONE)
    expect(board.locator("#drawer .moment time").first).to_have_text("1 Mar 2026, 00:00 UTC")
    with browser_of(hub) as browser:
        for path in ("/", "/activity", PLACE):
            text = re.sub(r'(datetime|title)="[^"]*"', "", browser.get(path).text)
            assert re.findall(r"<time[^>]*>(?:since )?([^<]*)</time>", text)
            for shown in re.findall(r"<time[^>]*>(?:since )?([^<]*)</time>", text):
                assert ZONE.fullmatch(shown), (path, shown)


def test_cards_of_all_projects_say_which_is_theirs(board: Page, machine: Machine) -> None:
    second = {"project_uuid": "6fa459ea-ee8a-4ca4-894e-db77e160355e", "project_slug": "attic"}
    machine.statuses([created("WP01", lamport=1), created("WP01", lamport=2, **second)])
    shown = board.locator(".card .feature")
    expect(shown).to_have_text([f"attic / {FEATURE}", f"purr / {FEATURE}"])
    board.locator("#tree .project").first.click()
    expect(shown).to_have_text([FEATURE])
    board.locator("#tree .of-project").first.click()
    expect(board.locator(".card .id")).to_have_count(1)
    expect(shown).to_have_count(0)


def test_charts_go_on_to_today(board: Page, hub: Hub, machine: Machine) -> None:
    machine.statuses([created("WP01", lamport=1), moved("WP01", "planned", "doing", lamport=2)])
    machine.statuses([moved("WP01", "doing", "done", lamport=7200)])
    board.goto(f"{hub.url}/feature/{PROJECT}/{FEATURE}")
    today = {datetime.now(UTC).strftime(form) for form in ("%d %b", "%b %Y")}
    for plot in board.locator(".plot").all():
        assert plot.locator(".tick.x").last.text_content() in today


def test_the_cards_are_few_tab_stops_away(new_page: Callable[..., Page], hub: Hub, machine: Machine) -> None:
    told = [created("WP01", lamport=n + 1, payload={"feature_slug": f"{n:03d}-part"}) for n in range(60)]
    machine.statuses(told)
    page = new_page()
    sign_in(page, hub.url)
    is_live(page)

    def stops_till_a_card(*, at_most: int) -> int:
        for count in range(1, at_most + 1):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('.card .open')"):
                return count
        raise AssertionError(f"no card within {at_most} stops")

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    assert stops_till_a_card(at_most=2) <= 2
    page.reload()
    is_live(page)
    assert stops_till_a_card(at_most=14) <= 14
    # The tree is one stop, and arrows go along it, also after it has grown.
    page.locator("#tree .all").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#tree a:focus")).to_contain_text("058-part")
    machine.statuses([created("WP01", lamport=99, payload={"feature_slug": "058-partly"})])
    expect(page.locator("#tree .of-project")).to_have_count(61)
    page.keyboard.press("ArrowUp")
    expect(page.locator("#tree a:focus")).to_contain_text("058-partly")
    assert page.locator("#tree a:not([tabindex='-1'])").count() == 1
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("058-partly")


def test_an_empty_board_says_how_to_connect(board: Page, hub: Hub, machine: Machine) -> None:
    welcome = board.locator(".welcome")
    expect(welcome).to_contain_text(f"kittywatch auth login --server {hub.url}")
    machine.statuses([created("WP01", lamport=1)])
    expect(board.locator(".card")).to_have_count(1)
    expect(welcome).not_to_be_visible()
    board.fill("[name=text]", "nothing has this")
    expect(board.locator(".card")).to_have_count(0)
    expect(welcome).not_to_be_visible()


def test_an_empty_board_has_no_serious_fault(board: Page, axe: str) -> None:
    assert serious_faults(board, axe) == []


@pytest.mark.long
def test_a_one_time_password_leads_to_a_new_one_from_wherever_it_is_used(
    new_page: Callable[..., Page], hub: Hub, machine: Machine
) -> None:
    machine.statuses([created("WP01", "Purr", lamport=1)])
    engine = open_engine(hub.database)
    with writing(engine) as connection:
        user = accounts.user_named(connection, "tom")
        accounts.set_password(connection, user, password="one-time-words", must_change=True)
    engine.dispose()
    page = new_page()
    sign_in(page, f"{hub.url}{PLACE}", "tom", "one-time-words")
    expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    with httpx.Client(base_url=hub.url, cookies=cookies, trust_env=False) as browser:
        for path in ("/", "/?text=purr", "/cards?lane=planned", PLACE, f"/feature/{PROJECT}/{FEATURE}", "/activity"):
            answer = browser.get(path, headers={"Accept": "text/html"})
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/password")
            assert browser.get(path).status_code == 403, path
    page.fill("[name=current]", "wrong words")
    page.fill("[name=new]", "a longer password")
    page.click("button[type=submit]")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.fill("[name=current]", "one-time-words")
    page.fill("[name=new]", "a longer password")
    page.click("button[type=submit]")
    expect(page).to_have_url(f"{hub.url}{PLACE}")
    expect(page.locator("h2")).to_contain_text("Purr")
