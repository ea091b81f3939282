"""What follows from a step to done: who waits no longer, and whether the feature is complete.

Where the contract is silent, these are the rules:

1. Both are decided when the step is told, which happens once, and so are they. They have its time.
2. Who depends on it, and which work packages a feature has, is what the view shows then: its files.
3. A view is not asked for the lanes alone: where another one has told more of a work package, that counts. So the
   last one to be told completes the feature, on whichever branch; a history goes by its own walk.
4. Complete again is a feature only after one of its work packages left done, not because one was added. What was
   complete before kittywatch came (B1), or what others completed, needs the same.
5. Of several that reach done with one commit, the last one told completes the feature.
6. A step to done that was told by hand causes the same, when the first observer comes by that shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, field

from kittywatch.derive.marks import COMPLETE
from kittywatch.derive.settle import Rules
from kittywatch.derive.snapshot import Key, Origin, Roster
from kittywatch.derive.tellings import Cause, CompletedTold, PackageTold, ResolvedTold, Telling

if TYPE_CHECKING:
    from kittywatch.derive.book import Book
    from kittywatch.workpackages.lanes import Lane


class Come(Struct, frozen=True):
    """How the steps came in: whose they are, which a merge brought, and the features as they are now."""

    origin: Origin = "here"
    brought: Set[Key] = frozenset()
    rosters: Mapping[str, Roster] = field(default_factory=dict)


def reopened(book: Book, feature: str, rules: Rules) -> None:
    """Note that a work package left done."""
    if rules.mode == "history":
        book.complete.discard(feature)
    elif COMPLETE in book.marks.get((feature, ""), {}):
        del book.marked((feature, ""))[COMPLETE]


def caused(book: Book, tellings: list[Telling], come: Come, rules: Rules) -> list[Telling]:
    """The same tellings, each step to done with what follows from it right after it."""
    causes: dict[int, Cause] = {}
    last: dict[str, int] = {}
    for at, telling in enumerate(tellings):
        if isinstance(telling, PackageTold) and (step := telling.told.step) is not None:
            package, entry = telling.told.package, telling.told.entry
            if step.previous == "done" and rules.mode == "live":
                left_done(book, (package.feature, package.wp_id))
            if step.new == "done":
                causes[at] = Cause(
                    package.feature, package.wp_id, entry.event_id or "", telling.told.moment, telling.commit
                )
                last[package.feature] = at
    late = [] if rules.mode == "history" or come.origin == "elsewhere" else _by_hand(book, come)
    told: list[Telling] = []
    for at, telling in enumerate(tellings):
        told.append(telling)
        if (cause := causes.get(at)) is not None:
            told += _resolved(book, cause, come, rules)
            if last[cause.feature] == at and cause.feature not in {one.feature for one in late}:
                told += _completed(book, cause, come, rules)
    for number, cause in enumerate(late):
        told += _resolved(book, cause, come, rules)
        if all(other.feature != cause.feature for other in late[number + 1 :]):
            told += _completed(book, cause, come, rules)
    for feature, roster in come.rosters.items() if come.origin == "elsewhere" or rules.mode == "history" else ():
        if _work_packages(book, feature, roster, rules):
            _note_complete(book, feature, rules)
    return told


def left_done(book: Book, key: Key) -> None:
    """Note that a work package left done: what waits for it waits again, and its feature is not complete."""
    feature = key[0]
    if COMPLETE in book.marks.get((feature, ""), {}):
        del book.marked((feature, ""))[COMPLETE]
    for mark in [mark for mark in book.marks.get(key, {}) if mark[0] in "dp"]:
        del book.marked(key)[mark]


def _by_hand(book: Book, come: Come) -> list[Cause]:
    """Steps to done that were told by hand, and that an observer sees now (rule 6)."""
    causes: list[Cause] = []
    for feature, roster in sorted(come.rosters.items()):
        for wp_id in sorted(roster.dependencies):
            key = (feature, wp_id)
            known = book.edits.get(key) or book.known.get(key)
            if known is None or known.shown.lane != "done":
                continue
            for mark, when in [item for item in book.marks.get(key, {}).items() if item[0][0] == "p"]:
                del book.marked(key)[mark]
                causes.append(Cause(feature, wp_id, mark[1:], datetime.fromisoformat(when), None))
    return causes


def _resolved(book: Book, cause: Cause, come: Come, rules: Rules) -> list[Telling]:
    roster = come.rosters.get(cause.feature)
    key = (cause.feature, cause.wp_id)
    merged = come.origin == "side" or key in come.brought
    told: list[Telling] = []
    for wp_id, dependencies in sorted(roster.dependencies.items()) if roster else ():
        if cause.wp_id not in dependencies:
            continue
        if rules.mode == "live":
            before = book.marks.get(key, {}).get(f"d{wp_id}")
            book.marked(key)[f"d{wp_id}"] = "told"
            if before == "by hand":
                continue
        told.append(ResolvedTold(cause, wp_id, "merged" if merged else "completed"))
    return told


def _completed(book: Book, cause: Cause, come: Come, rules: Rules) -> list[Telling]:
    feature, roster = cause.feature, come.rosters.get(cause.feature)
    if roster is None or not (count := _work_packages(book, feature, roster, rules)):
        return []
    if _is_complete(book, feature, rules):
        return []
    _note_complete(book, feature, rules)
    return [CompletedTold(cause, count, roster.created_at)]


def _is_complete(book: Book, feature: str, rules: Rules) -> bool:
    if rules.mode == "history":
        return feature in book.complete
    return COMPLETE in book.marks.get((feature, ""), {})


def _note_complete(book: Book, feature: str, rules: Rules) -> None:
    if rules.mode == "history":
        book.complete.add(feature)
    elif COMPLETE not in book.marks.get((feature, ""), {}):
        book.marked((feature, ""))[COMPLETE] = "told"


def _work_packages(book: Book, feature: str, roster: Roster, rules: Rules) -> int:
    """How many work packages a feature has, 0 unless all of them are done."""
    lanes = [_lane(book, (feature, wp_id), rules) for wp_id in roster.dependencies]
    stated = [lane for lane in lanes if lane is not None]
    return len(stated) if all(lane == "done" for lane in stated) else 0


def _lane(book: Book, key: Key, rules: Rules) -> Lane | None:
    """Where a work package is (rule 3), None where nobody has seen it in a lane."""
    known, log = book.known.get(key), book.logs.get(key)
    if rules.mode == "history" or log is None or not log.entries:
        return known.shown.lane if known else None
    last = log.base(log.entries[-1])
    if known is not None and log.base(known.cursor) is last:
        return known.shown.lane
    return last.lane if last else None
