"""The agents that run: a process group each, with a lock, a note of the process, and a log for each work package.

- An agent holds the lock of its work package, and so do its children: as long as any of them lives, no other agent is
  started on it. The kernel lets go of the lock when the last one ends, however the orchestrator ended.
- What a killed orchestrator has left is stopped before anything else is started on the same work package.
- A time limit, and an end: the whole group gets SIGTERM, and after a grace SIGKILL.
- One thread waits for each process and does nothing else; everything is decided by the one that reads the queue.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from kittywatch.errors import WorkflowError
from kittywatch.observe.waits import seconds_until
from kittywatch.store.lock import locked
from kittywatch.workflow.launch import started_at
from kittywatch.workflow.schedule import Start

GRACE = 5.0  # seconds between SIGTERM and SIGKILL


class Ended(Struct, frozen=True):
    """An agent that has ended; `timed_out` says that it was stopped for that."""

    wp_id: str
    code: int
    timed_out: bool
    seconds: float


class _Run(Struct):
    start: Start
    process: subprocess.Popen[bytes]
    thread: threading.Thread
    began: float
    deadline: float  # of the next signal
    stopping: bool = False
    timed_out: bool = False


class Runs:
    """The agents of one feature; `directory` has their locks, notes and logs."""

    def __init__(self, directory: Path, *, time_limit: float, grace: float = GRACE) -> None:
        self.directory = directory
        self._time_limit = time_limit
        self._grace = grace
        self._running: dict[str, _Run] = {}
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def log(self, wp_id: str) -> Path:
        """The path of a work package's log."""
        return self.directory / f"{wp_id}.log"

    def wake(self) -> None:
        """Have `wait` return; safe in a signal handler."""
        self._queue.put("")

    def start(
        self, start: Start, command: Sequence[str], worktree: Path, variables: Mapping[str, str], prompt: str
    ) -> None:
        """Start an agent; raises WorkflowError where another one is still on the work package."""
        self.stop_leftover(start.wp_id)
        asked = self.directory / f"{start.wp_id}.prompt"
        _write(asked, prompt)
        what = f"{start.phase} by {start.agent}, attempt {start.attempt}"
        self._note(start.wp_id, f"{what}: started in {worktree}")
        launcher = [sys.executable, "-P", "-m", "kittywatch.workflow.launch", str(self._process(start.wp_id)), *command]
        lock = os.open(self._lock(start.wp_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with asked.open("rb") as stdin, self.log(start.wp_id).open("ab") as log:
                _hold(lock)
                process = subprocess.Popen(
                    launcher,
                    cwd=worktree,
                    env=dict(variables),
                    stdin=stdin,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=[lock],
                )
        finally:
            os.close(lock)  # the agent has it now
        now = time.monotonic()
        thread = threading.Thread(target=self._wait_for, args=(start.wp_id, process), name=f"agent {start.wp_id}")
        self._running[start.wp_id] = _Run(start, process, thread, now, now + self._time_limit)
        thread.start()

    def wait(self) -> list[Ended]:
        """Wait until an agent ends or `wake` is called; keeps the time limits meanwhile."""
        while True:
            due = min((run.deadline for run in self._running.values()), default=None)
            try:
                name = self._queue.get(timeout=seconds_until(due))
            except queue.Empty:
                self._keep_limits()
                continue
            return [self._ended(name)] if name in self._running else []

    def stop(self) -> list[Ended]:
        """End all agents: SIGTERM, after the grace SIGKILL; returns when none of them runs."""
        for run in self._running.values():
            self._signal(run)
        ended: list[Ended] = []
        while self._running:
            ended += self.wait()
        return ended

    def stop_leftover(self, wp_id: str) -> None:
        """End what an earlier orchestrator has left of an agent; raises WorkflowError where it cannot be ended."""
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None and not self._signal_leftover(wp_id, number):
                break
            end = time.monotonic() + (0 if number is None else self._grace)
            while True:
                with locked(self._lock(wp_id), wait=False) as free:
                    if free:
                        return
                if time.monotonic() >= end:
                    break
                threading.Event().wait(0.05)
        raise WorkflowError(
            f"a process of an earlier orchestration still works on {wp_id}",
            remedy=f"end it: `fuser {self._lock(wp_id)}` names it",
        )

    def _signal_leftover(self, wp_id: str, number: signal.Signals) -> bool:
        try:
            note = json.loads(self._process(wp_id).read_text("ascii"))
            pid, started = int(note["pid"]), note["started"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        now = started_at(pid)
        if pid <= 1 or (now is not None and now != started):
            return False  # the number is another process's by now
        with suppress(OSError):
            os.killpg(pid, number)
        return True

    def _wait_for(self, wp_id: str, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._queue.put(wp_id)

    def _keep_limits(self) -> None:
        now = time.monotonic()
        for run in self._running.values():
            if run.deadline <= now:
                run.timed_out = run.timed_out or not run.stopping
                self._signal(run)

    def _signal(self, run: _Run) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(run.process.pid, signal.SIGKILL if run.stopping else signal.SIGTERM)
        run.stopping = True
        run.deadline = time.monotonic() + self._grace

    def _ended(self, wp_id: str) -> Ended:
        run = self._running.pop(wp_id)
        run.thread.join()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(run.process.pid, signal.SIGKILL)  # children that it has left behind
        seconds = time.monotonic() - run.began
        why = ", stopped at its time limit" if run.timed_out else ", stopped" if run.stopping else ""
        self._note(wp_id, f"exit code {run.process.returncode} after {seconds:.1f} s{why}")
        return Ended(wp_id, run.process.returncode, run.timed_out, seconds)

    def _note(self, wp_id: str, text: str) -> None:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        descriptor = os.open(self.log(wp_id), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as file:
            file.write(f"\n=== {moment} {text}\n")

    def _lock(self, wp_id: str) -> Path:
        return self.directory / f"{wp_id}.lock"

    def _process(self, wp_id: str) -> Path:
        return self.directory / f"{wp_id}.process"


def _hold(lock: int) -> None:
    import fcntl

    fcntl.flock(lock, fcntl.LOCK_EX)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
