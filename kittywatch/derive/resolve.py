"""Resolve the steps of commits and edits against the ledger: the one place where exactly once is decided.

Each step of a commit is resolved in this order (rules O1, O3, O4, O7):

1. An entry that this commit introduced, as its step to this lane: known.
2. An entry with the step's identity: known; the commit joins its commits.
3. An entry that was emitted manually, or for an edit of this worktree that the commit takes over: known.
4. An entry into the same lane whose commits are all concurrent with this one and with its copies, where the step or the
   entry has no record: known, a squash or a move made twice. What happened before that entry on its side is behind
   this commit as well.
5. Else it is emitted if it was made here, and recorded as remote if not.

An entry that is behind the commit is never matched. Where a step is known under another id than it has by itself, its
own id becomes an alias (rule O11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.derive.changes import CommitChanges, Key, PackageChange, Provenance, WorktreeLook
from kittywatch.derive.concurrent import Copies, is_concurrent, join_past
from kittywatch.derive.distinct import one_by_one
from kittywatch.derive.facts import Assigned, EmittedStep
from kittywatch.derive.ledger import (
    TICK,
    CommitGraph,
    Entry,
    LedgerState,
    PackageHistory,
    PendingEdit,
    behind,
    identity,
)
from kittywatch.derive.steps import LaneState, Step, lane_state, steps_between
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.stated import StatedStep
from kittywatch.workpackages.trail import Record

Identify: TypeAlias = Callable[[WorkPackage, "Step | Assigned | None", datetime], str]
"""The event id of a creation, a step or an assignment at a moment (rule O9)."""


class Rules(Struct, frozen=True):
    """The names of lanes, and how events get their ids."""

    names: LaneNames
    identify: Identify


class Occurrence(Struct, frozen=True):
    """Where something was seen: in a commit, or in a worktree on top of `tip` (then `commit` is None).

    `moment` is the commit's author time or the time of observation, `view` the name of the view that is looked at.
    `is_recorded` says that a reflog records the commit as made here, not only that nothing says otherwise. A replay
    emits what was only recorded with the baseline as well.
    """

    moment: datetime
    view: str
    commit: str | None = None
    tip: str | None = None
    provenance: Provenance = Provenance.LOCAL
    is_recorded: bool = False
    is_replay: bool = False

    @property
    def is_ours(self) -> bool:
        return self.provenance in (Provenance.LOCAL, Provenance.HISTORY)

    @property
    def is_kept(self) -> bool:
        return self.provenance is not Provenance.OUT_OF_SCOPE


class Resolver:
    """Resolves what one observation of a checkout finds; changes `state` and `pending`.

    `pending` are the edits of the checkout's worktree that were emitted before, `look` what it shows now, None where
    nobody looked. `replaced` are the commits that each rewritten commit replaces, as far as git said so.
    `passed_over` are assignments of commits that are out of scope, which are the past of what is in it.
    """

    def __init__(
        self,
        state: LedgerState,
        graph: CommitGraph,
        rules: Rules,
        *,
        pending: dict[Key, PendingEdit] | None = None,
        look: WorktreeLook | None = None,
    ) -> None:
        self.state = state
        self.graph = graph
        self.rules = rules
        self.pending = pending if pending is not None else {}
        self.look = look
        self.replaced: dict[str, set[str]] = {}
        self.passed_over: dict[Key, list[Entry]] = {}
        self._copies = Copies()

    # Before anything is decided about a range of commits.

    def join(self, changes: CommitChanges, where: Occurrence) -> dict[Key, list[Step]]:
        """Let a commit join the entries that its steps are known as by commit or identity; returns the other steps."""
        unknown: dict[Key, list[Step]] = {}
        for change in changes.packages:
            key = self.state.key(*change.package.key)
            history = self.state.history(key)
            steps = steps_between(change.base, change.package, self.rules.names)
            for step, used in one_by_one(steps, history, []):
                moment = self.moment(history, step, where, used)
                entry = self._introduced(history, step, where, used) or self._alike(history, step, moment, where)
                if entry is None:
                    unknown.setdefault(key, []).append(step)
                    if where.commit is not None:
                        self._copies.add(key, identity(moment, step.new), where.commit)
                else:
                    _use(entry, step, used)
                    self._join(key, entry, change.package, (step, moment), where)
        return unknown

    # One commit.

    def steps(self, change: PackageChange, where: Occurrence) -> list[EmittedStep]:
        """Resolve a work package's creation and steps in a commit; returns what is to be emitted."""
        key = self.state.key(*change.package.key)
        history = self.state.history(key)
        emitted: list[EmittedStep] = []
        if change.base is None and change.package.lane is not None:
            emitted += self.creation(key, history, change.package, where)
        steps = steps_between(change.base, change.package, self.rules.names)
        for step, used in one_by_one(steps, history, []):
            emitted += self.step(key, change.package, step, where, used)
        return emitted

    def creation(
        self, key: Key, history: PackageHistory, package: WorkPackage, where: Occurrence
    ) -> Iterable[EmittedStep]:
        """Resolve the first sight of a work package in a lane (rules D2, B1)."""
        known = history.creation
        if known is not None and not self._is_news(known, where):
            self.state.already_emitted += known.kind == "created" and known.status != "remote"
            return
        begins: Sequence[StatedStep | Record] = package.stated or [
            one for one in package.trail[:1] if one.lane == "planned"
        ]
        moment, event_id = self._unique(history, package, None, begins[0].moment if begins else where.moment)
        entry = Entry("created", "emitted", package.scheme.first, None, event_id, first=where.commit)
        yield from self.enter(key, entry, EmittedStep(package, None, moment, entry), where, replaces=known)

    @staticmethod
    def _is_news(known: Entry, where: Occurrence) -> bool:
        if known.kind == "known" and known.status == "baseline":
            return where.provenance is Provenance.HISTORY
        made_here = where.is_recorded and where.is_ours and known.first == where.commit
        return known.status == "remote" and made_here

    def step(
        self, key: Key, package: WorkPackage, step: Step, where: Occurrence, used: list[Entry]
    ) -> Iterable[EmittedStep]:
        """Resolve one step; `used` are the entries of the same commit's steps so far, and gets this one's."""
        history = self.state.history(key)
        moment = self.moment(history, step, where, used)
        entry = self.known(key, step, moment, where, used)
        if entry is not None:
            _use(entry, step, used)
            self._join(key, entry, package, (step, moment), where)
            if self.is_unemitted(entry, where):
                yield from self.promote(key, entry, EmittedStep(package, step, moment, entry), where)
            else:
                self.state.already_emitted += entry.status != "remote"
                self.state.not_ours += entry.status == "remote"
            return
        own = self.rules.identify(package, step, moment)
        told = self._after_edit(key, step, where)
        name = identity(moment, step.new)
        moment, event_id = self._unique(history, package, told, moment)
        entry = Entry("step", "emitted", step.new, told.previous, event_id, first=where.commit, edited_on=where.tip)
        entry.identities.add(name)
        entry.unrecorded = step.moment is None
        used.append(entry)
        yield from self.enter(key, entry, EmittedStep(package, told, moment, entry), where)
        if where.is_kept:
            self.state.alias(own, entry)

    @staticmethod
    def is_unemitted(entry: Entry, where: Occurrence) -> bool:
        """Whether a known entry is to be emitted all the same.

        What was taken for somebody else's may have been made in another clone on this machine (scenario 25); what was
        there before the baseline is emitted by a replay.
        """
        if entry.status == "remote":
            return where.is_recorded and where.is_ours and entry.first == where.commit
        return where.is_replay and where.is_ours and entry.event_id is None

    def moment(self, history: PackageHistory, step: Step, where: Occurrence, used: list[Entry]) -> datetime:
        """When a step happened (rule D5), moved on by a microsecond for each that its ancestors have (scenario 57)."""
        moment = step.moment or where.moment
        while self._past_has(history, identity(moment, step.new), where, used):
            moment += TICK
        return moment

    def _past_has(self, history: PackageHistory, name: str, where: Occurrence, used: list[Entry]) -> bool:
        return any(
            name in entry.identities and (entry in used or self.is_behind(entry, where)) for entry in history.steps()
        )

    def is_behind(self, entry: Entry, where: Occurrence) -> bool:
        """Whether an entry is in the past of what is looked at."""
        if where.commit is not None:
            return behind(entry, where.commit, self.graph)
        return behind(entry, where.tip, self.graph, inclusive=True)

    def take_back(self, key: Key, package: WorkPackage, was: LaneState, where: Occurrence) -> EmittedStep:
        """Emit that what was emitted was taken back, from `was` to another lane, which `package` shows again.

        No record states that. The entry is void, for nothing that comes later is this step.
        """
        back = replace(package, trail=())
        (step,) = steps_between(was, back, self.rules.names)
        moment, event_id = self._unique(self.state.history(key), back, step, where.moment)
        entry = Entry("step", "void", step.new, step.previous, event_id, edited_on=where.tip)
        self.state.add(key, entry)
        return EmittedStep(back, step, moment, entry)

    # What a step may be known as.

    def known(self, key: Key, step: Step, moment: datetime, where: Occurrence, used: list[Entry]) -> Entry | None:
        """Find the entry that a step is known as, None where it is news."""
        history = self.state.history(key)
        found = (
            self._introduced(history, step, where, used)
            or self._alike(history, step, moment, where)
            or self.manual(history, step, where)
        )
        edit = self.pending.get(key) if where.commit is not None and where.provenance is Provenance.LOCAL else None
        if edit is not None and edit.entries:
            return self._taken_over(key, edit, step, where, found, used)
        return found or self._concurrent(key, step, moment, where, used)

    def _introduced(self, history: PackageHistory, step: Step, where: Occurrence, used: list[Entry]) -> Entry | None:
        if where.commit is None:
            return None
        own = (where.commit, step.new)
        replaced = {(commit, step.new) for commit in self.replaced.get(where.commit, ())}
        for entry in history.steps():
            if entry in used or not is_alive(entry, where.view):
                continue
            # A rewrite may put a commit on top of what it was the same move as: then it moves there once more.
            if own in entry.links or (replaced & entry.links and not self.is_behind(entry, where)):
                return entry
        return None

    @staticmethod
    def _alike(history: PackageHistory, step: Step, moment: datetime, where: Occurrence) -> Entry | None:
        """No entry that is used or behind the step has its identity: `moment` was moved on from theirs."""
        name = identity(moment, step.new)
        alike = (entry for entry in history.steps() if name in entry.identities)
        return next((entry for entry in alike if is_alive(entry, where.view)), None)

    @staticmethod
    def manual(history: PackageHistory, step: Step, where: Occurrence) -> Entry | None:
        """Find the entry of a step that was emitted manually, and that no observer has come by since."""
        if not where.is_ours:
            return None
        manual = (entry for entry in history.steps() if entry.is_manual and entry.lane == step.new)
        return next((entry for entry in manual if entry.previous in (None, step.previous)), None)

    def _concurrent(self, key: Key, step: Step, moment: datetime, where: Occurrence, used: list[Entry]) -> Entry | None:
        """The first entry that the step, wherever copies of it came as well, is concurrent with."""
        commits: list[str | None] = [where.commit]
        if where.commit is not None:
            commits += self._copies.of(key, identity(moment, step.new), where.commit, self.graph)
        for entry in self.state.history(key).steps():
            if entry.lane != step.new or entry in used or not (step.moment is None or entry.unrecorded):
                continue
            if all(is_concurrent(entry, self.graph, one, where.tip) for one in commits):
                if where.commit is not None:
                    join_past(self.state, key, entry, where.commit, self.graph)
                return entry
        return None

    # Edits that a commit takes over.

    def _taken_over(
        self, key: Key, edit: PendingEdit, step: Step, where: Occurrence, found: Entry | None, used: list[Entry]
    ) -> Entry | None:
        """Find the emitted edit that a commit's step is, and let the commit contain what was edited up to it."""
        assert where.commit is not None
        if found is not None and found not in edit.entries:
            return found
        fits = [one for one in edit.entries if one.kind != "assigned" and one.lane == step.new and one not in used]
        entry = found or (fits[-1] if fits else None)
        if entry is not None:
            at = edit.entries.index(entry)
            for one in edit.entries[: at + 1]:
                self.state.link(key, one, where.commit)
            edit.entries = edit.entries[at + 1 :]
            return entry
        if self._staged_before(key, edit):
            return next((one for one in reversed(edit.entries) if one.kind == "step"), None)
        return None

    def take_over_rest(self, key: Key, package: WorkPackage, where: Occurrence) -> None:
        """Let a commit that shows all of an edit contain the rest of what was emitted for it: who took it on, say."""
        edit = self.pending.get(key)
        if where.commit is None or where.provenance is not Provenance.LOCAL or edit is None:
            return
        if lane_state(package) == edit.state:
            for entry in edit.entries:
                self.state.link(key, entry, where.commit)
            edit.entries = []

    def _staged_before(self, key: Key, edit: PendingEdit) -> bool:
        """Whether the worktree still shows the edit untouched: a commit of something else was staged before it."""
        if self.look is None or self.look.shows(key) != edit.state:
            return False
        now = self.look.written.get(key)
        return not now or not edit.written or now == edit.written

    def _after_edit(self, key: Key, step: Step, where: Occurrence) -> Step:
        """The step from where an edit was to where the commit that replaced the edit goes."""
        edit = self.pending.get(key)
        if where.commit is None or edit is None or not edit.entries or where.provenance is not Provenance.LOCAL:
            return step
        for one in edit.entries:
            self.state.link(key, one, where.commit)
        edit.entries = []
        return replace(step, previous=edit.state.lane) if edit.state.lane != step.new else step

    # What becomes of it.

    def _join(
        self, key: Key, entry: Entry, package: WorkPackage, own: tuple[Step, datetime], where: Occurrence
    ) -> None:
        step, moment = own
        if not where.is_kept or (where.commit is None and entry.links):
            return  # an edit joins what a commit introduced when it is committed, with all that is behind it
        if where.commit is not None:
            self.state.link(key, entry, where.commit, step.new)
        self.state.identify(key, entry, identity(moment, step.new), unrecorded=step.moment is None)
        self.state.alias(self.rules.identify(package, step, moment), entry)

    def promote(self, key: Key, entry: Entry, emitted: EmittedStep, where: Occurrence) -> Iterable[EmittedStep]:
        """Emit what was only known so far."""
        entry.status = "emitted" if entry.status == "remote" else entry.status
        entry.event_id = self.rules.identify(emitted.package, emitted.step, emitted.moment)
        self.state.changed[entry] = key
        yield emitted

    def enter(
        self, key: Key, entry: Entry, emitted: EmittedStep, where: Occurrence, *, replaces: Entry | None = None
    ) -> Iterable[EmittedStep]:
        """Add a new entry, and emit it if it was made here."""
        if not where.is_kept:
            self.state.not_ours += 1
            return
        if where.commit is not None:
            entry.links.add((where.commit, entry.lane))
        if not where.is_ours:
            entry.status = "remote"
        elif where.provenance is Provenance.HISTORY:
            entry.status = "baseline"
        if replaces is not None and replaces.status == "remote" and replaces.kind == "created":
            replaces.status, replaces.event_id = "emitted", entry.event_id
            self.state.changed[replaces] = key
        else:
            self.state.add(key, entry)
        if where.is_ours:
            yield emitted
        else:
            self.state.not_ours += 1

    def _unique(
        self, history: PackageHistory, package: WorkPackage, step: Step | None, moment: datetime
    ) -> tuple[datetime, str]:
        """A moment and an event id that no entry has: what was taken back may happen once more."""
        event_id = self.rules.identify(package, step, moment)
        there = history.event_ids()
        while event_id in there:
            moment += TICK
            event_id = self.rules.identify(package, step, moment)
        return moment, event_id


def _use(entry: Entry, step: Step, used: list[Entry]) -> None:
    """One of a commit's steps is an entry, and no other one is; but a squash may have several that are one together."""
    if entry.lane == step.new:
        used.append(entry)


def is_alive(entry: Entry, view: str) -> bool:
    """Whether an entry can be matched: one that was taken back in a view still counts in the others (rule O2)."""
    return entry.status != "void" or entry.taken_back_in not in (None, view)
