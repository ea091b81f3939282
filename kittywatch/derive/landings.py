"""Which entries of the logs a commit brought, as far as that is known: where a view stands that is brought to it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING

from kittywatch.derive.log import Entry
from kittywatch.derive.settle import Known, Settled
from kittywatch.derive.snapshot import Key, Snapshot
from kittywatch.derive.steps import shown

if TYPE_CHECKING:
    from kittywatch.derive.book import Book


def land(book: Book, copies: Sequence[Snapshot]) -> None:
    """Let commits that were put on other ground land where the view stands after all of them, if nothing else is known.

    Their net difference was told, or that there is none (rule O4): whoever comes upon one of them has no news.
    """
    there = {(commit, key) for commit, key, _ in book.landings}
    for snapshot in copies:
        copy = snapshot.commit or ""
        there |= {(copy, key) for key, _ in book.landed.get(copy, ())}
        for package in snapshot.packages:
            key = (package.feature, package.wp_id)
            known = book.known.get(key)
            base = book.log(key).base(known.cursor) if known is not None else None
            if base is not None and (copy, key) not in there:
                book.landings.append((copy, key, base))


def standing(book: Book, key: Key, landed: Set[str]) -> Entry | None:
    """How far in a work package's log a commit stands that reaches the commits `landed`."""
    reached = frozenset(brought(book, key, landed))
    for entry in reversed(book.log(key).entries):
        if entry in reached or entry.begins:
            return entry
    return None


def stand(book: Book, key: Key, settled: Settled, commit: str | None) -> None:
    """Note where the view stands after a sighting, and which entry a commit brought."""
    book.already_told += settled.already_told
    book.withheld += settled.withheld
    before, known = book.known.get(key), settled.known
    if known is None or known == before:
        return
    if before is not None:
        book.before.setdefault(key, before)
    book.known[key] = known
    book.changed.add(key)
    base = book.log(key).base(known.cursor)
    if commit and base and not base.begins and (before is None or book.log(key).base(before.cursor) is not base):
        book.landings.append((commit, key, base))


def stand_with(
    book: Book, snapshot: Snapshot, before: Mapping[Key, Known], others: Callable[[Key], Iterable[Known]]
) -> None:
    """Let the view stand as far in the logs as another one that shows the same, to which a commit has brought it.

    A squash of what that one told says nothing of the steps in between, and may leave the lane where it was (rule O4);
    what comes after it is none of these steps. That it is the same is seen by the trail, which `before` was another.
    """
    if snapshot.origin != "here" or not snapshot.commit:
        return
    for package in snapshot.packages:
        key = (package.feature, package.wp_id)
        known, was = book.known.get(key), before.get(key)
        if known is not None and known.shown.records and (was is None or was.shown.trail != known.shown.trail):
            same = (one.cursor for one in others(key) if one.shown == known.shown)
            furthest = functools.reduce(book.log(key).later, same, known.cursor)
            stand(book, key, Settled(Known(known.shown, furthest)), snapshot.commit)


def stand_as(book: Book, snapshot: Snapshot, landed: Set[str]) -> None:
    """Let the view stand where a commit that was taken in stands."""
    for package in snapshot.packages:
        key, now = (package.feature, package.wp_id), shown(package)
        if now is not None:
            book.known[key] = Known(now, standing(book, key, landed))
            book.changed.add(key)


def brought(book: Book, key: Key, commits: Iterable[str]) -> tuple[Entry, ...]:
    """The entries of a work package's log that some commits are known to have brought, those of each in their order."""
    return tuple(entry for commit in commits for owner, entry in book.landed.get(commit, ()) if owner == key)


def contained(before: Known, known: Known) -> bool:
    """Whether a commit moved the lane, and all of that is contained in what an edit has told."""
    return known.shown.lane != before.shown.lane and known.cursor is before.cursor
