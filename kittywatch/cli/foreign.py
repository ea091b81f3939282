"""Commands of spec-kitty-cli: the script `spec-kitty` has the commands of both where both are installed.

Both distributions bring that script, and the one that was installed last has the name. Where it is ours, it gives
spec-kitty-cli every command that it knows but for `OURS`, which it never had. `kittywatch` is always ours alone.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Collection
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any

import click

from kittywatch.workflow import upstream

OURS = frozenset(
    ["watch", "emit", "hooks", "log", "explain", "board", "queue", "hub", "demo", "tail", "status", "completion"]
)


class ForwardingGroup(click.Group):
    """A group of commands; under the name `spec-kitty`, those that spec-kitty-cli knows are its own."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and ctx.find_root().info_name == upstream.SCRIPT:
            theirs = self._theirs(ctx, args)
            if theirs is not None:
                return args[0], theirs, args[1:]
        return super().resolve_command(ctx, args)

    def _theirs(self, ctx: click.Context, args: list[str]) -> click.Command | None:
        """The command as spec-kitty-cli's, None where it is ours; a usage error where it is nobody's."""
        name = args[0]
        unknown = self.get_command(ctx, name) is None
        found = upstream.entry_point() if ctx.parent is None and name not in OURS else None
        if found is not None:
            called = _Called(found, args)
            return called.command(name) if unknown or called.knows(name) else None
        if unknown:
            raise click.UsageError(
                f"there is no command {_whole(ctx, name)!a} in kittywatch, and spec-kitty-cli, which may know it, is "
                "not installed beside it; install both in one environment: pip install spec-kitty-cli kittywatch"
            )
        return None


class _Called:
    """spec-kitty-cli called with some arguments, in this process: starting it takes long enough once."""

    def __init__(self, entry: EntryPoint, arguments: list[str]) -> None:
        self._entry = entry
        self._arguments = arguments

    def knows(self, name: str) -> bool:
        """Whether it has a command of a name; what doesn't say which commands it has is taken to have it."""
        sys.argv[1:] = self._arguments  # it looks at them while it puts its commands together
        names = _commands(getattr(import_module(self._entry.module), "app", None))
        return names is None or name in names

    def command(self, name: str) -> click.Command:
        settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
        return click.Command(name, callback=self._run, context_settings=settings)

    def _run(self) -> None:
        sys.argv[1:] = self._arguments
        try:
            done = self._entry.load()()
        except SystemExit as stop:
            done = stop.code
        except Exception:
            traceback.print_exc()  # as its own script would: it is no fault of ours
            done = 1
        if isinstance(done, str):
            click.echo(done, err=True)
        raise click.exceptions.Exit(done if isinstance(done, int) else int(done is not None))


def _commands(app: Any) -> Collection[str] | None:
    """The names of an application's commands, made with typer or click; None for any other."""
    if app is not None and not isinstance(app, click.Command):
        try:
            app = import_module("typer.main").get_command(app)
        except Exception:  # whatever it is, it is not the typer application that we know
            return None
    return getattr(app, "commands", None)


def _whole(ctx: click.Context, name: str) -> str:
    """A command's name with the groups that it is in."""
    names = [name]
    while ctx.parent is not None:
        names.insert(0, ctx.info_name or "")
        ctx = ctx.parent
    return " ".join(names)
