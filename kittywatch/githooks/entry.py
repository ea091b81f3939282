"""The entry point of an installed hook: one observation of the commits, and then out of git's way.

Never fails and never speaks on stdout: a hook that fails makes `git checkout` fail. Imports no command line.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

WAIT_SECONDS = 10.0


def run(name: str, arguments: Sequence[str]) -> None:
    """Observe for the hook `name` with git's arguments; never raises, says on stderr what went wrong, in a line."""
    from kittywatch.errors import KittywatchError

    def warn(text: str) -> None:
        print(f"kittywatch: {text}", file=sys.stderr)

    try:
        from kittywatch.git.repository import Git
        from kittywatch.observe.observation import Observer
        from kittywatch.project import Project

        if name == "post-checkout" and len(arguments) > 2 and arguments[2] == "0":
            return  # files came back from the index: no commit, and so nothing for a hook
        project = Project.at(Git.of_hook(Path.cwd()), warn, wait_seconds=WAIT_SECONDS)
        try:
            observer = Observer(project, f"hook:{name}")
            observer.observe(worktree=False, hook=name, pairs=_pairs() if name == "post-rewrite" else None)
            from kittywatch.sync.flusher import hand_over

            hand_over(project)
        finally:
            project.store.close()
    except KittywatchError as error:
        warn(f"{error}; {error.remedy}. The next observation tells what this one couldn't")
    except Exception as error:  # the boundary of a hook: whatever it is, git goes on
        warn(f"a bug ({type(error).__name__}) kept this hook from observing; the next observation makes up for it")


def _pairs() -> dict[str, set[str]]:
    """The commits that each rewritten commit replaces, as git says on post-rewrite's stdin: old, new, and more."""
    pairs: dict[str, set[str]] = {}
    if sys.stdin is not None and not sys.stdin.isatty():
        for line in sys.stdin:
            old, _, rest = line.strip().partition(" ")
            if rest:
                pairs.setdefault(rest.split(" ")[0], set()).add(old)
    return pairs


def main() -> None:
    """Run for the stub, in a process of its own that git waits for: every millisecond is somebody's commit."""
    if os.environ.get("KITTYWATCH") == "0" or len(sys.argv) < 2:
        return
    gc.disable()  # there is no time for garbage to pile up
    sys.modules.setdefault("typing_extensions", None)  # type: ignore[arg-type]  # msgspec would load it, and does without
    run(sys.argv[1], sys.argv[2:])
    sys.stderr.flush()
    os._exit(0)  # the kernel takes back the rest faster than the interpreter
