"""Lane schemes: the lanes that a source has, in their order, and what each of them means.

Whoever needs to know what a lane means (is it finished, may a dependent begin, where does rework begin, what is a
column of the board) asks for its category, never for its name.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from kittywatch.workpackages.categories import Category, guessed_category
from kittywatch.workpackages.lanes import Lane


class Scheme(Struct, frozen=True):
    """The lanes of one kind of source, in the order of the work, each with its category.

    `releasing` are the lanes, beside those that are done, in which a work package holds up those that depend on it no
    longer. An open scheme takes other lanes too, each for what its name says.
    """

    name: str
    lanes: Mapping[Lane, Category]
    releasing: frozenset[Lane] = frozenset()
    is_open: bool = False

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def first(self) -> Lane:
        """The lane in which work packages begin."""
        return next(iter(self.lanes))

    def category(self, lane: Lane | None) -> Category | None:
        """What a lane means; None for no lane, and for one that a closed scheme doesn't have."""
        if lane is None:
            return None
        return self.lanes.get(lane) or (guessed_category(lane) if self.is_open else None)

    def is_done(self, lane: Lane | None) -> bool:
        """Whether the work was finished."""
        return self.category(lane) == "done"

    def is_over(self, lane: Lane | None) -> bool:
        """Whether nothing is left to do: the work was finished, or is not wanted any more."""
        return self.category(lane) in ("done", "canceled")

    def releases(self, lane: Lane | None) -> bool:
        """Whether a dependent may begin."""
        return lane in self.releasing or self.is_done(lane)


SPEC_KITTY_2 = Scheme(
    "spec-kitty-2",
    {"planned": "backlog", "doing": "active", "for_review": "review", "done": "done"},
)
SPEC_KITTY_3 = Scheme(
    "spec-kitty-3",
    {
        "planned": "backlog",
        "claimed": "active",
        "in_progress": "active",
        "for_review": "review",
        "in_review": "review",
        "approved": "review",
        "done": "done",
        "blocked": "blocked",
        "canceled": "canceled",
    },
    frozenset(("approved",)),
)
SCHEMES: Mapping[str, Scheme] = {scheme.name: scheme for scheme in (SPEC_KITTY_2, SPEC_KITTY_3)}


KNOWN: Mapping[Lane, Category] = {
    lane: category for scheme in SCHEMES.values() for lane, category in scheme.lanes.items()
}
"""What the lanes of spec-kitty's schemes mean."""


def scheme_of(*lanes: Lane) -> Scheme | None:
    """The first scheme that has all of some lanes; None where no scheme has them together."""
    return next((scheme for scheme in SCHEMES.values() if all(lane in scheme.lanes for lane in lanes)), None)


FOUR_LANES: Mapping[Lane, Lane] = {
    "planned": "planned",
    "claimed": "doing",
    "in_progress": "doing",
    "blocked": "doing",
    "doing": "doing",
    "for_review": "for_review",
    "in_review": "for_review",
    "approved": "for_review",
    "done": "done",
    "canceled": "done",
}
"""What a lane of a newer scheme is among the four of the older one, as spec-kitty counts progress itself."""
