"""All that one observation needs to know of a project, and what changes in it: the ledger's page in memory.

The store fills a book, `tell` writes into it, the store saves what was written. Nothing here knows how.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from kittywatch.derive.log import Entry, Log
from kittywatch.derive.settle import Known, Rules, Sighting, Told, settle
from kittywatch.derive.snapshot import BrokenContent, FeatureFacts, Key, Snapshot
from kittywatch.workpackages.reader import WorkPackage

Telling: TypeAlias = "FeatureTold | PackageTold | BrokenTold"
KnownKind: TypeAlias = Literal["told", "baseline", "elsewhere"]


@dataclass(frozen=True, slots=True)
class FeatureTold:
    """A feature was seen for the first time."""

    feature: str
    facts: FeatureFacts
    moment: datetime
    commit: str | None


@dataclass(frozen=True, slots=True)
class PackageTold:
    """A work package was created, or took a step."""

    told: Told
    commit: str | None


@dataclass(frozen=True, slots=True)
class BrokenTold:
    """A content that cannot be read, told once."""

    broken: BrokenContent
    moment: datetime
    commit: str | None


@dataclass
class Book:
    """A project's logs, where one view stands with each work package, and what is known besides.

    `landed` says which entries a commit brought. `features` and `broken` say how each came to be known; what is
    known from the baseline is told by a history. `changed` are the work packages that the view shows otherwise now.
    """

    logs: dict[Key, Log] = field(default_factory=dict)
    known: dict[Key, Known] = field(default_factory=dict)
    landed: dict[str, list[tuple[Key, Entry]]] = field(default_factory=dict)
    features: dict[str, KnownKind] = field(default_factory=dict)
    broken: dict[str, KnownKind] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)
    landings: list[tuple[str, Entry]] = field(default_factory=list)
    new_features: dict[str, KnownKind] = field(default_factory=dict)
    new_broken: dict[str, KnownKind] = field(default_factory=dict)
    already_told: int = 0
    withheld: int = 0

    def log(self, key: Key) -> Log:
        return self.logs.setdefault(key, Log())


def tell(book: Book, snapshot: Snapshot, rules: Rules, claimed: Set[Entry] = frozenset()) -> list[Telling]:
    """Settle a snapshot: what is to be told of it, by feature, then work package, then the order of the steps."""
    tellings: list[Telling] = []
    feature = None
    for package in sorted(snapshot.packages, key=lambda package: (package.feature, package.wp_id)):
        if package.lane is None:
            continue
        if package.feature != feature:
            feature = package.feature
            tellings += _feature(book, snapshot, feature, rules)
        tellings += _package(
            book, (feature, package.wp_id), snapshot, _sighting(book, snapshot, package), rules, claimed
        )
    tellings += _broken(book, snapshot, rules)
    return tellings


def adopt(book: Book, snapshot: Snapshot, kind: Literal["baseline", "elsewhere"]) -> int:
    """Take a snapshot in without telling: what was there before (B1), or what others told (O3); counts what is new."""
    count = 0
    for package in snapshot.packages:
        key = (package.feature, package.wp_id)
        if package.lane is None:
            continue
        _know(book.features, book.new_features, package.feature, kind)
        log = book.log(key)
        if not log.entries:
            log.add(Entry(kind, package.lane, commit=snapshot.commit))
            count += 1
    for broken in snapshot.broken:
        _know(book.broken, book.new_broken, broken.content, kind)
    return count


def _sighting(book: Book, snapshot: Snapshot, package: WorkPackage) -> Sighting:
    key = (package.feature, package.wp_id)
    landed = tuple(entry for owner, entry in book.landed.get(snapshot.commit or "", ()) if owner == key)
    return Sighting(package, snapshot.moment, snapshot.commit, snapshot.origin, landed, snapshot.past)


def _package(
    book: Book, key: Key, snapshot: Snapshot, sighting: Sighting, rules: Rules, claimed: Set[Entry]
) -> list[Telling]:
    before = book.known.get(key)
    settled = settle(book.log(key), before, sighting, rules, claimed)
    book.already_told += settled.already_told
    book.withheld += settled.withheld
    known = settled.known
    if known is not None and known != before:
        book.known[key] = known
        book.changed.add(key)
        cursor = known.cursor
        if snapshot.commit and cursor and cursor.told and (before is None or before.cursor is not cursor):
            book.landings.append((snapshot.commit, cursor))
    return [PackageTold(one, snapshot.commit) for one in settled.told]


def _feature(book: Book, snapshot: Snapshot, feature: str, rules: Rules) -> list[Telling]:
    kind = book.features.get(feature)
    silent = snapshot.origin == "elsewhere"
    if silent and rules.mode == "history":  # what a history leaves out it leaves to the next one
        return []
    if kind is None:
        _know(book.features, book.new_features, feature, "elsewhere" if silent else "told")
    elif kind == "baseline" and rules.mode == "history" and not silent:
        book.features[feature] = book.new_features[feature] = "told"
    else:
        return []
    facts = snapshot.features.get(feature)
    if silent or facts is None:
        return []
    return [FeatureTold(feature, facts, snapshot.moment, snapshot.commit)]


def _broken(book: Book, snapshot: Snapshot, rules: Rules) -> list[Telling]:
    tellings: list[Telling] = []
    for broken in snapshot.broken:
        kind = book.broken.get(broken.content)
        if kind is not None and not (kind == "baseline" and rules.mode == "history"):
            continue
        silent = snapshot.origin == "elsewhere"
        if silent and rules.mode == "history":
            continue
        book.broken[broken.content] = book.new_broken[broken.content] = "elsewhere" if silent else "told"
        if not silent:
            tellings.append(BrokenTold(broken, snapshot.moment, snapshot.commit))
    return tellings


def _know(known: dict[str, KnownKind], new: dict[str, KnownKind], name: str, kind: KnownKind) -> None:
    if name not in known:
        known[name] = new[name] = kind
