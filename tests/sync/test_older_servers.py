"""Events of version 1.1.0: as they are to a server that names them, in the older form to any other."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kittywatch.emit.drafts import manual_draft
from kittywatch.emit.emitter import EventEmitter
from kittywatch.events import Assignment, Creation, StatusChange, from_json, to_json
from kittywatch.events.payloads import Actor, Payload
from kittywatch.store import destinations
from kittywatch.store.delivery import Outgoing
from kittywatch.sync import features
from kittywatch.sync.batch import batch_sync
from kittywatch.sync.delivery_status import delivery_status
from kittywatch.sync.older_servers import KEPT, UNSAID, form_for
from kittywatch.sync.session import StoreQueueAccess
from kittywatch.workpackages.schemes import FOUR_LANES, SPEC_KITTY_3
from tests.hub.hubs import Hub
from tests.store import stores
from tests.sync import delivering
from tests.sync.connected import connected, living
from tests.sync.delivering import FastClock
from tests.sync.fault_proxy import Fault, FaultProxy, Pass, Say
from tests.waiting import until


def move(wp_id: str, before: str, after: str, **further: Any) -> StatusChange:
    lanes = SPEC_KITTY_3.lanes
    stated = {"previous_category": lanes.get(before, "backlog"), "new_category": lanes.get(after, "active")}
    fields: dict[str, Any] = {"wp_id": wp_id, "previous_status": before, "new_status": after, **stated, **further}
    return StatusChange(changed_by="claude", feature_slug=stores.FEATURE, **fields)


def emit(target: EventEmitter, *payloads: Payload) -> list[str]:
    moment = datetime.now(UTC)
    drafts = [
        manual_draft(one, (str(getattr(one, "wp_id", "x")), "WorkPackage"), target.context, moment, None)
        for one in payloads
    ]
    return target.transact(lambda unit: [event.event_id for event in unit.enqueue(drafts)])


def bodies(hub: Hub) -> dict[str, Any]:
    with closing(sqlite3.connect(hub.database.removeprefix("sqlite:///"), timeout=30)) as connection:
        return {str(row[0]): json.loads(row[1]) for row in connection.execute("SELECT event_id, body FROM events")}


def outgoing(target: EventEmitter, payload: Payload) -> Outgoing:
    (event_id,) = emit(target, payload)
    ((data,),) = stores.rows(target.store.directory, f"SELECT data FROM queue WHERE event_id = '{event_id}'")
    return Outgoing(1, event_id, str(data), 1, stores.UUID, "shop")


@pytest.fixture
def old_server(own_hub: Hub) -> Iterator[FaultProxy]:
    """A real hub that has no page to say what it can."""

    def plan(path: str, number: int) -> Fault:
        return Say(404, heard=False) if path == "/api/v1/" else Pass()

    with FaultProxy(own_hub.port, plan) as proxy:
        yield proxy


@pytest.mark.parametrize("after", [lane for lane in SPEC_KITTY_3.lanes if FOUR_LANES[lane] != "planned"])
def test_lanes_go_by_the_table_and_what_is_new_is_left_out(target: EventEmitter, after: str) -> None:
    event = outgoing(target, move("WP01", "planned", after, force=True, execution_mode="worktree", reason="x"))
    assert json.loads(event.data)["schema_version"] == "1.1.0"
    form = form_for(event, "cats", takes_newer=False)
    assert isinstance(form, bytes)
    told = json.loads(form)
    assert to_json(from_json(form)) == msgspec.json.encode(told).decode()  # the contract's 1.0.0 takes it
    assert (told["event_id"], told["schema_version"]) == (event.event_id, "1.0.0")
    assert told["payload"] == {
        "wp_id": "WP01",
        "previous_status": "planned",
        "new_status": FOUR_LANES[after],
        "changed_by": "claude",
        "feature_slug": stores.FEATURE,
    }
    assert not {"source", "observer", "commit"} & told.keys()
    assert json.loads(form_for(event, "cats", takes_newer=True))["payload"]["new_status"] == after  # type: ignore[arg-type]


def test_the_lane_now_counts_where_it_is_given(target: EventEmitter) -> None:
    form = form_for(outgoing(target, move("WP01", "planned", "claimed", lane_now="done")), "cats", takes_newer=False)
    assert json.loads(form)["payload"]["new_status"] == "done"  # type: ignore[arg-type]


def test_other_schemes_go_by_what_their_lanes_mean(target: EventEmitter) -> None:
    payload = move("WP01", "to_do", "qa", previous_category="backlog", new_category="review")
    form = form_for(outgoing(target, payload), "cats", takes_newer=False)
    assert json.loads(form)["payload"]["new_status"] == "for_review"  # type: ignore[arg-type]


def test_a_lane_that_means_something_else_in_its_source_goes_by_that(target: EventEmitter) -> None:
    """`approved` is the last lane of some, `doing` nothing yet."""
    for lane, category, four in (("approved", "done", "done"), ("doing", "review", "for_review")):
        payload = move("WP01", "to_do", lane, previous_category="backlog", new_category=category)
        form = form_for(outgoing(target, payload), "cats", takes_newer=False)
        assert json.loads(form)["payload"]["new_status"] == four  # type: ignore[arg-type]


def test_a_lane_now_that_no_category_says_anything_of(target: EventEmitter) -> None:
    stated = {"previous_category": "backlog", "new_category": "active", "lane_now": "waiting_for_approval"}
    form = form_for(outgoing(target, move("WP01", "to_do", "coding", **stated)), "cats", takes_newer=False)
    assert json.loads(form)["payload"]["new_status"] == "for_review"  # type: ignore[arg-type]


def test_what_leads_nowhere_and_what_has_no_room(target: EventEmitter) -> None:
    for payload, said in (
        (move("WP01", "claimed", "in_progress"), UNSAID),
        (move("WP01", "claimed", "in_review", lane_now="blocked"), UNSAID),
        (move("WP100", "planned", "claimed"), KEPT),
        (Creation(wp_id="WP01", title="x", dependencies=["BACK-1.2"], feature_slug=stores.FEATURE), KEPT),
    ):
        assert form_for(outgoing(target, payload), "cats", takes_newer=False) is said


def test_an_agent_without_its_profile(target: EventEmitter) -> None:
    actor = Actor(tool="claude", model="opus")
    payload = Assignment(wp_id="WP01", agent_id="claude", phase="review", retry_count=0, feature_slug=None, actor=actor)
    form = form_for(outgoing(target, payload), "cats", takes_newer=False)
    assert isinstance(form, bytes)
    assert "actor" not in json.loads(form)["payload"]
    assert from_json(form).schema_version == "1.0.0"


def test_a_hub_gets_them_as_they_are(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    ids = emit(target, move("WP100", "planned", "claimed"), move("WP01", "claimed", "in_progress"))
    auth = delivering.log_in(home, own_hub)
    assert batch_sync(target.store, auth, clock=FastClock()).delivered == 2
    found = bodies(own_hub)
    assert [found[one]["schema_version"] for one in ids] == ["1.1.0", "1.1.0"]
    assert found[ids[0]]["payload"]["wp_id"] == "WP100"
    assert delivering.waiting(home) == []


def test_an_older_server_gets_what_it_knows(
    own_hub: Hub, old_server: FaultProxy, home: Path, target: EventEmitter
) -> None:
    """Four lanes under the same id; a step that is none is delivered without being sent; an id without room is kept."""
    told, silent, kept = emit(
        target,
        move("WP01", "planned", "claimed"),
        move("WP01", "claimed", "in_progress"),
        move("WP100", "planned", "claimed"),
    )
    (plain,) = delivering.queue(target, 1)
    auth = delivering.log_in(home, own_hub, url=old_server.url)
    summary = batch_sync(target.store, auth, clock=FastClock())
    assert (summary.delivered, summary.waiting, summary.left, summary.stopped) == (3, 1, 1, None)
    found = bodies(own_hub)
    assert found.keys() == {told, plain}
    assert found[told]["payload"]["new_status"] == "doing"
    assert found[told]["schema_version"] == "1.0.0"
    assert delivering.waiting(home) == [kept]
    ((delivered_at,),) = stores.rows(home, f"SELECT delivered_at FROM events WHERE event_id = '{silent}'")
    assert delivered_at is not None
    (reason,) = [line for line in delivery_status(target.store).kept_by if "1.1.0" in line]
    assert reason.startswith("1 kept: ")
    # It is no dead letter, however often it is tried, and goes once the server takes it.
    for _ in range(6):
        assert batch_sync(target.store, auth, clock=FastClock()).dead == 0
    target.store.transact(features.forget)
    auth = delivering.log_in(home, own_hub, url=own_hub.url)
    target.store.transact(lambda connection: connection.execute("UPDATE queue SET recipient = NULL"))
    assert batch_sync(target.store, auth, clock=FastClock()).delivered == 1
    assert bodies(own_hub)[kept]["payload"]["wp_id"] == "WP100"


def test_a_server_that_cannot_be_asked_gets_none_of_them(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    (newer,) = emit(target, move("WP01", "planned", "claimed"))
    (plain,) = delivering.queue(target, 1)

    def plan(path: str, number: int) -> Fault:
        return Say(503) if path == "/api/v1/" else Pass()

    with FaultProxy(own_hub.port, plan) as proxy:
        auth = delivering.log_in(home, own_hub, url=proxy.url)
        batch_sync(target.store, auth, clock=FastClock())
    assert bodies(own_hub).keys() == {plain}
    assert delivering.waiting(home) == [newer]
    assert delivering.claimed(home) == 0


@pytest.mark.parametrize("takes_newer", [True, False])
def test_over_the_socket(
    own_hub: Hub, old_server: FaultProxy, home: Path, target: EventEmitter, takes_newer: bool
) -> None:
    """Live delivery finds out what the server takes, and goes by it; what others wait for isn't held up."""
    delivering.log_in(home, own_hub, url=own_hub.url if takes_newer else old_server.url)
    with living(home, hears_others=True) as (session, _):
        connected(session)
        told, silent = emit(target, move("WP01", "planned", "claimed"), move("WP01", "claimed", "in_progress"))

        def empty() -> bool:
            session.wake()
            return not delivering.waiting(home)

        until(empty, what="an empty queue")
    found = bodies(own_hub)
    assert found[told]["schema_version"] == ("1.1.0" if takes_newer else "1.0.0")
    assert (silent in found) == takes_newer


def test_the_socket_has_the_older_form_of_a_server_that_is_known(
    own_hub: Hub, home: Path, target: EventEmitter
) -> None:
    told, silent, kept = emit(
        target,
        move("WP01", "planned", "claimed"),
        move("WP01", "claimed", "in_progress"),
        move("WP100", "planned", "claimed"),
    )
    (plain,) = delivering.queue(target, 1)
    asked: list[bool] = []

    def ready(connection: sqlite3.Connection) -> int:
        to = destinations.set_present(connection, own_hub.url, "cats").key
        features.remember(connection, to, frozenset(), now=datetime.now(UTC).timestamp())
        return to

    to = target.store.transact(ready)
    with StoreQueueAccess(target.store, on_riders=lambda: asked.append(True)) as access:
        found = {event.event_id: json.loads(event.data) for event in access.take(to, limit=2)}
        assert found.keys() == {told, plain}
        assert found[told]["payload"]["new_status"] == "doing"
        assert asked == []
    assert silent not in delivering.waiting(home)
    assert kept in delivering.waiting(home)
