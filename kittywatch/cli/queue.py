"""`queue`: what waits to be delivered, and what was refused too often."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from kittywatch.cli.context import open_store, warn_of_queue
from kittywatch.cli.lines import counted, event_line
from kittywatch.cli.output import Output
from kittywatch.errors import KittywatchError
from kittywatch.events import InvalidEventError, from_json
from kittywatch.store import delivery, outbox
from kittywatch.store.outbox import QueueRow
from kittywatch.store.store import Store


@click.group()
def queue() -> None:
    """What waits to be delivered: one queue for all projects of this machine's user."""


@queue.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.option("-n", "limit", type=click.IntRange(min=1), metavar="N", help="Only the oldest N.")
@click.option("--dead", is_flag=True, help="Only dead letters: what the server refused too often.")
@click.pass_context
def list_(ctx: click.Context, as_json: bool, limit: int | None, dead: bool) -> None:
    """List the events that wait, oldest first, dead letters among them.

    \b
    Examples:
      kittywatch queue list -n 10
      kittywatch queue list --dead
      kittywatch queue list --json
    """
    output: Output = ctx.obj
    rows = _rows(ctx, limit=limit, dead=dead or None)
    for row in rows:
        output.data(row.data if as_json else f"{row.event_id}  {_line(row)}")
    if not rows:
        output.say("nothing waits")


@queue.command()
@click.argument("event_id", metavar="ID")
@click.pass_context
def show(ctx: click.Context, event_id: str) -> None:
    """Show one event that waits, whole; the start of its id is enough. Why it was refused goes to stderr.

    \b
    Example:
      kittywatch queue show 01KGVAJ8
    """
    output: Output = ctx.obj
    row = _one(_rows(ctx), event_id)
    try:
        output.data(json.dumps(json.loads(row.data), indent=2))
    except ValueError:
        output.data(row.data)
    if row.reason is not None:
        output.say(f"refused {row.retry_count} times{', a dead letter' if row.died_at else ''}: {row.reason}")


@queue.command()
@click.argument("event_ids", metavar="[ID…]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Also what was refused and is left alone for a while.")
@click.pass_context
def retry(ctx: click.Context, event_ids: tuple[str, ...], everything: bool) -> None:
    """Put dead letters back into the queue, all of them or those named; the start of an id is enough.

    \b
    Examples:
      kittywatch queue retry
      kittywatch queue retry --all            when the server is in order again
      kittywatch queue retry 01KGVAJ8
    """
    output: Output = ctx.obj
    store = open_store(ctx)
    rows = [row for row in _queued(store) if row.died_at is not None or (row.retry_count and (everything or event_ids))]
    keys = [_one(rows, event_id).key for event_id in event_ids] if event_ids else [row.key for row in rows]
    count = store.transact(lambda connection: delivery.revive(connection, keys)) if keys else 0
    output.say(f"{counted(count, 'event')} put back; `kittywatch sync now` delivers")


@queue.command()
@click.argument("event_ids", metavar="[ID…]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that waits, not only dead letters.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_context
def purge(ctx: click.Context, event_ids: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Give up on delivering events: dead letters, those named, or all. They stay in the log; asks first.

    \b
    Examples:
      kittywatch queue purge                  all dead letters
      kittywatch queue purge 01KGVAJ8 --yes
      kittywatch queue purge --all
    """
    output: Output = ctx.obj
    store = open_store(ctx)
    rows = _queued(store, dead=None if event_ids or everything else True)
    if event_ids:
        rows = [_one(rows, event_id) for event_id in event_ids]
    if not rows:
        output.say("nothing to give up")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("there is no terminal to ask at: give --yes")
        click.confirm(f"Never deliver {counted(len(rows), 'event')}?", abort=True, err=True)
    count = store.transact(lambda connection: delivery.purge(connection, [row.key for row in rows]))
    output.say(f"{counted(count, 'event')} won't be delivered")


@queue.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--dead", is_flag=True, help="Only dead letters.")
@click.pass_context
def export(ctx: click.Context, file: Path, dead: bool) -> None:
    """Write the events that wait to a file, one line of JSON each; they go on waiting. Dead letters are among them.

    \b
    Examples:
      kittywatch queue export backup.jsonl
      kittywatch queue export - | gzip > backup.jsonl.gz
    """
    output: Output = ctx.obj
    rows = _rows(ctx, dead=dead or None)
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


def _rows(ctx: click.Context, *, limit: int | None = None, dead: bool | None = None) -> list[QueueRow]:
    store = open_store(ctx)
    warn_of_queue(store, ctx.obj)
    return _queued(store, limit=limit, dead=dead)


def _queued(store: Store, *, limit: int | None = None, dead: bool | None = None) -> list[QueueRow]:
    if not store.exists:
        return []
    return store.read(lambda connection: list(outbox.queued(connection, limit=limit, dead=dead)))


def _one(rows: list[QueueRow], event_id: str) -> QueueRow:
    """The one event whose id begins so; raises KittywatchError where there are none or several."""
    found = [row for row in rows if row.event_id.startswith(event_id.upper())]
    if len(found) != 1:
        what = "more than one event waits" if found else "no event waits"
        raise KittywatchError(
            f"{what} under an id that begins with {event_id!a}", remedy="`kittywatch queue list` shows the ids"
        )
    return found[0]


def _line(row: QueueRow) -> str:
    try:
        line = event_line(from_json(row.data))
    except InvalidEventError:
        line = row.event_type  # another program queued it
    if row.died_at is not None:
        return f"{line}  dead letter: {row.reason}"
    return f"{line}  refused {row.retry_count} times: {row.reason}" if row.reason else line
