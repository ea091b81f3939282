"""Missions of the real spec-kitty-cli 3.2.7, from their creation to their merge: each lane line is told once.

One mission, which is long; with KITTYWATCH_CAMPAIGN it is every topology in each of the three modes, half an hour.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.selection import CAMPAIGN
from tests.spec_kitty.conftest import MakeMission
from tests.spec_kitty.mission import TOPOLOGIES, Mission
from tests.waiting import until

pytestmark = pytest.mark.long  # a program of others

MODES = ("W", "H", "WH")
RUNS = [(topology, mode) for topology in TOPOLOGIES for mode in MODES] if CAMPAIGN else [("coord", "WH")]


def work_through(mission: Mission) -> None:
    """Two work packages, of which a review sends one back; one alone where the program can't merge for a second."""
    packages = ["WP01"] if "coord" in mission.topology else ["WP01", "WP02"]
    mission.plan(packages)
    mission.implement("WP01")
    mission.work("WP01")
    mission.hand_over("WP01")
    mission.review("WP01")
    mission.reject("WP01")
    mission.implement("WP01", "codex")
    mission.work("WP01")
    mission.hand_over("WP01", "codex")
    for wp in packages[1:]:
        mission.implement(wp)
        mission.work(wp)
        mission.hand_over(wp)
    for wp in packages:
        mission.review(wp)
        mission.approve(wp)
    mission.finish(len(packages))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("topology", "mode"), RUNS)
def test_each_lane_line_is_told_once(make_mission: MakeMission, topology: str, mode: str) -> None:
    mission = make_mission(topology, mode)
    mission.prepare()
    work_through(mission)
    stated = {line["event_id"]: line for line in mission.lane_lines()}
    # By what the program is known to write: whoever changes the story above counts again.
    assert len(stated) == (11 if "coord" in topology else 17)
    until(
        lambda: "W" not in mode or len(mission.told()) >= len(stated),
        what=lambda: f"the watcher: {len(mission.told())} of {len(stated)} told",
    )
    told = mission.told()
    assert Counter(event["event_id"] for event in told) == Counter(list(stated))
    for event in told:
        payload, line = event["payload"], stated[event["event_id"]]
        assert (payload["wp_id"], payload["previous_status"], payload["new_status"]) == (
            line["wp_id"],
            line["from_lane"],
            line["to_lane"],
        )
        assert payload["feature_slug"] == mission.slug
    mission.run("emit", "scan")
    mission.run("emit", "replay")
    assert mission.told() == told
