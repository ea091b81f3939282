"""`queue`: what waits to be delivered."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from kittywatch.cli.context import open_project
from kittywatch.cli.lines import counted, event_line
from kittywatch.cli.output import Output
from kittywatch.errors import KittywatchError
from kittywatch.events import from_json
from kittywatch.store import outbox
from kittywatch.store.outbox import QueueRow


@click.group()
def queue() -> None:
    """What waits to be delivered: one queue for all projects of this machine's user."""


@queue.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.option("-n", "limit", type=click.IntRange(min=1), metavar="N", help="Only the oldest N.")
@click.pass_context
def list_(ctx: click.Context, as_json: bool, limit: int | None) -> None:
    """List the events that wait, oldest first.

    \b
    Examples:
      kittywatch queue list -n 10
      kittywatch queue list --json
    """
    output: Output = ctx.obj
    rows = _rows(ctx, limit=limit)
    for row in rows:
        output.data(row.data if as_json else f"{row.event_id}  {event_line(from_json(row.data))}")
    if not rows:
        output.say("nothing waits")


@queue.command()
@click.argument("event_id", metavar="ID")
@click.pass_context
def show(ctx: click.Context, event_id: str) -> None:
    """Show one event that waits, whole; the start of its id is enough.

    \b
    Example:
      kittywatch queue show 01KGVAJ8
    """
    output: Output = ctx.obj
    rows = _rows(ctx, prefix=event_id.upper(), limit=2)
    if len(rows) != 1:
        what = "more than one event waits" if rows else "no event waits"
        raise KittywatchError(
            f"{what} under an id that begins with {event_id!a}", remedy="`kittywatch queue list` shows the ids"
        )
    value: dict[str, Any] = json.loads(rows[0].data)
    output.data(json.dumps(value, indent=2))


@queue.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.pass_context
def export(ctx: click.Context, file: Path) -> None:
    """Write the events that wait to a file, one line of JSON each; they go on waiting.

    \b
    Examples:
      kittywatch queue export backup.jsonl
      kittywatch queue export - | gzip > backup.jsonl.gz
    """
    output: Output = ctx.obj
    rows = _rows(ctx)
    if str(file) == "-":
        for row in rows:
            output.data(row.data)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as target:
            target.writelines(row.data + "\n" for row in rows)
    except FileExistsError:
        raise KittywatchError(f"{file} is there already", remedy="name a file that doesn't exist yet") from None
    except OSError as error:
        raise KittywatchError(f"{file}: {error.strerror}", remedy="name a file that can be written") from None
    output.say(f"{counted(len(rows), 'event')} written to {file}; still waiting for delivery")


def _rows(ctx: click.Context, *, prefix: str = "", limit: int | None = None) -> list[QueueRow]:
    store = open_project(ctx).store
    if not store.exists:
        return []
    return store.read(lambda connection: list(outbox.queued(connection, prefix=prefix, limit=limit)))
