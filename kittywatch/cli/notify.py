"""Desktop notifications, by whatever program the desktop has for them.

Started with a list of arguments and no shell. What an event says is shown by code points where a terminal would act
on it, and escaped where the desktop would read it as markup.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Sequence

from kittywatch.cli.lines import event_line
from kittywatch.cli.output import plain
from kittywatch.events import Event, LoggedError, StatusChange
from kittywatch.events.payloads import Completion

_LENGTH = 200
_TITLE = "kittywatch"
_FEW = 3
_APPLESCRIPT = (
    "on run words",
    "display notification (item 2 of words) with title (item 1 of words)",
    "end run",
)


def find_notifier() -> Notifier | None:
    """Find a notifier for this desktop, None without a program for it."""
    for program, arguments in _PROGRAMS.items():
        found = shutil.which(program)
        if found is not None:
            return Notifier(found, arguments)
    return None


def _notify_send(title: str, text: str) -> list[str]:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return ["--app-name", _TITLE, "--", title, escaped]


def _osascript(title: str, text: str) -> list[str]:
    script = [word for line in _APPLESCRIPT for word in ("-e", line)]
    return [*script, "--", title, text]


_PROGRAMS: dict[str, Callable[[str, str], list[str]]] = {"notify-send": _notify_send, "osascript": _osascript}


class Notifier:
    """Notifier of emitted lane changes, completed features and errors; doesn't wait for the desktop."""

    def __init__(self, program: str, arguments: Callable[[str, str], list[str]]) -> None:
        self._program = program
        self._arguments = arguments
        self._running: list[subprocess.Popen[bytes]] = []

    def show(self, events: Sequence[Event]) -> None:
        """Show one notification for each of a few events, and a single one for many."""
        lines = [_line(event) for event in events if isinstance(event.payload, (StatusChange, Completion, LoggedError))]
        if len(lines) > _FEW:
            lines = [f"{len(lines)} events, the last one: {lines[-1]}"]
        self._running = [process for process in self._running if process.poll() is None]
        for line in lines:
            with contextlib.suppress(OSError):
                self._running.append(
                    subprocess.Popen(
                        [self._program, *self._arguments(_TITLE, line)],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        start_new_session=True,
                    )
                )

    def close(self) -> None:
        """Give what is under way a moment, then leave it."""
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)


def _line(event: Event) -> str:
    """The line without its time, which the desktop shows itself."""
    text = plain(event_line(event).split("  ", 1)[1])
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"
