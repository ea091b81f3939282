"""The moves that a work package may make, as a table. `--force` goes past every rule of this module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.reader import WorkPackage

# From a lane: where it may go. Back to doing or planned is what a review asks for; done is left by force alone.
MOVES: Mapping[Lane, tuple[Lane, ...]] = {
    "planned": ("doing",),
    "doing": ("for_review", "planned"),
    "for_review": ("done", "doing", "planned"),
    "done": (),
}


def lane_of(package: WorkPackage) -> Lane | None:
    """Lane of a work package; planned if it states none, None if its lane is invalid."""
    return package.lane or (None if package.problem else "planned")


def unmet(wp_id: str, needs: Mapping[str, Sequence[str]], packages: Mapping[str, WorkPackage]) -> list[str]:
    """The dependencies of a work package that are not done, those that don't exist among them."""
    return [one for one in needs.get(wp_id, ()) if one not in packages or packages[one].lane != "done"]


def refusal(package: WorkPackage, to: Lane, waits_for: Sequence[str]) -> str | None:
    """The reason against a move to a lane, for people, None if there is none; `waits_for` are unmet dependencies."""
    lane = lane_of(package)
    if lane is None:
        return f"{package.wp_id} is in no valid lane"
    if to not in MOVES[lane]:
        allowed = " or ".join(MOVES[lane])
        where = f"from {lane} it goes to {allowed}" if allowed else f"it is {lane}"
        return f"{package.wp_id} may not go from {lane} to {to}: {where}"
    if lane == "planned" and waits_for:
        are = "is" if len(waits_for) == 1 else "are"
        return f"{package.wp_id} depends on {', '.join(waits_for)}, which {are} not done"
    return None


def taken_by_another(package: WorkPackage, agent: str | None) -> str | None:
    """The reason against an agent's taking on what is being done, for people; None if nobody else does it."""
    if package.lane == "doing" and agent and package.agent and package.agent != agent:
        return f"{package.wp_id} is being done by {package.agent}"
    return None
