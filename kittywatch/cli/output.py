"""Output of commands: data to stdout, everything for people to stderr.

Text that comes from a repository or a server passes `plain` on its way to a terminal: an escape sequence in a title
must not move anybody's cursor.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from dataclasses import dataclass, field

import click


class StdoutError(Exception):
    """Stdout takes nothing; what it was given is lost. `cause` is the system's error."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass
class Output:
    """The voice of one command."""

    quiet: bool = False
    verbose: bool = False
    color: str = "auto"
    warnings: list[str] = field(default_factory=list)

    def data(self, text: str) -> None:
        """Print data: a line, or lines. In JSON, what `plain` shows by code points means the same."""
        self.lines(_plain_lines(text))

    def lines(self, text: str) -> None:
        """Print data whose parts have passed `plain` already, with tabs between them, for instance."""
        try:
            click.echo(text, color=self.colors(sys.stdout.isatty()))
        except BrokenPipeError:
            raise  # whoever read it has gone, and that is no error
        except OSError as error:
            raise StdoutError(error) from error

    def say(self, text: str) -> None:
        """Print one line for people; silent with -q."""
        if not self.quiet:
            click.echo(_plain_lines(text), err=True, color=self.colors(sys.stderr.isatty()))

    def warn(self, text: str) -> None:
        """Print a warning, each text once."""
        if text not in self.warnings:
            self.warnings.append(text)
            line = click.style("warning: ", fg="yellow") + plain(text)
            click.echo(line, err=True, color=self.colors(sys.stderr.isatty()))

    def error(self, text: str, remedy: str) -> None:
        """Print what failed, and the one thing to do."""
        line = f"{click.style('error: ', fg='red')}{plain(text)}\n  {plain(remedy)}"
        click.echo(line, err=True, color=self.colors(sys.stderr.isatty()))

    def colors(self, terminal: bool) -> bool:
        if self.color != "auto":
            return self.color == "always"
        return terminal and not os.environ.get("NO_COLOR")


def plain(text: str) -> str:
    """Text without what a terminal would act on: control and formatting characters are shown as their code points.

    Those beyond four digits as two, the way JSON has it, so that JSON stays the same value.
    """
    if text.isprintable():
        return text
    return text.translate(_SHOWN)


_ACTED_ON = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_REMEMBERED = 10_000  # characters; a text may have every one that there is


class _Shown(dict[int, str]):
    """Table of what each character is shown as, filled on demand: a title may have a megabyte of escapes."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        shown = _code_points(char) if unicodedata.category(char) in _ACTED_ON else char
        if len(self) < _REMEMBERED:
            self[code] = shown
        return shown


_SHOWN = _Shown()


def _code_points(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _plain_lines(text: str) -> str:
    return "\n".join(plain(line) for line in text.split("\n"))
