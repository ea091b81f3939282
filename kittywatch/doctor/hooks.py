"""Git hooks: missing, stale, another tool's alone, shadowed by core.hooksPath, missing in a worktree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from shlex import quote

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.doctor.watching import watcher_of
from kittywatch.errors import KittywatchError
from kittywatch.git.repository import Git
from kittywatch.githooks import installation
from kittywatch.githooks.installation import Hook

_INSTALL = "`kittywatch hooks install`"


def check(examination: Examination) -> Iterator[Finding]:
    git = examination.project.git
    main = installation.hooks_directory(git.hooks_path(), git.root)
    found = installation.status(main)
    missing = [hook for hook in found if hook.state == "missing"]
    fix = partial(_install, main) if _within(main, git) else None
    for hook in found:
        if hook.state == "stale":
            yield Finding(f"{hook.path} is stale: {hook.fault}", _INSTALL, fix)
    yield from _foreign(missing, fix)
    yield from _missing([hook for hook in missing if hook.foreign is None], examination, main, fix)
    yield from _leftovers(found)
    yield from _worktrees(examination, main, all_missing=len(missing) == len(found))


def _foreign(missing: list[Hook], fix: partial[str] | None) -> Iterator[Finding]:
    for hook in missing:
        if hook.foreign is not None:
            what = f"{hook.path} is another tool's, and kittywatch's hook is not beside it"
            yield Finding(what, f"{_INSTALL}, which leaves the other one running", fix)


def _missing(
    missing: list[Hook], examination: Examination, directory: Path, fix: partial[str] | None
) -> Iterator[Finding]:
    """One finding for all: they are installed together. Without any of them a watcher may do their work."""
    git = examination.project.git
    if not missing or (len(missing) == len(installation.HOOKS) and watcher_of(git.directory) is not None):
        return
    names = ", ".join(hook.name for hook in missing)
    own = git.common / "hooks"
    configured = git.config("core.hooksPath")
    if configured and _same(own, directory):
        configured = None
    if configured and any(hook.state != "missing" for hook in installation.status(own)):
        what = f"core.hooksPath is {configured}, so git runs nothing of {own}, where kittywatch's hooks are"
        yield Finding(what, f"{_INSTALL}, or `git config --unset core.hooksPath`", fix)
        return
    where = f"{directory}, as core.hooksPath says" if configured else str(directory)
    if len(missing) == len(installation.HOOKS):
        what = f"nothing observes this checkout: no watcher runs, and no hooks are installed in {where}"
        yield Finding(what, f"{_INSTALL}, or keep `kittywatch watch` running", fix)
        return
    yield Finding(f"hooks are missing in {where}: {names}", _INSTALL, fix)


def _leftovers(found: list[Hook]) -> Iterator[Finding]:
    """What was moved aside for a hook of ours that is another tool's by now: nothing runs it."""
    for hook in found:
        aside = installation.moved_aside(hook.path, hook.name)
        if hook.foreign == "script" and os.path.lexists(aside):
            yield Finding(f"nothing runs {aside} any more", f"put it back or remove it: {hook.path} took its place")


def _worktrees(examination: Examination, main: Path, *, all_missing: bool) -> Iterator[Finding]:
    """A relative core.hooksPath leads to another directory in each worktree, and silently to none."""
    git = examination.project.git
    for root in git.worktrees():
        if root == git.root or not root.is_dir():
            continue
        try:
            other = Git.find(root)
            directory = installation.hooks_directory(other.hooks_path(), root)
        except KittywatchError:
            continue  # half made, or broken: git itself says more there
        if _same(directory, main) or all_missing or watcher_of(other.directory) is not None:
            continue
        missing = [hook.name for hook in installation.status(directory) if hook.state != "installed"]
        if missing:
            what = f"the worktree {root} looks for its hooks in {directory}, which lacks {', '.join(missing)}"
            fix = partial(_install, directory) if _within(directory, other) else None
            yield Finding(what, f"`kittywatch -C {quote(str(root))} hooks install`", fix)


def _install(directory: Path) -> str:
    changes = [change for change in installation.plan_install(directory) if change.deed != "keep"]
    installation.apply(changes)
    return f"installed in {directory}: {', '.join(change.hook for change in changes) or 'all there already'}"


def _within(directory: Path, git: Git) -> bool:
    """Whether hooks there are this repository's alone: others may use a directory outside of it."""
    target = directory.resolve()
    return target.is_relative_to(git.common.resolve()) or target.is_relative_to(git.root.resolve())


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
