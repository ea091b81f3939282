"""What commands share: the project at hand, and the warnings that every command gives."""

from __future__ import annotations

from pathlib import Path

import click

from kittywatch.cli.output import Output
from kittywatch.errors import StoreError
from kittywatch.home import home, node_id, sync_settings
from kittywatch.project import Project
from kittywatch.store.outbox import queue_length
from kittywatch.store.store import Store


def open_project(ctx: click.Context, *, writes: bool = True, restores: bool = False) -> Project:
    """The project around the current directory; gives it an identity where it has none, unless `writes` is off.

    With `restores` on, also a known project's checkout that lacks the file gets it.
    """
    output: Output = ctx.obj
    project = Project.find(Path.cwd(), output.warn, writes=writes)
    project.restores = restores
    ctx.call_on_close(project.store.close)
    if writes:
        _ = project.identity
    warn_of_queue(project, output)
    return project


def open_store(ctx: click.Context) -> Store:
    """This user's store, for commands that need no project; nothing is made by opening it."""
    output: Output = ctx.obj
    store = Store(home(), node_id=node_id(), warn=output.warn)
    ctx.call_on_close(store.close)
    return store


def warn_of_queue(project: Project, output: Output) -> None:
    """Say that more waits than is set; nothing is ever dropped for it."""
    if not project.store.exists:
        return
    try:
        waiting = project.store.read(queue_length)
    except StoreError:
        return  # the command itself meets it, and says so
    limit = sync_settings(project.store.directory).max_queue_size
    if waiting > limit:
        output.warn(
            f"{waiting} events wait in {project.store.path}, more than max_queue_size ({limit}); "
            "none is dropped. Deliver them with `kittywatch sync now`"
        )
