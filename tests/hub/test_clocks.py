"""Lamport clocks that run away: nothing is refused for one, nothing is frozen by one, and clients and hub agree."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from kittywatch.events import LARGEST_CLOCK
from kittywatch.hub import clocks, projections
from kittywatch.hub.database import open_engine, writing
from kittywatch.hub.schema import events
from kittywatch.sync.link import Link, MoveClock
from tests.hub.conftest import Run
from tests.hub.hubs import FEATURE, PROJECT, Hub, Machine, created, moved

RUN_AWAY = [1 << 40, 1 << 48, (1 << 48) + 1, 1 << 50, (1 << 53) - 1]
OTHERS = "b" * 12


@given(st.lists(st.integers(1, 1 << 60), max_size=30), st.integers(0, 1 << 30))
def test_no_clock_is_far_ahead_of_what_came_before(told: list[int], highest: int) -> None:
    for clock, taken in zip(told, clocks.taken_with(told, highest=highest), strict=True):
        assert taken in (clock, highest + 1)
        assert taken <= highest + clocks.FAR_AHEAD
        highest = max(highest, taken)


@pytest.mark.parametrize("clock", RUN_AWAY)
def test_a_clock_that_ran_away_freezes_no_card(hub: Hub, machine: Machine, other_machine: Machine, clock: int) -> None:
    assert machine.statuses([created("WP01", lamport=1), moved("WP01", "planned", "doing", lamport=2)])
    told = moved("WP01", "doing", "for_review", lamport=clock, timestamp=_at(3), node_id=OTHERS)
    assert other_machine.statuses([told]) == ["success"]
    assert _lane(machine, hub) == "for_review"
    # Whoever follows only what can be has not moved; its next event comes after all the same.
    assert machine.statuses([moved("WP01", "for_review", "doing", lamport=4)]) == ["success"]
    assert _lane(machine, hub) == "doing"
    # The one that ran away goes on, in its order.
    later = [
        moved("WP01", "doing", "for_review", lamport=clock, timestamp=_at(5), node_id=OTHERS),
        moved("WP01", "for_review", "done", lamport=min(clock + 1, RUN_AWAY[-1]), timestamp=_at(6), node_id=OTHERS),
    ]
    assert other_machine.statuses(later) == ["success", "success"]
    assert _lane(machine, hub) == "done"
    # What clients get of it is a clock that they follow; a second delivery is known.
    assert other_machine.statuses([told]) == ["duplicate"]
    with _rows(hub.database) as connection:
        passed_on = [json.loads(body) for body in connection.execute(select(events.c.body)).scalars()]
        came_as = connection.execute(select(events.c.original).where(events.c.event_id == told["event_id"])).scalar()
    passed_on.sort(key=lambda one: str(one["timestamp"]))
    assert [one["lamport_clock"] for one in passed_on] == [1, 2, 3, 4, 5, 6]
    assert json.loads(came_as or "")["lamport_clock"] == clock


def test_whoever_joins_late_with_a_clock_of_its_own_is_taken_as_it_is(hub: Hub, machine: Machine) -> None:
    told = [created(f"WP{n:02d}", lamport=n * 10_000, timestamp=_at(n)) for n in range(1, 9)]
    assert set(machine.statuses(told)) == {"success"}
    with _rows(hub.database) as connection:
        assert connection.execute(select(events.c.original)).scalars().all() == [None] * 8


def test_client_and_hub_have_one_bound(hub: Hub, machine: Machine) -> None:
    """Whatever clock an event comes with, a client that hears of it follows to what the hub takes from it then."""
    machine.statuses([created("WP01", lamport=1)])
    machine.statuses([created("WP02", lamport=LARGEST_CLOCK + 1, timestamp=_at(2))])
    with _rows(hub.database) as connection:
        heard = [json.loads(body) for body in connection.execute(select(events.c.body)).scalars()]
    link = Link(roll=lambda: 0.5)
    link.start(0)
    link.opened(0)
    for one in heard:
        message = json.dumps({"type": "event", "event": one})
        assert link.received(message, 0) == [MoveClock(one["lamport_clock"])]
    highest = max(one["lamport_clock"] for one in heard)
    assert machine.statuses([created("WP03", lamport=highest + 1)]) == ["success"]


def test_repair_unfreezes_what_was_stored_before(run: Run, sqlite_database: str, start_hub: Callable[..., Hub]) -> None:
    hub = start_hub(sqlite_database)
    opened = hub.open_login("mira")
    told = [
        created("WP01", lamport=1),
        moved("WP01", "planned", "doing", lamport=2),
        moved("WP01", "doing", "for_review", lamport=3),
        moved("WP01", "for_review", "done", lamport=4),
    ]
    with Machine(hub.url, hub.access_token(opened)) as machine:
        machine.statuses(told)
        with _rows(sqlite_database) as connection:
            # As a hub before this rule kept it.
            body = json.dumps(told[1] | {"lamport_clock": 1 << 50}, separators=(",", ":"))
            here = events.c.event_id == told[1]["event_id"]
            connection.execute(update(events).where(here).values(lamport_clock=1 << 50, body=body))
            projections.rebuild(connection, opened.login.team_id)
        assert _lane(machine, hub) == "doing"
        done = run("repair")
        assert (done.code, done.err) == (0, "Put right the clocks of 1 events.\n")
        assert _lane(machine, hub) == "done"
        assert run("repair").err == "Nothing was wrong.\n"
        assert machine.statuses([moved("WP01", "done", "doing", lamport=5)]) == ["success"]
        assert _lane(machine, hub) == "doing"


def _at(second: int) -> str:
    return f"2026-03-01T00:00:{second:02d}+00:00"


def _lane(machine: Machine, hub: Hub) -> str:
    """The lane of WP01, as the board's page has it."""
    cookie = {"Cookie": f"kittywatch={hub.open_login('mira', kind='browser').secret}"}
    page = machine.http.get(f"/wp/{PROJECT}/{FEATURE}/WP01", headers=cookie).text
    return page.split('class="lane-word" data-lane="')[1].split('"')[0]


@contextmanager
def _rows(database: str) -> Iterator[Connection]:
    engine = open_engine(database)
    with writing(engine) as connection:
        yield connection
    engine.dispose()
