"""spec-kitty's missions: what a log and frontmatter say together (rule E12)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kittywatch.workpackages.event_log import Log, LogReader
from kittywatch.workpackages.lane_source import Unit
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.spec_kitty import SpecKitty, log_of

FEATURE = "001-login"
LOG = log_of(FEATURE)
TASKS = f"kitty-specs/{FEATURE}/tasks"
ONE, TWO = ((FEATURE, "WP01"), (FEATURE, "WP02"))


def line(number: int, wp_id: str, new: str) -> bytes:
    at = f"2026-03-01T12:00:{number:02}+00:00"
    fields = {"event_id": f"E{number}", "wp_id": wp_id, "from_lane": "planned", "to_lane": new, "at": at}
    return json.dumps(fields).encode() + b"\n"


def note(number: int, wp_id: str, text: str) -> bytes:
    at = f"2026-03-01T12:00:{number:02}+00:00"
    fields = {"kind": "annotation", "event_id": f"N{number}", "wp_id": wp_id, "at": at, "delta": {"note": text}}
    return json.dumps(fields).encode() + b"\n"


class Mission:
    """A mission whose files change; reads it as an observer does, with one source and one reader for all versions."""

    def __init__(self) -> None:
        self.source = SpecKitty()
        self.reader = LogReader()
        self.titles = {"WP01": "One", "WP02": "Two"}
        self.lines = line(1, "WP01", "claimed") + line(2, "WP02", "claimed")

    def packages(self) -> Mapping[tuple[str, str], WorkPackage]:
        paths = [*(f"{TASKS}/{wp_id}.md" for wp_id in self.titles), LOG]
        return self.source.together(Unit("spec-kitty", FEATURE), paths, self).packages

    def said(self, path: str) -> tuple[object, str]:
        wp_id = path.rsplit("/", 1)[-1].removesuffix(".md")
        text = f"---\nwork_package_id: {wp_id}\ntitle: {self.titles[wp_id]}\n---\n"
        return self.source.read(path, text.encode(), LaneNames()), ""

    def log(self, path: str) -> Log:
        return self.reader.read(self.lines, path)


def test_a_line_that_is_added_leaves_the_other_work_packages_as_they_are() -> None:
    """Of hundreds, one is put together again, and the others needn't be compared."""
    mission = Mission()
    before = mission.packages()
    mission.lines += line(3, "WP01", "in_progress")
    after = mission.packages()
    assert (before[ONE].lane, after[ONE].lane) == ("claimed", "in_progress")
    assert after[TWO] is before[TWO]


def test_what_frontmatter_or_a_note_says_anew_counts() -> None:
    mission = Mission()
    mission.packages()
    mission.titles["WP02"] = "Another"
    assert mission.packages()[TWO].title == "Another"
    mission.lines += note(4, "WP02", "look again")
    assert [one.text for one in mission.packages()[TWO].notes] == ["look again"]


def test_steps_that_are_other_ones_count() -> None:
    """As many lines as before, and of the same ids."""
    mission = Mission()
    mission.packages()
    mission.lines = line(1, "WP01", "claimed") + line(2, "WP02", "blocked")
    assert mission.packages()[TWO].lane == "blocked"
