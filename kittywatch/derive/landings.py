"""Which entries of the logs a commit brought, as far as that is known: where a view stands that is brought to it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from kittywatch.derive.log import Entry
from kittywatch.derive.settle import Known
from kittywatch.derive.snapshot import Key, Snapshot

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
    reached = {entry for commit in landed for owner, entry in book.landed.get(commit, ()) if owner == key}
    for entry in reversed(book.log(key).entries):
        if entry in reached or entry.begins:
            return entry
    return None


def contained(before: Known, known: Known) -> bool:
    """Whether a commit moved the lane, and all of that is contained in what an edit has told."""
    return known.shown.lane != before.shown.lane and known.cursor is before.cursor
