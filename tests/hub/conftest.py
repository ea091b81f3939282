"""Hubs for the tests, each with a database of its own: SQLite and PostgreSQL. And a browser to look at them."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import Engine

from kittywatch.cli.main import main
from kittywatch.hub import accounts, migrations, sessions
from kittywatch.hub.database import open_engine, writing
from kittywatch.hub.sessions import Login
from tests.hub import browsers
from tests.hub.browsers import axe_source, is_live, launch, sign_in
from tests.hub.clusters import cluster, create_database
from tests.hub.hubs import Hub, Machine, add_user, populate

TEAMS = {"cats": ["mira", "tom"], "dogs": ["rex"]}
_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL cluster for all tests of this process."""
    with cluster() as address:
        yield address


@pytest.fixture
def postgresql_database(postgresql: str) -> str:
    return create_database(postgresql, f"hub{next(_numbers)}")


@pytest.fixture
def sqlite_database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hub.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_database")
    return url


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """A hub's database without a hub."""
    engine = open_engine(database)
    migrations.migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def login(engine: Engine) -> Login:
    """A machine's login there, of the team cats."""
    with writing(engine) as connection:
        team = accounts.add_team(connection, "cats")
        user = add_user(connection, "mira", team=team)
        return sessions.open_session(connection, user, kind="machine").login


@pytest.fixture
def start_hub(tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Starts server processes on databases, which it gives TEAMS; they end with the test."""
    hubs: list[Hub] = []

    def start(database: str, *arguments: str, new: bool = True) -> Hub:
        if new:
            populate(database, teams=TEAMS)
        hubs.append(Hub(database=database, log=tmp_path / f"hub{len(hubs)}.log", arguments=arguments))
        return hubs[-1].start()

    yield start
    for hub in hubs:
        hub.stop()


@pytest.fixture
def hub(database: str, start_hub: Callable[..., Hub]) -> Hub:
    """A server process with TEAMS, on each kind of database."""
    return start_hub(database)


@pytest.fixture
def machine(hub: Hub) -> Iterator[Machine]:
    """mira's machine, logged in."""
    with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
        yield machine


@pytest.fixture
def other_machine(hub: Hub) -> Iterator[Machine]:
    """tom's machine, of the same team."""
    with Machine(hub.url, hub.access_token(hub.open_login("tom"))) as machine:
        yield machine


@pytest.fixture
def foreign_machine(hub: Hub) -> Iterator[Machine]:
    """rex's machine, of another team."""
    with Machine(hub.url, hub.access_token(hub.open_login("rex"))) as machine:
        yield machine


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for this module alone: while playwright runs, no other test of the process may use asyncio.run."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return axe_source(tmp_path_factory.mktemp("axe"))


@pytest.fixture
def new_page(chromium: Browser, hub: Hub) -> Iterator[Callable[..., Page]]:
    """Opens pages, each a browser of its own; fails the test if one of them complained."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(**options: object) -> Page:
        page = browsers.open_page(chromium, **options)
        contexts.append(page.context)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if "Policy" in message.text else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def board(new_page: Callable[..., Page], hub: Hub) -> Page:
    """mira's board, live."""
    page = new_page()
    sign_in(page, hub.url)
    is_live(page)
    return page


@dataclass(frozen=True)
class Done:
    """What a command did: its exit code, and what it said where."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(sqlite_database: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `kittywatch hub …` on a SQLite file, with `given` on stdin."""
    monkeypatch.setenv("KITTYWATCH_HUB_DATABASE", sqlite_database)

    def run(*arguments: str, given: str = "", quiet: bool = False) -> Done:
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([*(["-q"] if quiet else []), "hub", *arguments])
        said = capfd.readouterr()
        assert isinstance(stop.value.code, int)
        return Done(stop.value.code, said.out, said.err)

    return run
