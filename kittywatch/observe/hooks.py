"""Git hooks beside whatever is there.

Rules of this module:
- Hooks go where git looks for them: `git rev-parse --git-path hooks` says it, whatever core.hooksPath, worktrees or
  another tool made of it.
- A shell script gets a marked block after its first line. Anything else, a binary, a link, another language, a file
  that git doesn't run, moves aside under a name of its own, and our script runs it after itself as git would have.
- Nothing of anybody's is lost: uninstalling gives back the bytes that were there.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from kittywatch.errors import ProjectError
from kittywatch.store.files import replace_file

HOOKS = ("post-commit", "post-merge", "post-checkout", "post-rewrite", "post-applypatch")
ASIDE = ".before-kittywatch"
_BLOCK = re.compile(rb"# >>> kittywatch >>>\n.*?# <<< kittywatch <<<\n", re.DOTALL)
_PYTHON = re.compile(rb"python='([^'\n]*)'")
_SHELL = re.compile(rb"#![^\n]*?\b(?:sh|bash|dash|ksh|zsh)\b[^\n]*\n")
_CHAIN = b"""
# What was here before runs as it did, with its arguments, its input and its exit status.
before=$0@ASIDE@
[ ! -x "$before" ] || exec "$before" "$@"
"""

State: TypeAlias = Literal["installed", "missing", "stale"]
Deed: TypeAlias = Literal["create", "add", "update", "chain", "keep", "remove", "restore"]


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook as it is: `foreign` says what else is there, `python` the interpreter of an installed block."""

    name: str
    path: Path
    state: State
    python: str | None = None
    foreign: Literal["script", "aside"] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done to a hook's file, for people and for `apply`."""

    hook: str
    path: Path
    deed: Deed
    content: bytes | None = None


def hooks_directory(git_path: str, root: Path) -> Path:
    """Where git looks for hooks, from what `git rev-parse --git-path hooks` prints in a worktree's top."""
    return root / os.path.expanduser(git_path)


def status(directory: Path) -> list[Hook]:
    """Every hook as it is installed in a directory."""
    return [_hook(name, directory / name) for name in HOOKS]


def plan_install(directory: Path, python: str = sys.executable) -> list[Change]:
    """What installing would do; raises ProjectError where the interpreter's path cannot stand in a shell script."""
    if "'" in python or "\n" in python:
        raise ProjectError(
            f"the interpreter's path {python!a} has a quote in it, which a shell script can't name",
            remedy="install kittywatch into an environment whose path has none",
        )
    template = stub()
    return [_installed(name, directory / name, template, python) for name in HOOKS]


def plan_uninstall(directory: Path) -> list[Change]:
    """What uninstalling would do."""
    return [change for name in HOOKS if (change := _uninstalled(name, directory / name)) is not None]


def apply(changes: list[Change]) -> None:
    """Carry changes out; raises ProjectError for the first file that can't be written."""
    for change in changes:
        try:
            _apply(change)
        except OSError as error:
            raise ProjectError(
                f"{change.path}: {error.strerror}", remedy="make the directory writable, then run the command again"
            ) from error


def stub() -> bytes:
    """The shell script that git runs, before its hook and interpreter are filled in."""
    package = Path(__file__).parent.parent
    for directory in (package / "hooks", package.parent / "hooks"):
        path = directory / "stub.sh"
        if path.is_file():
            return path.read_bytes().replace(b"\r\n", b"\n")
    raise ProjectError("the package lacks hooks/stub.sh", remedy="install kittywatch again")


def works(python: str) -> bool:
    """Whether an interpreter is there and has kittywatch."""
    command = [python, "-P", "-c", "import kittywatch.hook"]
    try:
        return subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def _hook(name: str, path: Path) -> Hook:
    content = _read(path)
    aside = path.with_name(name + ASIDE)
    foreign: Literal["script", "aside"] | None = "aside" if os.path.lexists(aside) else None
    block = _BLOCK.search(content) if content is not None else None
    if content is None or block is None:
        return Hook(name, path, "missing", foreign="script" if os.path.lexists(path) else foreign)
    if foreign is None and _BLOCK.sub(b"", content) != b"#!/bin/sh\n":
        foreign = "script"
    found = _PYTHON.search(block[0])
    python = os.fsdecode(found[1]) if found else None
    current = python is not None and block[0] == _filled(stub(), name, python)
    executable = os.name == "nt" or os.access(path, os.X_OK)
    state: State = "installed" if current and executable and python and works(python) else "stale"
    return Hook(name, path, state, python, foreign)


def _installed(name: str, path: Path, template: bytes, python: str) -> Change:
    block = _filled(template, name, python)
    content = _read(path)
    if content is not None and (old := _BLOCK.search(content)) is not None:
        updated = content[: old.start()] + block + content[old.end() :]
        return Change(name, path, "keep" if updated == content else "update", updated)
    if not os.path.lexists(path):
        return Change(name, path, "create", b"#!/bin/sh\n" + block)
    shebang = _SHELL.match(content) if content is not None else None
    if shebang is not None and content is not None and not path.is_symlink() and _runs(path):
        return Change(name, path, "add", content[: shebang.end()] + block + content[shebang.end() :])
    chained = b"#!/bin/sh\n" + block + _CHAIN.replace(b"@ASIDE@", ASIDE.encode())
    return Change(name, path, "chain", chained)


def _uninstalled(name: str, path: Path) -> Change | None:
    content = _read(path)
    if content is None or (block := _BLOCK.search(content)) is None:
        return None
    if os.path.lexists(path.with_name(name + ASIDE)):
        return Change(name, path, "restore")
    rest = content[: block.start()] + content[block.end() :]
    return Change(name, path, "remove", None if rest == b"#!/bin/sh\n" else rest)


def _apply(change: Change) -> None:
    path, aside = change.path, change.path.with_name(change.path.name + ASIDE)
    if change.deed == "keep":
        return
    if change.deed == "restore":
        aside.replace(path)
        return
    if change.content is None:
        path.unlink()
        return
    mode = 0o755
    if change.deed == "chain":
        _move_aside(path, aside)
    elif path.exists():
        mode = stat.S_IMODE(path.stat().st_mode)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, change.content, mode=mode)


def _move_aside(path: Path, aside: Path) -> None:
    """Give a hook its other name before its own is taken: a process killed in between leaves the hook as it was."""
    if os.path.lexists(aside):
        return
    try:
        os.link(path, aside, follow_symlinks=False)
    except (OSError, NotImplementedError):
        path.rename(aside)


def _filled(template: bytes, name: str, python: str) -> bytes:
    interpreter = os.fsencode(python.replace("\\", "/"))  # git for Windows runs hooks with a shell that wants slashes
    return template.replace(b"@HOOK@", name.encode()).replace(b"@PYTHON@", interpreter)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _runs(path: Path) -> bool:
    return os.name == "nt" or os.access(path, os.X_OK)


def describe(change: Change) -> Iterator[str]:
    """A change in a line for people."""
    deeds = {
        "create": "created",
        "add": "block added after the first line of what is there",
        "update": "block brought up to date",
        "chain": f"what is there moves to {change.path.name}{ASIDE} and runs after ours",
        "keep": "as it is",
        "remove": "removed" if change.content is None else "block removed, the rest stays as it is",
        "restore": f"{change.path.name}{ASIDE} is put back",
    }
    yield f"{change.hook}: {deeds[change.deed]}"
