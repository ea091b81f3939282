"""The log of one work package, and finding steps in it."""

from __future__ import annotations

import pytest

from kittywatch.derive.log import Entry, EntryKind, Log, match
from kittywatch.workpackages.lanes import LANES


def entries(*lanes: str, kind: EntryKind = "step") -> list[Entry]:
    """Entries with the ids id-0, id-1, and so on."""
    return [Entry(kind, LANES[lane], f"id-{number}") for number, lane in enumerate(lanes)]


def found(
    window: list[Entry], steps: list[str], ids: list[str] | None = None, claimed: frozenset[int] = frozenset()
) -> tuple[int, int]:
    return match(window, ids or ["-"] * len(steps), [LANES[lane] for lane in steps], claimed)


def test_positions_and_insertion() -> None:
    """A cursor is an entry, or None before all of them; entries are inserted after it or at the end."""
    log = Log(entries("doing", "done"))
    first, last = log.entries
    assert (log.position(None), log.position(first), log.position(last)) == (0, 1, 2)
    begin = log.add(Entry("created", "planned"), after=None)
    middle = log.add(Entry("step", "for_review"), after=first)
    end = log.add(Entry("step", "doing"))
    assert log.entries == [begin, first, middle, last, end]
    assert log.added == [begin, middle, end]
    assert log.later(first, last) is last
    assert log.later(None, first) is first
    assert log.later(None, None) is None


def test_the_entry_before() -> None:
    """None before the first."""
    log = Log(entries("doing", "for_review", "done"))
    assert [log.before(one) for one in log.entries] == [None, *log.entries[:2]]


def test_told_id() -> None:
    log = Log(entries("doing", "done"))
    assert log.told_id("id-1") is log.entries[1]
    assert log.told_id("id-9") is None


@pytest.mark.parametrize(
    ("window", "steps", "expected"),
    [
        ([], ["doing"], (0, 0)),
        (["doing"], ["doing"], (1, 1)),
        (["doing", "for_review", "done"], ["done"], (1, 3)),
        (["doing", "for_review", "done"], ["doing", "for_review", "done"], (3, 3)),
        (["doing", "for_review"], ["doing", "for_review", "done"], (2, 2)),
        (["for_review", "doing"], ["doing", "for_review"], (1, 2)),
        (["doing"], ["for_review"], (0, 0)),
        (["doing", "planned", "doing"], ["doing"], (1, 1)),
    ],
)
def test_by_lane(window: list[str], steps: list[str], expected: tuple[int, int]) -> None:
    """Looks ahead for a told step that ends in the lane: the nearest one, in the order of the steps."""
    assert found(entries(*window), steps) == expected


def test_by_id_before_lane() -> None:
    """The same lane may come twice: the id says which."""
    window = entries("doing", "planned", "doing")
    assert found(window, ["doing"], ["id-2"]) == (1, 3)
    assert found(window, ["doing"], ["id-0"]) == (1, 1)


def test_lanes_do_not_cross_an_anchor() -> None:
    """A step before one that was found by id cannot stand behind it."""
    window = entries("done", "for_review", "doing")
    assert found(window, ["doing", "for_review"], ["-", "id-1"]) == (2, 2)
    assert found(window, ["doing", "for_review"], ["-", "-"]) == (1, 3)


def test_anchors_keep_their_order() -> None:
    """An id behind the anchor before it is none."""
    window = entries("done", "doing")
    assert found(window, ["doing", "done"], ["id-1", "id-0"]) == (1, 2)


def test_an_entry_is_found_once() -> None:
    """Two steps of one second have one id; one entry is one of them."""
    assert found(entries("doing"), ["doing", "planned", "doing"], ["id-0", "-", "id-0"]) == (1, 1)


def test_lanes_stop_before_what_is_claimed() -> None:
    """An entry that a later sighting is known to have brought is not taken by its lane; by its id it is."""
    window = entries("doing", "done")
    assert found(window, ["done"], claimed=frozenset({1})) == (0, 0)
    assert found(window, ["doing"], claimed=frozenset({1})) == (1, 1)
    assert found(window, ["done"], ["id-1"], claimed=frozenset({1})) == (1, 2)


@pytest.mark.parametrize(("kind", "expected"), [("step", 1), ("elsewhere", 1), ("baseline", 0), ("created", 0)])
def test_what_a_lane_can_be_found_in(kind: EntryKind, expected: int) -> None:
    """Told steps and what others told; neither a creation nor a baseline is a step."""
    assert found(entries("planned", kind=kind), ["planned"])[0] == expected


def test_told() -> None:
    assert [Entry(kind, "doing").told for kind in ("created", "step", "baseline", "elsewhere")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_step_keeps_its_time_and_lane() -> None:
    """O4: a commit on other ground comes from another lane; it is found before one that only ends in the same lane."""
    window = [Entry("step", "doing", "0123456789-one"), Entry("step", "doing", "9876543210-two")]
    assert found(window, ["doing"], ["9876543210-new"]) == (1, 2)
    assert found(window, ["done"], ["9876543210-new"]) == (0, 0)
    log = Log(window)
    assert log.told_step("9876543210-new", "doing") is window[1]
    assert log.told_step("9876543210-new", "done") is None


def test_what_others_told_is_found_by_its_id_and_not_by_its_lane() -> None:
    """O3: who moves a work package to the same lane here has made a transition."""
    window = [Entry("theirs", "doing", "0123456789-one")]
    assert found(window, ["doing"], ["0123456789-one"]) == (1, 1)
    assert found(window, ["doing"], ["9876543210-one"]) == (0, 0)
