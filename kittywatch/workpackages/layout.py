"""Which paths are work packages (rule R1).

Paths are relative to the project's root, with `/` between their parts, as git gives them.
"""

from __future__ import annotations

import re

from msgspec import Struct

from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.lanes import LANES, Lane

SPECS = "kitty-specs"
LOG = "status.events.jsonl"
OWN = ("meta.json", "tasks.md")
_NAME = pattern(r"(WP[0-9]{2,3})(?![0-9]).*\.md\Z", re.DOTALL)


class Place(Struct, frozen=True):
    """What a work package's path says: its feature, the id in its name, and in the old layout the lane directory."""

    feature: str
    wp_id: str
    lane_directory: Lane | None


def place(path: str) -> Place | None:
    """The place of the work package at `path`, None where no work package can be."""
    parts = path.split("/")
    if len(parts) < 4 or parts[0] != SPECS or parts[2] != "tasks":
        return None
    name = _NAME.match(parts[-1])
    if name is None:
        return None
    if len(parts) == 4:
        return Place(as_text(parts[1]), name[1], None)
    lane = LANES.get(parts[3])
    return Place(as_text(parts[1]), name[1], lane) if lane else None


def feature_of(path: str) -> str | None:
    """The feature whose directory `path` lies in, None outside of every feature."""
    parts = path.split("/", 2)
    return as_text(parts[1]) if len(parts) == 3 and parts[0] == SPECS else None


def as_text(name: str) -> str:
    """A name as text that can stand in an event and in JSON; what is not UTF-8 in it (surrogates here) cannot."""
    return as_bytes(name).decode("utf-8", "replace")


def as_bytes(name: str) -> bytes:
    """A name as the file system has it: in the order of these bytes the first of several counts (rule R6)."""
    return name.encode("utf-8", "surrogateescape")
