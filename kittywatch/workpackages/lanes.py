"""The four lanes, and the names that other tools use for them (rule R3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct, field

Lane: TypeAlias = Literal["planned", "doing", "for_review", "done"]

LANES: dict[str, Lane] = {"planned": "planned", "doing": "doing", "for_review": "for_review", "done": "done"}
DEFAULT_ALIASES: dict[str, Lane] = {
    "in_progress": "doing",
    "claimed": "doing",
    "in_review": "for_review",
    "approved": "for_review",
}


class LaneNames(Struct, frozen=True):
    """Which written names stand for which lane; `aliases` come on top of the four lanes themselves."""

    aliases: Mapping[str, Lane] = field(default_factory=lambda: dict(DEFAULT_ALIASES))

    def lane(self, written: str) -> Lane | None:
        """The lane that `written` names, None where it names none."""
        return LANES.get(written) or self.aliases.get(written)
