"""Parts of a snapshot."""

from __future__ import annotations

from msgspec.structs import replace

from kittywatch.derive.snapshot import BrokenContent, Snapshot
from kittywatch.workpackages.reader import Problem
from tests.derive.packages import KEY, NOON, package, snapshot

OTHER = package("doing", feature="002-other")
BROKEN = BrokenContent(Problem("p", 1, "r"), "002-other", "WP01", "c")


def test_within_keeps_work_packages_alone() -> None:
    """What a merge brought of some work packages is no reason to tell broken content twice."""
    whole = replace(snapshot(package("doing"), OTHER), broken=(BROKEN,))
    part = whole.within({KEY})
    assert part is not None
    assert [one.feature for one in part.packages] == [KEY[0]]
    assert part.broken == ()
    assert whole.within({("003-none", "WP01")}) is None


def test_only_one_feature() -> None:
    """With what is broken in it; None where nothing of it is there."""
    whole = replace(snapshot(package("doing")), broken=(BROKEN,))
    part = whole.only("002-other")
    assert part is not None
    assert (part.packages, part.broken) == ((), (BROKEN,))
    assert whole.only("003-none") is None
    other = whole.only(KEY[0])
    assert other is not None
    assert (len(other.packages), other.broken) == (1, ())


def test_the_rest() -> None:
    """Without some work packages; what is broken stays."""
    whole = replace(snapshot(package("doing"), OTHER), broken=(BROKEN,))
    rest = whole.without({KEY})
    assert (rest.packages, rest.broken) == ((OTHER,), (BROKEN,))


def test_what_is_not_said_is_of_today() -> None:
    """Only a history knows a past."""
    assert not Snapshot(NOON, ()).past
