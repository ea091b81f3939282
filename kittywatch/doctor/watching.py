"""The watcher: is a mark stale that names one, and can this machine watch the project at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.git.repository import Git
from kittywatch.observe.traces import git_directories
from kittywatch.observe.tree_watch import TreeWatch
from kittywatch.observe.watcher import MARK
from kittywatch.workpackages.sources import DEFAULT

_LIMITS = "raise fs.inotify.max_user_watches and max_user_instances with sysctl, or end what watches so much"
_POLLS = "keep the project on a disk of this machine, or live with polling"


def check(examination: Examination) -> Iterator[Finding]:
    git = examination.project.git
    for directory in git_directories(git.common):
        if (directory / MARK).exists() and watcher_of(directory) is None:
            yield Finding(
                f"{directory / MARK} is stale: the watcher that it names has ended",
                "run `kittywatch doctor --fix`",
                partial(_remove, directory / MARK),
            )
    yield from _watches(git)


def watcher_of(directory: Path) -> int | None:
    """The process whose mark is in a git directory and which still runs; None without one."""
    try:
        number, started, *_ = (directory / MARK).read_text("utf-8").split()
        fields = Path(f"/proc/{int(number)}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return int(number) if fields[19:20] == [started] and fields[0] != "Z" else None


def _watches(git: Git) -> Iterator[Finding]:
    """Watch what a watcher would, and see what it says of that."""
    said: list[str] = []
    watch = TreeWatch(lambda path, over: None, lambda: None, said.append)
    try:
        for root in git.worktrees():
            for top in DEFAULT.tops:
                watch.watch(root / top, below=True)
        watch.check()
    finally:
        watch.close()
    for text in said:
        yield Finding(text, _POLLS if " sends no events" in text else _LIMITS)


def _remove(mark: Path) -> str:
    mark.unlink(missing_ok=True)
    return "removed"
