"""How the board looks with a real project's names: nothing is cut off, on a desk and on a telephone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from kittywatch.workpackages.schemes import SPEC_KITTY_3
from tests.hub.browsers import is_live, serious_faults, sign_in
from tests.hub.hubs import Hub, Machine, created, moved, moved_3
from tests.hub.lifelike import PROJECTS, story

pytestmark = pytest.mark.long  # what each width shows

# Texts of cards that stand outside of what can be seen of their card, or cards outside of their lane.
CUT = """() => {
    const faults = [];
    for (const card of document.querySelectorAll('.lanes .card')) {
        card.style.contentVisibility = 'visible';
        const lane = card.closest('.lane').getBoundingClientRect();
        const box = card.getBoundingClientRect();
        const name = card.id + ' ' + card.textContent.replace(/\\s+/g, ' ').trim().slice(0, 60);
        if (box.left < lane.left || box.right > lane.right) faults.push(['card', name]);
        const texts = document.createTreeWalker(card, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode;
            if (!text.data.trim() || text.parentElement.closest('.hidden')) continue;
            const range = document.createRange();
            range.selectNodeContents(text);
            let cutter = text.parentElement;
            while (cutter !== card && getComputedStyle(cutter).overflowX === 'visible') cutter = cutter.parentElement;
            const room = cutter.getBoundingClientRect();
            for (const line of range.getClientRects()) {
                const across = line.left >= room.left - 1 && line.right <= room.right + 1;
                if (!across || line.bottom > room.bottom + 2) { faults.push(['text', name, text.data.trim()]); break; }
            }
        }
    }
    return faults;
}"""


@pytest.fixture
def hub(start_hub: Callable[..., Hub], sqlite_database: str) -> Hub:
    return start_hub(sqlite_database)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1920, 1024, 360])
def test_nothing_of_a_card_is_cut_off(
    new_page: Callable[..., Page], hub: Hub, machine: Machine, tmp_path: Path, width: int, scheme: str
) -> None:
    assert set(machine.statuses(story())) == {"success"}
    page = new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    sign_in(page, hub.url)
    is_live(page)
    shown = page.locator(".lanes .card")
    assert shown.count() > 50
    cut: list[Any] = page.evaluate(CUT)
    picture(page, tmp_path, f"board-{scheme}-{width}")
    assert cut == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    project, feature = next(iter(PROJECTS)), "006-mission-collaboration-soft-coordination-contracts"
    page.goto(f"{hub.url}/?project={project}&feature={feature}")
    is_live(page)
    assert page.evaluate(CUT) == []
    shown.first.locator(".open").click()
    page.wait_for_selector("#drawer[open] .timeline")
    picture(page, tmp_path, f"drawer-{scheme}-{width}")
    assert page.evaluate("document.querySelector('#drawer').scrollWidth") <= width
    page.goto(f"{hub.url}/feature/{project}/{feature}")
    expect(page.locator(".plot").first).to_be_visible()
    picture(page, tmp_path, f"feature-{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1440, 360])
@pytest.mark.parametrize("several", [False, True], ids=["nine lanes", "six categories"])
def test_all_columns_can_be_read(
    new_page: Callable[..., Page], hub: Hub, machine: Machine, axe: str, tmp_path: Path, width: int, several: bool
) -> None:
    lanes = list(SPEC_KITTY_3.lanes)
    told = [created(f"WP{n:02}", "Seven canonical event-type contracts", lamport=n) for n in range(1, 40)]
    told += [moved_3(f"WP{n:02}", "planned", lanes[n % 9], lamport=50 + n) for n in range(1, 40) if n % 9]
    if several:
        told.append(moved("WP01", "planned", "doing", lamport=99, project_uuid="11111111-2222-4333-8444-555555555555"))
    assert set(machine.statuses(told)) == {"success"}
    page = new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    sign_in(page, hub.url)
    is_live(page)
    expect(page.locator(".lanes .lane")).to_have_count(6 if several else 9)
    assert page.evaluate(CUT) == []
    picture(page, tmp_path, f"{'categories' if several else 'lanes'}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    headings = page.evaluate(
        "[...document.querySelectorAll('.lane h2')].map((one) => one.scrollWidth - one.clientWidth)"
    )
    assert max(headings) <= 1, "a column's name is cut off"
    assert serious_faults(page, axe) == []
    cards = page.locator(".lanes .card")
    assert min(cards.nth(n).bounding_box()["width"] for n in range(cards.count())) > 120  # type: ignore[index]


def picture(page: Page, directory: Path, name: str) -> None:
    """A screenshot to look at; where KITTYWATCH_PICTURES says, else among the test's files."""
    place = Path(os.environ.get("KITTYWATCH_PICTURES") or directory)
    # Not by its `path`: playwright would start threads to write it.
    (place / f"{name}.png").write_bytes(page.screenshot())
