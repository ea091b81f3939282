"""The board while the hub is away, frozen, or has no database, or the login has ended: it says so and comes back."""

from __future__ import annotations

import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from playwright.sync_api import Page, expect

from tests.hub.browsers import is_live, sign_in
from tests.hub.hubs import PASSWORD, Hub, Machine, created, moved
from tests.waiting import until


@pytest.fixture
def hub(start_hub: Callable[..., Hub], sqlite_database: str) -> Hub:
    return start_hub(sqlite_database)


@pytest.fixture
def two_cards(machine: Machine) -> None:
    assert machine.statuses([created("WP01", "Purr", lamport=1), created("WP02", "Nap", lamport=2)])


@contextmanager
def no_table(hub: Hub, name: str) -> Iterator[None]:
    """The database without one of its tables, as after a restore that went wrong."""
    path = hub.database.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"ALTER TABLE {name} RENAME TO away")
    try:
        yield
    finally:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"ALTER TABLE away RENAME TO {name}")


def test_a_filter_while_the_hub_is_away_comes_by_itself(two_cards: None, board: Page, hub: Hub) -> None:
    board.evaluate("window.untouched = true")
    hub.stop(signal.SIGKILL)
    board.fill("[name=text]", "nap")
    expect(board.locator("#pending")).to_be_visible()
    expect(board.locator(".card .id")).to_have_text(["WP02", "WP01"])
    hub.start()
    expect(board.locator(".card .id")).to_have_text(["WP02"])
    expect(board.locator("#pending")).not_to_be_visible()
    expect(board).to_have_url(f"{hub.url}/?text=nap")
    is_live(board)
    assert board.evaluate("window.untouched") is True


def test_a_filter_while_the_database_is_away_comes_by_itself(two_cards: None, board: Page, hub: Hub) -> None:
    board.evaluate("window.untouched = true")
    with no_table(hub, "work_packages"):
        board.fill("[name=text]", "nap")
        expect(board.locator("#pending")).to_be_visible()
        expect(board.locator(".card .id")).to_have_text(["WP02", "WP01"])
    expect(board.locator(".card .id")).to_have_text(["WP02"])
    assert board.evaluate("window.untouched") is True


def test_a_page_that_is_loaded_while_the_database_is_away_comes_by_itself(
    two_cards: None, board: Page, hub: Hub
) -> None:
    with no_table(hub, "sessions"):
        board.reload()
        expect(board.locator("h1")).to_contain_text("database")
    expect(board.locator(".card .id")).to_have_text(["WP02", "WP01"])


def test_show_more_works_after_a_failure(new_page: Callable[..., Page], hub: Hub, machine: Machine) -> None:
    assert machine.statuses([created(f"WP{n:02d}", lamport=n) for n in range(1, 99)])
    page = new_page(viewport={"width": 1440, "height": 600})
    sign_in(page, hub.url)
    is_live(page)
    more = page.locator("#lane-planned .more")
    cards = page.locator("#lane-planned .card")
    first = cards.count()
    with no_table(hub, "work_packages"):
        more.evaluate("link => link.click()")
        expect(more).to_contain_text("Try again")
    more.evaluate("link => link.click()")
    until(lambda: cards.count() > first, what="the next page of cards")
    before = cards.count()
    # Without an answer at all: it comes by itself with the connection.
    hub.stop(signal.SIGKILL)
    more.evaluate("link => link.click()")
    expect(more).to_contain_text("Try again")
    more.scroll_into_view_if_needed()
    hub.start()
    is_live(page)
    until(lambda: cards.count() > before, what="the last page of cards")


def test_an_ended_login_says_sign_in(two_cards: None, board: Page, hub: Hub) -> None:
    board.goto(f"{hub.url}/?text=nap")
    is_live(board)
    hub.change_user("mira")
    again = board.locator("#badge .again")
    expect(again).to_be_visible()
    expect(board.locator("#badge")).to_contain_text("Signed out")
    again.click()
    board.fill("[name=name]", "mira")
    board.fill("[name=password]", PASSWORD)
    board.press("[name=password]", "Enter")
    is_live(board)
    expect(board).to_have_url(f"{hub.url}/?text=nap")


def test_a_login_that_ends_while_the_hub_is_away_says_sign_in(two_cards: None, board: Page, hub: Hub) -> None:
    hub.stop(signal.SIGKILL)
    hub.change_user("mira")
    hub.start()
    expect(board.locator("#badge .again")).to_be_visible()
    # A filter then says the same and leads to no error page.
    board.fill("[name=text]", "nap")
    expect(board.locator("#badge .again")).to_be_visible()
    expect(board.locator(".card .id")).to_have_text(["WP02", "WP01"])


def test_a_frozen_hub_is_noticed_within_seconds(new_page: Callable[..., Page], hub: Hub) -> None:
    page = new_page()
    page.clock.install()
    sign_in(page, hub.url)
    is_live(page)
    assert hub.process is not None
    hub.process.send_signal(signal.SIGSTOP)
    try:
        page.clock.fast_forward(9_000)
        expect(page.locator("#badge")).to_contain_text("Reconnecting")
    finally:
        hub.process.send_signal(signal.SIGCONT)

    def is_back() -> bool:
        page.clock.fast_forward(500)
        return page.locator("#badge").get_attribute("data-state") == "live"

    until(is_back, what="the badge to say Live")


def test_the_drawer_comes_back_too(two_cards: None, board: Page, hub: Hub, machine: Machine) -> None:
    with no_table(hub, "events"):
        board.locator("#lane-planned .open").first.click()
        expect(board.locator("#drawer")).to_contain_text("cannot be shown")
    hub.stop()
    hub.start()
    expect(board.locator("#drawer h2")).to_contain_text("Nap")
    with Machine(hub.url, machine.access) as again:
        again.statuses([moved("WP02", "planned", "doing", lamport=3)])
    expect(board.locator("#drawer .moment").first).to_contain_text("claude moved")
    expect(board).to_have_url(re.compile(r"card=.*WP02"))
