"""Commands that are not ours: `spec-kitty` hands them on to an installed spec-kitty-cli."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import click

_THEIRS = "specify_cli"


def forward(arguments: list[str]) -> click.Command:
    """A command that runs spec-kitty-cli with the same arguments; a usage error where there is none."""
    if importlib.util.find_spec(_THEIRS) is None:
        raise click.UsageError(
            f"there is no command {arguments[0]!a} in kittywatch, and spec-kitty-cli, which may know it, is not "
            "installed beside it"
        )

    @click.pass_context
    def run(ctx: click.Context) -> None:
        # A process of its own: two command lines of this size in one interpreter would share more than arguments.
        program = f"import sys; sys.argv[0] = 'spec-kitty'; from {_THEIRS} import main; main()"
        ctx.exit(subprocess.run([sys.executable, "-c", program, *arguments], check=False).returncode)

    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    return click.Command(arguments[0], callback=run, context_settings=settings)
