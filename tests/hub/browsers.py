"""A real headless Chromium, and the rules of axe-core."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, expect

from tests.hub.hubs import PASSWORD, must_have
from tests.waiting import DEADLINE

# No calls home: a closed network would answer each with an error.
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
_ARGUMENTS += ["--disable-background-networking", "--disable-component-update"]

expect.set_options(timeout=1000 * DEADLINE)


def launch(playwright: Playwright) -> Browser:
    chromium = os.environ.get("KITTYWATCH_CHROMIUM") or shutil.which("chromium")
    must_have("Chromium", chromium)
    return playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)


def open_page(browser: Browser, **options: object) -> Page:
    """A page in a browser of its own, whose waits have the tests' deadline."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(1000 * DEADLINE)
    return context.new_page()


def axe_source(directory: Path) -> str:
    """axe-core's script: from KITTYWATCH_AXE, else from the npm registry."""
    given = os.environ.get("KITTYWATCH_AXE")
    if given:
        return Path(given).read_text(encoding="utf-8")
    must_have("npm", shutil.which("npm"))
    packed = subprocess.run(
        ["npm", "pack", "--silent", "axe-core@4"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    must_have("axe-core", packed.returncode == 0)
    with tarfile.open(next(directory.glob("axe-core-*.tgz"))) as archive:
        found = archive.extractfile("package/axe.min.js")
        assert found is not None
        return found.read().decode()


def serious_faults(page: Page, source: str) -> list[Any]:
    """What axe finds on a page that is serious or worse: rule and places."""
    page.evaluate(f"() => {{ {source} }}")
    result = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        (found["id"], [node["html"][:200] for node in found["nodes"]])
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
    ]


def sign_in(page: Page, url: str, name: str = "mira", password: str = PASSWORD) -> None:
    page.goto(url)
    page.fill("[name=name]", name)
    page.fill("[name=password]", password)
    page.press("[name=password]", "Enter")


def is_live(page: Page) -> None:
    page.wait_for_selector(".badge[data-state=live]")


def ids_in(page: Page, lane: str) -> list[str]:
    return page.locator(f"#lane-{lane} .card .id").all_inner_texts()
