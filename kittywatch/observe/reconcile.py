"""Reconcile: tell, on demand, where the lanes told last differ from what a view shows (rule B3)."""

from __future__ import annotations

from datetime import UTC, datetime

from kittywatch.derive.book import differences
from kittywatch.derive.settle import Rules
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.errors import ProjectError
from kittywatch.events import Event
from kittywatch.observe.history import Reader, Walk
from kittywatch.observe.observation import observe
from kittywatch.observe.views import ref_name
from kittywatch.project import Project
from kittywatch.store.views import Views


def reconcile_view(project: Project, *, dry_run: bool = False) -> list[Event]:
    """Tell the differences of the commit that is checked out; raises GitError, StoreError, ProjectError."""
    if not dry_run and (doing := observe(project, "reconcile").busy):
        raise ProjectError(f"git is in the middle of something ({doing})", remedy="finish it, then run this again")
    head = project.git.head()
    if head.tip is None:
        return []
    now = datetime.now(UTC)
    with Reader(project.git, project.names) as reader:
        snapshot = Walk(reader).change(project.git.files(head.tip), (), now)
    packages = {(one.feature, one.wp_id): one for one in snapshot.packages} if snapshot else {}
    rules = Rules(project.names, project.emitter.context.event_id)

    def work(unit: UnitOfWork) -> list[Event]:
        rows = Views(unit.connection, unit.project)
        checkout = rows.checkout(str(project.git.directory))
        view = rows.view(checkout.key, ref_name(head.ref)) if checkout else None
        book = unit.ledger.read(packages.keys(), view=view.key if view else None)
        # An edit that is not committed is what the checkout shows, and was told when it was seen.
        edits = rows.edit_keys(checkout.key) if checkout else set()
        committed = {key: one for key, one in packages.items() if key not in edits}
        rosters = snapshot.rosters if snapshot else {}
        events = unit.emit(differences(book, committed, rosters, now, rules), "reconcile")
        unit.ledger.save(book, view=view.key if view else None)
        return events

    return project.emitter.rehearse(work) if dry_run else project.emitter.transact(work)
