"""The ledger against the checkout: commits that nobody observed, and lanes told otherwise than they are (rule B3)."""

from __future__ import annotations

from collections.abc import Iterator

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.events import StatusChange
from kittywatch.git.repository import Git
from kittywatch.git.state import busy
from kittywatch.observe.names import ref_name
from kittywatch.observe.reconcile import reconcile_view
from kittywatch.project import Project
from kittywatch.store.views import Views


def check(examination: Examination) -> Iterator[Finding]:
    project = examination.project
    if not project.store.exists or busy(project.git.directory) is not None:
        return
    head = project.git.head()
    tip = _observed_tip(project)
    if head.tip is None or tip is None:
        return
    if _behind(project.git, tip, head.tip):
        what = "work packages were committed or checked out here since anybody observed this checkout"
        yield Finding(what, "`kittywatch emit scan`, which every hook, watcher and replay does as well")
        return
    for event in reconcile_view(project, dry_run=True):
        if isinstance(event.payload, StatusChange):
            one = event.payload
            yield Finding(
                f"{one.feature_slug}: {one.wp_id} was told to be {one.previous_status} last, here it is"
                f" {one.new_status}",
                "nothing, if another branch is further on; else `kittywatch emit reconcile --dry-run`",
            )


def _observed_tip(project: Project) -> str | None:
    """The commit at which this branch was observed last in this checkout."""
    ref = ref_name(project.git.head().ref)

    def work(unit: UnitOfWork) -> str | None:
        rows = Views(unit.connection, unit.project)
        checkout = rows.checkout(str(project.git.directory))
        return rows.of_checkout(checkout.key).get(ref) if checkout else None

    return project.emitter.peek(work)


def _behind(git: Git, tip: str, head: str) -> bool:
    """Whether anything under kitty-specs/ differs; a commit that is gone tells nothing."""
    if tip == head or not git.exists(tip):
        return False
    return any(git.difference(tip, head))
