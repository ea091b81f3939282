"""The stub: the block of shell that a hook gets, which starts Python only where there is something to see."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from kittywatch.errors import ProjectError

BLOCK = re.compile(rb"# >>> kittywatch >>>\r?\n.*?# <<< kittywatch <<<\r?\n", re.DOTALL)
PYTHON = re.compile(rb"python='([^'\n]*)'")
_ENTRY = "kittywatch.githooks.entry"  # which the stub names


def read_template() -> bytes:
    """The block before its hook and interpreter are filled in; raises ProjectError where the package lacks it."""
    package = Path(__file__).parent.parent
    for directory in (package / "hooks", package.parent / "hooks"):
        path = directory / "stub.sh"
        if path.is_file():
            return path.read_bytes().replace(b"\r\n", b"\n")
    raise ProjectError("the package lacks hooks/stub.sh", remedy="install kittywatch again")


def filled(template: bytes, name: str, python: str) -> bytes:
    """The block for the hook `name`, run by the interpreter at the path `python`."""
    # Git for Windows runs hooks with a shell that wants slashes.
    interpreter = os.fsencode(python.replace("\\", "/") if os.name == "nt" else python)
    return template.replace(b"@HOOK@", name.encode()).replace(b"@PYTHON@", interpreter)


def works(python: str) -> bool:
    """Tell whether an interpreter is there and has a kittywatch that the block can start."""
    command = [python, "-E", "-P", "-c", f"import {_ENTRY}"]
    try:
        return subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False
