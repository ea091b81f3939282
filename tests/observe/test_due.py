"""What is due when."""

from __future__ import annotations

from kittywatch.observe.due import Due


def test_the_earliest_request_counts() -> None:
    due: Due[str] = Due()
    due.ask("a", 2.0)
    due.ask("a", 1.0)
    due.ask("a", 3.0)
    assert due.next() == 1.0
    assert due.take(0.9) == []
    assert due.take(1.0) == ["a"]
    assert due.next() is None
    assert due.take(9.0) == []


def test_what_is_put_off_waits() -> None:
    due: Due[str] = Due()
    due.ask("a", 1.0)
    due.put_off("a", 2.0)
    assert due.take(1.5) == []
    assert due.take(2.0) == ["a"]


def test_in_the_order_in_which_they_are_due() -> None:
    due: Due[str] = Due()
    for thing, time in (("late", 3.0), ("early", 1.0), ("also late", 3.0), ("not yet", 4.0)):
        due.ask(thing, time)
    assert due.take(3.0) == ["early", "late", "also late"]
    assert due.next() == 4.0
