"""Event ids are a function of the content, the same everywhere and always; python-ulid is the judge of their form."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from kittywatch.events import content_id, random_id
from kittywatch.events.ids import encode
from tests.events.generated import valid_events

_ANSWERS = Path(__file__).with_name("known_answers.json")
KNOWN: list[dict[str, Any]] = json.loads(_ANSWERS.read_text(encoding="utf-8"))
CONTENT: dict[str, Any] = KNOWN[0]["content"]

_SCRIPT = """
import json, sys
from kittywatch.events import content_id
known = json.loads(sys.stdin.buffer.read())
print(json.dumps([content_id(**case["content"]) for case in known]))
"""


@pytest.mark.parametrize("case", KNOWN, ids=[case["why"] for case in KNOWN])
def test_known_answers(case: dict[str, Any]) -> None:
    assert content_id(**case["content"]) == case["id"]


def test_an_id_is_milliseconds_and_the_start_of_a_hash_of_canonical_json() -> None:
    text = (
        '{"aggregate":"WP02","payload":{"dependencies":["WP01"],"feature_slug":"014-grüße","title":"a \\"b\\" 🐈",'
        '"wp_id":"WP02"},"project":null,"timestamp":"2026-01-15T13:34:56.789+01:00","type":"WPCreated"}'
    )
    milliseconds = int(datetime(2026, 1, 15, 12, 34, 56, 789000, tzinfo=UTC).timestamp() * 1000)
    expected = ULID.from_bytes(milliseconds.to_bytes(6, "big") + hashlib.sha256(text.encode()).digest()[:10])
    content = json.loads(text)
    assert content_id(
        project=content["project"],
        event_type=content["type"],
        aggregate_id=content["aggregate"],
        payload=content["payload"],
        timestamp=content["timestamp"],
    ) == str(expected)


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_ids_are_the_same_in_every_process(seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Kolkata"}
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT], input=_ANSWERS.read_bytes(), env=environment, capture_output=True, check=True
    )
    assert json.loads(result.stdout) == [case["id"] for case in KNOWN]


def test_the_order_of_a_payloads_keys_does_not_matter() -> None:
    backwards = dict(reversed(CONTENT["payload"].items()))
    assert list(backwards) != list(CONTENT["payload"])
    assert content_id(**{**CONTENT, "payload": backwards}) == content_id(**CONTENT)


def test_every_part_of_the_content_matters() -> None:
    changes: list[dict[str, Any]] = [
        {"project": None},
        {"project": "00000000-0000-4000-8000-000000000000"},
        {"event_type": "WPAssigned"},
        {"aggregate_id": "WP02"},
        {"timestamp": "2026-01-15T12:34:57Z"},
        {"timestamp": "2026-01-15T12:34:56.000001Z"},
        *({"payload": {**CONTENT["payload"], field: "else"}} for field in CONTENT["payload"]),
        *({"payload": {**CONTENT["payload"], field: None}} for field in CONTENT["payload"]),
        {"payload": {**CONTENT["payload"], "more": None}},
    ]
    made = {content_id(**CONTENT), *(content_id(**{**CONTENT, **change}) for change in changes)}
    assert len(made) == len(changes) + 1


@given(valid_events())
def test_the_judge_finds_every_id_valid_and_its_time_the_events(event: dict[str, Any]) -> None:
    made = content_id(
        project=event["project_uuid"],
        event_type=event["event_type"],
        aggregate_id=event["aggregate_id"],
        payload=event["payload"],
        timestamp=event["timestamp"],
    )
    judged = ULID.from_str(made)
    assert str(judged) == made
    since_1970 = datetime.fromisoformat(event["timestamp"].upper()) - datetime(1970, 1, 1, tzinfo=UTC)
    assert judged.milliseconds == max(since_1970 // timedelta(milliseconds=1), 0)


@given(st.integers(0, (1 << 48) - 1), st.binary(min_size=10, max_size=10))
def test_the_judge_writes_a_time_and_ten_bytes_alike(milliseconds: int, randomness: bytes) -> None:
    assert encode(milliseconds, randomness) == str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + randomness))


def test_times_that_a_ulid_cannot_hold_are_cut() -> None:
    assert ULID.from_str(encode(-1, bytes(10))).milliseconds == 0
    assert ULID.from_str(encode(1 << 60, bytes(10))).milliseconds == (1 << 48) - 1


def test_random_ids_are_of_now_and_differ() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = [random_id() for _ in range(1000)]
    after = datetime.now(UTC)
    assert len(set(made)) == 1000
    assert all(before <= ULID.from_str(one).datetime <= after for one in made)


def test_making_an_id_loads_no_ulid_library() -> None:
    check = "import sys, kittywatch.events as e; e.random_id(); sys.exit('ulid' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
