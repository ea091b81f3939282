"""kittywatch as processes of their own, but for their start: children of one that has imported it already.

What is saved is only the time in which Python starts and imports, most of what a short command takes.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

MAIN = "kittywatch.cli.main"
PROGRAM = [sys.executable, "-P", "-m", MAIN]
_COMMANDS: tuple[str, ...] = ("cli.main", "cli.init", "cli.emit", "cli.hooks", "cli.log", "cli.watch")
_COMMANDS += ("observe.once", "observe.replay", "observe.watcher", "project")
_HUB = ("cli.main", "cli.hub", "hub.serve")
_LONGEST = 1 << 20  # bytes of a request


class Process(Protocol):
    """What tests do with a process, whichever way it was started."""

    pid: int

    @property
    def returncode(self) -> Any: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


def run(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command of kittywatch, with `given` on its standard input."""
    with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        read.write(given.encode())
        read.seek(0)
        files = (read.fileno(), out.fileno(), err.fileno())
        code = start(command, cwd=cwd, environment=environment, files=files).wait()
        said = [_text(file.fileno()) for file in (out, err)]
    return subprocess.CompletedProcess(list(command), code, *said)


def start(
    command: Sequence[str],
    *,
    files: Sequence[int],
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    module: str = MAIN,
) -> Process:
    """Start a module with arguments; `files` are its three standard streams, which the caller closes."""
    cwd, environment = cwd or Path.cwd(), dict(os.environ if environment is None else environment)
    if not _is_warm():
        whole = [sys.executable, "-P", "-m", module, *command]
        root = os.fspath(Path(__file__).parents[1])  # where a module of the tests is found
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
        stdin, stdout, stderr = files
        return subprocess.Popen(whole, cwd=cwd, env=environment, stdin=stdin, stdout=stdout, stderr=stderr)
    return _server(_HUB if command[:1] == ["hub"] else _COMMANDS).start(module, command, cwd, environment, files)


def _is_warm() -> bool:
    """Whether it is a test that starts it: benchmarks, and coverage, measure processes that start in their own way."""
    measured = any(name.startswith("COVERAGE_") for name in os.environ)
    return hasattr(os, "pidfd_open") and "PYTEST_CURRENT_TEST" in os.environ and not measured


class Server:
    """A process that has imported modules of kittywatch, and forks for each command."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
        root = os.fspath(Path(__file__).parents[1])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.warm", str(theirs.fileno()), *modules],
                env=dict(os.environ) | {"PYTHONPATH": root},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(
        self,
        module: str,
        command: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        files: Sequence[int],
    ) -> Started:
        request = {
            "module": module,
            "command": list(command),
            "cwd": os.fspath(cwd),
            "environment": dict(environment),
            "limits": _limits(),
        }
        return Started(self, self.ask("start", request, files))

    def ask(self, what: str, about: object, files: Sequence[int] = ()) -> Any:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps([what, about]).encode("ascii")], list(files))
            answer = self._socket.recv(100)
        assert answer, "the process that starts kittywatch is gone"
        return json.loads(answer)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


class Started:
    """A process that a server has started."""

    def __init__(self, server: Server, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.ask("poll", self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, as `subprocess.Popen` says it."""
        with contextlib.suppress(ProcessLookupError):  # it has ended, and another thread has asked
            file = os.pidfd_open(self.pid) if self.poll() is None else None
            if file is not None:
                ended = select.poll()
                ended.register(file, select.POLLIN)
                found = ended.poll(None if timeout is None else 1000 * timeout)
                os.close(file)
                if not found:
                    assert timeout is not None
                    raise subprocess.TimeoutExpired(str(self.pid), timeout)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _limits() -> list[list[int]]:
    """The number of each resource of which this process has a limit, its soft and its hard limit."""
    numbers = {getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
    return [[number, *resource.getrlimit(number)] for number in sorted(numbers)]


def _text(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(os.dup(file), encoding="utf-8") as text:
        return text.read()


@functools.cache
def _server(modules: Sequence[str]) -> Server:
    server = Server(modules)
    atexit.register(server.close)
    return server


def serve(requests: socket.socket) -> str:
    """Start what is asked for, and answer with its process id; in that process, return which module it is to be."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the tests, whoever ends those
    os.chdir("/")
    running: set[int] = set()
    while True:
        data, files, _, _ = socket.recv_fds(requests, _LONGEST, 3)
        if not data:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            sys.exit()
        what, about = json.loads(data)
        if what == "start":
            child = os.fork()
            if child == 0:
                requests.close()
                _become(about, files)
                return str(about["module"])
            running.add(child)
            answer: int | None = child
            for file in files:
                os.close(file)
        else:
            ended, status = os.waitpid(about, os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
            if ended:
                running.remove(about)
        requests.send(json.dumps(answer).encode("ascii"))


def _become(request: Mapping[str, Any], files: Sequence[int]) -> None:
    """Take over what a process has that is just starting: directory, environment, arguments, limits and streams."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, soft, hard in request["limits"]:
        if resource.getrlimit(number) != (soft, hard):
            resource.setrlimit(number, (soft, hard))
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["module"], *request["command"]]
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    _, _socket, *_modules = sys.argv
    for _name in _modules:
        importlib.import_module(f"kittywatch.{_name}")
    gc.collect()
    gc.freeze()  # what is there before a fork stays, and no child has to go through it
    _module = serve(socket.socket(fileno=int(_socket)))
    if _module == MAIN:
        importlib.import_module(MAIN).main()
    else:
        runpy.run_module(_module, run_name="__main__", alter_sys=True)
