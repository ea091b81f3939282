"""A scratch directory with a git project, a home of its own, and the processes that work in it.

Nothing outside of the directory is read for configuration or written to; when it is closed, the processes have ended
and the directory is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from kittywatch.errors import DemoError
from kittywatch.sync.flusher import delivering

_STOPPING_SECONDS = 10.0
_PAUSE_SECONDS = 0.02


class Scratch:
    """The directory; a context. `project` is the main worktree."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="kittywatch-demo-", ignore_cleanup_errors=True)
        self.root = Path(os.path.realpath(self._directory.name))
        self.project = self.root / "project"
        self.project.mkdir()
        self._processes: list[subprocess.Popen[str]] = []
        self._starting = threading.Lock()
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="demo-starter")
        self._closed = False
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "KITTYWATCH"))}
        self._environment = kept | {
            "SPEC_KITTY_HOME": str(self.root / "home"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_EDITOR": "true",
            "PYTHONUNBUFFERED": "1",
            **{f"GIT_{who}_NAME": "Kit" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "kit@example.invalid" for who in ("AUTHOR", "COMMITTER")},
        }

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._starting:
            self._closed = True
        self._starter.shutdown()
        for process in reversed(self._processes):
            end(process)
        with contextlib.suppress(DemoError):  # a hook may have left delivery to the flusher, which nobody holds by hand
            wait_for(self._is_quiet, "the end of delivery", seconds=_STOPPING_SECONDS)
            wait_for(self._is_gone, "the removal of its directory", seconds=_STOPPING_SECONDS)
        self._directory.cleanup()

    def _is_quiet(self) -> bool:
        home = self.root / "home"
        if not home.exists():
            return True
        with delivering(home) as free:
            return free

    def _is_gone(self) -> bool:
        """Remove everything; a flusher that was just starting may put something there once more."""
        shutil.rmtree(self.root, ignore_errors=True)
        return not self.root.exists()

    def git(self, *words: str, where: Path | None = None) -> str:
        """Run git; raises DemoError."""
        return self.run(["git", *words], where=where)

    def kittywatch(self, *words: str, where: Path | None = None, said: str = "") -> str:
        """Run a command of kittywatch, with `said` on its standard input; raises DemoError."""
        return self.run([*program("kittywatch.cli.main"), *words], where=where, said=said)

    def run(self, command: Sequence[str], *, where: Path | None = None, said: str = "") -> str:
        process = self._begin(command, where, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        printed, complained = process.communicate(said)
        if process.returncode:
            name = "kittywatch " + command[4] if command[0] == sys.executable else shown(command)
            raise DemoError(name, complained.strip().splitlines()[-1:] or ["it said nothing"])
        return printed

    def start(self, command: Sequence[str], *, where: Path | None = None) -> subprocess.Popen[str]:
        """Start a process that is ended with the demonstration; what it says is to be read. Raises DemoError."""
        return self._begin(command, where, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def _begin(self, command: Sequence[str], where: Path | None, *, stdin: int, stderr: int) -> subprocess.Popen[str]:
        # Ctrl-C breaks the main thread off anywhere: one that it has just started there would be nobody's to end.
        return self._starter.submit(self._begin_now, command, where, stdin, stderr).result()

    def _begin_now(self, command: Sequence[str], where: Path | None, stdin: int, stderr: int) -> subprocess.Popen[str]:
        with self._starting:  # or a thread would start one while the others are ended
            if self._closed:
                raise DemoError(shown(command[3:]), ["the demonstration is over"])
            process = subprocess.Popen(
                command,
                cwd=where or self.project,
                env=self._environment,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,  # it is ended together with what it has started
            )
            self._processes.append(process)
        return process


class Lines:
    """What a process says, line by line as it comes, in a thread of its own."""

    def __init__(self, process: subprocess.Popen[str], heard: Callable[[str], None]) -> None:
        self.process = process
        self._heard = heard
        self._thread = threading.Thread(target=self._read, name="demo-lines", daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(_STOPPING_SECONDS)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout, contextlib.suppress(ValueError):
            for line in self.process.stdout:
                self._heard(line.rstrip("\n"))


def program(module: str) -> list[str]:
    """The command that runs a module of this package."""
    return [sys.executable, "-P", "-m", module]


def shown(command: Sequence[str]) -> str:
    """A command as a person would type it."""
    return " ".join(f"'{word}'" if " " in word else word for word in command)


def end(process: subprocess.Popen[str]) -> None:
    """End a process in order, or at once where it doesn't, and whatever is left of what it started."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOPPING_SECONDS)
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float) -> None:
    """Return when the condition holds; raises DemoError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoError(what, [f"it took longer than {seconds:g} seconds"])
        time.sleep(_PAUSE_SECONDS)
