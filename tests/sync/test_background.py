"""When batches go out, and how their thread ends."""

from __future__ import annotations

import threading

import pytest

from kittywatch.sync.background import BackgroundSyncService, Flushed, Outcome, Plan
from kittywatch.sync.clock import Clock
from kittywatch.sync.mailbox import Mailbox
from tests.waiting import DEADLINE, until

DONE, FAILED, REFUSED = Flushed(Outcome.DONE), Flushed(Outcome.FAILED), Flushed(Outcome.REFUSED)


def test_the_plan() -> None:
    """The interval after success; the backoff after failures, up to the interval; nothing before a login."""
    plan = Plan(300, roll=lambda: 1.0)
    plan.ask(10)
    assert plan.due == 10
    waits = []
    for _ in range(9):
        plan.ended(FAILED, 10)
        assert plan.due is not None
        waits.append(plan.due - 10)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert not plan.went_well
    plan.ended(DONE, 20)
    assert (plan.due, plan.went_well) == (320, True)
    plan.ended(FAILED, 20)
    assert plan.due == 20.5
    plan.ended(Flushed(Outcome.FAILED, 77), 20)
    assert 97 <= plan.due <= 98
    plan.ended(REFUSED, 20)
    assert plan.due is None


class Flushes:
    """Counts batches; each ends as `outcomes` say, the last one again and again."""

    def __init__(self, *outcomes: Flushed) -> None:
        self.outcomes = list(outcomes)
        self.count = 0
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self, clock: Clock) -> Flushed:
        self.count += 1
        while not self.may_end.is_set():
            if clock.wait(0.01):
                return FAILED
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]


def test_one_at_once_and_then_by_the_interval() -> None:
    flushes = Flushes(DONE)
    service = BackgroundSyncService(flushes, interval=0.02)
    service.start()
    until(lambda: flushes.count > 5)
    assert service.stop(within=DEADLINE)


def test_one_when_somebody_asks_and_a_last_one_at_the_end() -> None:
    flushes, looks = Flushes(DONE), list[int]()
    service = BackgroundSyncService(flushes, interval=300, look=lambda: looks.append(1))
    service.start()
    until(lambda: flushes.count == 1)
    service.flush_soon()
    until(lambda: flushes.count == 2)
    service.look_soon()
    until(lambda: looks == [1])
    assert service.stop(within=DEADLINE)
    assert flushes.count == 3


@pytest.mark.parametrize("outcome", [FAILED, REFUSED])
def test_no_last_one_after_a_failure(outcome: Flushed) -> None:
    flushes = Flushes(outcome)
    service = BackgroundSyncService(flushes, interval=300, roll=lambda: 1.0)
    service.start()
    until(lambda: flushes.count == 1)
    assert service.stop(within=0)
    assert flushes.count == 1


def test_the_end_cuts_a_batch_short() -> None:
    flushes = Flushes(DONE)
    flushes.may_end.clear()
    service = BackgroundSyncService(flushes, interval=300)
    service.start()
    until(lambda: flushes.count == 1)
    assert service.stop(within=0.05)


def test_stopping_what_never_ran() -> None:
    assert BackgroundSyncService(Flushes(DONE), interval=300).stop()


def test_a_mailbox_is_bounded_for_those_who_can_wait() -> None:
    mailbox: Mailbox[int] = Mailbox(capacity=2)
    written: list[int] = []

    def write() -> None:
        for number in range(5):
            if mailbox.put(number):
                written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    until(lambda: written == [0, 1])
    assert mailbox.signal(99)  # never waits
    assert mailbox.signal(99)  # is there already
    assert mailbox.take(None) == [0, 1, 99]
    until(lambda: written == [0, 1, 2, 3])
    assert mailbox.close() == [2, 3]
    writer.join()
    assert written == [0, 1, 2, 3]
    assert not mailbox.put(5)
    assert not mailbox.signal(5)
    assert mailbox.take(0.0) == []
