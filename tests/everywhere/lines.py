"""The command lines that README and help show, as somebody would copy them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from kittywatch.cli.main import cli

ROOT = Path(__file__).parents[2]
PROGRAMS = ("kittywatch", "spec-kitty")
_PROGRAM = re.compile(rf"(?:^|[|&;(]\s*|\bxargs )(?:{'|'.join(PROGRAMS)}) ")
_BLOCK = re.compile(r"^```sh\n(.*?)^```|((?:^ {4}\S.*\n)+)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(?:\s{2,}|\s#\s).*\Z", re.DOTALL)


def helps() -> Iterator[tuple[str, str]]:
    """Every command and group with its help."""
    context = click.Context(cli, info_name="kittywatch", help_option_names=["-h", "--help"], max_content_width=500)
    yield from _helps(cli, context)


def shown_in_help() -> Iterator[str]:
    for _, text in helps():
        yield from _lines(line for line in text.splitlines() if not line.startswith("Usage:"))


def shown_in(document: Path) -> Iterator[str]:
    """The lines of a document's blocks of shell; a block of several is as many lines."""
    for block in _BLOCK.finditer(document.read_text("utf-8")):
        yield from _lines((block[1] or block[2]).splitlines())


def all_lines() -> list[str]:
    """Each line once, in the order of its first place."""
    return list(dict.fromkeys([*shown_in_help(), *shown_in(ROOT / "README.md")]))


def _helps(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, str]]:
    yield ctx.command_path, ctx.get_help()
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield from _helps(inner, click.Context(inner, info_name=name, parent=ctx, max_content_width=500))


def _lines(text: Iterable[str]) -> Iterator[str]:
    """Lines that run one of the programs, continued ones joined, without the remarks beside them."""
    waiting = ""
    for line in text:
        whole = f"{waiting} {line.strip()}".strip()
        waiting = ""
        if whole.endswith("\\"):
            waiting = whole.removesuffix("\\").strip()
            continue
        command = _COMMENT.sub("", whole)
        if _PROGRAM.search(command) and not command.endswith((".", ":", ",")):
            yield command
