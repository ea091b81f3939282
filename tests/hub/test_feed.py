"""The feed in one process: whoever is connected hears what was stored, whatever the database did meanwhile."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from kittywatch.hub import accounts, migrations, sessions
from kittywatch.hub.database import open_engine, writing
from kittywatch.hub.feed import Chunk, Feed
from kittywatch.hub.ingest import store
from kittywatch.hub.limits import Limits
from kittywatch.hub.parsing import open_batch
from kittywatch.hub.sessions import Login
from tests.hub.hubs import created
from tests.waiting import until


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
        user = accounts.add_user(connection, "mira", team=team, password="correct horse", must_change=False)
        return sessions.open_session(connection, user, kind="machine").login


def test_a_read_that_fails_does_not_end_the_feed(
    engine: Engine, login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    """What was stored is handed on when the database answers again, without another signal."""
    told = created("WP01", lamport=1)

    async def listen() -> Chunk:
        feed = Feed(engine)
        running = asyncio.create_task(feed.run())
        subscription = await feed.subscribe(login.team_id)
        with writing(engine) as connection:
            batch = open_batch(json.dumps({"events": [told]}).encode(), team_slug="cats", limits=Limits())
            store(connection, login, batch)
            connection.execute(text("ALTER TABLE events RENAME TO away"))
        feed.signal(login.team_id)
        await asyncio.to_thread(until, lambda: "the feed tries again" in caplog.text, what="the read to fail")
        with writing(engine) as connection:
            connection.execute(text("ALTER TABLE away RENAME TO events"))
        heard = await asyncio.wait_for(subscription.next(), 10)
        running.cancel()
        return heard

    with caplog.at_level(logging.WARNING):
        assert [json.loads(one.text)["event"]["event_id"] for one in asyncio.run(listen())] == [told["event_id"]]
