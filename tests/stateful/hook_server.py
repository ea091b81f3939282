"""Runs hooks as the interpreter would that git's hook starts, but for the start: each in a child of a warm process.

git runs the installed hook, the hook's script decides whether Python is needed, and the script's interpreter is
`client`: it hands the hook's name, arguments, directory, environment and input over and waits. What is saved is only
the time in which Python starts.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import kittywatch

DIE = "KITTYWATCH_TEST_DIE"
PACKAGE = str(Path(kittywatch.__file__).parent)
_CLIENT = """\
#!/bin/sh
shift 4
if [ "$1" = post-rewrite ]; then cat >@GIVEN@; else : >@GIVEN@; fi
{ printf '%s\\n' "$PWD" "$#" "$@"; env -0; } >@REQUEST@
IFS= read -r answer <@REPLY@
"""


class HookServer:
    """A server process for the hooks of some repositories; `client` is what their hooks take for the interpreter."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self.client = directory / "python"
        self._request, reply = directory / "request", directory / "reply"
        self.said = directory / "said"
        for pipe in (self._request, reply):
            os.mkfifo(pipe)
        self.said.touch()
        text = _CLIENT
        for word, path in (("REQUEST", self._request), ("REPLY", reply), ("GIVEN", directory / "given")):
            text = text.replace(f"@{word}@", shlex.quote(str(path)))
        self.client.write_text(text, "utf-8")
        self.client.chmod(0o755)
        command = [sys.executable, "-P", "-m", "tests.stateful.hook_server", str(directory)]
        found = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        self._process = subprocess.Popen(command, env=dict(os.environ) | {"PYTHONPATH": found}, stdin=subprocess.PIPE)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


def die_at(line: int) -> None:
    """From now on, kill this process before a line of the package; a negative one counts those of the store alone."""
    left = abs(line)
    counted = PACKAGE if line >= 0 else str(Path(PACKAGE, "store"))

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(counted):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def serve(directory: Path) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # What a hook imports, so that no child has to.
    import kittywatch.observe.observation
    import kittywatch.project  # noqa: F401
    from kittywatch.githooks.entry import run

    reply = os.open(directory / "reply", os.O_RDWR)
    while True:
        place, _, rest = (directory / "request").read_bytes().partition(b"\n")
        count, _, rest = rest.partition(b"\n")
        *arguments, variables = rest.split(b"\n", int(count))
        child = os.fork()
        if child == 0:
            try:
                os.chdir(place)
                os.environ.clear()
                pairs = (variable.partition(b"=") for variable in variables.split(b"\0"))
                os.environb.update({name: value for name, equals, value in pairs if equals})
                said = os.open(directory / "said", os.O_WRONLY | os.O_APPEND)
                os.dup2(said, 2)
                # What git tells post-rewrite; the server's own input has a thread that waits for it, and its lock.
                sys.stdin = (directory / "given").open(encoding="utf-8")
                os.dup2(sys.stdin.fileno(), 0)
                if line := os.environ.get(DIE):
                    die_at(int(line))
                name, *others = (os.fsdecode(argument) for argument in arguments)
                run(name, others)
                sys.settrace(None)
                sys.stderr.flush()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        os.write(reply, b"done\n")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
