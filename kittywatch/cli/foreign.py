"""Commands that are not ours: `spec-kitty` hands them on to an installed spec-kitty-cli."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import click

_THEIRS = "specify_cli"


class ForwardingGroup(click.Group):
    """A group of commands; what it doesn't know, `spec-kitty` hands on with all the names before it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        unknown = args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None
        if unknown and ctx.find_root().info_name == "spec-kitty":
            groups: list[str] = []
            at = ctx
            while at.parent is not None:
                groups.insert(0, at.info_name or "")
                at = at.parent
            return args[0], forward([*groups, *args], len(groups) + 1), args[1:]
        return super().resolve_command(ctx, args)


def forward(arguments: list[str], named: int = 1) -> click.Command:
    """A command that runs spec-kitty-cli with the same arguments; a usage error where there is none.

    The first `named` arguments are the command's name, with the groups that it is in.
    """
    if importlib.util.find_spec(_THEIRS) is None:
        command = " ".join(arguments[:named])
        raise click.UsageError(
            f"there is no command {command!a} in kittywatch, and spec-kitty-cli, which may know it, is not "
            "installed beside it"
        )

    @click.pass_context
    def run(ctx: click.Context) -> None:
        # A process of its own: two command lines of this size in one interpreter would share more than arguments.
        program = f"import sys; sys.argv[0] = 'spec-kitty'; from {_THEIRS} import main; main()"
        ctx.exit(subprocess.run([sys.executable, "-c", program, *arguments], check=False).returncode)

    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    return click.Command(arguments[0], callback=run, context_settings=settings)
