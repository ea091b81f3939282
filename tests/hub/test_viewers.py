"""Many pages of one board: each update read and rendered once, only what is different, and nothing missed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Connection, Engine
from starlette.concurrency import run_in_threadpool
from websockets.frames import Frame
from websockets.sync.client import connect

from kittywatch.hub import accounts, migrations, sessions
from kittywatch.hub.board import Filter
from kittywatch.hub.database import open_engine, reading, writing
from kittywatch.hub.feed import Feed
from kittywatch.hub.ingest import store
from kittywatch.hub.limits import Limits
from kittywatch.hub.parsing import open_batch
from kittywatch.hub.service import READERS_OF_SQLITE, Reader
from kittywatch.hub.sessions import Login
from kittywatch.hub.shared import SECONDS, Shared
from kittywatch.hub.viewers import PING, TOO_SLOW, Ended, Viewer, Viewers
from kittywatch.natural import natural
from tests.hub.browsers import is_live, sign_in
from tests.hub.hubs import FEATURE, Hub, Machine, add_user, created, moved
from tests.waiting import DEADLINE

PAGES = 50
FEATURES = 200
Found = TypeVar("Found")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'hub.db'}")
    migrations.migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def login(engine: Engine) -> Login:
    with writing(engine) as connection:
        team = accounts.add_team(connection, "cats")
        user = add_user(connection, "mira", team=team)
        return sessions.open_session(connection, user, kind="browser").login


@pytest.fixture
def hub(start_hub: Callable[..., Hub], sqlite_database: str) -> Hub:
    return start_hub(sqlite_database)


class Place:
    """Feed and viewers as a server has them, over a real database; counts what the viewers read."""

    def __init__(self, engine: Engine, login: Login) -> None:
        self.engine = engine
        self.login = login
        self.feed = Feed(engine)
        self.viewers = Viewers(self.feed, self.read)
        self.reads = 0

    async def read(self, query: Callable[[Connection], Found], /) -> Found:
        self.reads += 1

        def work() -> Found:
            with reading(self.engine) as connection:
                return query(connection)

        return await run_in_threadpool(work)

    async def take(self, told: list[Any]) -> None:
        await run_in_threadpool(self._store, told)
        self.feed.signal(self.login.team_id)

    def _store(self, told: list[Any]) -> None:
        batch = open_batch(json.dumps({"events": told}).encode(), team_slug="cats", limits=Limits())
        with writing(self.engine) as connection:
            store(connection, self.login, batch)


@asynccontextmanager
async def running(engine: Engine, login: Login) -> AsyncIterator[Place]:
    place = Place(engine, login)
    task = asyncio.create_task(place.feed.run())
    yield place
    task.cancel()


async def text_with(viewer: Viewer, what: str) -> str:
    """The next message that has a text in it."""
    while True:
        message = await asyncio.wait_for(viewer.next(), 20)
        assert isinstance(message, str)
        if what in message:
            return message


def test_an_event_is_read_and_rendered_once_for_all_who_see_the_same(engine: Engine, login: Login) -> None:
    async def scenario() -> tuple[list[str], int]:
        async with running(engine, login) as place, AsyncExitStack() as stack:
            await place.take([created("WP01", lamport=1)])
            pages = [
                await stack.enter_async_context(place.viewers.joined(login, Filter(), position=0)) for _ in range(PAGES)
            ]
            for page in pages:
                await text_with(page, "WP01")
            before = place.reads
            await place.take([moved("WP01", "planned", "doing", lamport=2)])
            texts = [await text_with(page, "claude") for page in pages]
            return texts, place.reads - before

    texts, reads = asyncio.run(scenario())
    assert len(set(map(id, texts))) == 1
    assert reads <= 2  # one of them may be for the signal of the last page that came


def test_a_page_misses_nothing_that_comes_while_it_connects(engine: Engine, login: Login) -> None:
    """Pages that join at any moment of a stream of events have every one of them, in the end, in order."""
    steps = 60

    async def follow(place: Place, shown: int) -> list[int]:
        positions = []
        async with place.viewers.joined(login, Filter(), position=shown) as page:
            while shown < steps:
                message = await asyncio.wait_for(page.next(), 20)
                assert isinstance(message, str)
                if message == PING:
                    continue
                update = json.loads(message)
                told = {int(part.split('"')[0]) for part in update["activity"].split('data-position="')[1:]}
                assert told >= set(range(shown + 1, update["position"] + 1))
                shown = update["position"]
                positions.append(shown)
        return positions

    async def scenario() -> list[list[int]]:
        async with running(engine, login) as place:
            followers = []
            for n in range(1, steps + 1):
                await place.take([created("WP01", f"title {n}", lamport=n)])
                followers.append(asyncio.create_task(follow(place, max(0, n - 5))))
            return await asyncio.gather(*followers)

    for positions in asyncio.run(scenario()):
        assert positions == sorted(set(positions))


def test_a_page_that_takes_nothing_is_ended(login: Login) -> None:
    async def scenario() -> str | Ended:
        viewer = Viewer(login, position=0)
        for _ in range(1000):
            viewer.offer(None)
        return await viewer.next()

    assert asyncio.run(scenario()) == TOO_SLOW


def test_only_so_many_queries_compute_at_once(engine: Engine) -> None:
    """Each thread that computes is one that the event loop waits for: with 40 a look at /healthz took a second."""
    begun: list[int] = []
    most = threading.Barrier(1 + READERS_OF_SQLITE)

    def query(_: Connection) -> None:
        begun.append(1)
        most.wait(DEADLINE)
        most.wait(DEADLINE)

    async def scenario() -> None:
        reader = Reader(engine)
        asked = [asyncio.create_task(reader(query)) for _ in range(3 * READERS_OF_SQLITE)]
        for turn in (1, 2, 3):
            await run_in_threadpool(most.wait, 20)
            assert len(begun) == turn * READERS_OF_SQLITE
            await run_in_threadpool(most.wait, 20)
        await asyncio.gather(*asked)

    asyncio.run(scenario())


def test_what_many_ask_for_at_once_is_made_once() -> None:
    now = 0.0
    made: list[int] = []

    async def scenario() -> None:
        nonlocal now
        shared: Shared[int] = Shared(clock=lambda: now)

        async def make() -> int:
            await asyncio.sleep(0)
            made.append(len(made))
            if len(made) == 3:
                raise ValueError("the third fails")
            return made[-1]

        assert await asyncio.gather(*(shared.get("cats", make) for _ in range(50))) == [0] * 50
        assert await shared.get("dogs", make) == 1
        now += SECONDS + 1
        with pytest.raises(ValueError, match="the third"):
            await shared.get("cats", make)
        assert await shared.get("cats", make) == 3

    asyncio.run(scenario())


def test_an_update_of_a_big_board_names_what_changed_alone(hub: Hub, machine: Machine) -> None:
    told = [
        created(f"WP{n:02d}", lamport=3 * k + n, payload={"feature_slug": f"{k:03d}-part"})
        for k in range(FEATURES)
        for n in (1, 2, 3)
    ]
    assert set(machine.statuses(told)) == {"success"}
    cookie = hub.open_login("mira", kind="browser").secret
    headers = {"Cookie": f"kittywatch={cookie}", "Origin": hub.url}
    url = f"{hub.url.replace('http', 'ws', 1)}/live?after={len(told)}"
    with connect(url, additional_headers=headers, proxy=None) as page:
        assert page.recv(timeout=DEADLINE) == PING
        place = {"feature_slug": "007-part"}
        assert machine.statuses([moved("WP01", "planned", "doing", lamport=9000, payload=place)]) == ["success"]
        message = str(page.recv(timeout=DEADLINE))
        while message == PING:
            message = str(page.recv(timeout=DEADLINE))
    (project,) = json.loads(message)["tree"]["projects"]
    assert [feature["place"] for feature in project["features"]] == [natural("007-part")]
    assert "600" in project["html"]
    with httpx.Client(base_url=hub.url, headers=headers, trust_env=False) as browser:
        assert len(message) < len(browser.get("/").content) / 10


def test_what_is_short_is_framed_once_for_all_pages_and_what_is_long_is_compressed(
    hub: Hub, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To compress an update for each of many pages takes longer than all else that is done for it."""
    headers = {"Cookie": f"kittywatch={hub.open_login('mira', kind='browser').secret}", "Origin": hub.url}
    url = f"{hub.url.replace('http', 'ws', 1)}/live?after=0"
    compressed: list[tuple[bool, bool]] = []
    with connect(url, additional_headers=headers, proxy=None, max_size=None) as page:
        (deflate,) = page.protocol.extensions
        decode = deflate.decode

        def noted(frame: Frame, *, max_size: int | None = None) -> Frame:
            before = frame.rsv1
            plain = decode(frame, max_size=max_size)
            compressed.append((before, len(plain.data) > 16_384))
            return plain

        monkeypatch.setattr(deflate, "decode", noted)
        for told in ([created("WP01", lamport=1)], [created(f"WP{n:02d}", lamport=n) for n in range(10, 70)]):
            assert set(machine.statuses(told)) == {"success"}
            while told[-1]["payload"]["wp_id"] not in str(page.recv(timeout=DEADLINE)):
                pass
    assert {is_long for _, is_long in compressed} == {True, False}
    assert all(was_compressed == is_long for was_compressed, is_long in compressed)


def test_pages_and_their_files_come_compressed_and_what_machines_get_does_not(hub: Hub, machine: Machine) -> None:
    assert set(machine.statuses([created(f"WP{n:02d}", lamport=n) for n in range(1, 60)])) == {"success"}
    headers = {"Cookie": f"kittywatch={hub.open_login('mira', kind='browser').secret}", "Accept-Encoding": "gzip"}
    with httpx.Client(base_url=hub.url, headers=headers, trust_env=False) as browser:
        for path in ("/", "/?text=WP", "/activity", "/static/board.css", "/static/board.js"):
            answer = browser.get(path)
            assert answer.headers["Content-Encoding"] == "gzip", path
            assert "Accept-Encoding" in answer.headers["Vary"]
        assert "Content-Encoding" not in browser.get("/", headers={"Accept-Encoding": "identity"}).headers
    batch = machine.send([created(f"WP{n:02d}", lamport=n) for n in range(1, 99)], **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in batch.headers


def test_the_tree_grows_and_counts_where_it_stands(board: Page, machine: Machine) -> None:
    rows = board.locator("#tree .of-project .name")
    counts = board.locator("#tree .of-project .count")
    expect(board.locator("#tree .none-yet")).to_be_visible()
    machine.statuses([created("WP01", lamport=1), created("WP02", lamport=2)])
    expect(rows).to_have_text([FEATURE])
    expect(counts).to_have_text(["0/2"])
    expect(board.locator("#tree .none-yet")).not_to_be_visible()
    rows.first.evaluate("row => { row.closest('a').focus(); }")
    other = {"feature_slug": "003-nap"}
    machine.statuses([created("WP01", lamport=3, payload=other), moved("WP01", "planned", "done", lamport=4)])
    expect(rows).to_have_text(["003-nap", FEATURE])
    expect(counts).to_have_text(["0/1", "1/2"])
    expect(board.locator("#tree .project .count")).to_have_text("3")
    assert board.evaluate("document.activeElement.textContent.includes('001-purr')")
    second = {"project_uuid": "6fa459ea-ee8a-4ca4-894e-db77e160355e", "project_slug": "attic"}
    machine.statuses([created("WP01", lamport=5, payload={"feature_slug": "002-box"}, **second)])
    expect(board.locator("#tree .project bdi")).to_have_text(["attic", "purr"])
    expect(rows).to_have_text(["002-box", "003-nap", FEATURE])
    rows.first.click()
    expect(board.locator("h1")).to_have_text("002-box")
    expect(board.locator("#tree [aria-current] .name")).to_have_text("002-box")
    machine.statuses([moved("WP01", "planned", "done", lamport=6, payload={"feature_slug": "002-box"}, **second)])
    expect(counts).to_have_text(["1/1", "0/1", "1/2"])
    expect(board.locator("#tree [aria-current] .name")).to_have_text("002-box")


def test_too_much_at_once_loads_the_board_anew(new_page: Callable[..., Page], hub: Hub, machine: Machine) -> None:
    page = new_page()
    sign_in(page, hub.url)
    is_live(page)
    page.evaluate("window.untouched = true")
    told = [
        created(f"WP{n % 100:02d}", lamport=n + 1, payload={"feature_slug": f"{n // 100:03d}-x"}) for n in range(400)
    ]
    assert set(machine.statuses(told)) == {"success"}
    expect(page.locator("#lane-planned .count")).to_have_text("400")
    expect(page.locator("#tree .of-project")).to_have_count(4)
    assert page.evaluate("window.untouched") is True
