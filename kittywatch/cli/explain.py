"""`explain`: where an event came from, and where it is now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from kittywatch.cli.context import open_store
from kittywatch.cli.lines import event_line
from kittywatch.cli.output import Output, plain
from kittywatch.errors import KittywatchError
from kittywatch.events import from_json
from kittywatch.store import aliases, outbox
from kittywatch.store.aliases import Alias
from kittywatch.store.outbox import Traced

if TYPE_CHECKING:
    import sqlite3

_MOST_ALIASES = 100  # that begin alike: more of them than of events, of which two are too many

_OBSERVERS = {
    "hand": "told by hand, by a command or a program that called emit_…",
    "watcher": "a watcher saw the file",
    "scan": "a scan of the worktrees saw the file",
    "init": "`init` looked at the checkout",
    "hooks install": "`hooks install` looked at the checkout",
    "replay": "a replay of the history",
    "reconcile": "`emit reconcile`: the lane told last was another one than the checkout's",
}


@click.command()
@click.argument("event_id", metavar="EVENT_ID")
@click.option("--json", "as_json", is_flag=True, help="Print what is known as JSON.")
@click.pass_context
def explain(ctx: click.Context, event_id: str, as_json: bool) -> None:
    """Say where an event came from: observer, commit, file, trail record; when it was queued, sent and taken.

    The start of the id is enough. Every event that was ever told on this machine can be asked for, from anywhere, also
    by an alias: the id that another machine, or a replay there, has for the same transition.

    \b
    Examples:
      kittywatch explain 01KGVAJ8
      kittywatch explain 01KGVAJ8 --json
      kittywatch queue list -n 1 | cut -d ' ' -f 1 | xargs kittywatch explain
    """
    output: Output = ctx.obj
    store = open_store(ctx)
    prefix = event_id.upper()
    rows, known = store.read(lambda connection: _found(connection, prefix)) if store.exists else ([], [])
    if len(rows) != 1:
        what = "more than one event was" if rows else "no event was"
        raise KittywatchError(
            f"{what} told here under an id that begins with {event_id!a}",
            remedy="`kittywatch log --json | jq -r .event_id` lists the ids",
        )
    if as_json:
        output.data(json.dumps(_fields(rows[0]) | {"aliases": [_alias_fields(one) for one in known]}))
        return
    for name, text in (*_lines(rows[0]), *_alias_lines(known)):
        output.data(f"{name:10} {plain(text)}")


def _found(connection: sqlite3.Connection, prefix: str) -> tuple[list[Traced], list[Alias]]:
    """The events whose ids, or whose aliases, begin with `prefix`, two at most; the aliases of the only one."""
    rows = {row.event_id: row for row in outbox.traced(connection, prefix, limit=2)}
    for one in aliases.beginning_with(connection, prefix, limit=_MOST_ALIASES):
        rows |= {row.event_id: row for row in outbox.traced(connection, one.event_id, limit=1)}
    found = list(rows.values())[:2]
    return found, aliases.of_event(connection, found[0].event_id) if len(found) == 1 else []


def _alias_fields(one: Alias) -> dict[str, object]:
    return {
        "alias": one.alias,
        "found_at": _stamp(one.created_at),
        "delivered_at": _stamp(one.delivered_at),
        "refused_at": _stamp(one.refused_at),
        "reason": one.reason,
    }


def _alias_lines(known: Iterable[Alias]) -> Iterator[tuple[str, str]]:
    for one in known:
        stands = "not sent to a server yet"
        if one.delivered_at is not None:
            stands = f"a server knows since {_moment(one.delivered_at)}"
        elif one.refused_at is not None:
            stands = f"a server refused it at {_moment(one.refused_at)}: {one.reason}"
        yield "alias", f"{one.alias}  what its commit tells by itself, found at {_moment(one.created_at)}; {stands}"


def _fields(row: Traced) -> dict[str, object]:
    source = row.source
    return {
        "event_id": row.event_id,
        "event": json.loads(row.data),
        "project": row.project,
        "observer": source.get("observer"),
        "commit": source.get("commit"),
        "path": source.get("path"),
        "trail_record": bool(source.get("record")),
        "recipient": row.destination,
        "queued_at": _stamp(row.emitted_at),
        "sent_at": _stamp(row.sent_at),
        "delivered_at": _stamp(row.delivered_at),
        "purged_at": _stamp(row.purged_at),
        "waits": row.waits,
        "refused": row.retry_count,
        "reason": row.reason,
        "dead_since": _stamp(row.died_at),
    }


def _lines(row: Traced) -> Iterator[tuple[str, str]]:
    event = from_json(row.data)
    source = row.source
    observer = str(source.get("observer", "unknown"))
    yield "event", f"{row.event_id}  {row.event_type}"
    yield "says", event_line(event)
    yield "project", row.project
    yield "observer", _observer(observer)
    yield "commit", str(source.get("commit") or "none: what the worktree showed, or a person stated")
    if source.get("path"):
        yield "file", str(source["path"])
    yield "time", _time_is(source, observer)
    if event.causation_id is not None:
        yield "cause", event.causation_id
    yield "queued", f"{_moment(row.emitted_at)}, tick {event.lamport_clock} of this machine's clock"
    yield "delivery", _delivery(row)


def _observer(name: str) -> str:
    if name.startswith("hook:"):
        return f"the git hook {name.removeprefix('hook:')}"
    if name.startswith("post-"):
        return f"the git hook {name}"
    return _OBSERVERS.get(name, name)


def _time_is(source: dict[str, object], observer: str) -> str:
    if source.get("record"):
        return "its time and agent are the trail record's, in the work package's activity log"
    if source.get("commit"):
        return "its time is the commit's author time; no record of the trail tells it"
    return "its time is when it was stated" if observer == "hand" else "its time is when it was seen"


def _delivery(row: Traced) -> str:
    to = f" for {row.destination}" if row.destination else ""
    if row.delivered_at is not None:
        sent = f"sent at {_moment(row.sent_at)}, " if row.sent_at is not None else ""
        return f"{sent}taken by a server at {_moment(row.delivered_at)}{to}"
    if row.purged_at is not None:
        return f"purged from the queue at {_moment(row.purged_at)}, never taken"
    refused = f"; a server refused it {row.retry_count} times, last because: {row.reason}" if row.retry_count else ""
    if row.died_at is not None:
        return f"a dead letter since {_moment(row.died_at)}{refused}"
    return f"waits in the queue{to}{refused}" if row.waits else f"left the queue without a server's word{refused}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def _stamp(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
