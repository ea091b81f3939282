"""The connection as a pure machine: every rule of its module, with times that the tests make up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittywatch.events import LARGEST_CLOCK
from kittywatch.sync.link import (
    ACK_SECONDS,
    ATTEMPTS,
    BATCH_MODE_RETRY,
    LONGEST_MESSAGE,
    MOST_REMEMBERED,
    OPENING_SECONDS,
    STEADY_SECONDS,
    WINDOW,
    Action,
    Answer,
    Close,
    GiveBack,
    Link,
    MoveClock,
    Open,
    Phase,
    Send,
)
from kittywatch.sync.status import ConnectionStatus
from kittywatch.sync.verdicts import REFUSED_WHOLE, Fate


def open_link(now: float = 0.0) -> Link:
    link = Link(roll=lambda: 1.0)
    assert link.start(now) == [Open()]
    link.opened(now)
    assert link.status == "Connected"
    return link


def say(link: Link, now: float = 0.0, /, **fields: Any) -> list[Action]:
    return link.received(json.dumps(fields), now)


def fail(link: Link, now: float) -> float:
    """An attempt that comes to nothing, and the wait for the next one; returns when that is."""
    link.lost(now)
    assert link.deadline is not None
    assert link.tick(link.deadline - 0.001) == []
    due = link.deadline
    assert link.tick(due) == [Open()]
    return due


def test_the_names_of_the_states_are_the_protocols() -> None:
    assert [str(status) for status in ConnectionStatus] == ["Connected", "Reconnecting", "Offline", "OfflineBatchMode"]


def test_ten_attempts_and_then_every_five_minutes() -> None:
    link = open_link()
    now, waits, seen = 100.0, [], []
    for _ in range(ATTEMPTS + 2):
        seen.append(link.status)
        due = fail(link, now)
        waits.append(due - now)
        now = due
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, BATCH_MODE_RETRY, BATCH_MODE_RETRY]
    assert seen == [ConnectionStatus.CONNECTED] + [ConnectionStatus.RECONNECTING] * ATTEMPTS + [
        ConnectionStatus.BATCH_MODE
    ]
    assert link.status == "OfflineBatchMode"
    link.opened(now)
    assert link.status == "Connected"


def test_a_start_without_a_server_is_offline_and_then_reconnecting() -> None:
    link = Link(roll=lambda: 1.0)
    link.start(0)
    assert link.status == "Offline"
    link.lost(0)
    assert link.status == "Reconnecting"


def test_a_login_tries_at_once_and_counts_anew() -> None:
    link = open_link()
    now = 0.0
    for _ in range(ATTEMPTS + 1):
        now = fail(link, now)
    link.lost(now)
    assert link.status == "OfflineBatchMode"
    assert link.login(now + 1) == [Open()]
    assert link.status == "Offline"
    link.lost(now + 1)
    assert link.deadline == now + 1.5


def test_hurrying_is_one_attempt_more_and_counts_stay() -> None:
    link = open_link()
    now = 0.0
    for _ in range(ATTEMPTS + 1):
        now = fail(link, now)
    assert link.hurry(now) == []
    link.lost(now)
    assert link.hurry(now + 1) == [Open()]
    assert link.status == "OfflineBatchMode"
    link.lost(now + 2)
    assert link.deadline == now + 2 + BATCH_MODE_RETRY


def test_a_login_while_connected_connects_anew() -> None:
    link = open_link()
    link.sent("E1", 0)
    assert link.login(1) == [Close(), GiveBack(("E1",)), Open()]


def test_halting_waits_for_a_login() -> None:
    link = open_link()
    link.sent("E1", 0)
    assert link.halt() == [Close(), GiveBack(("E1",))]
    assert link.status == "Offline"
    assert link.deadline is None
    assert link.tick(10_000) == []
    assert link.lost(10_000) == []
    assert link.start(10_000) == [Open()]


def test_an_attempt_without_outcome_is_given_up() -> None:
    link = Link(roll=lambda: 1.0)
    link.start(0)
    assert link.tick(OPENING_SECONDS) == [Close()]
    assert link.phase is Phase.WAITING


def test_a_server_that_takes_and_drops_connections_does_not_start_the_count_again() -> None:
    link = open_link()
    now = 0.0
    for _ in range(ATTEMPTS + 1):
        now = fail(link, now)
        link.opened(now)
    link.lost(now + 1)
    assert link.status == "OfflineBatchMode"


@pytest.mark.parametrize("proof", ["steady", "delivered"])
def test_a_connection_that_worked_starts_the_count_again(proof: str) -> None:
    link = open_link()
    now = fail(link, fail(link, 0.0))
    link.opened(now)
    if proof == "delivered":
        link.sent("E1", now)
        say(link, type="ack", event_id="E1", status="success")
    else:
        now += STEADY_SECONDS
    link.lost(now)
    assert link.deadline == now + 0.5


def test_a_server_that_asks_to_wait_is_given_the_time() -> None:
    link = open_link()
    link.lost(0, wait=77)
    assert link.deadline == 77


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        ("success", "delivered"),
        ("duplicate", "duplicate"),
        ("queued", "waiting"),
        ("pending", "waiting"),
        ("error", "refused"),
        ("rejected", "refused"),
    ],
)
def test_an_answer_is_passed_on_once(status: str, fate: Fate) -> None:
    link = open_link()
    link.sent("E1", 0)
    assert say(link, type="ack", event_id="E1", status=status, error_message="why") == [Answer("E1", fate, "why")]
    assert say(link, type="ack", event_id="E1", status=status) == []
    assert link.unanswered == 0
    assert link.tick(1000) == []


def test_an_answer_to_what_was_not_sent_here_is_nothing() -> None:
    link = open_link()
    assert say(link, type="ack", event_id="E1", status="success") == []
    link.sent("E1", 0)
    link.lost(0)
    link.tick(1)
    link.opened(1)
    assert say(link, type="ack", event_id="E1", status="success") == []


def test_what_is_not_answered_is_given_back_and_a_late_answer_counts() -> None:
    link = open_link()
    link.sent("E1", 0)
    link.sent("E2", 1)
    assert link.deadline == ACK_SECONDS
    assert link.tick(ACK_SECONDS) == [GiveBack(("E1",))]
    assert link.deadline == ACK_SECONDS + 1
    assert say(link, type="ack", event_id="E1", status="success") == [Answer("E1", "delivered", REFUSED_WHOLE)]


def test_the_window() -> None:
    link = open_link()
    for number in range(WINDOW):
        assert link.room == WINDOW - number
        assert link.sent(f"E{number}", 0) == []
    assert link.room == 0
    say(link, type="ack", event_id="E7", status="rejected")
    assert link.room == 1
    link.lost(0)
    assert link.room == 0


def test_a_server_without_answers_holds_nothing_up() -> None:
    link = open_link()
    link.sent("E1", 0)
    link.tick(ACK_SECONDS)
    for number in range(MOST_REMEMBERED + 5):
        assert link.sent(f"F{number}", 20) == [GiveBack((f"F{number}",))]
    assert link.room == WINDOW
    assert say(link, type="ack", event_id="F0", status="success") == []  # too long ago
    assert say(link, type="ack", event_id="F99", status="success") == [Answer("F99", "delivered", REFUSED_WHOLE)]
    assert link.sent("G", 20) == []  # it answers after all


def test_what_was_sent_comes_back_when_the_connection_is_lost() -> None:
    link = open_link()
    link.sent("E1", 0)
    link.sent("E2", 0)
    say(link, type="ack", event_id="E1", status="success")
    assert link.lost(0) == [Close(), GiveBack(("E2",))]


def test_clocks_of_others() -> None:
    link = open_link()
    assert say(link, type="event", event={"lamport_clock": 41}) == [MoveClock(41)]
    assert say(link, type="snapshot", work_packages=[]) == []
    assert say(link, type="snapshot", lamport_clock=3, work_packages=[{"lamport_clock": 7}, {}, 5]) == [MoveClock(7)]
    assert say(link, type="event", event={"lamport_clock": LARGEST_CLOCK}) == [MoveClock(LARGEST_CLOCK)]


@pytest.mark.parametrize("value", [LARGEST_CLOCK + 1, 1 << 53, 1 << 62, 1 << 80, -1, True, 4.5, "9", None, [], {}])
def test_clocks_that_nobody_can_have(value: object) -> None:
    link = open_link()
    assert say(link, type="event", event={"lamport_clock": value}) == []
    assert say(link, type="snapshot", work_packages=[{"lamport_clock": value}]) == []


def test_pings_are_answered() -> None:
    link = open_link()
    (pong,) = say(link, type="ping", timestamp="2026-03-01T00:00:00+00:00")
    assert isinstance(pong, Send)
    assert json.loads(pong.text) == {"type": "pong", "timestamp": "2026-03-01T00:00:00+00:00"}
    (pong,) = say(link, type="ping", timestamp="x" * 10_000)
    assert isinstance(pong, Send)
    assert json.loads(pong.text) == {"type": "pong", "timestamp": None}


@pytest.mark.parametrize(
    "message",
    [
        "",
        "null",
        "[]",
        '"snapshot"',
        "{",
        b"\xff\xfe",
        "\ud800",
        "[" * 100_000,
        '{"type": "snapshot"}',
        '{"type": "snapshot", "work_packages": {}}',
        '{"type": "ack"}',
        '{"type": "ack", "event_id": 1, "status": "success"}',
        '{"type": "ack", "event_id": "E1", "status": ["success"]}',
        '{"type": "ack", "event_id": "E1", "status": "lost"}',
        '{"type": "event", "event": []}',
        '{"type": "event"}',
        '{"type": ["ack"]}',
        '{"type": "shutdown", "force": true}',
        '{"a": 1' + " " * LONGEST_MESSAGE + "}",
    ],
)
def test_nonsense_is_counted_and_ignored(message: str | bytes) -> None:
    link = open_link()
    link.sent("E1", 0)
    assert link.received(message, 0) == []
    assert link.ignored == 1
    assert link.unanswered == 1


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_keys = st.sampled_from(
    ["type", "event", "event_id", "status", "timestamp", "work_packages", "lamport_clock", "error_message"]
)
_named = st.sampled_from(["ack", "event", "snapshot", "ping", "E1", "success", "rejected"])
_messages = st.dictionaries(_keys, _values | _named, max_size=5).map(json.dumps) | st.text() | st.binary()
_steps = st.tuples(
    st.sampled_from(["start", "login", "hurry", "halt", "opened", "lost", "sent", "tick", "received"]),
    st.floats(0, 400),
    st.integers(0, 5),
    _messages,
)


class _Ledger:
    """What a machine's actions amount to: which events are out, and whether there is a connection."""

    def __init__(self) -> None:
        self.out: set[str] = set()
        self.opening = self.open = False

    def enter(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, GiveBack):
                assert self.out.issuperset(action.event_ids)
                self.out -= set(action.event_ids)
            elif isinstance(action, Answer):
                self.out.discard(action.event_id)
            elif isinstance(action, Open):
                assert not self.opening
                self.opening = True
            elif isinstance(action, Close):
                self.opening = self.open = False


@given(st.lists(_steps, max_size=60))
def test_nothing_raises_and_no_event_is_forgotten(steps: list[tuple[str, float, int, str | bytes]]) -> None:
    """Whatever happens in whatever order: each sent event is answered, given back, or still waited for; never two."""
    link, ledger, now = Link(roll=lambda: 0.5), _Ledger(), 0.0
    for number, (step, seconds, small, message) in enumerate(steps):
        now += seconds
        if step == "sent":
            if not link.room:
                continue
            ledger.out.add(f"E{number}")
        arguments: dict[str, tuple[Any, ...]] = {"sent": (f"E{number}", now), "received": (message, now), "halt": ()}
        options = {"wait": small} if step == "lost" else {}
        ledger.enter(getattr(link, step)(*arguments.get(step, (now,)), **options))
        if step == "opened" and ledger.opening:
            ledger.opening, ledger.open = False, True
        assert len(ledger.out) == link.unanswered
        assert (link.phase is Phase.OPEN) == ledger.open
        assert (link.deadline is None) == (link.phase is Phase.IDLE or (ledger.open and not ledger.out))
