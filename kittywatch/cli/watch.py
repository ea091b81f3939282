"""`watch`: observe in the foreground."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from types import FrameType

import click

from kittywatch.cli.connection import LiveConnection
from kittywatch.cli.context import deliver_afterwards, open_project
from kittywatch.cli.lines import event_line
from kittywatch.cli.notify import Notifier, find_notifier
from kittywatch.cli.output import Output
from kittywatch.cli.taken_in import say_baseline
from kittywatch.events import Event, from_json
from kittywatch.observe.observation import Observed
from kittywatch.project import Project
from kittywatch.store import outbox

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.option("--once", is_flag=True, help="Observe once and end.")
@click.option("--poll", is_flag=True, help="Look every second instead of waiting for events of the file system.")
@click.option("--notify", is_flag=True, help="Show lane changes as notifications of the desktop as well.")
@click.pass_context
def watch(ctx: click.Context, as_json: bool, once: bool, poll: bool, notify: bool) -> None:
    """Observe every worktree of the project, print each event as it is derived, and deliver it at once.

    Runs until Ctrl-C. A line says when, which feature and work package, what happened, by whom, where it was seen, and
    how the connection to the server stands: [Connected], [Reconnecting], [Offline], or [Offline - Batch Mode].

    \b
    Examples:
      kittywatch watch
      kittywatch watch --json | jq .payload
      kittywatch watch --once
      kittywatch watch --notify
    """
    output: Output = ctx.obj
    if os.environ.get("KITTYWATCH") == "0":
        output.say("KITTYWATCH=0 is set: nothing is watched")
        return
    project = open_project(ctx)
    notifier = _notifier(output) if notify else None
    printer = _Printer(project, output, as_json, notifier)
    try:
        if once:
            deliver_afterwards(ctx)
            scan(project, printer)
        else:
            _watch(project, output, printer, poll)
    finally:
        if notifier is not None:
            notifier.close()


def _notifier(output: Output) -> Notifier | None:
    found = find_notifier()
    if found is None:
        output.warn("neither notify-send nor osascript is on PATH: there are no notifications")
    return found


def scan(project: Project, printer: _Printer) -> None:
    """Observe every worktree once; a broken file that may still be being written gets the time to settle."""
    from kittywatch.observe.once import observe_all

    for seen in observe_all(project):
        printer.told(seen)


def _watch(project: Project, output: Output, printer: _Printer, poll: bool) -> None:
    from kittywatch.observe.watcher import Watcher, alone

    # watchdog says this where a directory comes up twice while it looks for new ones; it is watched once all the same.
    warnings.filterwarnings("ignore", "Callback with id .* already exists", RuntimeWarning)

    with alone(project.git.common) as holder:
        if holder is not None:
            output.say(f"{holder} watches this project already; two watchers tell everything once all the same")
        connection = LiveConnection(project, output)
        printer.connection = connection
        watcher = Watcher(project, printer.told, poll=poll, at_home=connection.home_changed)

        def end(number: int, frame: FrameType | None) -> None:
            watcher.stop()

        def ready() -> None:
            output.say(f"watching; Ctrl-C ends it  {connection.label}")
            connection.start()

        before = {number: signal.signal(number, end) for number in _SIGNALS}
        try:
            watcher.run(ready)
        finally:
            connection.stop()
            for number, handler in before.items():
                signal.signal(number, handler)
    printer.end()


class _Printer:
    """Prints what was told in the project since it began, by whichever observer."""

    connection: LiveConnection | None = None

    def __init__(self, project: Project, output: Output, as_json: bool, notifier: Notifier | None) -> None:
        self._project = project
        self._output = output
        self._as_json = as_json
        self._notifier = notifier
        self._last = project.emitter.read(lambda connection, row: outbox.newest_sequence(connection), default=0)
        self._lock = threading.Lock()

    def told(self, seen: Observed) -> None:
        if seen.baseline is not None:
            say_baseline(self._output, seen)
        nothing: list[outbox.LogRow] = []
        rows = self._project.emitter.read(
            lambda connection, row: outbox.logged(connection, row, after=self._last), default=nothing
        )
        if rows and self.connection is not None:
            self.connection.wake()
        events = [from_json(row.data) for row in rows]
        for row, event in zip(rows, events, strict=True):
            self._last = row.sequence
            self._output.data(row.data if self._as_json else self._line(row, event))
        if rows:
            sys.stdout.flush()
        if self._notifier is not None:
            self._notifier.show(events)

    def _line(self, row: outbox.LogRow, event: Event) -> str:
        status = "" if self.connection is None else f"  {self.connection.label}"
        return f"{event_line(event)}  {row.seen_by}{status}"

    def end(self) -> None:
        self._output.say("stopped")
