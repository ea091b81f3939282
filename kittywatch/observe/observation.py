"""One observation of a checkout: look, plan, and carry the plan out in one transaction.

Looking takes time and no lock. If another process has observed the same checkout meanwhile, the plan is thrown away
and made again from what is known now; so however many observe at once, each transition is told once (rule O1).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence, Set
from datetime import UTC, datetime

from msgspec import Struct, field
from msgspec.structs import replace

from kittywatch.derive.book import Book, adopt, stand_back, tell, tell_worktree, undo
from kittywatch.derive.landings import land, stand_as, stand_with, standing
from kittywatch.derive.settle import Known, Rules
from kittywatch.derive.snapshot import Key, Snapshot
from kittywatch.derive.steps import shown
from kittywatch.derive.tellings import Telling
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.errors import StoreError
from kittywatch.events import Event
from kittywatch.git import reflog
from kittywatch.git.repository import Git, Head
from kittywatch.git.state import Index, busy, ends_apply, index, rebased
from kittywatch.observe.history import Reader
from kittywatch.observe.past import Past
from kittywatch.observe.plans import AdoptedStart, CopiedStart, Plan, ViewPlan, keys_of
from kittywatch.observe.stops import Stop, stops
from kittywatch.observe.traces import note_observed
from kittywatch.observe.views import Planner, ref_name
from kittywatch.observe.worktree import Worktree
from kittywatch.project import Project
from kittywatch.store.views import DETACHED, Checkout, View, Views

INDEX_QUIET = 0.25  # seconds after which a written index is no half of a checkout any more
_ATTEMPTS = 50


class Observed(Struct):
    """What an observation did. `busy` says what git was in the middle of, and then nothing was looked at.

    `baseline` counts work packages that were taken in silently, None where this was not the first observation.
    `unsettled` are paths of broken files that somebody may still be writing: look again when they have settled.
    """

    events: list[Event] = field(default_factory=list)
    busy: str | None = None
    baseline: int | None = None
    unsettled: tuple[str, ...] = ()


class _Before(Struct, frozen=True):
    """What the store knew when the plan was made."""

    checkout: Checkout | None
    views: dict[str, View]
    tips: tuple[View, ...]
    edits: frozenset[Key]
    observed: bool

    @property
    def nearest(self) -> tuple[View, ...]:
        """Where a branch may begin: at the view that HEAD was on, at another one of this checkout, or anywhere else."""
        last = self.views.get(self.checkout.ref) if self.checkout is not None else None
        own = set(self.views.values())
        return tuple(sorted(self.tips, key=lambda one: (one != last, one not in own)))


class _OutdatedError(Exception):
    """Another process has observed this checkout since the plan was made."""


class Observer:
    """Observes one checkout; one that is kept observes faster, because it remembers what it has read."""

    def __init__(self, project: Project, name: str) -> None:
        self.project = project
        self.name = name
        self.reader = Reader(project.git, project.names)
        self.worktree = Worktree(project.git, self.reader)

    def observe(
        self,
        *,
        worktree: bool = True,
        hook: str | None = None,
        paths: frozenset[str] | None = None,
        patient: bool = True,
    ) -> Observed:
        """Look once; raises GitError, StoreError.

        `worktree` says whether edits that are not committed count too: for a hook they don't, unless they were told
        before. `hook` is the name of the git hook that asks. `paths` are the only files to look at, if HEAD hasn't
        moved. One that isn't `patient` looks at commits alone, and says so by an unsettled path "", when the index
        was written just now: between the index and HEAD a checkout shows the new files under the old branch.
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
                seen = _Attempt(self, worktree=looks, hook=hook, paths=paths).run(at_first)
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

    def __init__(self, observer: Observer, *, worktree: bool, hook: str | None, paths: frozenset[str] | None) -> None:
        project = observer.project
        self.git: Git = project.git
        self.emitter = project.emitter
        self.rules = Rules(project.names, project.emitter.context.event_id)
        self.observer = observer
        self.worktree = worktree
        self.hook = hook
        self.paths = paths
        self.observed = Observed()

    def run(self, at_first: Index | None) -> Observed:
        """Make it; `at_first` is the index as it was when that was decided."""
        before = self._before()
        log_size = reflog.size(reflog.head_log(self.git.directory))
        head = self.git.head()
        if head.ref is None and ends_apply(self.git.directory, self.hook):
            head = Head(rebased(self.git, before.checkout.ref if before.checkout else None), head.tip)
        at_rest = self._at_rest(before, head, log_size)
        if at_rest and not self.worktree and not before.edits:
            return self.observed
        with self.observer.reader:
            alone = at_rest and self.worktree and self.paths
            plan = self._rest(before, head, log_size) if alone else self._plan(before, head, log_size)
        plan.worktree = Past(self.git, self._ahead).note(plan.views, plan.worktree, before.views)
        if self.hook is None and (
            busy(self.git.directory) or index(self.git.directory) != at_first or self.git.head() != head
        ):
            # Git began something while we looked: what we saw may be neither before nor after. With the index written
            # and HEAD not yet, it is a checkout's half, which looks as if nothing were going on.
            raise _OutdatedError
        if plan.worktree is not None:
            self.observed.unsettled = plan.worktree.unsettled
        if any(snapshot.features for view in plan.views for snapshot in view.snapshots) or (
            plan.worktree is not None and plan.worktree.features
        ):
            self.emitter.context.target_branch()  # asks git, which a transaction must not wait for
        self.emitter.transact(lambda unit: self._carry_out(unit, before, plan))
        if not at_rest:
            note_observed(self.git.directory, head.tip, self.git.root)
        return self.observed

    # Look.

    def _before(self) -> _Before:
        def reading(unit: UnitOfWork) -> _Before:
            rows = Views(unit.connection, unit.project)
            checkout = rows.checkout(str(self.git.directory))
            views = rows.of_checkout(checkout.key) if checkout else {}
            edits = frozenset(rows.edit_keys(checkout.key)) if checkout else frozenset()
            return _Before(checkout, views, tuple(rows.tips()), edits, rows.observed())

        return self.emitter.peek(reading)

    def _landings(self, keys: Set[Key]) -> set[str]:
        return self.emitter.peek(lambda unit: unit.ledger.landing_commits(keys))

    def _ahead(self, view: int, keys: Set[Key]) -> set[str]:
        return self.emitter.peek(lambda unit: unit.ledger.ahead(view, keys))

    def _told(self, commits: Set[str]) -> set[str]:
        return self.emitter.peek(lambda unit: unit.ledger.landed(commits))

    @staticmethod
    def _at_rest(before: _Before, head: Head, log_size: int) -> bool:
        """Whether HEAD has not moved since the last look."""
        checkout = before.checkout
        if checkout is None or checkout.log_size != log_size or checkout.ref != ref_name(head.ref):
            return False
        view = before.views.get(checkout.ref)
        return view is not None and view.tip == head.tip

    # Plan.

    def _rest(self, before: _Before, head: Head, log_size: int) -> Plan:
        """HEAD hasn't moved: some files are all there is to look at."""
        now = datetime.now(UTC)
        worktree = self.observer.worktree.look_at_paths(head.tip, now, before.edits, self.paths or ())
        return Plan([ViewPlan(ref_name(head.ref), head.tip)], worktree, log_size, now)

    def _plan(self, before: _Before, head: Head, log_size: int) -> Plan:
        now = datetime.now(UTC)
        log = reflog.head_log(self.git.directory)
        start = before.checkout.log_size if before.checkout else 0
        entries = reflog.read(log, start=start, end=log_size)
        planner = Planner(
            self.git, self.observer.reader, now=now, entries=entries, landings=self._landings, told=self._told
        )
        plans = self._views(before, head, entries, planner)
        keys = set(before.edits)
        if plans[-1].undone is not None:
            keys |= {(one.feature, one.wp_id) for one in plans[-1].undone.packages}
        worktree = None
        if self.worktree:
            worktree = self.observer.worktree.look(head.tip, now, keys)
        elif keys:
            worktree = self.observer.worktree.look_at_packages(head.tip, now, keys)
        return Plan(plans, worktree, log_size, now)

    def _views(self, before: _Before, head: Head, entries: Sequence[reflog.Entry], planner: Planner) -> list[ViewPlan]:
        if not before.observed:
            return self._baseline(head, entries, planner)
        plans: list[ViewPlan] = []
        tips = {name: view.tip for name, view in before.views.items()}
        observed = before.nearest
        for stop in stops(self.git, head, tips, entries if before.checkout is not None else ()):
            plans.append(self._view(stop, tips, observed, planner))
            planner.remember(plans[-1])
            tips[stop.ref] = stop.tip
            observed = tuple(_moved(one, before.views.get(stop.ref), stop.tip) for one in observed)
        return plans

    def _view(self, stop: Stop, tips: dict[str, str | None], observed: Sequence[View], planner: Planner) -> ViewPlan:
        came = stop.came
        if stop.ref == DETACHED and came is not None and stop.tip is not None and self.git.exists(came):
            return planner.arrived(stop.ref, came, stop.tip, observed)
        if stop.ref in tips:
            return planner.continued(stop.ref, tips[stop.ref], stop.tip, observed)
        return planner.first_look(stop.ref, stop.tip, observed)

    def _baseline(self, head: Head, entries: Sequence[reflog.Entry], planner: Planner) -> list[ViewPlan]:
        """The first observation: a hook's baseline is the state before its operation, which counts (rule B1)."""
        ref = ref_name(head.ref)
        if self.hook is None or head.tip is None:
            return [planner.baseline(ref, head.tip)]
        before: str | None
        if entries and entries[-1].new == head.tip:
            before = entries[-1].old if entries[-1].old.strip("0") else None
        else:
            before = next(iter(self.git.parents(head.tip)), None)
        first = planner.baseline(ref, before)
        return [first, planner.continued(ref, before, head.tip)]

    # Carry out.

    def _carry_out(self, unit: UnitOfWork, before: _Before, plan: Plan) -> None:
        rows = Views(unit.connection, unit.project)
        self.observed.events.clear()
        self.observed.baseline = None
        if rows.checkout(str(self.git.directory)) != before.checkout or rows.observed() != before.observed:
            raise _OutdatedError
        if any(isinstance(one.start, CopiedStart) for one in plan.views) and tuple(rows.tips()) != before.tips:
            raise _OutdatedError
        checkout = rows.save_checkout(str(self.git.directory), plan.views[-1].ref, plan.log_size)
        book = unit.ledger.read(plan.keys | before.edits)
        book.edits, book.written = rows.edits(checkout, unit.ledger), rows.written(checkout)
        book.worktree = plan.worktree
        homes: list[tuple[int, dict[Key, Known]]] = []
        for view in plan.views:
            key = self._carry_out_view(unit, rows, checkout, book, view)
            homes.append((key, book.known))
        rest = homes[:-1] if len({key for key, _ in homes}) > 1 else []
        self._tell(unit, tell_worktree(book, [known for _, known in rest], self.rules))
        unit.ledger.save(book, view=homes[-1][0])
        for key, known in rest:
            unit.ledger.save_known(key, {one: known[one] for one in before.edits if one in known})
        written = plan.worktree.written if plan.worktree is not None else {}
        rows.save_edits(checkout, book.edits, {**book.written, **written})

    def _carry_out_view(self, unit: UnitOfWork, rows: Views, checkout: int, book: Book, plan: ViewPlan) -> int:
        view = rows.save_view(checkout, plan.ref, plan.tip)
        book.before = {}
        self._begin(unit, rows, book, view, plan)
        for commit in plan.horizons:
            unit.ledger.add_horizon(commit, "elsewhere")
        stand_back(book, plan.back, plan.landed)
        for snapshot in plan.snapshots:
            known = {key: book.known[key] for key in keys_of(snapshot) & book.known.keys()}
            self._tell(unit, tell(book, snapshot, self.rules))
            stand_with(book, snapshot, known, functools.partial(unit.ledger.standing, view))
        if plan.undone is not None:
            self._tell(unit, undo(book, plan.undone, plan.landed, self.rules))
        land(book, plan.copies)
        unit.ledger.save(book, view=view)
        book.saved()
        return view

    def _begin(self, unit: UnitOfWork, rows: Views, book: Book, view: int, plan: ViewPlan) -> None:
        """Let the book know where the view stands before its snapshots."""
        start = plan.start
        if isinstance(start, AdoptedStart):
            self._adopt(unit, book, start)
            book.known = {}
            if start.snapshot is not None:
                stand_as(book, start.snapshot, start.landed)
            unit.ledger.save(book, view=view)
            book.saved()
            return
        if isinstance(start, CopiedStart):
            if start.source.key != view:
                rows.copy(start.source.key, view)
            unit.ledger.forget(view, start.gone)
        book.known = unit.ledger.known(view, book.logs.keys() | plan.keys)
        if isinstance(start, CopiedStart):
            stand_back(book, start.back, start.landed)
            for package in start.packages:
                key, now = (package.feature, package.wp_id), shown(package)
                if now is not None:
                    book.known[key] = Known(now, standing(book, key, start.landed))
                    book.changed.add(key)

    def _adopt(self, unit: UnitOfWork, book: Book, start: AdoptedStart) -> None:
        if start.commit is not None:
            unit.ledger.add_horizon(start.commit, start.kind)
        worktree = book.worktree
        if start.kind == "baseline":
            count = adopt(book, start.snapshot, "baseline") if start.snapshot else 0
            if worktree is not None:
                edited = Snapshot(worktree.moment, tuple(worktree.edited.values()), broken=worktree.broken)
                count += adopt(book, edited, "baseline")
                for key, package in worktree.edited.items():
                    if (now := shown(package)) is not None:
                        book.edits[key] = Known(now, standing(book, key, frozenset()))
            self.observed.baseline = count
        elif start.snapshot is not None:
            adopt(book, start.snapshot, "elsewhere")

    def _tell(self, unit: UnitOfWork, tellings: list[Telling]) -> None:
        self.observed.events += unit.emit(tellings, self.observer.name)


def _moved(view: View, moving: View | None, tip: str | None) -> View:
    """A view as it stands when the plan before has been carried out."""
    return View(view.key, tip) if moving is not None and view.key == moving.key else view
