"""`log`: the events told here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import click

from kittywatch.cli.context import open_project
from kittywatch.cli.lines import event_line
from kittywatch.cli.output import Output
from kittywatch.errors import StoreError
from kittywatch.events import from_json
from kittywatch.events.field_form import FORMAT, as_status_transition
from kittywatch.project import Project
from kittywatch.store import outbox
from kittywatch.store.outbox import LogRow


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.option(
    "--as",
    "form",
    type=click.Choice([FORMAT]),
    help="Print each lane transition as JSON in the form of that library (its StatusTransitionPayload), nothing else.",
)
@click.option("--wp", "wp_id", metavar="WP01", help="Only this work package, by its id as its source writes it.")
@click.option("--feature", metavar="SLUG", help="Only this feature.")
@click.option("-n", "newest", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
@click.option("--follow", "-f", is_flag=True, help="Go on with each event as it is told, until Ctrl-C.")
@click.pass_context
def log(
    ctx: click.Context,
    as_json: bool,
    form: str | None,
    wp_id: str | None,
    feature: str | None,
    newest: int | None,
    follow: bool,
) -> None:
    """List the events told here, pending and delivered, in the order in which they were told.

    \b
    Examples:
      kittywatch log -n 20
      kittywatch log --feature 001-login --wp WP03
      kittywatch log --wp BACK-12
      kittywatch log --json | jq .payload
      kittywatch log --as spec-kitty-events --feature 001-login
      kittywatch log --follow -n 5
    """
    output: Output = ctx.obj
    if as_json and form is not None:
        raise click.UsageError("--json and --as are two forms: choose one")
    project = open_project(ctx)
    line = as_status_transition if form is not None else _as_it_is if as_json else None
    show = _Show(project, output, line, partial(outbox.logged, feature=feature, wp_id=wp_id))
    if follow:
        _follow(show, project, output, newest)
    elif not show.new(newest):
        output.say("nothing has been told here yet; `kittywatch emit replay` tells the history")


def _as_it_is(data: str) -> str:
    return data


class _Show:
    """Prints the events that are new since it was asked last: a line for people each, or what `line` makes of them."""

    def __init__(
        self,
        project: Project,
        output: Output,
        line: Callable[[str], str | None] | None,
        query: Callable[..., list[LogRow]],
    ) -> None:
        self._project = project
        self._output = output
        self._line = line
        self._query = query
        self._last = 0

    def new(self, newest: int | None = None) -> int:
        """Print them, at most the last `newest`; returns how many."""
        nothing: list[LogRow] = []
        rows = self._project.emitter.read(
            lambda connection, row: self._query(connection, row, newest=newest, after=self._last), default=nothing
        )
        for row in rows:
            self._last = row.sequence
            if (shown := self._shown(row)) is not None:
                self._output.data(shown)
        if rows:
            sys.stdout.flush()
        return len(rows)

    def _shown(self, row: LogRow) -> str | None:
        if self._line is not None:
            return self._line(row.data)
        mark = " " if row.delivered_at is None else "✓"
        return f"{mark} {event_line(from_json(row.data))}"


def _follow(show: _Show, project: Project, output: Output, newest: int | None) -> None:
    from kittywatch.observe.store_watch import StoreWatch

    try:
        watch = StoreWatch(project.store.path, output.warn)
    except OSError as error:
        raise StoreError(
            f"{project.store.directory}: {error.strerror}", remedy="make it writable, or set SPEC_KITTY_HOME"
        ) from error
    with watch:
        show.new(newest)
        while True:
            watch.wait()
            show.new()
