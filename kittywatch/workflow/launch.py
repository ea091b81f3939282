"""The step between the orchestrator and an agent: notes the process, then becomes the agent.

Run as `python -m kittywatch.workflow.launch NOTE PROGRAM [ARGUMENT…]` in a session of its own. The note is there before
the agent is, so that there is never an agent that a later run doesn't know of.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path


def started_at(pid: int) -> str | None:
    """The start time of a process, in the system's own words; None if there is none, or it cannot be said."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def main() -> None:
    """Note the process and become the agent; exit with 127 if its program can't be run."""
    note, program, *arguments = sys.argv[1:]
    path = Path(note)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"pid": os.getpid(), "started": started_at(os.getpid())}), "ascii")
    temporary.replace(path)
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)  # which Python ignores, and an agent would inherit that
    try:
        os.execvp(program, [program, *arguments])
    except OSError as error:
        print(f"{program}: {error.strerror}", flush=True)
        os._exit(127)


if __name__ == "__main__":
    main()
