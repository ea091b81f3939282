"""Git hooks beside whatever is there.

Rules of this module:
- Hooks go where git looks for them: `git rev-parse --git-path hooks` says it, whatever core.hooksPath, worktrees or
  another tool made of it.
- A shell script gets a marked block after its first line. Anything else, a binary, a link, another language, a file
  that git doesn't run, moves aside into a directory of its own, and our script runs it after itself as git would have.
  Its name stays as it was: a program that serves several hooks knows by it which one it is to be.
- The pre-commit framework moves what it finds to a name that ends in `.legacy`, and runs it from there: what it moved
  of ours counts as installed, and is taken away there.
- Nothing of anybody's is lost: uninstalling gives back the bytes that were there.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from kittywatch.errors import ProjectError
from kittywatch.githooks.stub import BLOCK, PYTHON, filled, read_template, works
from kittywatch.store.files import replace_file

HOOKS = ("post-commit", "post-merge", "post-checkout", "post-rewrite", "post-applypatch")
ASIDE = "kittywatch-before"
LEGACY = ".legacy"
_SHELLS = frozenset({b"sh", b"bash", b"dash", b"ash", b"ksh", b"mksh", b"zsh"})
# A script that hands itself to another interpreter is one in two languages: a block would be an error in the second.
_TWO_LANGUAGES = re.compile(rb"\bexec\b[^\n]*\$\{?0\b")
_HEADER = b"#!/bin/sh\n"
_CHAIN = b"""
# What was here before runs as it did, with its arguments, its input and its exit status.
before=${0%/*}/@ASIDE@/@HOOK@
[ ! -x "$before" ] || exec "$before" "$@"
"""

State: TypeAlias = Literal["installed", "missing", "stale"]
Deed: TypeAlias = Literal["create", "add", "update", "chain", "keep", "remove", "restore"]


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook as it is: `foreign` says what else is there, `python` the interpreter of an installed block.

    `fault` says for people why one is stale.
    """

    name: str
    path: Path
    state: State
    python: str | None = None
    foreign: Literal["script", "aside"] | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change to a hook's file, for people and for `apply`; `content` is None where the file goes."""

    hook: str
    path: Path
    deed: Deed
    content: bytes | None = None


def hooks_directory(git_path: str, root: Path) -> Path:
    """The directory of hooks, from what `git rev-parse --git-path hooks` prints in a worktree's top."""
    return root / os.path.expanduser(git_path)


def status(directory: Path) -> list[Hook]:
    """Every hook as it is installed in a directory."""
    template = read_template()
    checked = functools.cache(works)
    return [_hook(name, directory / name, template, checked) for name in HOOKS]


def plan_install(directory: Path, python: str = sys.executable) -> list[Change]:
    """Plan an installation, a change a hook; raises ProjectError.

    An interpreter's path that cannot stand in a shell script raises, and a hook that would be lost.
    """
    if "'" in python or "\n" in python:
        raise ProjectError(
            f"the interpreter's path {python!a} has a quote in it, which a shell script can't name",
            remedy="install kittywatch into an environment whose path has none",
        )
    template = read_template()
    return [_installed(name, directory / name, template, python) for name in HOOKS]


def plan_uninstall(directory: Path) -> list[Change]:
    """Plan the removal, a change for each hook that has something of ours."""
    return [
        change
        for name in HOOKS
        for path in (directory / name, directory / (name + LEGACY))
        if (change := _uninstalled(name, path)) is not None
    ]


def apply(changes: list[Change]) -> None:
    """Carry changes out; raises ProjectError for the first file that can't be written."""
    for change in changes:
        try:
            _apply(change)
        except OSError as error:
            raise ProjectError(
                f"{change.path}: {error.strerror}", remedy="make the directory writable, then run the command again"
            ) from error


def _hook(name: str, path: Path, template: bytes, works: Callable[[str], bool]) -> Hook:
    aside = moved_aside(path, name)
    beside: Literal["script", "aside"] | None = "aside" if os.path.lexists(aside) else None
    carrier = _carrier(path)
    content = _read(carrier)
    block = BLOCK.search(content) if content is not None else None
    if content is None or block is None:
        return Hook(name, path, "missing", foreign="script" if os.path.lexists(path) else beside)
    if carrier != path or not _ours(name, _without(content, block)):
        beside = "script"
    found = PYTHON.search(block[0])
    python = os.fsdecode(found[1]) if found else None
    fault = None
    if python is None or block[0] != filled(template, name, python):
        fault = "its block is another version's"
    elif not _runs(carrier):
        fault = "its file is not executable"
    elif not works(python):
        fault = f"its interpreter {python} is gone or lacks kittywatch"
    return Hook(name, carrier, "stale" if fault else "installed", python, beside, fault)


def _installed(name: str, path: Path, template: bytes, python: str) -> Change:
    block = filled(template, name, python)
    path = _carrier(path)
    content = _read(path)
    if content is not None and (old := BLOCK.search(content)) is not None:
        updated = content[: old.start()] + block + content[old.end() :]
        return Change(name, path, "keep" if updated == content and _runs(path) else "update", updated)
    aside = moved_aside(path, name)
    if not os.path.lexists(path) and not os.path.lexists(aside):
        return Change(name, path, "create", _HEADER + block)
    if content is not None and _takes_block(content) and not path.is_symlink() and _runs(path):
        line = content.index(b"\n") + 1
        return Change(name, path, "add", content[:line] + block + content[line:])
    if os.path.lexists(path) and os.path.lexists(aside) and not _same(path, aside):
        raise ProjectError(
            f"{aside} is there already, and {path} is another tool's by now",
            remedy=f"remove or rename {aside}, which nothing runs any more, then run the command again",
        )
    return Change(name, path, "chain", _HEADER + block + _chain(name))


def _uninstalled(name: str, path: Path) -> Change | None:
    content = _read(path)
    aside = os.path.lexists(moved_aside(path, name))
    if content is None or (block := BLOCK.search(content)) is None:
        # Somebody removed our script, and what it ran is left over.
        lost = aside and path.name == name and not os.path.lexists(path) and _carrier(path) == path
        return Change(name, path, "restore") if lost else None
    rest = _without(content, block)
    if _ours(name, rest):
        return Change(name, path, "restore" if aside else "remove")
    return Change(name, path, "remove", rest)


def _carrier(path: Path) -> Path:
    """The file that has our block: the hook, or what the pre-commit framework made of it."""
    legacy = path.with_name(path.name + LEGACY)
    if BLOCK.search(_read(path) or b"") is None and BLOCK.search(_read(legacy) or b"") and path.exists():
        return legacy
    return path


def _ours(name: str, rest: bytes) -> bool:
    """Tell whether a script is ours alone, by what it has beside the block."""
    return rest.replace(b"\r\n", b"\n") in (_HEADER, _HEADER + _chain(name))


def _chain(name: str) -> bytes:
    return _CHAIN.replace(b"@ASIDE@", ASIDE.encode()).replace(b"@HOOK@", name.encode())


def moved_aside(path: Path, name: str) -> Path:
    """The path to which a hook moves that cannot take a block."""
    return path.parent / ASIDE / name


def _without(content: bytes, block: re.Match[bytes]) -> bytes:
    return content[: block.start()] + content[block.end() :]


def _takes_block(content: bytes) -> bool:
    """Tell whether a block of shell can follow a script's first line."""
    line, end, rest = content.partition(b"\n")
    if not line.startswith(b"#!") or not end or not rest or line.endswith(b"\r") or _TWO_LANGUAGES.search(content):
        return False
    words = [os.path.basename(word) for word in line[2:].split()]
    if words and words[0] == b"env":
        words = [word for word in words[1:] if not word.startswith(b"-") and b"=" not in word]
    return bool(words) and words[0] in _SHELLS


def _same(path: Path, aside: Path) -> bool:
    """Tell whether a hook is what was moved aside: an installation may have ended in between."""
    if path.is_symlink() or aside.is_symlink():
        return path.is_symlink() and aside.is_symlink() and _deeper(path) == os.readlink(aside)
    return path.samefile(aside)


def _apply(change: Change) -> None:
    path, aside = change.path, moved_aside(change.path, change.hook)
    if change.deed == "keep":
        return
    if change.deed == "restore":
        _move_back(aside, path)
        return
    if change.content is None:
        path.unlink()
        return
    mode = 0o755
    path.parent.mkdir(parents=True, exist_ok=True)
    if change.deed == "chain":
        _move_aside(path, aside)
    elif path.exists():
        mode = stat.S_IMODE(path.stat().st_mode)
        if change.deed == "update":
            mode |= (mode & 0o444) >> 2  # somebody took the right to run it away
    replace_file(path, change.content, mode=mode)


def _move_aside(path: Path, aside: Path) -> None:
    """Give a hook its other place before its own is taken: a process killed in between leaves the hook as it was."""
    if os.path.lexists(aside):
        return
    aside.parent.mkdir(exist_ok=True)
    if path.is_symlink():
        aside.symlink_to(_deeper(path))
        return
    try:
        os.link(path, aside)
    except (OSError, NotImplementedError):
        path.rename(aside)


def _move_back(aside: Path, path: Path) -> None:
    """Give a hook its place back; the directory goes when it is empty."""
    if aside.is_symlink() and not os.path.isabs(target := os.readlink(aside)):
        again = aside.with_name(f"{aside.name}.link")
        again.unlink(missing_ok=True)
        again.symlink_to(target.removeprefix(f"..{os.sep}"))
        again.replace(path)
        aside.unlink()
    else:
        aside.replace(path)
    with contextlib.suppress(OSError):
        aside.parent.rmdir()


def _deeper(link: Path) -> str:
    """The target with which a link one directory further down leads to the same file."""
    target = os.readlink(link)
    return target if os.path.isabs(target) else os.path.join("..", target)


def _read(path: Path) -> bytes | None:
    """A file's bytes, None where there is no regular one: a pipe would keep us waiting, a device never ends."""
    try:
        return path.read_bytes() if path.is_file() else None
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
        "chain": f"what is there moves to {ASIDE}/{change.hook} and runs after ours",
        "keep": "as it is",
        "remove": "removed" if change.content is None else "block removed, the rest stays as it is",
        "restore": f"{ASIDE}/{change.hook} is put back",
    }
    yield f"{change.path.name}: {deeds[change.deed]}"


def framework_hook(environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The git hook, with its arguments, as which the pre-commit framework runs, by the variables that it sets."""
    if command := environment.get("PRE_COMMIT_REWRITE_COMMAND"):
        return "post-rewrite", (command,)
    if kind := environment.get("PRE_COMMIT_CHECKOUT_TYPE"):
        refs = (environment.get("PRE_COMMIT_FROM_REF", ""), environment.get("PRE_COMMIT_TO_REF", ""))
        return "post-checkout", (*refs, kind)
    if squash := environment.get("PRE_COMMIT_IS_SQUASH_MERGE"):
        return "post-merge", (squash,)
    return "post-commit", ()
