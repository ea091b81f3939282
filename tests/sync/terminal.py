"""A command at a terminal: what it shows there, and answers to what it asks."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.store import stores
from tests.waiting import DEADLINE, until


def at_terminal(
    command: Sequence[str], home: Path, answers: Mapping[str, str], *, directory: Path = stores.ROOT
) -> tuple[int, str, bytes]:
    """Run a command in a terminal of its own; `answers` has what is typed by what is asked.

    Returns its exit code, what was shown, and the arguments that the process list had for it.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=os.environ | {"SPEC_KITTY_HOME": str(home), "KITTYWATCH": "0", "TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = bytearray()
    reader = threading.Thread(target=_read, args=(ours, shown))
    reader.start()
    listed = b""
    try:
        for question, answer in answers.items():
            until(lambda q=question: q.encode() in shown, what=lambda q=question: f"{q}: {bytes(shown)!r}")  # type: ignore[misc]
            arguments = Path(f"/proc/{process.pid}/cmdline")
            listed = arguments.read_bytes() if arguments.exists() else b""
            os.write(ours, answer.encode() + b"\n")
        code = process.wait(timeout=DEADLINE)
    finally:
        process.kill()
        reader.join()
        os.close(ours)
    return code, shown.decode(errors="replace"), listed


def _read(descriptor: int, into: bytearray) -> None:
    while True:
        try:
            data = os.read(descriptor, 4096)
        except OSError:  # the other end is closed
            return
        if not data:
            return
        into.extend(data)
