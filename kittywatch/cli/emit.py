"""`emit`: tell what is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from kittywatch.cli.context import deliver_afterwards, open_project
from kittywatch.cli.lines import event_line
from kittywatch.cli.output import Output
from kittywatch.cli.taken_in import say_baseline
from kittywatch.events import to_json
from kittywatch.observe.once import observe_all
from kittywatch.observe.reconcile import reconcile_view
from kittywatch.observe.replay import Replay, Scope


@click.group()
@click.pass_context
def emit(ctx: click.Context) -> None:
    """Tell what is there: a branch's history, or the worktree as it is."""
    deliver_afterwards(ctx)


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A date, or a date and time; local time where no zone is stated."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("not a date like 2026-01-31 or 2026-01-31T12:00:00+01:00", param, ctx)


@emit.command()
@click.argument("revision", metavar="[REV]", default="HEAD")
@click.option("--since", type=Moment(), help="Only what was committed (author time) then or later.")
@click.option("--feature", metavar="SLUG", help="Only this feature: the name of its directory under kitty-specs/.")
@click.option("--dry-run", is_flag=True, help="Print what would be told; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.pass_context
def replay(
    ctx: click.Context, revision: str, since: datetime | None, feature: str | None, dry_run: bool, as_json: bool
) -> None:
    """Tell the history of a revision, as far as it is not told yet.

    Walks the first-parent chain, oldest first. What was told stays told: a second run tells nothing, and after
    Ctrl-C the next run goes on.

    \b
    Examples:
      kittywatch emit replay                      the history of what is checked out
      kittywatch emit replay main --dry-run       see it first
      kittywatch emit replay --since 2026-01-01 --feature 001-login
    """
    output: Output = ctx.obj
    project = open_project(ctx, writes=not dry_run)
    with _progress(output) as progress:
        run = Replay(project.git, project.names, project.emitter, scope=Scope(since, feature), progress=progress)
        for events in run.run(revision, dry_run=dry_run):
            for event in events:
                if as_json:
                    output.data(to_json(event))
                elif dry_run or output.verbose:
                    output.data(event_line(event))
    output.say(str(run.summary) + (" (dry run: nothing was written)" if dry_run else ""))


@emit.command()
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.pass_context
def scan(ctx: click.Context, as_json: bool) -> None:
    """Observe every worktree once, edits that are not committed included.

    \b
    Example:
      kittywatch emit scan
    """
    output: Output = ctx.obj
    told = 0
    for seen in observe_all(open_project(ctx)):
        told += len(seen.events)
        for event in seen.events:
            output.data(to_json(event) if as_json else event_line(event))
        say_baseline(output, seen)
    output.say(f"{told} {'event' if told == 1 else 'events'} told")


@emit.command()
@click.option("--dry-run", is_flag=True, help="Print what would be told; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.pass_context
def reconcile(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Tell where the lanes told last differ from what is checked out.

    They differ, for instance, when another branch shows another lane. That is no transition, so nothing but this
    command ever tells it.

    \b
    Examples:
      kittywatch emit reconcile --dry-run
      kittywatch emit reconcile
    """
    output: Output = ctx.obj
    project = open_project(ctx, writes=not dry_run)
    events = reconcile_view(project, dry_run=dry_run)
    for event in events:
        output.data(to_json(event) if as_json else event_line(event))
    told = f"{len(events)} {'event' if len(events) == 1 else 'events'}"
    output.say(f"{told} would be told (dry run: nothing was written)" if dry_run else f"{told} told")


@contextmanager
def _progress(output: Output) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if output.quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading commits", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
