"""The names of lanes; the four lanes of frontmatter, and the names that other tools use for them (rule R3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct, field

Lane: TypeAlias = str
"""The name of a lane, as its source writes it; what it means is its scheme's to say (schemes.py)."""

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
