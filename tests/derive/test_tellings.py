"""Where a telling stands among others."""

from __future__ import annotations

from kittywatch.derive.beside import Beside, Note
from kittywatch.derive.log import Entry
from kittywatch.derive.settle import Told
from kittywatch.derive.snapshot import BrokenContent, FeatureFacts
from kittywatch.derive.tellings import (
    BesideTold,
    BrokenTold,
    Cause,
    CompletedTold,
    FeatureTold,
    PackageTold,
    ResolvedTold,
    Telling,
    place,
)
from kittywatch.workpackages.features import Meta
from kittywatch.workpackages.reader import Problem
from tests.builders import FEATURE
from tests.derive.packages import NOON, package

ONE = package("planned")
CAUSE = Cause(FEATURE, "WP01", "id", NOON, None)


def broken(wp_id: str | None) -> Telling:
    return BrokenTold(BrokenContent(Problem("p", 1, "r"), FEATURE, wp_id, "c"), NOON, None)


def test_the_feature_first_then_by_work_package() -> None:
    """What is broken and has no id stands right after its feature; what follows from a step stands with it."""
    feature = FeatureTold(FEATURE, FeatureFacts(Meta(), 1), NOON, None)
    created = PackageTold(Told(ONE, None, NOON, Entry("created", "planned")), None)
    beside = BesideTold(Beside(ONE, Note("note", "content", "ada"), NOON, 0.0), None)
    causes: list[Telling] = [ResolvedTold(CAUSE, "WP02", "completed"), CompletedTold(CAUSE, 1, None)]
    in_order: list[Telling] = [feature, broken(None), created, beside, *causes, broken("WP02")]
    assert sorted(in_order[2::-1], key=place) == in_order[:3]
    assert [place(one) for one in in_order] == [
        (FEATURE, False, ""),
        (FEATURE, True, ""),
        *[(FEATURE, True, "WP01")] * 4,
        (FEATURE, True, "WP02"),
    ]
