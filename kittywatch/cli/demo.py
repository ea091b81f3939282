"""`demo`: all of it, in a scratch directory, in one go."""

from __future__ import annotations

import signal
import sys
import webbrowser
from typing import TYPE_CHECKING

import click

from kittywatch.cli.hub_database import with_the_extra
from kittywatch.cli.lines import counted
from kittywatch.cli.output import Output

if TYPE_CHECKING:
    from kittywatch.demo.board import Board

_PAUSE_SECONDS = 1.0  # between an agent's moves, for the eye


@click.command()
@click.option("--headless", is_flag=True, help="Open no browser, take no time between the moves, and end by itself.")
@click.pass_context
@with_the_extra
def demo(ctx: click.Context, headless: bool) -> None:
    """See all of it work: a scratch project, hub, watcher, hooks and agents; the browser shows the board.

    The agents are real processes that move work packages by edits and commits; their branches are merged, rebased and
    squashed. The last line compares the transitions that were made, told, and arrived at the hub. Needs no account
    and no configuration, and leaves nothing behind.

    \b
    Examples:
      kittywatch demo
      kittywatch demo --headless
    """
    from kittywatch.demo.scratch import Scratch
    from kittywatch.demo.show import Show

    output: Output = ctx.obj

    def meet(board: Board) -> None:
        if not headless:
            address = board.door()
            output.say(f"The board: {address} (once; after that {board.url})")
            webbrowser.open(address)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(
                getattr(signal, name), signal.default_int_handler
            )  # what is under way is taken away then, too
    with Scratch() as scratch:
        counts = Show(scratch, output.data, pause=0.0 if headless else _PAUSE_SECONDS).play(meet)
        made = counted(counts.made, "transition")
        output.data(f"{made} made, {counted(counts.told, 'event')} told, {counts.taken} at the hub")
        if not counts.equal:
            output.error("the three numbers differ", "please report it with what stands above")
            ctx.exit(1)
        if not headless and sys.stdin.isatty():
            click.pause("Press a key to take it all away again.", err=True)
