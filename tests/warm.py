"""kittywatch as processes of their own, but for their start: children of one that has imported it already.

What is saved is only the time in which Python starts, most of what a short command takes.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAM = [sys.executable, "-P", "-m", "kittywatch.cli.main"]
_IMPORTED = ("cli.main", "cli.init", "cli.emit", "cli.hooks", "cli.log", "observe.once", "observe.replay", "project")
_LONGEST = 1 << 20  # bytes of a request


def run(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command of kittywatch, with `given` on its standard input."""
    # Who measures what processes run starts each of them in its own way.
    if not hasattr(os, "fork") or any(name.startswith("COVERAGE_") for name in os.environ):
        whole = [*PROGRAM, *command]
        return subprocess.run(whole, cwd=cwd, env=environment, input=given, capture_output=True, text=True, check=False)
    return _server().run(command, cwd, environment, given)


class Server:
    """A process that has imported kittywatch, and forks for each command."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
        root = os.fspath(Path(__file__).parents[1])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.warm", str(theirs.fileno())],
                env=dict(os.environ) | {"PYTHONPATH": root},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def run(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str], given: str
    ) -> subprocess.CompletedProcess[str]:
        request = json.dumps({"command": list(command), "cwd": os.fspath(cwd), "environment": dict(environment)})
        with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            read.write(given.encode())
            read.seek(0)
            with self._lock:
                files = [file.fileno() for file in (read, out, err)]
                socket.send_fds(self._socket, [request.encode("ascii")], files)
                answer = self._socket.recv(100)
            assert answer, "the process that starts kittywatch is gone"
            said = [_text(file.fileno()) for file in (out, err)]
        return subprocess.CompletedProcess(list(command), int(answer), *said)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


def _text(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(os.dup(file), encoding="utf-8") as text:
        return text.read()


@functools.cache
def _server() -> Server:
    server = Server()
    atexit.register(server.close)
    return server


def serve(requests: socket.socket) -> None:
    """Answer each request with a command's exit code; in a child, return for that command to be run."""
    for name in _IMPORTED:
        importlib.import_module(f"kittywatch.{name}")
    os.chdir("/")
    while True:
        data, files, _, _ = socket.recv_fds(requests, _LONGEST, 3)
        if not data:
            sys.exit()
        child = os.fork()
        if child == 0:
            requests.close()
            _become(json.loads(data), files)
            return
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        requests.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: Mapping[str, object], files: Sequence[int]) -> None:
    """Take over the directory, environment, arguments and standard streams of a process that is just starting."""
    os.chdir(str(request["cwd"]))
    environment, command = request["environment"], request["command"]
    assert isinstance(environment, dict)
    assert isinstance(command, list)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["kittywatch", *command]
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    serve(socket.socket(fileno=int(sys.argv[1])))
    from kittywatch.cli.main import main

    main()
