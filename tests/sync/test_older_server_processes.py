"""Events of version 1.1.0 and server processes: one that names them, and one that knows and takes 1.0.0 alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kittywatch.emit.drafts import manual_draft
from kittywatch.emit.emitter import EventEmitter
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.events import Actor, Assignment, Creation, Payload, StatusChange, from_json
from kittywatch.store import destinations
from kittywatch.store.delivery import Outgoing
from kittywatch.sync import features
from kittywatch.sync.batch import batch_sync
from kittywatch.sync.delivery_status import delivery_status
from kittywatch.sync.older_servers import KEPT, UNSAID, is_newer, older_form
from kittywatch.workpackages.schemes import FOUR_LANES, SPEC_KITTY_3
from tests.events.examples import Json, example
from tests.hub.hubs import Hub, populate
from tests.store import stores
from tests.sync import delivering
from tests.sync.conftest import TEAMS
from tests.sync.connected import connected, living
from tests.sync.delivering import FastClock
from tests.sync.fault_proxy import FaultProxy, answer_json
from tests.waiting import until

ADDED = {"force", "execution_mode", "review_ref", "reason", "evidence", "lane_now"}


def change(old: str, new: str, *, wp_id: str = "WP01", **more: Any) -> StatusChange:
    return StatusChange(
        wp_id=wp_id,
        previous_status=old,
        new_status=new,
        changed_by="mira",
        feature_slug=stores.FEATURE,
        previous_category=SPEC_KITTY_3.lanes[old],
        new_category=SPEC_KITTY_3.lanes[new],
        **more,
    )


STORY: list[Payload] = [
    Creation(wp_id="WP01", title="Purr", dependencies=[], feature_slug=stores.FEATURE),
    change("planned", "claimed", force=True, execution_mode="worktree"),
    change("claimed", "in_progress"),
    Assignment(
        wp_id="WP01",
        agent_id="claude",
        phase="implementation",
        retry_count=0,
        feature_slug=stores.FEATURE,
        actor=Actor(role="implementer"),
    ),
    Creation(wp_id="T-100", title="Meow", dependencies=[], feature_slug=stores.FEATURE),
    change("planned", "claimed", wp_id="T-100"),
    change("in_progress", "for_review"),
    change("for_review", "approved", review_ref="review-cycle://1"),
    change("approved", "canceled"),
]
SAID = [("planned", "doing"), ("doing", "for_review"), ("for_review", "done")]
KEPT_PLACES, UNSAID_PLACES = (4, 5), (2, 7)


def queue(target: EventEmitter, payloads: list[Payload]) -> list[str]:
    moment = datetime(2026, 1, 15, 12, tzinfo=UTC)

    def work(unit: UnitOfWork) -> list[str]:
        drafts = [
            manual_draft(
                one,
                (str(getattr(one, "wp_id", "")), "WorkPackage"),
                target.context,
                moment + timedelta(minutes=place),
                None,
            )
            for place, one in enumerate(payloads)
        ]
        return [event.event_id for event in unit.enqueue(drafts)]

    return target.transact(work)


def stored(hub: Hub) -> dict[str, Json]:
    with closing(sqlite3.connect(hub.database.removeprefix("sqlite:///"), timeout=30)) as connection:
        return {str(key): json.loads(body) for key, body in connection.execute("SELECT event_id, body FROM events")}


def kept_here(home: Path) -> dict[str, Json]:
    return {str(key): json.loads(str(data)) for key, data in stores.rows(home, "SELECT event_id, data FROM events")}


def transitions(events: dict[str, Json], ids: list[str]) -> list[tuple[str, str]]:
    told = [events[one] for one in ids if one in events and events[one]["event_type"] == "WPStatusChanged"]
    return [(one["payload"]["previous_status"], one["payload"]["new_status"]) for one in told]


@pytest.fixture
def older_hub(tmp_path: Path) -> Iterator[Hub]:
    """A server process that knows version 1.0.0 alone."""
    database = f"sqlite:///{tmp_path / 'older.db'}"
    populate(database, teams=TEAMS)
    hub = Hub(database=database, log=tmp_path / "older.log", module="tests.sync.older_hub").start()
    yield hub
    hub.stop()


def check_older(hub: Hub, home: Path, target: EventEmitter, ids: list[str], before: dict[str, Json]) -> None:
    """The server has all that it can hold, the queue the rest, and says why; what is kept here is as it was."""
    there = stored(hub)
    assert {event["schema_version"] for event in there.values()} == {"1.0.0"}
    assert [place for place, one in enumerate(ids) if one not in there] == sorted([*KEPT_PLACES, *UNSAID_PLACES])
    assert transitions(there, ids) == SAID
    assert all(one in FOUR_LANES for pair in SAID for one in pair)
    assert delivering.waiting(home) == [ids[place] for place in KEPT_PLACES]
    assert delivering.claimed(home) == 0
    assert kept_here(home) == before
    status = delivery_status(target.store)
    assert [line for line in status.kept_by if "2 kept" in line and "1.1.0" in line], status.kept_by
    assert status.dead_letters == 0


def test_a_server_that_names_them_gets_them_as_they_are(own_hub: Hub, home: Path, target: EventEmitter) -> None:
    ids = queue(target, STORY)
    summary = batch_sync(target.store, delivering.log_in(home, own_hub), clock=FastClock())
    assert (summary.delivered, summary.left, summary.stopped) == (len(ids), 0, None)
    there, here = stored(own_hub), kept_here(home)
    assert {one: there[one]["payload"] for one in ids} == {one: here[one]["payload"] for one in ids}
    assert there[ids[1]]["schema_version"] == "1.1.0"


def test_an_older_server_gets_the_older_form_in_batches(older_hub: Hub, home: Path, target: EventEmitter) -> None:
    ids = queue(target, STORY)
    before = kept_here(home)
    auth = delivering.log_in(home, older_hub)
    summary = batch_sync(target.store, auth, clock=FastClock(), batch_size=2)
    assert (summary.refused, summary.stopped) == ({}, None)
    check_older(older_hub, home, target, ids, before)
    assert batch_sync(target.store, auth, clock=FastClock()).batches == 0


def test_an_older_server_gets_the_older_form_over_a_websocket(older_hub: Hub, home: Path, target: EventEmitter) -> None:
    """What the first batch finds out of the server, the socket acts on."""
    delivering.log_in(home, older_hub)
    with living(home) as (live, said):
        connected(live)
        target.on_emitted = live.wake
        ids = queue(target, STORY)
        before = kept_here(home)
        until(lambda: len(delivering.waiting(home)) == 2, what="all to leave that can")
        further = queue(target, [change("claimed", "in_progress"), change("canceled", "planned")])
        before |= {one: event for one, event in kept_here(home).items() if one in further}
        until(lambda: further[1] in stored(older_hub), what="a later transition at the server")
        until(lambda: len(delivering.waiting(home)) == 2, what="the one that says nothing to be settled")
        assert said.warnings == []
    there = stored(older_hub)
    assert further[0] not in there
    assert transitions(there, further) == [("done", "planned")]
    check_older(older_hub, home, target, ids, before)


def test_what_was_kept_goes_once_the_server_takes_it(older_hub: Hub, home: Path, target: EventEmitter) -> None:
    ids = queue(target, STORY)
    auth = delivering.log_in(home, older_hub)
    batch_sync(target.store, auth, clock=FastClock())
    older_hub.stop()
    older_hub.module = "tests.sync.quick_hub"
    older_hub.start()
    target.store.transact(features.forget)
    assert batch_sync(target.store, auth, clock=FastClock()).delivered == len(KEPT_PLACES)
    assert {ids[place] for place in KEPT_PLACES} <= stored(older_hub).keys()
    assert delivering.waiting(home) == []


def test_a_server_that_cannot_say_right_now_gets_them_later(home: Path, target: EventEmitter) -> None:
    queue(target, STORY)
    with FaultProxy(0, lambda path, number: answer_json(503, {})) as proxy:
        auth = delivering.pretend_login(home, proxy.url)
        batch_sync(target.store, auth, clock=FastClock(), attempts=1, batch_deadline=5.0)
    assert len(delivering.waiting(home)) == len(STORY)
    assert delivering.claimed(home) == 0


def test_a_server_is_asked_only_where_something_newer_goes(home: Path, target: EventEmitter) -> None:
    delivering.queue(target, 1)
    asked: list[str] = []

    def plan(path: str, number: int) -> Any:
        asked.append(path)
        return answer_json(503, {})

    with FaultProxy(0, plan) as proxy:
        batch_sync(target.store, delivering.pretend_login(home, proxy.url), clock=FastClock(), attempts=1)
    if all(event["schema_version"] == "1.0.0" for event in kept_here(home).values()):
        assert features.PATH not in asked
    assert target.store.read(destinations.present) is not None


# The form itself.


def outgoing(event: Json) -> Outgoing:
    return Outgoing(1, str(event["event_id"]), json.dumps(event), 1, stores.UUID, None)


def newer(event_type: str, **payload: Any) -> Outgoing:
    event = example(event_type)
    return outgoing(event | {"schema_version": "1.1.0", "payload": event["payload"] | payload})


@pytest.mark.parametrize("lane", FOUR_LANES)
def test_lanes_go_by_the_table(lane: str) -> None:
    form = older_form(newer("WPStatusChanged", previous_status="planned", new_status=lane))
    if FOUR_LANES[lane] == "planned":
        assert form is UNSAID
        return
    assert isinstance(form, str)
    assert json.loads(form)["payload"]["new_status"] == FOUR_LANES[lane]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"previous_status": "claimed", "new_status": "for_review", "lane_now": "approved"}, ("doing", "for_review")),
        ({"previous_status": "planned", "new_status": "claimed", "lane_now": "done"}, ("planned", "done")),
        ({"previous_status": "planned", "new_status": "claimed", "lane_now": "planned"}, None),
        (
            {
                "previous_status": "ideas",
                "new_status": "building",
                "previous_category": "backlog",
                "new_category": "active",
            },
            ("planned", "doing"),
        ),
        (
            {
                "previous_status": "building",
                "new_status": "looking",
                "previous_category": "active",
                "new_category": "review",
                "lane_now": "building",
            },
            None,
        ),
    ],
)
def test_the_lane_that_it_has_now_is_the_new_one(fields: Json, said: tuple[str, str] | None) -> None:
    form = older_form(newer("WPStatusChanged", **fields))
    if said is None:
        assert form is UNSAID
        return
    assert isinstance(form, str)
    payload = json.loads(form)["payload"]
    assert (payload["previous_status"], payload["new_status"]) == said
    assert not ADDED & payload.keys()


@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        ("WPCreated", {"wp_id": "WP100"}),
        ("WPCreated", {"dependencies": ["WP01", "T-1"]}),
        ("DependencyResolved", {"dependency_wp_id": "1.2"}),
        ("WPStatusChanged", {"wp_id": "BACK-222"}),
        ("HistoryAdded", {"wp_id": "T001"}),
    ],
)
def test_ids_that_the_older_version_lacks_are_kept(event_type: str, fields: Json) -> None:
    assert older_form(newer(event_type, **fields)) is KEPT


@pytest.mark.parametrize("event_type", ["WPAssigned", "ErrorLogged", "FeatureCreated", "HistoryAdded"])
def test_the_envelope_loses_what_is_new_and_keeps_its_id(event_type: str) -> None:
    event = example(event_type)
    more = {"source": "event-log", "observer": "watcher", "commit": "c" * 40, "schema_version": "1.1.0"}
    payload = event["payload"] | ({"actor": {"role": "implementer"}} if event_type == "WPAssigned" else {})
    form = older_form(outgoing(event | more | {"payload": payload}))
    assert isinstance(form, str)
    assert json.loads(form) == event
    assert from_json(form).schema_version == "1.0.0"


@pytest.mark.parametrize("data", ["", "[]", '"1.1.0"', '{"schema_version": "1.1.0"}', '{"a": "1.1.0"}', "\ud800"])
def test_what_is_no_event_is_left_to_the_server(data: str) -> None:
    assert not is_newer(Outgoing(1, "x", data, 1, stores.UUID, None))
