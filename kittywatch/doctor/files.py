"""Files that only their owner may read: the home 0700, what is in it 0600."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from shlex import quote

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.store.own_files import own_directories, own_files

PRIVATE = ("hub.db",)


def check(examination: Examination) -> Iterator[Finding]:
    home = examination.home
    if not home.exists():
        return
    others = [home / name for name in PRIVATE if (home / name).is_file()]
    for directory in own_directories(home):
        yield from _check(directory, 0o700)
    for path in [*own_files(home), *others]:
        yield from _check(path, 0o600)


def _check(path: Path, mode: int) -> Iterator[Finding]:
    try:
        about = path.lstat()
    except FileNotFoundError:
        return  # a lock or a journal that came and went
    if os.name == "nt" or stat.S_ISLNK(about.st_mode):
        return
    if about.st_uid != os.geteuid():
        yield Finding(f"{path} belongs to another user", f"`sudo chown $(id -u) {quote(str(path))}`")
        return
    found = stat.S_IMODE(about.st_mode)
    if found & ~mode:
        what = f"{path} is open to others (mode {found:04o})"
        yield Finding(what, f"`chmod {mode:04o} {quote(str(path))}`", partial(_close, path, mode))
    elif found & mode != mode:
        what = f"{path} is closed to its owner (mode {found:04o})"
        yield Finding(what, f"`chmod {mode:04o} {quote(str(path))}`", partial(_close, path, mode))


def _close(path: Path, mode: int) -> str:
    path.chmod(mode)
    return f"mode set to {mode:04o}"
