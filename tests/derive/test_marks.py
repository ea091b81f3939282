"""The keys of what was met. They stand in ledgers already: what has a key keeps it."""

from __future__ import annotations

import hashlib

import pytest

from kittywatch.derive.marks import Marks, feedback_key, hand_key, pairs_up, record_keys, short
from tests.builders import record
from tests.derive.packages import at, package

NOTE = ("note", "ada", "halfway")


def test_a_short_fingerprint() -> None:
    """Also of what no encoding has."""
    assert short("abc") == hashlib.sha256(b"abc").hexdigest()[:16]
    assert feedback_key("abc") == f"f{short('abc')}"
    assert short("\udc80") != short("\udc81")


def test_records_that_are_the_same_are_counted() -> None:
    """By when, who and where to: what a note says doesn't count."""
    one, other = record(at(1), "doing", note="one"), record(at(2), "doing")
    trail = package("doing", [one, other, record(at(1), "doing", note="two"), one]).trail
    first, second = (f"r{short(found.key)}" for found in trail[:2])
    assert record_keys(trail) == [first, second, f"{first}#2", f"{first}#3"]


@pytest.mark.parametrize(("letter", "other"), [("o", "h"), ("h", "o")])
def test_the_second_of_a_pair(letter: str, other: str) -> None:
    """Met and told by hand, in whichever order, as often as each comes."""
    marks: Marks = {}
    assert [pairs_up(marks, one, NOTE) for one in (letter, other, other, letter, letter)] == [
        False,
        True,
        False,
        True,
        False,
    ]
    name = hand_key(NOTE)[1:-2]
    assert marks == dict.fromkeys(
        (f"{letter}{name}#1", f"{other}{name}#1", f"{other}{name}#2", f"{letter}{name}#2", f"{letter}{name}#3"), "told"
    )


def test_what_is_told_by_hand_once_has_its_key() -> None:
    marks: Marks = {}
    pairs_up(marks, "h", NOTE)
    assert marks == {hand_key(NOTE): "told"}
    name = hand_key(NOTE).removeprefix("h").removesuffix("#1")
    assert name == short("note\0ada\0halfway")
    assert not pairs_up(marks, "o", ("note", "ada\0", "halfway"))
