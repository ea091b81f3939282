"""Rows 44 to 46 and 58 of the contract's table on a real hub, which one or two machines deliver to, in either order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub.hubs import PASSWORD, Hub, populate
from tests.scenarios import stories
from tests.scenarios.table import MakeWorld
from tests.scenarios.world import FEATURE, Clone, World
from tests.waiting import until


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    database = f"sqlite:///{tmp_path / 'hub.db'}"
    populate(database, teams={"cats": ["mira"]})
    started = Hub(database=database, log=tmp_path / "hub.log", module="tests.sync.quick_hub").start()
    yield started
    started.stop()


def deliver(machine: Clone, hub: Hub) -> None:
    """Log in, and send all that waits; whether a flusher has come first makes no difference."""
    login = ("auth", "login", "--server", hub.url, "--username", "mira", "--password-stdin")
    machine.run(*login, given=f"{PASSWORD}\n")
    machine.run("sync", "now")
    machine.run("auth", "logout")


def _shown(machine: Clone, hub: Hub) -> list[str]:
    """The transitions of WP01 that the hub shows."""
    lines = machine.run("hub", "export", "--database", hub.database).stdout.splitlines()
    told = [json.loads(line) for line in lines]
    moves = [event["payload"] for event in told if event["event_type"] == "WPStatusChanged"]
    return [f"{one['previous_status']}>{one['new_status']}" for one in moves if one["wp_id"] == "WP01"]


ROWS = {"44": (stories.edited_and_merged, 2), "45": (stories.amended, 2), "46": (stories.squashed_on_the_server, 3)}


@pytest.mark.parametrize("first", ["live", "replayed"])
@pytest.mark.parametrize(("number", "mode"), [("44", "W"), ("45", "W"), ("45", "H"), ("46", "W"), ("46", "H")])
def test_the_hub_shows_each_transition_once(
    make_world: MakeWorld, hub: Hub, number: str, mode: str, first: str
) -> None:
    story: Callable[[World], None]
    story, count = ROWS[number]
    world = make_world(mode)
    story(world)
    until(lambda: len(world.ids()) == count, what=lambda: f"{count} transitions, told: {world.steps()}")
    world.settle()
    world.stop()
    fresh = world.fresh_replay("main")
    for machine in (world, fresh) if first == "live" else (fresh, world):
        deliver(machine, hub)
    told = _shown(world, hub)
    assert len(told) == count, f"the hub shows {told}"


@pytest.mark.parametrize("mode", ["W", "H"])
def test_58_the_hub_shows_old_cards_under_the_new_name(make_world: MakeWorld, hub: Hub, mode: str) -> None:
    world = make_world(mode)
    world.move("doing")
    world.settle()
    deliver(world, hub)
    world.git("mv", f"kitty-specs/{FEATURE}", "kitty-specs/001-sign-in")
    world.commit("renamed")
    world.settle()
    world.move("for_review", feature="001-sign-in")
    until(lambda: len(world.ids()) == 2, what="the move under the new name")
    world.stop()
    deliver(world, hub)
    lines = world.run("hub", "export", "--originals", "--database", hub.database).stdout.splitlines()
    told = [json.loads(line) for line in lines]
    assert {one["feature"] for one in told if one["event"]["payload"].get("wp_id") == "WP01"} >= {"001-sign-in"}
    assert FEATURE not in {one["feature"] for one in told}
    assert _shown(world, hub) == ["planned>doing", "doing>for_review"]
