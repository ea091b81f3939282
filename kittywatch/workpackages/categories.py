"""What a lane means where nothing states it, guessed from the usual words; and how people read a lane's name."""

from __future__ import annotations

from collections.abc import Mapping

from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.schemes import SCHEMES, Category

CATEGORY_TITLES: Mapping[Category, str] = {
    "backlog": "To do",
    "active": "In progress",
    "review": "In review",
    "done": "Done",
    "blocked": "Blocked",
    "canceled": "Canceled",
}
"""What people call the categories."""

KNOWN: Mapping[Lane, Category] = {
    lane: category for scheme in SCHEMES.values() for lane, category in scheme.lanes.items()
}
"""What the lanes of spec-kitty's schemes mean."""

# Words as the trackers of the field use them. Where several are in a name, the longest phrase counts, and of those as
# long the first here: `dev done` is done, `review blocked` blocked, `in test` review, `ready for dev` backlog.
WORDS: Mapping[Category, tuple[str, ...]] = {
    "canceled": (
        *("canceled", "cancelled", "wont do", "won t do", "wont fix", "won t fix", "dropped", "rejected", "duplicate"),
        *("obsolete", "abandoned", "discarded", "declined"),
    ),
    "blocked": ("blocked", "on hold", "stuck", "waiting", "deferred", "paused", "postponed", "suspended"),
    "done": (
        *("done", "complete", "completed", "closed", "finished", "released", "merged", "archived", "resolved"),
        *("deployed", "shipped"),
    ),
    "review": (
        *("review", "reviewing", "testing", "test", "qa", "verify", "verifying", "verification", "approval"),
        *("waiting for approval", "waiting for review", "waiting on review", "awaiting review", "awaiting approval"),
    ),
    "active": ("in progress", "doing", "wip", "started", "in dev", "in development", "active", "ongoing", "working"),
    "backlog": (
        *("to do", "todo", "open", "new", "ready", "draft", "drafted", "backlog", "planned", "pending", "reopened"),
        *("not done", "not started", "not complete", "not completed", "ready for dev", "ready for development"),
    ),
}
_OTHERS = pattern(r"[^a-z0-9]+")


def guessed_category(lane: Lane) -> Category:
    """What a lane most likely means: as spec-kitty has it, else by the words in its name, else backlog."""
    if lane in KNOWN:
        return KNOWN[lane]
    name = f" {_words(lane)} "
    found = [
        (len(phrase.split()), category)
        for category, phrases in WORDS.items()
        for phrase in phrases
        if f" {phrase} " in name
    ]
    return max(found, key=lambda one: one[0])[1] if found else "backlog"


def lane_title(lane: Lane) -> str:
    """A lane's name for people: `in_progress` is `In progress`."""
    words = lane.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _words(lane: Lane) -> str:
    return _OTHERS.sub(" ", lane.lower()).strip()
