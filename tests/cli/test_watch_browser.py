"""From an editor to the board: a lane is edited, and its card moves on a page of the hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.cli.test_watch_live import Watch
from tests.hub.browsers import ids_in, is_live, launch, open_page, sign_in
from tests.hub.hubs import Hub
from tests.scenarios.world import World
from tests.sync import delivering
from tests.sync.conftest import own_hub

__all__ = ["own_hub"]


@pytest.fixture
def board(own_hub: Hub) -> Iterator[Page]:
    """mira's board, live."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = open_page(browser)
        sign_in(page, own_hub.url)
        is_live(page)
        yield page
        browser.close()


def test_an_edited_lane_moves_its_card(tmp_path: Path, own_hub: Hub, board: Page) -> None:
    world = World(tmp_path, "")
    delivering.log_in(world.home, own_hub)
    watcher = Watch(world)
    try:
        watcher.says("[Connected]")
        for lane in ("doing", "for_review", "done"):
            world.write(lane)
            expect(board.locator(f"#lane-{lane} .id")).to_have_text(["WP01"])
        world.git("checkout", "-q", "--", ".")
        expect(board.locator("#lane-planned .id")).to_have_text(["WP01"])
        assert ids_in(board, "done") == []
    finally:
        watcher.end()
