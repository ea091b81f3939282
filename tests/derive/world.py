"""A project on an abstract git, observed by a watcher (W), by hooks (H) or by both, with the real core.

It does what `observe.planning` does, without git, files and rows: which commits are walked, and from which boundary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from msgspec.structs import replace

from kittywatch.derive.changes import CommitChanges, FeatureGraph, Key, Provenance, WorktreeLook
from kittywatch.derive.commits import record_baseline, record_earlier, resolve_commit
from kittywatch.derive.edits import resolve_worktree
from kittywatch.derive.facts import Fact, TransitionFact
from kittywatch.derive.ledger import Entry, LedgerState, PendingEdit
from kittywatch.derive.resolve import Occurrence, Resolver
from kittywatch.derive.rewrites import Rewrite, resolve_rewrite
from kittywatch.workpackages.reader import WorkPackage
from tests.builders import FEATURE
from tests.derive.graphs import Content, Graph
from tests.derive.packages import KEY, NOON, RULES, package, said

Mode: TypeAlias = Literal["W", "H", "WH"]
View: TypeAlias = tuple[str, str]


class World:
    """Branches, checkouts with a worktree each, and what was emitted. Commits are a second apart.

    `remote` are commits that somebody else made, `pulled` those that the last pull brought, `pairs` what git told of
    each rewritten commit.
    """

    def __init__(self, mode: Mode = "H", start: Sequence[Content] = ({"WP01": package("planned")},)) -> None:
        self.mode = mode
        self.graph = Graph()
        self.state = LedgerState()
        self.pending: dict[str, dict[Key, PendingEdit]] = {}
        self.views: dict[View, str] = {}
        self.seen_on: dict[str, str] = {}
        self.baseline: str | None = None
        self.remote: set[str] = set()
        self.pulled: set[str] = set()
        self.pairs: dict[str, set[str]] = {}
        self.aliases: dict[str, str] = {}
        self.facts: list[Fact] = []
        self.refs: dict[str, str] = {}
        self.checkout_name, self.branch = "main-worktree", "main"
        self.worktree: Content | None = None
        self.observed = True
        self.seconds = 0
        self.now = NOON + timedelta(days=1)
        for shows in start:
            self.refs["main"] = self.make(shows, self.refs.get("main"))
        if start:
            self.observe()

    # What was emitted.

    @property
    def words(self) -> list[str]:
        """All that was emitted, in short."""
        return said(self.facts)

    @property
    def steps(self) -> list[str]:
        """The steps that were emitted, such as `planned→doing`."""
        return [one.removeprefix("WP01 ") for one in said(one for one in self.facts if _is_step(one))]

    @property
    def step_ids(self) -> list[str]:
        """The event ids of the steps that were emitted of what this machine's people made."""
        ours = (one for one in self.facts if isinstance(one, TransitionFact) and one.commit not in self.remote)
        return [one.emitted.entry.event_id or "" for one in ours if one.emitted.step is not None]

    def entries(self, lane: str | None = None) -> list[Entry]:
        """The entries of WP01's steps, of those to one lane."""
        return [one for one in self.state.history(KEY).steps() if lane in (None, one.lane)]

    # Commits.

    @property
    def tip(self) -> str:
        return self.refs[self.branch]

    def shown(self, commit: str | None = None) -> Content:
        return self.graph.commits[commit or self.tip].shows

    def time(self, commit: str) -> datetime:
        return self.graph.commits[commit].moment

    def make(self, shows: Content, *parents: str | None, time: datetime | None = None, name: str = "") -> str:
        """Make a commit that no branch has yet."""
        if time is None:
            self.seconds += 1
            time = NOON + timedelta(seconds=self.seconds)
        return self.graph.add([one for one in parents if one is not None], time, shows, name)

    def theirs(self, shows: Content, *parents: str, name: str = "") -> str:
        """Make somebody else's commit."""
        made = self.make(shows, *parents, name=name)
        self.remote.add(made)
        return made

    def copy(self, commit: str, onto: str, shows: Content | None = None) -> str:
        """Make a copy with the author time that it had, as cherry-pick and rebase do."""
        return self.make(self.shown(commit) if shows is None else shows, onto, time=self.time(commit))

    # What people do; each looks as its mode has it.

    def write(self, lane: str, trail: Sequence[str] | None = None, **fields: str) -> None:
        """Edit WP01; without a trail it keeps the one that it has."""
        base = self.worktree or self.shown()
        self.edit({**base, "WP01": with_lane(base, lane, trail, **fields)})

    def edit(self, shows: Content) -> None:
        self.worktree = shows
        self.look(hook=False)

    def commit(self, shows: Content | None = None, *, amend: bool = False) -> str:
        """Commit what the worktree shows, or something else; an amended commit keeps its author time."""
        shows = shows or self.worktree or self.shown()
        parents = self.graph.commits[self.tip].parents if amend else (self.tip,)
        self.refs[self.branch] = self.make(shows, *parents, time=self.time(self.tip) if amend else None)
        if self.worktree == shows:
            self.worktree = None
        self.look()
        return self.tip

    def emits(self, *packages: WorkPackage) -> list[str]:
        """Commit some work packages as they are then; returns what was emitted, in short."""
        before = len(self.facts)
        self.commit({**self.shown(), **{one.wp_id: one for one in packages}})
        return said(self.facts[before:])

    def move_to(self, package: WorkPackage) -> str:
        """The same for one work package; returns the commit."""
        self.emits(package)
        return self.tip

    def move(self, lane: str, trail: Sequence[str] | None = None, **fields: str) -> str:
        """Edit WP01 and commit it."""
        self.write(lane, trail, **fields)
        return self.commit()

    def checkout(self, branch: str, at: str | None = None) -> None:
        if at is not None or branch not in self.refs:
            self.refs[branch] = at or self.tip
        self.branch = branch
        self.look()

    def go(self, commit: str) -> None:
        """Let the branch be at a commit, with a clean worktree."""
        self.refs[self.branch], self.worktree = commit, None
        self.look()

    def reset(self, to: str, *, soft: bool = False) -> None:
        """Reset the branch, which runs no hook."""
        was = self.worktree or self.shown()
        self.refs[self.branch] = to
        self.worktree = was if soft and self.shown() != was else None
        self.look(hook=False)

    def merge(self, other: str, shows: Content | None = None, *, ff: bool = False) -> None:
        """Merge a branch or a commit; where `shows` is None, into what a three-way merge makes of it."""
        theirs = self.refs.get(other, other)
        if not ff:
            ours = self.shown()
            shows = shows or (self.shown(theirs) if ours == self.graph.base(self.tip, theirs) else ours)
            theirs = self.make(shows, self.tip, theirs)
        self.refs[self.branch] = theirs
        self.look()

    def rebase(self, onto: str, commits: Iterable[str]) -> None:
        at = self.refs.get(onto, onto)
        for commit in commits:
            at = self.copy(commit, at)
        self.go(at)

    # Observing.

    def look(self, *, hook: bool = True) -> None:
        """Observe where the mode's observers do."""
        if self.observed and ("W" in self.mode or hook):
            self.observe()

    def observe(self, branch: str | None = None) -> list[str]:
        """Observe the branch that is checked out; returns what was emitted, in short."""
        view = (self.checkout_name, branch or self.branch)
        tip, old = self.refs[view[1]], self.views.get(view)
        if not self.views:
            record_baseline(self.state, self.shown(tip).values(), (), tip)
            self.baseline = self.views[view] = tip
            self.seen_on[view[0]] = view[1]
            return []
        self.now += timedelta(seconds=1)
        pending = self.pending.setdefault(view[0], {})
        went = self._went(old, tip)
        look = self._worktree_look(tip, pending, [] if went is None else went)
        resolver = Resolver(self.state, self.graph, RULES, pending=pending, look=look)
        resolver.replaced = self.pairs
        facts = self._leg(resolver, view, old, tip, went) if old != tip else []
        if look is not None:
            seen_on = self.seen_on.get(view[0], view[1])
            home = tip if seen_on == view[1] else self.views.get((view[0], seen_on))
            home_states, before = self.graph.states(home), self.graph.states(old if old != tip else None)
            counts = "W" in self.mode
            name = " ".join(view)
            facts += resolve_worktree(resolver, look, name, home=home_states, before=before, counts=counts)
        self.views[view], self.seen_on[view[0]] = tip, view[1]
        return self._emit(facts)

    def _went(self, old: str | None, tip: str) -> list[CommitChanges] | None:
        """What a rewrite left behind, None where nothing was rewritten."""
        if old is None or old in self.graph.reached[tip]:
            return None
        return [changes for one in self.graph.walk(old, [tip]) if (changes := self.graph.changes(one))]

    def _leg(
        self, resolver: Resolver, view: View, old: str | None, tip: str, went: list[CommitChanges] | None
    ) -> list[Fact]:
        boundary = [old] if old is not None else list(self.views.values())
        commits = self.graph.walk(tip, [*boundary, *([self.baseline] if self.baseline else [])])
        came = [(changes, self._where(changes, view)) for one in commits if (changes := self.graph.changes(one))]
        for changes in self._earlier([changes for changes, _ in came], went or []):
            record_earlier(resolver, changes)
        if went is not None and old is not None:
            keys = _keys([*went, *(changes for changes, _ in came)])
            was = {key: state for key, state in self.graph.states(old).items() if key in keys}
            now = {key: self.shown(tip)[key[1]] for key in keys if key[1] in self.shown(tip)}
            pulled = _keys(self.graph.changes(one) for one in self.pulled)
            return resolve_rewrite(resolver, Rewrite(" ".join(view), old, tip, self.now, came, was, now, pulled))
        for changes, where in came:
            resolver.join(changes, where)
        return [fact for changes, where in came for fact in resolve_commit(resolver, changes, where)]

    def _earlier(self, came: list[CommitChanges], went: list[CommitChanges]) -> list[CommitChanges]:
        """Commits from before the baseline that were left behind, or that what came is a copy of."""
        before = self.graph.reached[self.baseline] if self.baseline else frozenset()
        copied = {one.moment for one in came}
        copies = [one for one in self.graph.commits if one in before and self.time(one) in copied]
        return [one for one in went if one.commit in before] + [self.graph.changes(one) for one in copies]

    def _where(self, changes: CommitChanges, view: View) -> Occurrence:
        provenance = Provenance.REMOTE if changes.commit in self.remote else Provenance.LOCAL
        recorded = changes.commit not in self.remote
        return Occurrence(changes.moment, " ".join(view), changes.commit, None, provenance, recorded)

    def _worktree_look(
        self, tip: str, pending: dict[Key, PendingEdit], went: Iterable[CommitChanges]
    ) -> WorktreeLook | None:
        left = _keys(went)
        shown = set(pending) | left
        if "W" not in self.mode and not shown:
            return None
        files, committed = self.worktree or self.shown(tip), self.shown(tip)
        edited = {(FEATURE, wp_id): one for wp_id, one in files.items() if one != committed.get(wp_id)}
        if "W" not in self.mode:
            edited = {key: one for key, one in edited.items() if key in shown}
        clean = {key: files[key[1]] for key in shown if key not in edited and key[1] in files}
        written = {key: str(hash(one)) for key, one in (edited | clean).items()}
        states = {key: one for key, one in self.graph.states(tip).items() if key in edited or key in clean}
        graph = FeatureGraph(self.graph.dependencies, {wp_id: one.lane for wp_id, one in files.items()})
        graphs = {FEATURE: graph} if any(one.lane == "done" for one in edited.values()) else {}
        return WorktreeLook(tip, self.now, edited, clean, states, graphs=graphs, written=written)

    def replay(self, revision: str | None = None) -> list[str]:
        """Replay a branch or a commit; returns what was emitted, in short."""
        tip = self.refs.get(revision or self.branch, revision or "")
        resolver = Resolver(self.state, self.graph, RULES)
        came = [
            (changes, self._where(changes, ("replay", ""))) for changes in map(self.graph.changes, self.graph.walk(tip))
        ]
        before = self.graph.reached[self.baseline] if self.baseline else frozenset(self.graph.commits)
        for number, (changes, where) in enumerate(came):
            provenance = Provenance.HISTORY if changes.commit in before else where.provenance
            came[number] = changes, replace(where, provenance=provenance, is_replay=True)
        for changes, where in came:
            resolver.join(changes, where)
        return self._emit([fact for changes, where in came for fact in resolve_commit(resolver, changes, where)])

    def _emit(self, facts: list[Fact]) -> list[str]:
        self.facts += facts
        self.aliases |= {one.alias: one.event_id for one in self.state.aliases}
        self.state.saved()
        return said(facts)


def with_lane(base: Content, lane: str, trail: Sequence[str] | None = None, **fields: str) -> WorkPackage:
    """WP01 in another lane, with the trail that it had or another one."""
    made = package(lane, trail or (), **fields)
    return made if trail is not None else replace(made, trail=base["WP01"].trail)


def elsewhere(world: World) -> World:
    """The same commits on another machine, which has observed nothing."""
    other = World(start=())
    other.graph, other.refs, other.branch, other.remote = world.graph, world.refs, world.branch, world.remote
    return other


def _is_step(fact: Fact) -> bool:
    return isinstance(fact, TransitionFact) and fact.emitted.step is not None


def _keys(changes: Iterable[CommitChanges]) -> set[Key]:
    """The work packages that some commits change."""
    return {(FEATURE, one.wp_id) for commit in changes for one in commit.packages}
