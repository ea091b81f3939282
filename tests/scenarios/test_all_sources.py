"""A project with all five lane sources at once: one ledger, one clock, one hub that shows each in its own lanes."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.hub.hubs import Hub, populate
from tests.scenarios.missions import MISSION, append, line, plan
from tests.scenarios.neighbors import TOOLS
from tests.scenarios.table import MakeWorld, converges
from tests.scenarios.test_rows_hub import deliver
from tests.scenarios.world import FEATURE
from tests.waiting import until

MOVED = {
    "WP01": ["planned>doing"],
    "WP11": ["planned>claimed"],
    **{tool.ids["A"]: [f"{tool.lanes[0]}>{tool.lanes[1]}"] for tool in TOOLS},
}
# T001 and 1.1, 1 and 1-1-sign-in are of two tools each, but of one reader.
SHOWN = {
    ("frontmatter", FEATURE, "WP01", "doing"),
    ("event-log", MISSION, "WP11", "claimed"),
    *((tool.source, tool.feature, tool.ids["A"], tool.lanes[1]) for tool in TOOLS),
}


@pytest.mark.parametrize("mode", ["W", "H", "WH"])
def test_five_sources_in_one_project(make_world: MakeWorld, tmp_path: Path, mode: str) -> None:
    world = make_world(mode)
    plan(world, "WP11")
    for tool in TOOLS:
        tool.save(world, A=0, B=0)
    world.commit("plans")
    world.settle()
    world.write("doing")
    append(world, line(5, "planned>claimed", wp_id="WP11"))
    for tool in TOOLS:
        tool.save(world, A=1, B=0)
    world.commit("all of them move")
    until(lambda: len(world.ids()) == len(MOVED), what=lambda: f"{MOVED}, told: {world.all_steps()}")
    world.settle()
    assert world.all_steps() == MOVED
    world.replay_adds()  # and the clocks of all events have neither a gap nor a repeat
    converges(world, MOVED)
    world.stop()
    database = tmp_path / "hub.db"
    populate(f"sqlite:///{database}", teams={"cats": ["mira"]})
    hub = Hub(database=f"sqlite:///{database}", log=tmp_path / "hub.log").start()
    try:
        deliver(world, hub)
    finally:
        hub.stop()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT source, feature, wp_id, lane FROM work_packages WHERE lane_since IS NOT NULL"
        there = set(connection.execute(query).fetchall())
    assert there >= SHOWN, f"missing: {SHOWN - there}"
