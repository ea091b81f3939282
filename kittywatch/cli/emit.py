"""`emit`: tell what is there, or say an event by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from kittywatch.cli.context import deliver_afterwards, open_project
from kittywatch.cli.lines import event_line
from kittywatch.cli.output import Output
from kittywatch.cli.taken_in import say_baseline
from kittywatch.errors import ProjectError
from kittywatch.events import from_json, to_json
from kittywatch.observe.once import observe_all
from kittywatch.observe.reconcile import reconcile_view
from kittywatch.observe.replay import Replay, Scope


@click.group()
@click.pass_context
def emit(ctx: click.Context) -> None:
    """Tell what is there: a branch's history, or the worktree as it is; or say an event by hand."""
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
@click.option("--feature", metavar="SLUG", help="Only this feature: its directory, milestone, tag or epic.")
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


_FEATURE = click.option(
    "--feature", metavar="SLUG", help="Its directory, milestone, tag or epic; not needed where one alone has it."
)
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the event as one line of JSON.")


@emit.command()
@click.argument("wp_id", metavar="WP")
@click.argument("text")
@click.option("--type", "kind", type=click.Choice(["note", "review", "error", "comment"]), default="note")
@click.option("--author", default="user", show_default=True)
@_FEATURE
@_AS_JSON
@click.pass_context
def history(
    ctx: click.Context, wp_id: str, text: str, kind: str, author: str, feature: str | None, as_json: bool
) -> None:
    """Tell a note by hand; an observer that meets the same words by the same author is silent.

    \b
    Example:
      kittywatch emit history WP01 "Half of it works" --author claude
    """
    emitter = open_project(ctx).emitter
    _say(ctx, emitter.emit_history_added(wp_id, kind, text, author, feature), as_json)


@emit.command()
@click.argument("message")
@click.option("--wp", "wp_id", metavar="WP", help="The work package that it is about.")
@click.option(
    "--type", "kind", type=click.Choice(["validation", "runtime", "network", "auth", "unknown"]), default="runtime"
)
@click.option("--agent", help="Who met it.")
@_FEATURE
@_AS_JSON
@click.pass_context
def error(
    ctx: click.Context,
    message: str,
    wp_id: str | None,
    kind: str,
    agent: str | None,
    feature: str | None,
    as_json: bool,
) -> None:
    """Tell an error by hand.

    \b
    Example:
      kittywatch emit error "the build fails" --wp WP01 --agent claude
    """
    emitter = open_project(ctx).emitter
    _say(ctx, emitter.emit_error_logged(wp_id, kind, message, agent_id=agent, feature_slug=feature), as_json)


@emit.command()
@click.argument("wp_id", metavar="WP")
@click.argument("agent")
@click.option("--phase", type=click.Choice(["implementation", "review"]), default="implementation", show_default=True)
@click.option("--retry-count", type=click.IntRange(min=0), default=0, help="How many were before in this phase.")
@_FEATURE
@_AS_JSON
@click.pass_context
def assign(
    ctx: click.Context, wp_id: str, agent: str, phase: str, retry_count: int, feature: str | None, as_json: bool
) -> None:
    """Tell by hand who takes a work package on; an observer that sees the same agent there is silent.

    \b
    Example:
      kittywatch emit assign WP01 claude
    """
    emitter = open_project(ctx).emitter
    _say(ctx, emitter.emit_wp_assigned(wp_id, agent, phase, retry_count, feature), as_json)


def _say(ctx: click.Context, event: dict[str, Any] | None, as_json: bool) -> None:
    """Print what was told, or the event that told the same before; fails where nothing was."""
    if event is None:
        raise ProjectError("nothing was told", remedy="see the warning above for the field")
    line = json.dumps(event, ensure_ascii=False)
    output: Output = ctx.obj
    output.data(line if as_json else event_line(from_json(line)))


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
