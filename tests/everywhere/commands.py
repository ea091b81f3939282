"""All commands, found by walking the command line, with the least that each has to be given."""

from __future__ import annotations

from collections.abc import Iterator

import click

from kittywatch.cli.main import cli

# What makes a command end that would go on until somebody ends it; `{port}` is one that is taken.
ENDING = {"watch": ["--once"], "hub serve": ["--port", "{port}"], "demo": ["--headless"]}
# What has to be given although the command line alone doesn't say so.
GIVEN: dict[str, list[str]] = {"hooks run": ["post-commit"], "agent tasks add-history": ["WP01", "--note", "said"]}


def walk() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its name: `hooks install`."""
    yield from _below("", cli, click.Context(cli, info_name="kittywatch", **cli.context_settings))


def names() -> list[str]:
    return [name for name, _ in walk()]


def arguments_for(name: str, command: click.Command) -> list[str]:
    """The command's name with a value for whatever it requires."""
    words = name.split(" ")
    if name in GIVEN:
        return [*words, *GIVEN[name]]
    for param in command.params:
        if not param.required:
            continue
        values = [_value(param.type)] * max(param.nargs, 1)
        words += [*([param.opts[0]] if isinstance(param, click.Option) else []), *values]
    return [*words, *ENDING.get(name, [])]


def _below(prefix: str, group: click.Group, ctx: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        whole = f"{prefix} {name}".strip()
        if isinstance(command, click.Group):
            yield from _below(whole, command, click.Context(command, info_name=name, parent=ctx))
        else:
            yield whole, command


def _value(kind: click.ParamType) -> str:  # type: ignore[type-arg, unused-ignore]
    if isinstance(kind, click.Choice):
        return str(next(iter(kind.choices)))
    if isinstance(kind, (click.types.IntParamType, click.types.FloatParamType)):
        return str(getattr(kind, "min", None) or 1)
    return "file.txt" if isinstance(kind, (click.Path, click.File)) else "WP01"
