"""`completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from kittywatch.cli.output import Output

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that lets a shell complete commands and options; bash 4.4 or newer, zsh, fish.

    It completes the name that it was asked for by: `spec-kitty completion bash` prints the one for spec-kitty.

    \b
    Examples:
      kittywatch completion bash > ~/.local/share/bash-completion/completions/kittywatch
      kittywatch completion zsh > ~/.zfunc/_kittywatch       with `fpath+=~/.zfunc` before compinit in .zshrc
      kittywatch completion fish > ~/.config/fish/completions/kittywatch.fish
    """
    output: Output = ctx.obj
    root = ctx.find_root()
    name = root.info_name or "kittywatch"
    kind = get_completion_class(shell)
    assert kind is not None
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()
    # The script alone: `source()` of bash would first start a bash, which need not be there while packaging.
    script = kind(root.command, {}, name, variable)
    output.lines((script.source_template % script.source_vars()).strip())
