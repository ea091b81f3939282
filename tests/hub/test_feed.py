"""The feed in one process: whoever is connected hears what was stored, whatever the database did meanwhile."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from kittywatch.hub import migrations
from kittywatch.hub.database import open_engine, writing
from kittywatch.hub.feed import Chunk, Feed, Stored, Subscription
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


def test_frames_are_made_once_for_all_who_get_them() -> None:
    """A thousand connections of others share one object; whoever sent an event gets the rest."""
    stored = [
        Stored(position=n, text=json.dumps({"n": n, "x": "😺" * n}), session_id=f"s{n % 2}") for n in range(1, 200)
    ]
    chunk = Chunk(stored)
    assert chunk.frames_for("another") is chunk.frames_for("yet another")
    protocol = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    for session_id in ("another", "s0", "s1"):
        protocol.receive_data(chunk.frames_for(session_id))
        heard = [bytes(frame.data).decode() for frame in protocol.events_received() if isinstance(frame, Frame)]
        assert heard == [one.text for one in stored if one.session_id != session_id] == chunk.texts_for(session_id)


def test_who_does_not_keep_up_is_let_go_before_much_is_kept_for_it() -> None:
    async def fall_behind() -> tuple[int, Chunk]:
        subscription = Subscription()
        chunk = Chunk([Stored(position=1, text="x" * 300_000, session_id="s")])
        taken = 0
        while not subscription.lost:
            subscription.offer(chunk)
            taken += 1
        subscription.offer(chunk)
        return taken, await asyncio.wait_for(subscription.next(), 10)

    taken, last = asyncio.run(fall_behind())
    assert taken < 12
    assert not last


def test_a_chunk_of_big_events_is_small(engine: Engine, login: Login) -> None:
    """A hundred of the biggest events are handed on in pieces, none left out."""
    told = [created(f"WP{n:02d}", "x" * 200_000, lamport=n + 1) for n in range(60)]

    async def listen() -> list[list[str]]:
        feed = Feed(engine)
        running = asyncio.create_task(feed.run())
        subscription = await feed.subscribe(login.team_id)
        with writing(engine) as connection:
            store(
                connection, login, open_batch(json.dumps({"events": told}).encode(), team_slug="cats", limits=Limits())
            )
        feed.signal(login.team_id)
        pieces: list[list[str]] = []
        while sum(map(len, pieces)) < len(told):
            chunk = await asyncio.wait_for(subscription.next(), 20)
            assert chunk.size < 2 << 20
            pieces.append([json.loads(one.text)["event"]["event_id"] for one in chunk])
        running.cancel()
        return pieces

    pieces = asyncio.run(listen())
    assert [event_id for piece in pieces for event_id in piece] == [one["event_id"] for one in told]
