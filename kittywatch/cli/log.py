"""`log`: the events told here."""

from __future__ import annotations

import click

from kittywatch.cli.context import open_project
from kittywatch.cli.lines import event_line
from kittywatch.cli.output import Output
from kittywatch.events import from_json
from kittywatch.store import outbox
from kittywatch.store.outbox import LogRow


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.option("--wp", "wp_id", metavar="WP01", help="Only this work package.")
@click.option("--feature", metavar="SLUG", help="Only this feature.")
@click.option("-n", "newest", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
@click.pass_context
def log(ctx: click.Context, as_json: bool, wp_id: str | None, feature: str | None, newest: int | None) -> None:
    """List the events told here, pending and delivered, in the order in which they were told.

    \b
    Examples:
      kittywatch log -n 20
      kittywatch log --feature 001-login --wp WP03
      kittywatch log --json | jq .payload
    """
    output: Output = ctx.obj
    project = open_project(ctx)
    nothing: list[LogRow] = []
    rows = project.emitter.read(
        lambda connection, row: outbox.logged(connection, row, feature=feature, wp_id=wp_id, newest=newest),
        default=nothing,
    )
    for row in rows:
        if as_json:
            output.data(row.data)
        else:
            mark = " " if row.delivered_at is None else "✓"
            output.data(f"{mark} {event_line(from_json(row.data))}")
    if not rows:
        output.say("nothing has been told here yet; `kittywatch emit replay` tells the history")
