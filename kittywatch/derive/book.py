"""All that one observation needs to know of a project, and what changes in it: the ledger's page in memory.

The store fills a book, `tell` writes into it, the store saves what was written. Nothing here knows how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from kittywatch.derive.beside import Taken, beside, place_of, take_in
from kittywatch.derive.consequences import Come, caused, reopened
from kittywatch.derive.edits import WorktreeLook, settle_commit, settle_discard
from kittywatch.derive.landings import brought, contained, stand, standing
from kittywatch.derive.log import Entry, Log
from kittywatch.derive.marks import COMPLETE, Marks, hand_key
from kittywatch.derive.settle import Known, Rules, Settled, Sighting, settle, taken_in
from kittywatch.derive.snapshot import BrokenContent, Key, Roster, Snapshot
from kittywatch.derive.steps import shown
from kittywatch.derive.tellings import BesideTold, BrokenTold, FeatureTold, PackageTold, Telling, place
from kittywatch.workpackages.reader import WorkPackage

KnownKind: TypeAlias = Literal["told", "baseline", "elsewhere"]


class Book(Struct):
    """A project's logs, where one view stands with each work package, and what is known besides.

    `before` is where the view stood when the observation began, as far as that has changed. `edits` is what the
    checkout's worktree showed beyond its commit when it was last looked at, and `written` fingerprints of these files;
    `worktree` is what it shows now, None where nobody looked.

    `marks` are what is known besides lanes. `complete` are the features that a history has come by when all was done,
    `taken` who it has come by at each work package.

    `landed` says which entries a commit brought. `features` and `broken` say how each came to be known; what is
    known from the baseline is told by a history. `changed` are the work packages that the view shows otherwise now.
    `left_out` are features and broken contents that a history met first where it tells nothing: the next one's news.
    `met` are those that a walk has come by, for counting what was told before.
    """

    logs: dict[Key, Log] = field(default_factory=dict)
    known: dict[Key, Known] = field(default_factory=dict)
    before: dict[Key, Known] = field(default_factory=dict)
    edits: dict[Key, Known] = field(default_factory=dict)
    written: dict[Key, str] = field(default_factory=dict)
    marks: dict[Key, Marks] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    taken: dict[Key, Taken] = field(default_factory=dict)
    worktree: WorktreeLook | None = None
    landed: dict[str, list[tuple[Key, Entry]]] = field(default_factory=dict)
    features: dict[str, KnownKind] = field(default_factory=dict)
    broken: dict[str, KnownKind] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)
    changed_marks: set[Key] = field(default_factory=set)
    landings: list[tuple[str, Key, Entry]] = field(default_factory=list)
    new_features: dict[str, KnownKind] = field(default_factory=dict)
    new_broken: dict[str, KnownKind] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)
    already_told: int = 0
    withheld: int = 0

    def saved(self) -> None:
        """What was written is in the store; what comes is written next."""
        for commit, key, entry in self.landings:
            self.landed.setdefault(commit, []).append((key, entry))
        self.changed.clear()
        self.changed_marks.clear()
        self.landings.clear()
        self.new_features.clear()
        self.new_broken.clear()

    def log(self, key: Key) -> Log:
        return self.logs.setdefault(key, Log())

    def untouched(self, key: Key) -> bool:
        """Whether nobody has written the file of an edit since the edit was seen, as far as that is known."""
        now = self.worktree.written.get(key) if self.worktree is not None else None
        return now is None or self.written.get(key, now) == now

    def marked(self, key: Key) -> Marks:
        """The marks of a work package, or of a feature, to be changed."""
        self.changed_marks.add(key)
        return self.marks.setdefault(key, {})


def tell(book: Book, snapshot: Snapshot, rules: Rules, claimed: Set[Entry] = frozenset()) -> list[Telling]:
    """Settle a snapshot: what is to be told of it, by feature, then work package, then the order of the steps."""
    if snapshot.only_known:
        for package in snapshot.packages:
            take_in(book.marked((package.feature, package.wp_id)), package, "elsewhere")
        return []
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
    come = Come(snapshot.origin, snapshot.brought, snapshot.rosters)
    return caused(book, _in_order(tellings + _broken(book, snapshot, rules)), come, rules)


def adopt(book: Book, snapshot: Snapshot, kind: Literal["baseline", "elsewhere"]) -> int:
    """Take a snapshot in without telling: what was there before (B1), or what others told (O3); counts what is new."""
    count = 0
    for package in snapshot.packages:
        key = (package.feature, package.wp_id)
        if package.lane is None:
            continue
        if take_in(book.marks.setdefault(key, {}), package, kind):
            book.changed_marks.add(key)
        _know(book.features, book.new_features, package.feature, kind)
        log = book.log(key)
        if not log.entries:
            log.add(taken_in(kind, package, package.lane, snapshot.commit))
            count += 1
    complete = {one.feature for one in snapshot.packages if one.lane}
    complete -= {one.feature for one in snapshot.packages if one.lane not in ("done", None)}
    for feature in complete:
        book.marked((feature, ""))[COMPLETE] = kind
    for broken in snapshot.broken:
        _know(book.broken, book.new_broken, broken.content, kind)
    return count


def _sighting(book: Book, snapshot: Snapshot, package: WorkPackage) -> Sighting:
    key = (package.feature, package.wp_id)
    landed, behind = brought(book, key, [snapshot.commit or ""]), frozenset(brought(book, key, snapshot.behind))
    return Sighting(package, snapshot.moment, snapshot.commit, snapshot.origin, landed, snapshot.past, behind)


def _package(
    book: Book, key: Key, snapshot: Snapshot, sighting: Sighting, rules: Rules, claimed: Set[Entry]
) -> list[Telling]:
    before, log, edit = book.known.get(key), book.log(key), book.edits.get(key)
    if before is not None and before.shown.lane == "done" and sighting.package.lane != "done":
        reopened(book, key[0], rules)
    if edit is not None and snapshot.commit and snapshot.origin in ("here", "passed"):
        there = book.worktree.shows(key) if book.worktree is not None else None
        settled, left = settle_commit(
            log, before, edit, sighting, rules, claimed, worktree=there, untouched=book.untouched(key)
        )
        if left is None:
            del book.edits[key]
    else:
        left = None
        settled = settle(log, before, sighting, rules, claimed)
    tellings = _with_beside(book, key, sighting, settled, rules)
    # Others' commit may have been found by its lane alone: too little to say what it brought.
    stand(book, key, settled, snapshot.commit if snapshot.origin != "elsewhere" else None)
    base = log.base(book.known[key].cursor)
    # What a commit took over silently, from a side or from an edit, a history will find with it.
    silent = key in snapshot.brought or (edit is not None and key not in book.edits and not settled.told)
    if left is not None and before is not None and contained(before, book.known[key]):
        silent, base = True, log.base(left.cursor)
    if silent and snapshot.commit and base and not base.begins:
        book.landings.append((snapshot.commit, key, base))
    return tellings


def _with_beside(book: Book, key: Key, sighting: Sighting, settled: Settled, rules: Rules) -> list[Telling]:
    """What a settled sighting tells, with what it tells besides the lanes, in the order of the trail."""
    marks = book.marks.get(key)
    met = len(marks) if marks is not None else 0
    marks = {} if marks is None else marks
    before = dict(marks) if rules.mode == "history" else None
    taken = book.taken.setdefault(key, Taken()) if rules.mode == "history" else None
    others = beside(book.log(key), marks, sighting, settled, rules, taken)
    if len(marks) != met or (before is not None and marks != before):
        book.marks[key] = marks
        book.changed_marks.add(key)
    tellings: list[tuple[float, Telling]] = []
    place = -1.0
    for one in settled.told:
        lane = one.step.new if one.step else None
        place = max(place, place_of(one.package, one.moment, lane, rules.names) if lane else -1.0)
        tellings.append((place, PackageTold(one, sighting.commit)))
    tellings += [(one.place, BesideTold(one, sighting.commit)) for one in others]
    return [telling for _, telling in sorted(tellings, key=lambda placed: placed[0])]


def undo(book: Book, snapshot: Snapshot, landed: Set[str], rules: Rules) -> list[Telling]:
    """Settle work packages that lost commits made here.

    Where the worktree still shows what the commits said, as after `reset --soft`, they have become edits: the view
    goes back silently to where its commit stands in the log. So it does where the worktree shows an edit that was
    told on top of them, and committed and taken back before anybody looked. Otherwise they were taken back, which is
    told.
    """
    tellings: list[Telling] = []
    back: list[WorkPackage] = []
    for package in snapshot.packages:
        key = (package.feature, package.wp_id)
        known, now = book.known.get(key), shown(package)
        shows = book.worktree.shows(key) if book.worktree is not None else None
        edit = book.edits.get(key, known)
        if known is None or edit is None or now is None or shows not in (known.shown, edit.shown):
            back.append(package)
            continue
        book.edits.setdefault(key, known)
        stand(book, key, Settled(Known(now, standing(book, key, landed))), None)
    tellings += tell(book, replace(snapshot, packages=tuple(back)), rules)
    return tellings


def stand_back(book: Book, keys: Set[Key], landed: Set[str]) -> None:
    """Let work packages stand where their commit does after a branch went back over others, at the lane that it had.

    Nothing was told of that, so a fast-forward over the same commits is no news either (rule O2).
    """
    for key in keys & book.known.keys():
        known, entry, log = book.known[key], standing(book, key, landed), book.log(key)
        if entry is not None and entry.lane == known.shown.lane and log.later(known.cursor, entry) is known.cursor:
            stand(book, key, Settled(Known(known.shown, entry)), None)


def tell_worktree(book: Book, homes: Sequence[dict[Key, Known]], rules: Rules) -> list[Telling]:
    """Settle what the worktree shows against the view that is checked out.

    `homes` say where the views stand that the checkout was on since it was last looked at, in their order: an edit
    that is gone may have been committed in any of them, and is otherwise discarded from the first, which is updated.
    """
    look = book.worktree
    if look is None:
        return []
    tellings: list[Telling] = []
    sightings = Snapshot(look.moment, (), broken=look.broken, features=look.features)
    feature = None
    for key in sorted(book.edits.keys() | look.edited.keys()):
        committed, edit = book.known.get(key), book.edits.get(key)
        package = look.edited.get(key)
        if package is not None:
            if key[0] != feature:
                feature = key[0]
                tellings += _feature(book, sightings, feature, rules)
            if edit is None and (before := book.before.get(key)) and before.shown == shown(package):
                book.edits[key] = before  # the commit moved on without the worktree, as libgit2 or a push make it
                continue
            sighting = Sighting(package, look.moment, behind=frozenset(brought(book, key, look.behind)))
            settled = settle(book.log(key), edit or committed, sighting, rules)
            tellings += _with_beside(book, key, sighting, settled, rules)
            _edited(book, key, settled)
            continue
        if edit is not None and (clean := look.clean.get(key)) is not None:
            settled = _discarded(book, key, edit, clean, homes, look.moment, rules)
        else:
            continue
        tellings += [PackageTold(one, None) for one in settled.told]
    return caused(book, _in_order(tellings + _broken(book, sightings, rules)), Come(rosters=look.rosters), rules)


def _in_order(tellings: list[Telling]) -> list[Telling]:
    """By feature, then by work package; what is told of one stays in its order."""
    return sorted(tellings, key=place)


def _edited(book: Book, key: Key, settled: Settled) -> None:
    """An edit stays one for as long as it shows something else than the commit."""
    committed, known = book.known.get(key), settled.known
    book.already_told += settled.already_told
    if known is None:
        return
    if committed is not None and committed.shown == known.shown:
        book.edits.pop(key, None)
        log = book.log(key)
        cursor = log.later(committed.cursor, log.base(known.cursor))  # who has it counts as committed
        stand(book, key, Settled(Known(committed.shown, cursor)), None)
    else:
        book.edits[key] = known


def _discarded(
    book: Book,
    key: Key,
    edit: Known,
    clean: WorkPackage,
    homes: Sequence[dict[Key, Known]],
    moment: datetime,
    rules: Rules,
) -> Settled:
    del book.edits[key]
    log = book.log(key)
    views = [view for view in [*homes, book.known] if key in view]
    if not views or any(log.reach(view[key].cursor) >= log.reach(edit.cursor) for view in views):
        return Settled(book.known.get(key))
    home = views[0]
    settled = settle_discard(log, edit, home[key], clean, moment, rules)
    if home is book.known:
        stand(book, key, settled, None)
    elif settled.known is not None:
        home[key] = settled.known
    return settled


def _feature(book: Book, snapshot: Snapshot, feature: str, rules: Rules) -> list[Telling]:
    kind = book.features.get(feature)
    silent = snapshot.origin == "elsewhere"
    if rules.mode == "history" and (silent or feature in book.left_out):
        book.left_out.add(feature)
        return []
    if kind is None:
        _know(book.features, book.new_features, feature, "elsewhere" if silent else "told")
    elif kind == "baseline" and rules.mode == "history":
        book.features[feature] = book.new_features[feature] = "told"
    else:
        _count_told(book, feature, kind)
        return []
    book.met.add(feature)
    facts = snapshot.features.get(feature)
    if silent or facts is None:
        return []
    return [FeatureTold(feature, facts, snapshot.moment, snapshot.commit)]


def _broken(book: Book, snapshot: Snapshot, rules: Rules) -> list[Telling]:
    tellings: list[Telling] = []
    for broken in snapshot.broken:
        kind = book.broken.get(broken.content)
        if kind is not None and not (kind == "baseline" and rules.mode == "history"):
            _count_told(book, broken.content, kind)
            continue
        book.met.add(broken.content)
        silent = snapshot.origin == "elsewhere"
        if rules.mode == "history" and (silent or broken.content in book.left_out):
            book.left_out.add(broken.content)
            continue
        book.broken[broken.content] = book.new_broken[broken.content] = "elsewhere" if silent else "told"
        if not silent and not _said_by_hand(book, broken):
            tellings.append(BrokenTold(broken, snapshot.moment, snapshot.commit))
    return tellings


def _said_by_hand(book: Book, broken: BrokenContent) -> bool:
    """Whether somebody told of it in the same words, which then is used up."""
    key, name = (broken.feature, broken.wp_id or ""), hand_key(("error", str(broken.problem)))
    if name not in book.marks.get(key, {}):
        return False
    del book.marked(key)[name]
    return True


def _count_told(book: Book, name: str, kind: KnownKind) -> None:
    """What was told before is counted where it is met first."""
    if kind == "told" and name not in book.met:
        book.already_told += 1
    book.met.add(name)


def _know(known: dict[str, KnownKind], new: dict[str, KnownKind], name: str, kind: KnownKind) -> None:
    if name not in known:
        known[name] = new[name] = kind


def differences(
    book: Book, packages: Mapping[Key, WorkPackage], rosters: Mapping[str, Roster], moment: datetime, rules: Rules
) -> list[Telling]:
    """Tell where a log ends in another lane than the view shows, and let the view stand at its end (rule B3)."""
    told: list[Telling] = []
    for key, package in sorted(packages.items()):
        log, known = book.log(key), book.known.get(key)
        if not log.entries or known is None or package.lane is None:
            continue
        last = log.entries[-1]  # whoever was assigned last, the lane is that of the stay
        if last.lane == package.lane:
            continue
        at_end = Known(replace(known.shown, lane=last.lane), last)
        settled = settle(log, at_end, Sighting(package, moment), rules)
        stand(book, key, settled, None)
        told += [PackageTold(one, None) for one in settled.told]
    return caused(book, told, Come(rosters=rosters), rules)
