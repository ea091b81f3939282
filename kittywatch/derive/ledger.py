"""The ledger in memory: of each work package what was emitted or is known, and the commits that introduced it.

An entry has no position. Order is happens-before: an entry is behind a commit if a commit that introduced it is an
ancestor. Nothing here knows git; `CommitGraph` is asked for what precedes what.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct, field

from kittywatch.derive.changes import BrokenContent, Key
from kittywatch.derive.seen import SeenKeys
from kittywatch.derive.steps import LaneState
from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.stated import StatedStep

EntryKind: TypeAlias = Literal["created", "step", "assigned", "known"]
Status: TypeAlias = Literal["emitted", "remote", "baseline", "void"]
Phase: TypeAlias = Literal["implementation", "review"]
KnownKind: TypeAlias = Literal["told", "baseline", "elsewhere"]
CONTAINED = ""
"""The lane of a link to a commit that has an entry in its past without a step of its own for it."""
RECONCILED = "-"
"""The lane of a mark, not of a link: what descends from that commit is no copy of the entry (rule B3)."""
TICK = timedelta(microseconds=1)


class CommitGraph(Protocol):
    """What precedes what among commits."""

    def precedes(self, old: str, new: str) -> bool:
        """Whether `old` is a proper ancestor of `new`; a commit that is gone precedes nothing."""
        ...


class Entry(Struct, eq=False):
    """One step, creation or assignment in the ledger; `row` is None until it is stored, `lane` the lane after it.

    `identities` are the identities of steps that are this one (rule D8), `links` pairs of a commit that introduced it
    and the lane of that commit's own step, or CONTAINED. `first` is the commit that it was met with, None for an edit
    and a manual emission. `status` is `baseline` for what was before the baseline, emitted by a replay since if it has
    an `event_id`. `edited_on` is the commit that was checked out when an edit was emitted. `taken_back_in` is
    the view in which a void entry's commits were taken back, None for an edit. A `known` entry only records the lane
    that a work package had (B1), `agent` and `phase` who had taken it on. A step is `unrecorded` as long as no record
    of it is known. `stated_order` is the place of a step that its source stated with an id, as its identities have it:
    its time in seconds since 1970, and the id.
    """

    kind: EntryKind
    status: Status
    lane: Lane
    previous: Lane | None = None
    event_id: str | None = None
    identities: set[str] = field(default_factory=set)
    links: set[tuple[str, str]] = field(default_factory=set)
    first: str | None = None
    edited_on: str | None = None
    taken_back_in: str | None = None
    agent: str | None = None
    phase: Phase | None = None
    unrecorded: bool = False
    row: int | None = None
    stated_order: tuple[float, str] | None = None

    def __post_init__(self) -> None:
        self.stated_order = _stated_order(self.identities)

    def state_as(self, step: StatedStep) -> None:
        """Let the entry be a step that its source states with an id."""
        self.know_as(stated_identities(step.id, step.moment))

    def know_as(self, identities: set[str]) -> None:
        """Let the entry have more identities."""
        self.identities |= identities
        self.stated_order = _stated_order(self.identities)

    def moments(self) -> list[datetime]:
        """The times of the steps that are this one, but for those that are stated with an id."""
        stated = (one.partition("|")[0] for one in self.identities if one[0].isdigit())
        return [datetime.fromtimestamp(float(one), UTC) for one in stated]

    @property
    def commits(self) -> set[str]:
        return {commit for commit, lane in self.links if lane != RECONCILED}

    @property
    def is_manual(self) -> bool:
        """Whether it was emitted manually, and no observer has come by since."""
        return not self.links and not self.identities and self.edited_on is None and self.status == "emitted"


def identity(moment: datetime, what: str) -> str:
    """The identity of a step: its record's time, else its commit's author time, and the lane (rule D8)."""
    return f"{moment.timestamp():.6f}|{what}"


def _stated_order(identities: Iterable[str]) -> tuple[float, str] | None:
    name = next((one[1:] for one in identities if one.startswith("#")), None)
    at = next((one[1:] for one in identities if one.startswith("=")), None) if name is not None else None
    return (float(at), name) if name is not None and at is not None else None


def stated_identities(name: str, moment: datetime) -> set[str]:
    """The identities of a step that its source states with an id: the id, and its time for the order."""
    return {f"#{name}", f"={moment.timestamp():.6f}"}


class PackageHistory:
    """The entries of one work package in the order in which they came to be known."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries: list[Entry] = list(entries)

    def steps(self) -> Iterable[Entry]:
        """Entries that move the lane, whatever became of them."""
        return (entry for entry in self.entries if entry.kind == "step")

    def assignments(self) -> Iterable[Entry]:
        """Entries that say who has taken the work package on."""
        return (entry for entry in self.entries if entry.agent is not None)

    def event_ids(self) -> set[str]:
        return {entry.event_id for entry in self.entries if entry.event_id}

    @property
    def creation(self) -> Entry | None:
        """The entry that made the work package known, a real creation before one that is only known."""
        found = [entry for entry in self.entries if entry.kind in ("created", "known")]
        return min(found, key=lambda entry: entry.kind != "created", default=None)

    def last(self, graph: CommitGraph | None = None) -> Entry | None:
        """The entry that reached a lane last, None where nothing is known; without a graph the one known last.

        What is known late may have happened early: a replay adds what was there before all else. What came to be known
        of the time before the baseline was so before it, though it is behind it in this order.
        """
        lanes = [entry for entry in self.entries if entry.kind != "assigned"]
        baseline = next((at for at, entry in enumerate(lanes) if entry.kind == "known"), len(lanes))
        stated = [entry for entry in lanes if entry.status != "void" and entry.stated_order is not None]
        if stated:
            return max(stated, key=lambda entry: entry.stated_order or (0.0, ""))
        later = [entry for entry in lanes[baseline:] if entry.kind == "known" or entry.status != "baseline"]
        last: Entry | None = None
        for entry in later or lanes:
            if last is None or graph is None or not _precedes(entry, last, graph):
                last = entry
        return last

    def last_lane(self, graph: CommitGraph | None = None) -> Lane | None:
        """The lane that was reached last, as `last` has it."""
        last = self.last(graph)
        return last.lane if last is not None else None


class PendingEdit(Struct):
    """What a worktree showed beyond its commit, and the entries that it was emitted with, oldest first.

    `written` is a fingerprint of the file, "" where it isn't known.
    """

    state: LaneState
    entries: list[Entry] = field(default_factory=list)
    written: str = ""


class Alias(Struct, frozen=True):
    """Another id that the transition of an event has elsewhere; the event was emitted here or by others (rule O11)."""

    alias: str
    event_id: str


class Move(Struct, frozen=True):
    """A work package that is of another feature since a commit, and stays the same one."""

    old: str
    new: str
    wp_id: str
    commit: str


class LedgerState(Struct):
    """A project's ledger as far as one observation needs it, and what the observation changes in it.

    `features` and `broken` say how each came to be known. `stated` has entries by the ids that sources gave them.
    `complete` are the features that a replay has come by when all was done. `changed` are entries to be
    stored, in order; `changed_pages` pages of seen keys.
    """

    histories: dict[Key, PackageHistory] = field(default_factory=dict)
    pages: dict[Key, SeenKeys] = field(default_factory=dict)
    features: dict[str, KnownKind] = field(default_factory=dict)
    broken: dict[str, KnownKind] = field(default_factory=dict)
    renames: dict[str, str] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    changed: dict[Entry, Key] = field(default_factory=dict)
    changed_pages: set[Key] = field(default_factory=set)
    new_features: dict[str, KnownKind] = field(default_factory=dict)
    new_broken: dict[str, KnownKind] = field(default_factory=dict)
    new_renames: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    aliases: list[Alias] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    stated: dict[str, Entry] = field(default_factory=dict)
    already_emitted: int = 0
    not_ours: int = 0

    def canonical(self, feature: str) -> str:
        """The name under which a feature is kept: the first one that it had."""
        return self.renames.get(feature, feature)

    def page_of(self, feature: str) -> Key:
        """The key of the page with what was told of a feature itself."""
        return self.canonical(feature), ""

    def key(self, feature: str, wp_id: str) -> Key:
        return self.canonical(feature), wp_id

    def history(self, key: Key) -> PackageHistory:
        return self.histories.setdefault(key, PackageHistory())

    def add(self, key: Key, entry: Entry) -> Entry:
        """Add a new entry."""
        self.history(key).entries.append(entry)
        self.changed[entry] = key
        self.know_stated(entry)
        return entry

    def know_stated(self, entry: Entry) -> None:
        """Let an entry be found by the id that its source gave the step, under whichever work package."""
        if (order := entry.stated_order) is not None:
            self.stated[order[1]] = entry

    def state_as(self, key: Key, entry: Entry, step: StatedStep) -> None:
        """Record that an entry is a step that its source states with an id."""
        if entry.stated_order is None:
            entry.state_as(step)
            self.changed[entry] = key
            self.know_stated(entry)

    def link(self, key: Key, entry: Entry, commit: str, lane: str = CONTAINED) -> None:
        """Record that a commit introduced an entry, as its own step to `lane` or as part of its past."""
        if (commit, lane) not in entry.links:
            entry.links.add((commit, lane))
            self.changed[entry] = key

    def identify(self, key: Key, entry: Entry, name: str, *, unrecorded: bool = True) -> None:
        """Record that an entry has an identity, which is that of a record unless it is `unrecorded`."""
        if name not in entry.identities or (entry.unrecorded and not unrecorded):
            entry.identities.add(name)
            entry.unrecorded = entry.unrecorded and unrecorded
            self.changed[entry] = key

    def void(self, key: Key, entry: Entry, view: str | None = None) -> None:
        """Record that what an entry says was taken back."""
        entry.status, entry.taken_back_in = "void", view
        self.changed[entry] = key

    def alias(self, own: str, entry: Entry) -> None:
        """Record the id that a step has by itself for the emitted one, here or by others, where they differ."""
        if entry.event_id and own != entry.event_id and entry.kind == "step":
            self.aliases.append(Alias(own, entry.event_id))

    def seen(self, key: Key) -> SeenKeys:
        """The seen keys of a work package, or of a feature, to be changed."""
        self.changed_pages.add(key)
        return self.pages.setdefault(key, {})

    def know_feature(self, feature: str, kind: KnownKind) -> None:
        self.features[feature] = self.new_features[feature] = kind

    def know_broken(self, broken: BrokenContent, kind: KnownKind) -> None:
        self.broken[broken.content] = self.new_broken[broken.content] = kind

    def rename(self, new: str, old: str, commit: str | None) -> bool:
        """Record that a feature's directory has another name now; False where that is known, or the name is taken."""
        if new in self.renames or new == self.canonical(old) or new in self.features:
            return False
        self.renames[new] = self.canonical(old)
        self.new_renames[new] = (self.canonical(old), commit)
        return True

    def saved(self) -> None:
        """Forget what was changed: it is in the store."""
        self.changed.clear()
        self.changed_pages.clear()
        self.new_features.clear()
        self.new_broken.clear()
        self.new_renames.clear()
        self.aliases.clear()
        self.moves.clear()


def _precedes(entry: Entry, other: Entry, graph: CommitGraph) -> bool:
    """Whether an entry happened before another one: all that introduced the other have it in their past.

    What a reconciliation left behind happened before it, on whatever branch.
    """
    if any((commit, RECONCILED) in other.links for commit in entry.commits):
        return False
    if not other.commits:
        return behind(entry, other.edited_on, graph, inclusive=True)
    return all(behind(entry, commit, graph) for commit in other.commits)


def behind(entry: Entry, commit: str | None, graph: CommitGraph, *, inclusive: bool = False) -> bool:
    """Whether an entry is in the past of a commit; `inclusive` counts what the commit itself introduced."""
    if commit is None:
        return False
    if entry.kind == "known" and entry.status == "baseline":
        return True
    return any((one == commit and inclusive) or graph.precedes(one, commit) for one in entry.commits)
