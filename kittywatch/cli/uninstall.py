"""`uninstall`: the machine as it was."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from kittywatch.cli.context import open_project
from kittywatch.cli.lines import counted
from kittywatch.cli.output import Output, plain
from kittywatch.errors import KittywatchError, ProjectError, StoreError
from kittywatch.git.repository import Git
from kittywatch.githooks import installation
from kittywatch.observe.traces import git_directories, traces_in
from kittywatch.observe.watcher import LOCK, alone
from kittywatch.project import Project
from kittywatch.store.outbox import queue_length
from kittywatch.store.own_files import own_directories, own_files
from kittywatch.store.projects import git_directories_of_all
from kittywatch.sync.flusher import delivering
from kittywatch.sync.identity import CONFIG, identity_in, read_config
from kittywatch.yaml.values import PlainYamlError

_MADE_ALONE = re.compile(rb"project:\n(?: +(?:uuid|slug|node_id): [^\n#]*\n){3}")


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be taken away; change nothing.")
@click.option("--yes", "-y", "confirmed", is_flag=True, help="Take local state away too, without asking.")
@click.pass_context
def uninstall(ctx: click.Context, dry_run: bool, confirmed: bool) -> None:
    """Take this repository's hooks away and, when you say so, what kittywatch keeps on this machine.

    Hooks of other tools are put back as they were. What is kept on this machine is the ledger, the queue and the
    clock of all its projects, and the login; without the ledger a later observation begins anew. The project's
    identity stays when it is committed: it is the project's. Nothing else is touched.

    \b
    Examples:
      kittywatch uninstall --dry-run
      kittywatch uninstall
      kittywatch uninstall --yes && pipx uninstall kittywatch
    """
    output: Output = ctx.obj
    project = open_project(ctx, writes=False)
    _refuse_while_watched(project.git)
    _uninstall_hooks(project, output, dry_run=dry_run)
    state = _state_of(project)
    project.store.close()
    if not state.files:
        output.say("nothing else of kittywatch is kept on this machine")
        return
    output.say(f"kept on this machine: {_described(state)}")
    for path in state.files:
        output.say(plain(f"  {path}"))
    for place in state.elsewhere:
        output.warn(f"{place} was observed too; run this there as well if it has hooks")
    if dry_run:
        return
    if not (confirmed or _asked()):
        output.say("it stays; `kittywatch uninstall --yes` takes it away as well")
        return
    _remove(state, project.store.directory)
    output.say(f"{counted(len(state.files), 'file')} removed")


@dataclass(frozen=True)
class _State:
    """What is kept: files, the directories that go when they are empty then, how many events would be lost.

    `waiting` is None where the database cannot say. `elsewhere` are other repositories that were observed.
    """

    files: list[Path]
    directories: list[Path]
    waiting: int | None
    elsewhere: list[str]


def _state_of(project: Project) -> _State:
    store = project.store
    waiting: int | None = 0
    places: list[str] = []
    if store.exists:
        try:
            waiting, places = store.read(
                lambda connection: (queue_length(connection), git_directories_of_all(connection))
            )
        except StoreError:
            waiting = None
    own = {str(directory) for directory in git_directories(project.git.common)} | {str(project.git.directory)}
    files, directories = own_files(store.directory), own_directories(store.directory)
    config = project.git.main_root / CONFIG
    if _is_ours_alone(config, project.git.main_root):
        files.append(config)
        directories.append(config.parent)
    return _State(files, directories, waiting, [place for place in places if place not in own and Path(place).is_dir()])


def _described(state: _State) -> str:
    if state.waiting is None:
        return "a database that cannot be read"
    what = counted(len(state.files), "file")
    return f"{what}; {counted(state.waiting, 'event')} not delivered yet would be lost" if state.waiting else what


def _asked() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and click.confirm("take it away?", err=True)


def _uninstall_hooks(project: Project, output: Output, *, dry_run: bool) -> None:
    """Where git looks for hooks, and where it looked before somebody set core.hooksPath."""
    git = project.git
    directories = {installation.hooks_directory(git.hooks_path(), git.root), git.common / "hooks"}
    changes = [change for directory in sorted(directories) for change in installation.plan_uninstall(directory)]
    traces = traces_in(git.common)
    if not dry_run:
        installation.apply(changes)
        _unlink(traces)
    for change in changes:
        for line in installation.describe(change):
            output.say(plain(f"{'would change ' if dry_run else ''}{change.path.parent}: {line}"))
    for path in traces:
        output.say(plain(f"{path}: {'would be removed' if dry_run else 'removed'}"))
    if not changes:
        output.say("no hooks of kittywatch are installed")


def _refuse_while_watched(git: Git) -> None:
    if not (git.common / LOCK).exists():
        return
    with alone(git.common) as holder:
        if holder is not None:
            raise ProjectError(
                f"{holder} watches {git.root}, and would make again what is taken away",
                remedy="end `kittywatch watch` there, then run this again",
            )


def _is_ours_alone(config: Path, root: Path) -> bool:
    """Whether git doesn't know the identity's file, and it holds nothing else."""
    try:
        if not identity_in(read_config(root)).complete or not _MADE_ALONE.fullmatch(config.read_bytes()):
            return False
        objects = Git.find(root).objects()
    except (OSError, PlainYamlError, KittywatchError):
        return False
    with contextlib.closing(objects):
        return all(objects.read(f"{place}:{CONFIG.as_posix()}") is None for place in ("HEAD", ""))


def _remove(state: _State, home: Path) -> None:
    with delivering(home) if home.is_dir() else contextlib.nullcontext(True) as free:
        if not free:
            raise StoreError(
                "events are being delivered right now, and would be lost", remedy="wait a little, then run this again"
            )
        _unlink([*state.files, *own_files(home)])  # the lock may have been made just now
    for directory in state.directories:
        with contextlib.suppress(OSError):
            directory.rmdir()


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ProjectError(
                f"{path}: {error.strerror}", remedy="make its directory writable, then run this again"
            ) from error
