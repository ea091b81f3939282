"""What is the same work package, or feature, before a change and after it, and what a change means to others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from kittywatch.observe.reader import UnitTree
from kittywatch.workpackages.lane_source import Unit
from kittywatch.workpackages.reader import WorkPackage

_UNDONE = frozenset(("planned", "doing", "for_review"))


def renamed_units(
    touched: Mapping[Unit, tuple[UnitTree, UnitTree]], states_lanes: Callable[[str], bool]
) -> dict[Unit, Unit]:
    """Features that appear with the work packages of one that disappears, by their units: the new one and the old."""
    gone = {
        unit: old
        for unit, (old, new) in touched.items()
        if unit.feature is not None and old.packages and not any(map(states_lanes, new.files))
    }
    found: dict[Unit, Unit] = {}
    for unit, (old, new) in touched.items():
        if old.packages or not new.packages:
            continue
        for other, was in gone.items():
            if other.source == unit.source and other not in found.values() and _are_alike(was, new):
                found[unit] = other
                break
    return found


def _are_alike(one: UnitTree, other: UnitTree) -> bool:
    """Whether two features have the same work packages by their ids and titles."""
    titles = {package.wp_id: package.title for package in one.packages.values()}
    return titles == {package.wp_id: package.title for package in other.packages.values()}


def is_same(one: WorkPackage | None, other: WorkPackage) -> bool:
    """Whether nothing but the path differs, and the feature of a directory that has another name."""
    if one is None or one == other:
        return one is not None
    return replace(one, path=other.path, feature=other.feature if other.home is None else one.feature) == other


def may_matter_to_others(package: WorkPackage, before: WorkPackage | None) -> bool:
    """Whether dependents may begin or nothing is left to do, now or on the way to where it is.

    Done may have other names in a trail. Of stated steps those count that are new.
    """
    lanes = {step.new for step in package.stated_since(before)} if package.stated else {package.lane}
    scheme = package.scheme
    return any(scheme.releases(lane) or scheme.is_over(lane) for lane in lanes) or any(
        record.lane not in _UNDONE for record in package.trail
    )
