"""What lanes mean, whatever they are called: six categories, a guess by the field's usual words, and lanes' names."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Literal, TypeAlias

from kittywatch.startup.digests import sha256
from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.lanes import Lane

Category: TypeAlias = Literal["backlog", "active", "review", "done", "blocked", "canceled"]

CATEGORY_TITLES: Mapping[Category, str] = {
    "backlog": "To do",
    "active": "In progress",
    "review": "In review",
    "done": "Done",
    "blocked": "Blocked",
    "canceled": "Canceled",
}
"""What people call the categories."""

CATEGORIES: tuple[Category, ...] = ("backlog", "active", "review", "done", "blocked", "canceled")

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
        "approved",
        *("waiting for approval", "waiting for review", "waiting on review", "awaiting review", "awaiting approval"),
    ),
    "active": (
        *("in progress", "doing", "wip", "started", "in dev", "in development", "active", "ongoing", "working"),
        "claimed",
    ),
    "backlog": (
        *("to do", "todo", "open", "new", "ready", "draft", "drafted", "backlog", "planned", "pending", "reopened"),
        *("not done", "not started", "not complete", "not completed", "ready for dev", "ready for development"),
    ),
}
_LONGEST_NAME = 40
_NOT_IN_SLUGS = pattern(r"[^A-Za-z0-9._-]+")
_OTHERS = pattern(r"[^a-z0-9]+")


def guessed_category(lane: Lane, otherwise: Category = "backlog") -> Category:
    """What a lane most likely means by the words in its name, `otherwise` where no word says so."""
    name = f" {_OTHERS.sub(' ', lane.lower()).strip()} "
    found = [
        (len(phrase.split()), category)
        for category, phrases in WORDS.items()
        for phrase in phrases
        if f" {phrase} " in name
    ]
    return max(found, key=lambda one: one[0])[1] if found else otherwise


def lane_name(written: str) -> Lane:
    """A lane's name from how its source writes it: `In Progress` is `in_progress`.

    Letters with marks lose them; what has neither a Latin letter nor a digit gets a name of its own that stays.
    """
    plain = unicodedata.normalize("NFKD", written).encode("ascii", "ignore").decode()
    name = _OTHERS.sub("_", plain.lower()).strip("_")[:_LONGEST_NAME].strip("_")
    return name or f"lane_{sha256(written.encode('utf-8', 'replace')).hexdigest()[:8]}"


def feature_slug(written: str) -> str:
    """A feature's name from what a milestone, a tag or a project is called: `Release One` is `Release-One`."""
    plain = unicodedata.normalize("NFKD", written).encode("ascii", "ignore").decode()
    name = _NOT_IN_SLUGS.sub("-", plain).strip("._-")
    return name or f"feature-{sha256(written.encode('utf-8', 'replace')).hexdigest()[:8]}"


def lane_title(lane: Lane) -> str:
    """A lane's name for people: `in_progress` is `In progress`."""
    words = lane.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
