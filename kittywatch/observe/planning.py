"""What one observation of a checkout finds, resolved in memory: a plan that is carried out in one transaction.

Planning asks git and reads files. It starts from what the store knew at a version of the project's ledger; if that has
changed by the time the plan is carried out, the plan is thrown away and made again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime

from msgspec import Struct, field
from msgspec.structs import replace

from kittywatch.derive.changes import FeatureGraph, Key, WorktreeLook
from kittywatch.derive.commits import record_baseline, record_earlier, resolve_commit
from kittywatch.derive.edits import hold, resolve_worktree
from kittywatch.derive.facts import Fact
from kittywatch.derive.ledger import LedgerState, PendingEdit
from kittywatch.derive.resolve import Occurrence, Resolver, Rules
from kittywatch.derive.rewrites import Rewrite, resolve_rewrite
from kittywatch.derive.steps import LaneState, lane_state
from kittywatch.emit.emitter import EventEmitter
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.git import reflog
from kittywatch.git.ancestry import Ancestry
from kittywatch.git.repository import Git, Head
from kittywatch.observe.head_moves import Visit, head_moves
from kittywatch.observe.history import History
from kittywatch.observe.names import ref_name
from kittywatch.observe.needed import needed
from kittywatch.observe.provenance import Origins
from kittywatch.observe.ranges import CommitRange, RangeReader, keys_of, of_broken, of_features, of_packages
from kittywatch.observe.reader import Reader
from kittywatch.observe.worktree import Worktree
from kittywatch.store.ledger import BoundaryKind
from kittywatch.store.views import Checkout, Views
from kittywatch.workpackages.reader import WorkPackage


class Before(Struct, frozen=True):
    """What the store knew when the plan was made; `views` are the checkout's, `tips` its clone's."""

    version: int
    observed: bool
    checkout: Checkout | None
    views: Mapping[str, str | None]
    tips: frozenset[str]
    pending: frozenset[Key]
    baselines: tuple[str, ...]
    renames: Mapping[str, str]

    @classmethod
    def read(cls, unit: UnitOfWork, directory: str, repository: str) -> Before:
        """Read it within a transaction; `directory` is the checkout's git directory, `repository` its clone's.

        What another clone shows is no boundary: here it may have been made (scenario 54).
        """
        rows = Views(unit.connection, unit.project)
        checkout = rows.checkout(directory)
        return cls(
            unit.ledger.version(),
            rows.observed(),
            checkout,
            rows.of_checkout(checkout.key) if checkout else {},
            frozenset(rows.tips(repository)),
            frozenset(rows.pending_keys(checkout.key)) if checkout else frozenset(),
            tuple(unit.ledger.boundaries()["baseline"]),
            unit.ledger.renames(),
        )


class Plan(Struct):
    """What is to be carried out. `facts` are to be emitted in their order, `baseline` counts what was recorded."""

    state: LedgerState
    pending: dict[Key, PendingEdit]
    ref: str
    views: dict[str, str | None]
    log_size: int
    boundaries: list[tuple[str, BoundaryKind]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    baseline: int | None = None
    unsettled: tuple[str, ...] = ()
    held: dict[Key, WorkPackage] = field(default_factory=dict)


class Request(Struct, frozen=True):
    """What one observation is to look at.

    `hook` is the name of the git hook that asks, None outside of git. `worktree` says whether edits that are not
    committed count, `paths` are the only files to look at where HEAD hasn't moved. `pairs` are the commits that each
    rewritten commit replaces, as far as git said so. Without `waits` an edit doesn't wait for its record (rule D3b).
    With `each_commit` commits that were left behind since count by themselves, as they do for hooks (scenario 55).
    """

    hook: str | None = None
    worktree: bool = True
    paths: frozenset[str] | None = None
    pairs: Mapping[str, set[str]] = field(default_factory=dict)
    waits: bool = True
    each_commit: Callable[[], bool] = lambda: False


class Planner:
    """Plans one observation of a checkout."""

    def __init__(
        self,
        git: Git,
        reader: Reader,
        worktree: Worktree,
        emitter: EventEmitter,
        rules: Rules,
        *,
        before: Before,
        head: Head,
        log_size: int,
        request: Request,
    ) -> None:
        self.git = git
        self.reader = reader
        self.worktree = worktree
        self.emitter = emitter
        self.rules = rules
        self.before = before
        self.head = head
        self.log_size = log_size
        self.request = request
        self.now = datetime.now(UTC)
        self.ref = ref_name(head.ref)
        self.history = History(reader, git, self._is_known)
        self.tips = dict(before.views)
        self.home: str | None = head.tip
        self.baselines = before.baselines

    def plan(self, *, at_rest: bool) -> Plan:
        """Look at everything and resolve it; `at_rest` says that HEAD hasn't moved."""
        if not self.before.observed:
            return self._baseline()
        return self._plan([] if at_rest else self._ranges(self._visits()))

    # Where the views went.

    @functools.cached_property
    def _entries(self) -> Sequence[reflog.Entry]:
        start = self.before.checkout.log_size if self.before.checkout else 0
        return reflog.read(reflog.head_log(self.git.directory), start=start, end=self.log_size)

    def _visits(self) -> list[Visit]:
        entries = self._entries if self.before.checkout is not None else ()
        # Asked after HEAD and its log were read: the hooks of all commits but the last of them have run by then.
        return list(head_moves(self.git, self.head, entries, each_commit=self.request.each_commit()))

    def _ranges(self, visits: Iterable[Visit]) -> list[CommitRange]:
        reader = RangeReader(
            self.git,
            self.reader,
            self.history,
            Origins(self.git, self._entries, self._introduced),
            tips=self.tips,
            boundaries=self.before.tips,
            baselines=self.baselines,
        )
        found: list[CommitRange] = []
        for number, visit in enumerate(visits):
            found += reader.visited(visit)
            if number == 0 or (self.before.checkout is not None and visit.ref == self.before.checkout.ref):
                self.home = visit.tip
        return found

    def _introduced(self, commits: Iterable[str]) -> set[str]:
        return self.emitter.peek(lambda unit: unit.ledger.introduced(commits))

    def _is_known(self, key: Key) -> bool:
        kept = self.before.renames.get(key[0], key[0]), key[1]
        return self.emitter.peek(lambda unit: unit.ledger.knows(kept))

    # The first observation of a project.

    def _baseline(self) -> Plan:
        """Record what is there (rule B1); a hook's baseline is the state before its operation, which counts."""
        before = self._before_hook() if self.request.hook is not None and self.head.tip is not None else self.head.tip
        tree = self.history.tree(None)
        files = self.git.files(before) if before is not None else []
        _, found = self.history.difference(tree, files, (), self.now, tip=before)
        looks = self.request.worktree and before == self.head.tip
        look = self.worktree.look(self.history, before, self.now) if looks else None
        state = LedgerState()
        packages = [one.package for one in found.packages]
        edited = list(look.edited.values()) if look is not None else []
        count = record_baseline(state, packages, found.broken, before)
        count += record_baseline(state, edited, look.broken if look is not None else (), before)
        self.tips[self.ref] = before
        self.baselines = (before,) if before is not None else ()
        ranges = []
        if before != self.head.tip and self.head.tip is not None:
            ranges = self._ranges([Visit(self.ref, self.head.tip)])
        plan = self._resolve(state, {}, ranges, None)
        plan.boundaries = [(before, "baseline")] if before is not None else []
        plan.baseline = count
        for package in edited:
            now = lane_state(package)
            if now is not None and look is not None:
                key = state.key(*package.key)
                plan.pending[key] = PendingEdit(now, written=look.written.get(key, ""))
        return plan

    def _before_hook(self) -> str | None:
        assert self.head.tip is not None
        entries = self._entries
        if entries and entries[-1].new == self.head.tip:
            return entries[-1].old if entries[-1].old.strip("0") else None
        return next(iter(self.git.parents(self.head.tip)), None)

    # Every other observation.

    def _plan(self, ranges: list[CommitRange]) -> Plan:
        held = self.worktree.held
        looked_for = self.before.pending | held.keys() | {key for one in ranges for key in one.left or ()}
        look = self._look(looked_for, at_rest=not ranges)
        changes = [changes for one in ranges for changes in (*one.changes, *one.earlier)]
        keys = looked_for | of_packages(changes) | of_broken(broken for one in changes for broken in one.broken)
        keys |= of_features(change.package for one in changes for change in one.packages)
        graphs = [one.graphs for one in changes]
        if look is not None:
            keys |= look.edited.keys() | look.clean.keys() | of_broken(look.broken) | of_features(look.edited.values())
            graphs.append(look.graphs)
        stated = _stated_ids(ranges, look)
        state, pending = self.emitter.peek(lambda unit: self._read(unit, keys, graphs, stated))
        waiting: dict[Key, WorkPackage] = {}
        if look is not None and self.request.worktree:
            look, waiting = hold(look, pending, held, self.rules.names)
            if not self.request.waits:
                look, waiting = replace(look, edited={**look.edited, **waiting}), {}
        plan = self._resolve(state, pending, ranges, look)
        plan.held = waiting
        return plan

    def _read(
        self,
        unit: UnitOfWork,
        keys: Iterable[Key],
        graphs: Iterable[Mapping[str, FeatureGraph]],
        stated: Set[str],
    ) -> tuple[LedgerState, dict[Key, PendingEdit]]:
        renames = self.before.renames
        kept = {(renames.get(feature, feature), wp_id) for feature, wp_id in keys}
        for some in graphs:
            for feature, graph in some.items():
                kept |= needed(unit.ledger, feature, graph, renames)
        state = unit.ledger.read(kept | unit.ledger.stated(stated))
        checkout = self.before.checkout
        pending = Views(unit.connection, unit.project).pending(checkout.key, unit.ledger) if checkout else {}
        return state, pending

    def _look(self, keys: Iterable[Key], *, at_rest: bool) -> WorktreeLook | None:
        shown = _with_names(keys, self.before.renames)
        if self.request.worktree and at_rest and self.request.paths:
            look = self.worktree.look_at_paths(self.history, self.head.tip, self.now, shown, self.request.paths)
        elif self.request.worktree:
            look = self.worktree.look(self.history, self.head.tip, self.now, shown)
        elif shown:
            look = self.worktree.look_at_packages(self.history, self.head.tip, self.now, shown)
        else:
            return None
        return _kept(look, self.before.renames) if self.before.renames or look.renamed else look

    def _resolve(
        self,
        state: LedgerState,
        pending: dict[Key, PendingEdit],
        ranges: Sequence[CommitRange],
        look: WorktreeLook | None,
    ) -> Plan:
        asked = _commits(state)
        resolver = Resolver(
            state, Ancestry(self.git, {}, marked=(), asked=asked), self.rules, pending=pending, look=look
        )
        resolver.replaced = dict(self.request.pairs)
        plan = Plan(state, pending, self.ref, {}, self.log_size)
        for one in ranges:
            for earlier in one.earlier:
                record_earlier(resolver, earlier)
            asked = _commits(state)
            walk = {commit.id: commit.parents for commit in one.commits}
            marked = {changes.commit for changes in one.changes} | (asked & walk.keys())
            resolver.graph = Ancestry(self.git, walk, marked=marked, asked=asked)
            plan.facts += self._resolve_range(resolver, one)
            plan.views[one.ref] = one.new
        plan.views[self.ref] = self.head.tip
        if look is not None:
            resolver.graph = Ancestry(self.git, {}, marked=(), asked=_commits(state))
            last = self.before.views.get(self.ref)
            moved = last if last != self.head.tip else None
            home, before = self._states(pending, self.home), self._states(look.edited, moved)
            view = f"{self.git.directory} {self.ref}"
            counts = self.request.worktree
            plan.facts += resolve_worktree(resolver, look, view, home=home, before=before, counts=counts)
            plan.unsettled = look.unsettled
        return plan

    def _resolve_range(self, resolver: Resolver, span: CommitRange) -> list[Fact]:
        view = f"{self.git.directory} {span.ref}"
        came = [
            (changes, Occurrence(changes.moment, view, one, None, span.provenance[one], one in span.recorded))
            for changes in span.changes
            for one in [changes.commit]
        ]
        for changes, _ in came:
            for new, old in changes.renamed.items():
                resolver.state.rename(new, old, changes.commit)
        if span.left is not None and span.old is not None:
            keys = span.left | keys_of(span.changes)
            kept = {resolver.state.key(*key) for key in keys}
            was, now = self._states(kept, span.old), self._packages(keys, span.new, resolver.state)
            pulled = {resolver.state.key(*key) for key in span.pulled}
            return resolve_rewrite(resolver, Rewrite(view, span.old, span.new, self.now, came, was, now, pulled))
        for changes, where in came:
            resolver.join(changes, where)
        return [fact for changes, where in came for fact in resolve_commit(resolver, changes, where)]

    def _states(self, keys: Iterable[Key], commit: str | None) -> dict[Key, LaneState]:
        """The states of some work packages at a commit, by the keys that they are kept under."""
        if commit is None:
            return {}
        tree = self.history.tree(commit)
        found: dict[Key, LaneState] = {}
        for key in _with_names(keys, self.before.renames):
            state = self.history.state(tree, key)
            if state is not None:
                found[self.before.renames.get(key[0], key[0]), key[1]] = state
        return found

    def _packages(self, keys: Iterable[Key], commit: str, state: LedgerState) -> dict[Key, WorkPackage]:
        tree = self.history.tree(commit)
        found = ((key, self.history.package(tree, key)) for key in _with_names(keys, state.renames))
        return {state.key(*key): package for key, package in found if package is not None}


def _commits(state: LedgerState) -> set[str]:
    """The commits that introduced entries."""
    return {commit for history in state.histories.values() for entry in history.entries for commit in entry.commits}


def _stated_ids(ranges: Iterable[CommitRange], look: WorktreeLook | None) -> set[str]:
    """The ids of steps that sources state and that were not there before: they may be known of other work packages."""
    found: set[str] = set()
    changes = [(one.package, one.before) for span in ranges for commit in span.changes for one in commit.packages]
    changes += [(one, look.before.get(key)) for key, one in look.edited.items()] if look is not None else []
    for package, before in changes:
        found |= {step.id for step in package.stated_since(before)}
    return found


def _with_names(keys: Iterable[Key], renames: Mapping[str, str]) -> set[Key]:
    """Some work packages under all names that their features had."""
    wanted = set(keys)
    return (
        wanted
        | {(name, wp_id) for name, kept in renames.items() for feature, wp_id in wanted if feature in (kept, name)}
        | {(kept, wp_id) for name, kept in renames.items() for feature, wp_id in wanted if feature == name}
    )


def _kept(look: WorktreeLook, renames: Mapping[str, str]) -> WorktreeLook:
    """A look with its work packages under the names that they are kept under."""
    names = {**renames, **{new: renames.get(old, old) for new, old in look.renamed.items()}}

    def kept(key: Key) -> Key:
        return names.get(key[0], key[0]), key[1]

    return replace(
        look,
        edited={kept(key): one for key, one in look.edited.items()},
        clean={kept(key): one for key, one in look.clean.items()},
        committed={kept(key): one for key, one in look.committed.items()},
        written={kept(key): one for key, one in look.written.items()},
        before={kept(key): one for key, one in look.before.items()},
        young=frozenset(kept(key) for key in look.young),
    )
