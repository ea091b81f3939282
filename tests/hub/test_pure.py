"""The parts that compute: limits, the older form, folding, charts."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittywatch.events import InvalidEventError, WPStatusChanged, from_json
from kittywatch.hub import cards, charts, legacy
from kittywatch.hub.bodies import Inflater
from kittywatch.hub.config import Config, is_loopback
from kittywatch.hub.errors import ConfigurationError, RequestError, ThrottledError
from kittywatch.hub.limits import Limits, Pace, is_deeper
from kittywatch.hub.parsing import Accepted, Refused, open_event
from kittywatch.workpackages.schemes import SPEC_KITTY_3
from tests.hub.hubs import FEATURE, created, moved


@given(
    st.recursive(st.text() | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))
)
def test_depth_is_what_the_brackets_say(value: Any) -> None:
    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max((depth(item) for item in inner), default=0)

    data = json.dumps(value).encode()
    assert not is_deeper(data, depth(value))
    assert depth(value) == 0 or is_deeper(data, depth(value) - 1)


def inflate(body: bytes, limits: Limits, *, at_once: int = 1 << 20) -> bytes:
    """A whole body, as its bytes come in chunks."""
    inflater = Inflater(limits)
    chunks = [body[start : start + at_once] for start in range(0, len(body), at_once)]
    data = b"".join(piece for chunk in chunks for piece in inflater.feed(chunk))
    inflater.finish()
    return data


@given(st.binary(max_size=2000), st.integers(1, 100))
def test_what_was_packed_is_unpacked(data: bytes, at_once: int) -> None:
    assert inflate(gzip.compress(data), Limits(), at_once=at_once) == data


@pytest.mark.parametrize("size", [1000, 1001])
def test_inflating_stops_at_the_limit(size: int) -> None:
    limits = Limits(inflated=1000)
    if size == 1000:
        assert len(inflate(gzip.compress(b"x" * size), limits)) == size
    else:
        with pytest.raises(RequestError) as error:
            inflate(gzip.compress(b"x" * size), limits)
        assert error.value.code == 413


def test_a_pace_gives_a_burst_and_then_its_rate() -> None:
    now = 0.0
    pace = Pace(per_second=2.0, burst=3, clock=lambda: now)
    assert [pace.wait("a") for _ in range(3)] == [0, 0, 0]
    assert pace.wait("a") == pytest.approx(0.5)
    assert pace.wait("b") == 0
    now = 0.5
    pace.take("a")
    with pytest.raises(ThrottledError):
        pace.take("a")


OLDER = {
    "event_id": "01J0000000000000000000000A",
    "event_type": "WPStatusChanged",
    "aggregate_id": "WP01",
    "aggregate_type": "WorkPackage",
    "payload": {
        "wp_id": "WP01",
        "from_lane": "claimed",
        "to_lane": "in_progress",
        "actor": "claude",
        "feature_slug": FEATURE,
        "policy_metadata": None,
    },
    "node_id": "a1b2c3d4e5f6",
    "lamport_clock": 3,
    "causation_id": None,
    "timestamp": "2026-03-01T00:00:00+00:00",
    "team_slug": "local",
    "project_uuid": "550e8400-e29b-41d4-a716-446655440000",
    "project_slug": "purr",
    "git_branch": "main",
    "head_commit_sha": None,
    "repo_slug": "cats/purr",
}


def taken(event: Any) -> Accepted | Refused:
    return open_event(json.dumps(event).encode(), team_slug="cats", limits=Limits())


def test_the_older_form_is_taken_in_and_kept() -> None:
    member = taken(OLDER)
    assert isinstance(member, Accepted)
    assert isinstance(member.event, WPStatusChanged)
    payload = member.event.payload
    assert (payload.previous_status, payload.new_status, payload.changed_by) == ("claimed", "in_progress", "claude")
    assert (payload.previous_category, payload.new_category) == ("active", "active")
    assert member.event.build_id == "cats/purr"
    assert member.event.correlation_id == OLDER["event_id"]
    assert json.loads(member.original or "") == OLDER
    again = taken(OLDER)
    assert isinstance(again, Accepted)
    assert again.content_hash == member.content_hash


@pytest.mark.parametrize("lane", [*SPEC_KITTY_3.lanes, "doing"])
def test_every_lane_of_the_older_form_comes_in_as_what_it_is(lane: str) -> None:
    member = taken(OLDER | {"payload": OLDER["payload"] | {"to_lane": lane}})  # type: ignore[operator]
    assert isinstance(member, Accepted)
    assert isinstance(member.event, WPStatusChanged)
    assert member.event.payload.new_status == lane
    assert member.event.schema_version == "1.1.0"


@pytest.mark.parametrize(
    "change",
    [
        {"payload": {"wp_id": "WP01", "from_lane": "nowhere", "to_lane": "done"}},
        {"payload": {"wp_id": "WP01", "from_lane": ["planned"], "to_lane": "done"}},
        {"payload": {}},
        {"payload": []},
        {"event_type": "MissionDossierSnapshotComputed"},
        {"event_type": ["WPCreated"]},
        {"event_type": "WPCreated", "payload": {"wp_id": "WP01", "dependencies": 5}},
        {"event_type": "WPCreated", "payload": {"wp_id": "WP01", "dependencies": [["WP01"]]}},
        {"event_type": "FeatureCreated", "payload": {"feature_number": {}}},
        {"lamport_clock": "3"},
        {"unknown": 1},
    ],
)
def test_what_is_neither_form_is_refused(change: dict[str, Any]) -> None:
    member = taken(OLDER | change)
    assert isinstance(member, Refused)
    assert member.event_id == OLDER["event_id"]


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("WPStatusChanged", {"wp_id": "BACK-1.2", "from_lane": "planned", "to_lane": "doing"}),
        ("WPCreated", {"wp_id": "WP100", "title": "x", "dependencies": []}),
        ("WPCreated", {"wp_id": "WP01", "title": "x", "dependencies": ["WP100"]}),
        ("HistoryAdded", {"wp_id": "T001", "entry_type": "note", "entry_content": "x"}),
        ("DependencyResolved", {"wp_id": "WP01", "dependency_wp_id": "1.1", "resolution_type": "completed"}),
    ],
)
def test_ids_that_the_older_form_has_and_the_first_version_lacks(kind: str, payload: dict[str, Any]) -> None:
    member = taken(OLDER | {"event_type": kind, "payload": payload | {"feature_slug": FEATURE}})
    assert isinstance(member, Accepted), member
    assert member.event.schema_version == "1.1.0"


@given(st.binary(max_size=300))
def test_no_bytes_break_parsing(data: bytes) -> None:
    assert isinstance(open_event(data, team_slug="cats", limits=Limits()), Refused)


def test_a_refusal_names_the_field_and_never_the_content() -> None:
    member = taken(moved("WP01", "planned", "a secret lane", lamport=1))
    assert isinstance(member, Refused)
    assert "new_status" in member.reason
    assert "secret" not in member.reason


@given(st.permutations(range(6)))
def test_a_fold_does_not_depend_on_the_order_of_arrival(order: list[int]) -> None:
    path = ["planned", "doing", "for_review", "doing", "done"]
    told = [from_json(json.dumps(created("WP01", lamport=1, event_id=f"01J000000000000000000000A{0}")))]
    for n in range(4):
        step = moved("WP01", path[n], path[n + 1], lamport=2 + n // 2, event_id=f"01J000000000000000000000B{n}")
        told.append(from_json(json.dumps(step)))
    told.append(from_json(json.dumps(created("WP01", "Later", lamport=9, event_id="01J000000000000000000000C0"))))
    placed = list(enumerate(told))
    assert cards.fold([placed[n] for n in order]) == cards.fold(placed)
    card = cards.fold(placed)
    assert (card.lane, card.rework, card.title, card.transitions) == ("done", 1, "Later", 4)


def test_flow_counts_each_work_package_once() -> None:
    told = [from_json(json.dumps(created(f"WP0{n}", lamport=n))) for n in range(1, 4)]
    told += [from_json(json.dumps(moved("WP01", "planned", "doing", lamport=600)))]
    told += [from_json(json.dumps(moved("WP01", "doing", "done", lamport=1200)))]
    flow = charts.flow(told)
    assert flow is not None
    assert flow.table[-1][1] == [2, 0, 0, 1]
    assert [sum(counts) for _, counts in flow.table][-1] == 3
    assert charts.flow([]) is None


def test_cycle_time_is_from_the_first_doing_to_done() -> None:
    found = charts.cycle_time([("WP01", 0, 3600), ("WP02", 0, 7200), ("WP03", 0, 86400)])
    assert found is not None
    assert found.median_label == "2 h 0 min"
    assert found.slow_label == "1 d 0 h"
    assert charts.cycle_time([]) is None
    assert charts.cycle_time([("WP01", 5, 5)]) is not None


@pytest.mark.parametrize(
    ("host", "own"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("cat", False)]
)
def test_only_loopback_goes_without_tls(host: str, own: bool) -> None:
    assert is_loopback(host) == own
    if own:
        Config(database="sqlite:///x", host=host)
    else:
        with pytest.raises(ConfigurationError):
            Config(database="sqlite:///x", host=host)
        Config(database="sqlite:///x", host=host, insecure_http=True)


def test_an_older_lane_that_is_unknown_is_named() -> None:
    with pytest.raises(InvalidEventError, match="to_lane"):
        legacy.convert(OLDER | {"payload": {"wp_id": "WP01", "from_lane": "planned", "to_lane": "attic"}})
