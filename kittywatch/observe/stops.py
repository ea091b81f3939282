"""Where HEAD has been since a checkout was last looked at: the states that are looked at one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from kittywatch.git import reflog
from kittywatch.git.repository import Git, Head
from kittywatch.observe.views import ref_name
from kittywatch.store.views import DETACHED


class Stop(Struct, frozen=True):
    """A view as it was at a commit. `came` is the commit that HEAD came to on its way here, None where it was there."""

    ref: str
    tip: str | None
    came: str | None = None


def stops(git: Git, head: Head, seen: Mapping[str, str | None], entries: Sequence[reflog.Entry]) -> Iterator[Stop]:
    """The ends of HEAD's stays on branches, and where it is now, the last one; raises GitError.

    `seen` is what the views showed when they were looked at, `entries` what HEAD's log says since, if it was. Within a
    stay, a commit made here that a pull moved the branch on from is a stop too, if it is still part of the history: no
    first-parent chain leads through it where others merged it.
    """
    tips = dict(seen)
    *stays, last = reflog.stays(entries, git.branches() if any(entry.moved for entry in entries) else set())
    for stay in stays:
        if stay.tip is not None and git.exists(stay.tip):
            yield from _during(git, stay, ref_name(stay.ref), stay.tip, tips)
    yield from _during(git, last, ref_name(head.ref), head.tip, tips)


def _during(git: Git, stay: reflog.Stay, ref: str, tip: str | None, tips: dict[str, str | None]) -> Iterator[Stop]:
    """What counts by itself of one stay, and its end; `tips` are the commits that views are known at by then."""
    came, known = stay.start, tips.get(ref)
    back = stay.taken_back(known) if ref != DETACHED else None
    between = [commit for commit in (back, *stay.overtaken) if commit not in (None, known, tip)]
    there = git.reached(between, tip) if between and tip is not None else set()
    for commit in between:
        if commit in there:
            yield Stop(ref, commit, came)
            came = None
    yield Stop(ref, tip, came)
    tips[ref] = tip
