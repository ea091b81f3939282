"""The command line. Each command's module is imported when it is called, and not before."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from kittywatch import __version__
from kittywatch.cli.boundary import run
from kittywatch.cli.foreign import ForwardingGroup
from kittywatch.cli.output import Output
from kittywatch.workflow import upstream

COMMANDS = {
    "init": "kittywatch.cli.init:init",
    "watch": "kittywatch.cli.watch:watch",
    "hooks": "kittywatch.cli.hooks:hooks",
    "emit": "kittywatch.cli.emit:emit",
    "events": "kittywatch.cli.events:events",
    "log": "kittywatch.cli.log:log",
    "explain": "kittywatch.cli.explain:explain",
    "board": "kittywatch.cli.board:board",
    "queue": "kittywatch.cli.queue:queue",
    "sync": "kittywatch.cli.sync:sync",
    "auth": "kittywatch.cli.auth:auth",
    "implement": "kittywatch.cli.workflow:implement",
    "merge": "kittywatch.cli.workflow:merge",
    "accept": "kittywatch.cli.workflow:accept",
    "agent": "kittywatch.cli.agent:agent",
    "orchestrate": "kittywatch.cli.orchestrate:orchestrate",
    "hub": "kittywatch.cli.hub:hub",
    "demo": "kittywatch.cli.demo:demo",
    "doctor": "kittywatch.cli.doctor:doctor",
    "completion": "kittywatch.cli.completion:completion",
    "uninstall": "kittywatch.cli.uninstall:uninstall",
}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(ForwardingGroup):
    """The commands, each imported by its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, name = where.split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        theirs = upstream.version() if ctx.info_name == upstream.SCRIPT else None
        click.echo("\n".join([*([theirs] if theirs else []), f"kittywatch, version {__version__}"]))
        ctx.exit()


@click.group(cls=LazyGroup, context_settings=CONTEXT)
@click.option(
    "-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
@click.option("-C", "directory", type=click.Path(path_type=Path), help="Run as if started in this directory.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors and what was asked for.")
@click.option("-v", "--verbose", is_flag=True, help="Say more, and show where an error came from.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours; NO_COLOR counts."
)
@click.pass_context
def cli(ctx: click.Context, directory: Path | None, quiet: bool, verbose: bool, color: str) -> None:
    """Watches the work packages of a git project and tells every lane change exactly once.

    \b
    First steps, in a clone of your project:
      kittywatch init            give the project its identity, and take in what is there
      kittywatch emit replay     tell the history that was there before
      kittywatch log             see what was told
    """
    if directory is not None:
        try:
            os.chdir(directory)
        except OSError as error:
            raise click.BadParameter(f"{directory}: {error.strerror}", param_hint="-C") from None
    output = ctx.ensure_object(Output)
    output.quiet, output.verbose, output.color = quiet, verbose, color


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of both scripts, `kittywatch` and `spec-kitty`."""
    name = Path(sys.argv[0]).name.removesuffix(".exe")
    options: dict[str, Any] = {"prog_name": name if name in ("kittywatch", "spec-kitty") else "kittywatch"}
    sys.exit(run(cli, list(sys.argv[1:] if arguments is None else arguments), **options))


if __name__ == "__main__":
    main()
