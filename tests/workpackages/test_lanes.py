"""R3: the lanes and the names that stand for them."""

from __future__ import annotations

import pytest

from kittywatch.workpackages.lanes import LANES, LaneNames


@pytest.mark.parametrize("lane", ["planned", "doing", "for_review", "done"])
def test_the_four_lanes_name_themselves(lane: str) -> None:
    assert LaneNames().lane(lane) == lane
    assert lane in LANES


@pytest.mark.parametrize(
    ("alias", "lane"),
    [("in_progress", "doing"), ("claimed", "doing"), ("in_review", "for_review"), ("approved", "for_review")],
)
def test_aliases(alias: str, lane: str) -> None:
    """R3: the names that newer tools use."""
    assert LaneNames().lane(alias) == lane


@pytest.mark.parametrize("written", ["", "Doing", "DOING", "foo", "doing ", "to_do", "for-review", "None"])
def test_what_names_no_lane(written: str) -> None:
    """R3: neither known nor an alias is invalid."""
    assert LaneNames().lane(written) is None


def test_aliases_are_configurable_and_lanes_are_not() -> None:
    """R3: a project's own aliases; none of them can turn a lane into another one."""
    names = LaneNames({"wip": "doing", "done": "planned"})
    assert names.lane("wip") == "doing"
    assert names.lane("done") == "done"
    assert names.lane("claimed") is None
