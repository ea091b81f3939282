"""Scripts of one name in several places on PATH: the one that a shell finds, and the newest.

Nothing is run to find out: the script says whose it is, and the packages beside its interpreter say which version.
"""

from __future__ import annotations

import os
import re
import shutil
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.workflow.upstream import DISTRIBUTION, SCRIPT

NAMES = (SCRIPT, "kittywatch")
_OWNERS = ((b"specify_cli", DISTRIBUTION), (b"kittywatch", "kittywatch"))
_INTERPRETER = re.compile(rb"^(?:#!|'''exec' \"?)([^\s\"]+)", re.MULTILINE)
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class Script:
    """An executable: whose it is, its version, and when it was installed (seconds since 1970); None if unknown."""

    path: Path
    owner: str | None
    version: str | None
    installed: float

    def __str__(self) -> str:
        what = " ".join(part for part in (self.owner, self.version) if part) or "another program"
        return f"{self.path} ({what})"


def check(examination: Examination) -> Iterator[Finding]:
    for name in NAMES:
        scripts = list(scripts_on(examination.search_path, name))
        if len(scripts) > 1:
            first, others = scripts[0], scripts[1:]
            newest = _newest(scripts)
            which = "the newer one" if newest is first else f"{newest.path} is newer"
            yield Finding(
                f"{name} is there {len(scripts)} times: PATH finds {first}, {which};"
                f" behind it {', '.join(map(str, others))}",
                f"uninstall one, or put the directory of the one that you mean first in PATH: {newest.path.parent}",
            )
    yield from _beside()


def _beside() -> Iterator[Finding]:
    """The script that both distributions bring, where they share our environment."""
    scripts = sysconfig.get_path("scripts")
    if shutil.which("kittywatch", path=scripts) is None:
        return  # not installed as pip does it
    there = shutil.which(SCRIPT, path=scripts)
    again = "`pip install --force-reinstall --no-deps kittywatch`"
    if there is None:
        yield Finding(f"{SCRIPT} is gone from {scripts}: it went with {DISTRIBUTION}, which has one, too", again)
    elif _script(Path(there), Path(there)).owner == DISTRIBUTION:
        what = (
            f"{there} is that of {DISTRIBUTION}, installed after kittywatch: it knows no `watch`, `hooks` and the like"
        )
        yield Finding(what, f"say `kittywatch` for those; or {again}, whose {SCRIPT} has the commands of both")


def scripts_on(search_path: str, name: str) -> Iterator[Script]:
    """The different scripts of a name, in the order of the search path."""
    seen: set[Path] = set()
    for directory in search_path.split(os.pathsep):
        path = Path(directory) / name
        if not os.path.isabs(directory) or not path.is_file() or not os.access(path, os.X_OK):
            continue
        target = path.resolve()
        if target not in seen:
            seen.add(target)
            yield _script(path, target)


def _script(path: Path, target: Path) -> Script:
    try:
        with target.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        installed = target.stat().st_mtime
    except OSError:
        return Script(path, None, None, 0.0)
    owner = next((name for mark, name in _OWNERS if mark in head.partition(b"\n")[2]), None)
    found = _INTERPRETER.search(head)
    version = _version(Path(os.fsdecode(found[1])), owner) if found and owner else None
    return Script(path, owner, version, installed)


def _version(interpreter: Path, owner: str) -> str | None:
    """The version of a distribution beside an interpreter, by the name of its metadata."""
    stem = owner.replace("-", "_")
    for packages in (interpreter.parent.parent / "lib").glob("python3*/site-packages"):
        for info in packages.glob(f"{stem}-*.dist-info"):
            return info.name.removeprefix(f"{stem}-").removesuffix(".dist-info")
    return None


def _newest(scripts: list[Script]) -> Script:
    """Of one program the highest version; of different ones, whose versions say nothing, what was installed last."""
    one_program = len({script.owner for script in scripts}) == 1 and all(script.version for script in scripts)

    def age(script: Script) -> tuple[tuple[int, ...], float]:
        numbers = tuple(int(number) for number in re.findall(r"\d+", script.version or ""))
        return numbers if one_program else (), script.installed

    return max(scripts, key=age)
