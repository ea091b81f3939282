"""Runs many command lines, each in a process forked from one that has imported everything.

`python -m tests.everywhere.runner` reads cases as JSON from stdin and prints what became of them. A process of its
own, because forking is safe where there are no threads, and so that a test can start it as another user.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shutil
import signal
import socket
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

import kittywatch
from kittywatch.cli import main as commands

SECONDS = 60
Stdout = Literal["file", "closed", "broken", "full"]


@dataclass(frozen=True)
class Case:
    """A command line in a copy of the directory `template`, or a `directory` in it.

    `{port}` in an argument is a port that is taken; None unsets a variable.

    What it says goes to files in `said`; where stdout is not "file" nobody can read that.
    """

    name: str
    arguments: list[str]
    template: str
    place: str
    said: str
    environment: dict[str, str | None] = field(default_factory=dict)
    stdout: Stdout = "file"
    directory: str = "."


@dataclass(frozen=True)
class Outcome:
    """How a case ended: the exit code, or a negative signal; what it said; what it left in the place that it ran in."""

    name: str
    code: int
    out: str
    err: str
    left: list[str]


def main() -> None:
    for module in pkgutil.walk_packages(kittywatch.__path__, "kittywatch."):
        importlib.import_module(module.name)  # before the forks, so that it happens once
    for name in ("rich.console", "rich.table", "ruamel.yaml", "argon2", "uvicorn"):
        importlib.import_module(name)
    cases = [Case(**fields) for fields in json.load(sys.stdin)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        print(json.dumps([asdict(_run(case, port)) for case in cases]))


def _run(case: Case, port: str) -> Outcome:
    place = Path(case.place)
    shutil.copytree(case.template, place, symlinks=True, dirs_exist_ok=True)
    before = _files(place)
    out, err = Path(case.said) / "out", Path(case.said) / "err"
    Path(case.said).mkdir(parents=True)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _become(case, port, out, err)
    _, status = os.waitpid(child, 0)
    left = sorted(_files(place) - before)
    return Outcome(case.name, os.waitstatus_to_exitcode(status), _read(out), _read(err), left)


def _become(case: Case, port: str, out: Path, err: Path) -> NoReturn:
    """What a shell would do before it starts the command, and what Python does at its end."""
    code = 99
    try:
        signal.alarm(SECONDS)
        for name, value in case.environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        os.chdir(Path(case.place) / case.directory)
        _redirect(case.stdout, out, err)
        sys.argv = ["kittywatch"]
        try:
            commands.main([argument.replace("{port}", port) for argument in case.arguments])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 98
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:
            code = 120  # Python complains at its own end
    finally:
        os._exit(code)


def _redirect(stdout: Stdout, out: Path, err: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT, 0o600), 2)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    if stdout == "closed":
        os.close(1)
        streams: Any = sys
        streams.stdout = None
        return
    if stdout == "broken":
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 1)
    else:
        target = "/dev/full" if stdout == "full" else os.fspath(out)
        os.dup2(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), 1)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)


def _files(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*")}


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    main()
