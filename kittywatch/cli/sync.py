"""`sync`: delivery of what waits."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from kittywatch.cli.context import open_project, open_store, project_here
from kittywatch.cli.lines import counted
from kittywatch.cli.output import Output
from kittywatch.errors import AuthenticationError, SyncError
from kittywatch.home import home
from kittywatch.store import aliases, delivery, destinations, renames
from kittywatch.store.aliases import OutgoingAlias
from kittywatch.store.delivery import Waiting
from kittywatch.store.renames import OutgoingRename

if TYPE_CHECKING:
    import sqlite3

    from kittywatch.store.store import Store
    from kittywatch.sync.credentials import Credentials
    from kittywatch.sync.delivery_status import DeliveryStatus
    from kittywatch.sync.summary import Summary

_FEW = 10


@click.group()
def sync() -> None:
    """Delivery of what waits in the queue to the server of the login."""


@sync.command()
@click.option("--dry-run", is_flag=True, help="Print what would leave this machine, exactly; send nothing.")
@click.pass_context
def now(ctx: click.Context, dry_run: bool) -> int:
    """Deliver what waits, in batches, and say what became of it.

    Several may run at once, also beside a watcher: no event is sent by two. Ctrl-C loses nothing.

    \b
    Examples:
      kittywatch sync now
      kittywatch sync now --dry-run | jq .
    """
    from kittywatch.sync.auth import AuthClient
    from kittywatch.sync.batch import batch_sync
    from kittywatch.sync.failure_report import report_failure
    from kittywatch.sync.status import HINT

    output: Output = ctx.obj
    store = open_store(ctx)
    client = AuthClient(home())
    if dry_run:
        _rehearse(store, client.file.read(), output)
        return 0
    if client.status() is None:
        output.say(HINT)
        raise AuthenticationError("nobody is logged in")
    with _progress(output) as progress:
        summary = batch_sync(store, client, progress=progress, resting=True)  # somebody asks for it
    project = project_here(output)
    if project is not None:
        with contextlib.closing(project.store):
            report_failure(store, project.emitter, summary)
    return _report(summary, store, output)


@sync.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """What waits, where it goes, how it went last, and what keeps it from being sent. The server is not asked.

    \b
    Examples:
      kittywatch sync status
      kittywatch sync status --json | jq .dead_letters
    """
    from kittywatch.sync.delivery_status import delivery_status

    output: Output = ctx.obj
    project = project_here(output)
    found = delivery_status(open_store(ctx), project)
    if project is not None:
        project.store.close()
    if as_json:
        output.data(json.dumps(found.to_dict()))
        return
    for line in _lines(found):
        output.data(line)


@sync.command(name="opt-out")
@click.pass_context
def opt_out(ctx: click.Context) -> None:
    """Keep this project's events on this machine: none leaves, whoever delivers.

    \b
    Example:
      kittywatch sync opt-out
    """
    _opt(ctx, out=True)


@sync.command(name="opt-in")
@click.pass_context
def opt_in(ctx: click.Context) -> None:
    """Let this project's events go again, those that waited meanwhile too.

    \b
    Example:
      kittywatch sync opt-in
    """
    _opt(ctx, out=False)


def _opt(ctx: click.Context, *, out: bool) -> None:
    output: Output = ctx.obj
    project = open_project(ctx)
    emitter = project.emitter

    def change(connection: sqlite3.Connection) -> None:
        delivery.opt(connection, emitter.ensure_row(connection), out=out)

    project.store.transact(change)
    where = "stay on this machine" if out else "are delivered"
    output.say(f"events of {project.identity.project_slug} {where}")


class _Leaving(NamedTuple):
    """What would leave for a login's server; `takes` says whether it takes aliases, None where nobody knows."""

    forms: list[bytes]
    aliases: list[OutgoingAlias]
    renames: list[OutgoingRename]
    takes: bool | None
    waiting: Waiting
    too_new: int


def _rehearse(store: Store, login: Credentials | None, output: Output) -> None:
    """What would leave, events and then aliases, one line of JSON each; where to, and what stays, on stderr."""
    from kittywatch.sync.envelopes import alias_form, rename_form

    if login is None:
        output.say("nobody is logged in: nothing would leave, before `kittywatch auth login`")
    if not store.exists:
        return
    found = store.rehearse(lambda connection: _leaving(connection, login))
    if login is not None:
        for form in found.forms:
            output.data(form.decode())
        for one in found.aliases:
            output.data(alias_form(one).decode())
        for rename in found.renames:
            output.data(rename_form(rename).decode())
        beside = f" and {_aliases(len(found.aliases))}{'' if found.takes else ', if it takes them,'}"
        further = beside if found.aliases else ""
        output.say(f"{counted(len(found.forms), 'event')}{further} would leave for {login.team_slug} at {login.url}")
    for line in _kept_back(found.waiting, found.too_new):
        output.say(line)


def _leaving(connection: sqlite3.Connection, login: Credentials | None) -> _Leaving:
    from kittywatch.sync import features
    from kittywatch.sync.older_servers import KEPT, form_for

    delivery.adopt(connection)
    if login is None:
        return _Leaving([], [], [], None, delivery.waiting(connection, None), 0)
    to = destinations.set_present(connection, login.url, login.team_slug).key
    named = features.known(connection, to, now=time.time())

    def takes(feature: str) -> bool:
        return named is None or feature in named

    leaving = delivery.preview(connection, to)
    beside = {event.project for event in leaving}
    further = aliases.preview(connection, to) if takes(features.ALIASES) else []
    renamed = renames.sendable(connection, to, beside=beside) if takes(features.RENAMES) else []
    renamed += renames.sendable_moves(connection, to, beside=beside) if takes(features.MOVES) else []
    forms = [form_for(event, login.team_slug, takes_newer=takes(features.NEWER_EVENTS)) for event in leaving]
    sent = [form for form in forms if isinstance(form, bytes)]
    known = None if named is None else features.ALIASES in named
    return _Leaving(sent, further, renamed, known, delivery.waiting(connection, to), forms.count(KEPT))


def _kept_back(waiting: Waiting, too_new: int) -> Iterator[str]:
    from kittywatch.sync.delivery_status import kept_as_too_new

    if too_new:
        yield kept_as_too_new(too_new)
    for count, why in (
        (waiting.opted_out, "of projects that opted out; `kittywatch sync opt-in` there lets them go"),
        (waiting.without_identity, "of projects without identity; `kittywatch init` there gives them one"),
        (waiting.for_others, "for another server or team; `kittywatch auth login --queued send` sends them here"),
        (waiting.dead, "refused too often; `kittywatch queue list --dead` shows them, `queue retry` puts them back"),
    ):
        if count:
            yield f"{counted(count, 'event')} kept: {why}"


def _report(summary: Summary, store: Store, output: Output) -> int:
    """Say what became of the queue; returns the exit code."""
    parts = [f"{summary.delivered} delivered"]
    parts += [f"{summary.duplicates} there already"] if summary.duplicates else []
    parts += [f"{_aliases(summary.aliases)} delivered"] if summary.aliases else []
    parts += [f"{counted(summary.renames, 'renamed feature')} told"] if summary.renames else []
    parts += [f"{counted(summary.moves, 'moved work package')} told"] if summary.moves else []
    parts += [f"{len(summary.refused)} refused"] if summary.refused else []
    parts += [f"{summary.left} waiting"] if summary.left else []
    output.say(", ".join(parts))
    for event_id, reason in list(summary.refused.items())[:_FEW]:
        output.say(f"  {event_id}: {reason}")
    if len(summary.refused) > _FEW:
        output.say(f"  and {len(summary.refused) - _FEW} more; `kittywatch queue list` shows the reasons")
    if summary.refused:
        more = f"; {counted(summary.dead, 'event')} won't be tried again before `queue retry`" if summary.dead else ""
        output.say(f"  what is refused is tried again next time, five times in all{more}")
    for alias, reason in list(summary.aliases_refused.items())[:_FEW]:
        output.say(f"  the alias {alias} is refused for good: {reason}")
    for names, reason in list(summary.renames_refused.items())[:_FEW]:
        output.say(f"  the rename of {names} is refused for good: {reason}")
    for project, reason in summary.forbidden.items():
        output.warn(
            f"{project} is not taken: {reason}; ask who runs the server, or run `kittywatch sync opt-out` there"
        )
    for line in _kept_back(*store.read(_waiting)):
        output.say(line)
    if summary.error is not None:
        raise summary.error
    if summary.stopped is not None:
        raise SyncError(f"delivery was interrupted ({summary.stopped})", remedy="run the command again")
    return 1 if summary.refused or summary.forbidden or summary.missing else 0


def _waiting(connection: sqlite3.Connection) -> tuple[Waiting, int]:
    from kittywatch.sync.delivery_status import count_too_new

    to = destinations.present(connection)
    key = to.key if to else None
    return delivery.waiting(connection, key), count_too_new(connection, key, now=time.time())


def _lines(found: DeliveryStatus) -> Iterator[str]:
    yield f"[{found.shown_connection}]  {found.server or 'no server'}, team {found.team_slug}"
    oldest = "" if found.oldest_age_seconds is None else f", the oldest for {_span(found.oldest_age_seconds)}"
    further = f", {_aliases(found.aliases_waiting)}" if found.aliases_waiting else ""
    dead = counted(found.dead_letters, "dead letter")
    yield f"{counted(found.queue_length, 'event')}{further} waiting{oldest}; {dead}"
    now = time.time()
    last = "never" if found.last_sync_at is None else f"{_span(max(now - found.last_sync_at, 0))} ago"
    ahead = "" if found.next_try_at is None else f", next try in {_span(max(found.next_try_at - now, 0))}"
    yield f"last sync: {last}{ahead}"
    for reason in found.kept_by:
        yield f"  {reason}"


def _aliases(count: int) -> str:
    return "1 alias" if count == 1 else f"{count} aliases"


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@contextlib.contextmanager
def _progress(output: Output) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, nothing elsewhere."""
    if output.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("delivering", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
