"""Reconcile: emit, on demand, where the lanes emitted last differ from what a view shows (rule B3)."""

from __future__ import annotations

from datetime import UTC, datetime

from kittywatch.derive.reconcile import differences
from kittywatch.derive.resolve import Resolver, Rules
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.errors import ProjectError
from kittywatch.events import Event
from kittywatch.git.ancestry import Ancestry
from kittywatch.observe.history import History
from kittywatch.observe.observation import observe
from kittywatch.observe.ranges import of_features
from kittywatch.observe.reader import Reader
from kittywatch.project import Project
from kittywatch.store.views import Views


def reconcile_view(project: Project, *, dry_run: bool = False) -> list[Event]:
    """Emit the differences of the commit that is checked out; raises GitError, StoreError, ProjectError."""
    if not dry_run and (doing := observe(project, "reconcile").busy):
        raise ProjectError(f"git is in the middle of something ({doing})", remedy="finish it, then run this again")
    tip = project.git.head().tip
    if tip is None:
        return []
    now = datetime.now(UTC)
    with Reader(project.git, project.names) as reader:
        history = History(reader, project.git)
        _, found = history.difference(history.tree(None), project.git.files(tip), (), now, tip=tip)
    rules = Rules(project.names, project.emitter.context.event_id)

    def work(unit: UnitOfWork) -> list[Event]:
        rows = Views(unit.connection, unit.project)
        checkout = rows.checkout(str(project.git.directory))
        shown = [one.package for one in found.packages]
        state = unit.ledger.read({one.key for one in shown} | of_features(shown))
        # An edit that is not committed is what the checkout shows, and was emitted when it was seen.
        pending = rows.pending_keys(checkout.key) if checkout else set()
        packages = {state.key(*one.key): one for one in shown}
        committed = {key: package for key, package in packages.items() if key not in pending}
        known = {one for history in state.histories.values() for entry in history.entries for one in entry.commits}
        resolver = Resolver(state, Ancestry(project.git, {}, marked=(), asked=known), rules)
        facts = differences(resolver, committed, found.graphs, tip=tip, moment=now)
        unit.ledger.save(state)
        return unit.emit(facts, "reconcile")

    return project.emitter.rehearse(work) if dry_run else project.emitter.transact(work)
