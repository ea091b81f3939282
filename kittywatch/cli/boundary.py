"""The one place where errors become exit codes.

0 done · 1 expected failure, with its remedy · 2 usage · 3 a bug, with a report file · 4 authentication needed ·
130 interrupted. Nothing but this module calls `sys.exit` or prints a traceback.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from kittywatch import __version__
from kittywatch.cli.output import Output, StdoutError, plain
from kittywatch.errors import AuthenticationError, KittywatchError, StoreError
from kittywatch.home import home

DONE, FAILED, USAGE, BUG, AUTHENTICATION, INTERRUPTED = 0, 1, 2, 3, 4, 130


def run(command: click.Command, arguments: list[str], **options: Any) -> int:
    """Run a command and print its error, if any; returns the exit code."""
    _open_closed_streams()
    output = Output()  # the command sets how loud and how colourful
    try:
        result = command.main(arguments, standalone_mode=False, obj=output, **options)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        error.show()
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        _give_stdout_up()  # whoever read our output has gone, as `head` does
        return FAILED
    except StdoutError as error:
        return _stdout_takes_nothing(output, error.cause)
    except OSError as error:
        return _stdout_takes_nothing(output, error) if _stdout_fails() else _bug(arguments)
    except KittywatchError as error:
        output.error(str(error), error.remedy)
        if output.verbose:
            click.echo("".join(f"{plain(line)}\n" for line in traceback.format_exc().splitlines()), err=True, nl=False)
        return AUTHENTICATION if isinstance(error, AuthenticationError) else FAILED
    except Exception:
        return _bug(arguments)
    return result if isinstance(result, int) else DONE


def _open_closed_streams() -> None:
    """Put something in the place of standard streams that are closed (`>&-`).

    Else the next file that is opened takes their number, and what is printed would go into it. One that is not there
    for writing stays one that can't be written to: to print nothing and say that all is done would be wrong.
    """
    for number, (name, flags, mode) in enumerate(
        [("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w")]
    ):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            stream = os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)
            setattr(sys, name, stream)


def _stdout_fails() -> bool:
    """True if stdout can't be written to: the rest is still in its buffer."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def _stdout_takes_nothing(output: Output, error: OSError) -> int:
    _give_stdout_up()
    reason = "it is closed" if error.errno == errno.EBADF else error.strerror
    output.error(f"stdout takes nothing: {reason}", "give the command a place to write to, such as a file")
    return FAILED


def _give_stdout_up() -> None:
    """Let the rest go nowhere; Python would complain once more at its own end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _bug(arguments: list[str]) -> int:
    """Write a report that can be attached to an issue: versions, the command's name and the trace, no content."""
    report = [
        f"kittywatch {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: {' '.join(argument for argument in arguments[:2] if not argument.startswith('-'))}",
        "",
        _trace(),
    ]
    path = _write("\n".join(report))
    click.echo("error: kittywatch has a bug here, sorry; your files and git are as they were", err=True)
    if path is not None:
        click.echo(f"  please attach {plain(str(path))} to an issue", err=True)
    return BUG


def _trace() -> str:
    """The trace without the error's own text, which may hold what a file says."""
    kind, _, trace = sys.exc_info()
    return "".join(traceback.format_tb(trace)) + (kind.__name__ if kind else "")


def _write(report: str) -> Path | None:
    name = f"kittywatch-bug-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    for place in (home, _temporary):
        try:
            path = place() / name
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(report)
        except (OSError, StoreError):
            continue
        return path
    return None


def _temporary() -> Path:
    return Path(tempfile.gettempdir())
