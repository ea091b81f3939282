"""One observation of a checkout: look, plan, and carry the plan out in one transaction.

Looking takes time and no lock. If the project's ledger has changed meanwhile, the plan is thrown away and made again
from what is known now; so however many observe at once, each transition is emitted once (rule O1).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from kittywatch.derive.facts import FeatureFact
from kittywatch.derive.resolve import Rules
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.errors import StoreError
from kittywatch.events import Event
from kittywatch.git import reflog
from kittywatch.git.repository import Git, Head
from kittywatch.git.state import Index, busy, ends_apply, index, rebased
from kittywatch.observe.names import ref_name
from kittywatch.observe.planning import Before, Plan, Planner, Request
from kittywatch.observe.reader import Reader
from kittywatch.observe.traces import note_observed
from kittywatch.observe.worktree import Worktree
from kittywatch.project import Project
from kittywatch.store.views import Views

INDEX_QUIET = 0.25  # seconds after which a written index is no half of a checkout any more
_ATTEMPTS = 50


class Observed(Struct):
    """What an observation did. `busy` says what git was in the middle of, and then nothing was looked at.

    `baseline` counts work packages that were recorded silently, None where this was not the first observation.
    `unsettled` are paths of files that somebody may still be writing: look again when they have settled.
    """

    events: list[Event] = field(default_factory=list)
    busy: str | None = None
    baseline: int | None = None
    unsettled: tuple[str, ...] = ()


class _OutdatedError(Exception):
    """Another process has changed the project's ledger since the plan was made."""


class Observer:
    """Observes one checkout; one that is kept observes faster, because it remembers what it has read.

    `each_commit` says whether hooks are installed that leave looking to this observer.
    """

    def __init__(self, project: Project, name: str, *, each_commit: Callable[[], bool] = lambda: False) -> None:
        self.project = project
        self.name = name
        self.each_commit = each_commit
        self.reader = Reader(project.git, project.names)
        self.worktree = Worktree(project.git, self.reader)

    def observe(
        self,
        *,
        worktree: bool = True,
        hook: str | None = None,
        paths: frozenset[str] | None = None,
        patient: bool = True,
        pairs: Mapping[str, set[str]] | None = None,
        waits: bool = True,
    ) -> Observed:
        """Look once; raises GitError, StoreError.

        `worktree` says whether edits that are not committed count too: for a hook they don't, unless they were emitted
        before. `hook` is the name of the git hook that asks, `pairs` the commits that each rewritten commit replaces,
        as git told post-rewrite. `paths` are the only files to look at, if HEAD hasn't moved. One that isn't `patient`
        looks at commits alone, and says so by an unsettled path "", when the index was written just now: between the
        index and HEAD a checkout shows the new files under the old branch. Without `waits` an edit doesn't wait for its
        record (rule D3b).
        """
        for _ in range(_ATTEMPTS):
            doing = busy(self.project.git.directory, hook)
            if doing is not None:
                return Observed(busy=doing)
            at_first = index(self.project.git.directory)
            young = worktree and at_first is not None and at_first.age < INDEX_QUIET
            if young and patient:
                time.sleep(INDEX_QUIET)
            looks = worktree and (patient or not young)
            try:
                request = Request(hook, looks, paths, pairs or {}, waits, self.each_commit)
                seen = _Attempt(self, request).run(at_first)
            except _OutdatedError:
                continue
            return replace(seen, unsettled=("",)) if young and not patient else seen
        raise StoreError(
            f"{self.project.git.root} is being observed by so many processes that this one never got its turn",
            remedy="run the command again; nothing is lost",
        )


def observe(project: Project, name: str, *, worktree: bool = True, hook: str | None = None) -> Observed:
    """Observe a checkout once; see Observer.observe."""
    return Observer(project, name).observe(worktree=worktree, hook=hook)


class _Attempt:
    """One try at an observation."""

    def __init__(self, observer: Observer, request: Request) -> None:
        self.git: Git = observer.project.git
        self.emitter = observer.project.emitter
        self.observer = observer
        self.request = request
        self.carried_out = False

    def run(self, at_first: Index | None) -> Observed:
        """Make it; `at_first` is the index as it was when that was decided."""
        directory, repository = str(self.git.directory), str(self.git.common)
        before = self.emitter.peek(lambda unit: Before.read(unit, directory, repository))
        log_size = reflog.size(reflog.head_log(self.git.directory))
        head = self._head(before)
        at_rest = _at_rest(before, head, log_size)
        if at_rest and not self.request.worktree and not before.pending:
            return Observed()
        plan = self._plan(before, head, log_size, at_rest=at_rest)
        if self.request.hook is None and (
            busy(self.git.directory) or index(self.git.directory) != at_first or self.git.head() != head
        ):
            # Git began something while we looked: what we saw may be neither before nor after. With the index written
            # and HEAD not yet, it is a checkout's half, which looks as if nothing were going on.
            raise _OutdatedError
        if any(isinstance(fact, FeatureFact) for fact in plan.facts):
            self.emitter.context.target_branch()  # asks git, which a transaction must not wait for
        events = self.emitter.transact(lambda unit: self._carry_out(unit, before, plan))
        self.observer.worktree.held = plan.held
        if not at_rest:
            note_observed(self.git, head.tip)
        return Observed(events, None, plan.baseline, plan.unsettled)

    def _head(self, before: Before) -> Head:
        head = self.git.head()
        if head.ref is None and ends_apply(self.git.directory, self.request.hook):
            return Head(rebased(self.git, before.checkout.ref if before.checkout else None), head.tip)
        return head

    def _plan(self, before: Before, head: Head, log_size: int, *, at_rest: bool) -> Plan:
        rules = Rules(self.observer.project.names, self.emitter.context.event_id)
        with self.observer.reader as reader:
            planner = Planner(
                self.git,
                reader,
                self.observer.worktree,
                self.emitter,
                rules,
                before=before,
                head=head,
                log_size=log_size,
                request=self.request,
            )
            return planner.plan(at_rest=at_rest)

    def _carry_out(self, unit: UnitOfWork, before: Before, plan: Plan) -> list[Event]:
        rows = Views(unit.connection, unit.project)
        if self.carried_out or unit.ledger.version() != before.version or rows.observed() != before.observed:
            raise _OutdatedError
        self.carried_out = True  # a store that was mended in between runs this again, on other rows
        checkout = rows.save_checkout(str(self.git.directory), plan.ref, plan.log_size)
        for ref, tip in plan.views.items():
            rows.save_view(checkout, ref, tip)
        for commit, kind in plan.boundaries:
            unit.ledger.add_boundary(commit, kind)
        unit.ledger.save(plan.state)
        rows.save_pending(checkout, plan.pending)
        return unit.emit(plan.facts, self.observer.name, plan.state.aliases)


def _at_rest(before: Before, head: Head, log_size: int) -> bool:
    """Whether HEAD has not moved since the last look."""
    checkout = before.checkout
    if checkout is None or checkout.log_size != log_size or checkout.ref != ref_name(head.ref):
        return False
    return checkout.ref in before.views and before.views[checkout.ref] == head.tip
