"""What a server's answer to a batch means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittywatch.sync.verdicts import (
    Forbidden,
    Halve,
    Later,
    Strange,
    Taken,
    Unauthorized,
    batch_interval,
    classify,
    retry_after,
)

IDS = ["01A", "01B", "01C"]
NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def verdict(status: int, value: Any = None, *, raw: bytes | None = None, **headers: str) -> Any:
    body = json.dumps(value).encode() if raw is None else raw
    return classify(status, {name.replace("_", "-"): text for name, text in headers.items()}, body, IDS, now=NOW)


def results(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"results": [{"event_id": event_id, "status": status} for event_id, status in pairs]}


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        ("success", "delivered"),
        ("duplicate", "duplicate"),
        ("queued", "waiting"),
        ("pending", "waiting"),
        ("error", "refused"),
        ("rejected", "refused"),
        ("else", "waiting"),
        (1, "waiting"),
        (None, "waiting"),
    ],
)
def test_each_status_of_a_result(status: str, fate: str) -> None:
    found = verdict(200, results(("01B", status)))
    assert isinstance(found, Taken)
    assert found.fates == {"01B": fate}
    assert set(found.reasons) == ({"01B"} if fate == "refused" else set())


def test_partial_success_with_reasons_and_without() -> None:
    value = results(("01A", "success"), ("01B", "rejected"), ("01C", "error"))
    value["results"][1]["error_message"] = "  field x  "
    assert verdict(200, value) == Taken(
        {"01A": "delivered", "01B": "refused", "01C": "refused"},
        {"01B": "field x", "01C": "the server refused it without saying why"},
    )


def test_what_was_not_sent_and_what_is_no_result_counts_for_nothing() -> None:
    value = {
        "results": [{"event_id": "01Z", "status": "success"}, {"status": "success"}, 3, None, {"event_id": ["01A"]}]
    }
    assert verdict(200, value) == Taken({}, {})


def test_the_last_result_of_an_event_counts() -> None:
    assert verdict(200, results(("01A", "rejected"), ("01A", "success"))) == Taken({"01A": "delivered"}, {})


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'{"results": {}}', b"\xff", b"[" * 100_000])
def test_no_answer_of_the_protocol_is_asked_again(raw: bytes) -> None:
    assert isinstance(verdict(200, raw=raw), Later)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthorized),
        (403, Forbidden),
        (413, Halve),
        (400, Halve),
        (422, Halve),
        *[(status, Later) for status in (408, 425, 429, 500, 501, 502, 503, 504, 507, 599)],
        *[(status, Strange) for status in (201, 204, 300, 301, 302, 307, 308, 402, 404, 405, 410, 415, 418, 451)],
    ],
)
def test_each_status_of_an_answer(status: int, kind: type) -> None:
    assert type(verdict(status, {"error": "no"})) is kind
    assert type(verdict(status, raw=b"<html>")) is kind


@pytest.mark.parametrize(
    "details",
    [
        [{"event_id": "01B", "error": "bad"}, {"event_id": "01Z", "error": "else"}],
        [{"event_id": "01B", "reason": "bad"}],
        {"01B": "bad"},
        json.dumps([{"event_id": "01B", "error_message": "bad"}]),
    ],
)
def test_details_name_the_culprits(details: Any) -> None:
    """In each form that servers have for them; the other events of the batch go again."""
    assert verdict(400, {"error": "no", "details": details}) == Taken(
        {"01B": "refused"}, {"01B": "bad"}, others_again=True
    )


@pytest.mark.parametrize("details", ["Send less.", [], {}, None, 3, [{"event_id": "01Z"}], "[1", ["01B"]])
def test_details_that_name_none_of_ours(details: Any) -> None:
    assert isinstance(verdict(400, {"error": "no", "details": details}), Halve)


def test_too_big_is_halved_whatever_it_names() -> None:
    assert verdict(413, {"details": {"01B": "bad"}}) == Halve("it is too big")


def test_what_the_server_says_is_kept_short() -> None:
    assert len(verdict(403, {"error": "x" * 10_000}).reason) == 500
    value = results(("01A", "error"))
    value["results"][0]["error_message"] = "y" * 10_000
    assert len(verdict(200, value).reasons["01A"]) == 500


@pytest.mark.parametrize(
    ("stated", "date", "seconds"),
    [
        ("7", None, 7.0),
        ("0", None, 0.0),
        (" 12 ", None, 12.0),
        ("99999999", None, 86400.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", None, 30.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", "Thu, 01 Jan 2026 00:00:10 GMT", 20.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None, 0.0),
        ("", None, None),
        ("soon", None, None),
        ("-5", None, None),
        ("²", None, None),
        ("1.5", None, None),
    ],
)
def test_retry_after(stated: str, date: str | None, seconds: float | None) -> None:
    """Seconds, or a date that is meant by the server's clock."""
    headers = {"retry-after": stated} | ({"date": date} if date else {})
    assert retry_after(headers, now=NOW) == seconds
    found = classify(429, headers, b"{}", IDS, now=NOW)
    assert isinstance(found, Later)
    assert found.wait == seconds


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [("0.2", 0.2), ("0", 0.0), ("60", 60.0), ("", None), ("-1", None), ("inf", None), ("nan", None), ("x", None)],
)
def test_the_interval_that_a_server_asks_for(stated: str, seconds: float | None) -> None:
    assert batch_interval({"x-ratelimit-batch-interval": stated}) == seconds


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(IDS),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["results", "details", "event_id", "status"]), inner)
    ),
)


@given(st.integers(100, 999), _JSON | st.binary(), st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text()))
def test_any_answer_has_a_meaning_and_delivers_nothing_that_it_does_not_name(
    status: int, value: Any, headers: dict[str, str]
) -> None:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    found = classify(status, headers, body, IDS, now=NOW)
    if isinstance(found, Taken):
        assert set(found.fates) <= set(IDS)
        assert {event_id for event_id, fate in found.fates.items() if fate == "refused"} == set(found.reasons)
    if status != 200:
        assert not isinstance(found, Taken) or "delivered" not in found.fates.values()
