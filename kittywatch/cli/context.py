"""The context that commands share: the project at hand, and the warnings that every command gives."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

import click

from kittywatch.cli.output import Output
from kittywatch.errors import KittywatchError, StoreError
from kittywatch.home import home, node_id, sync_settings
from kittywatch.project import Project
from kittywatch.store import delivery
from kittywatch.store.outbox import queue_length
from kittywatch.store.store import Store


def open_project(ctx: click.Context, *, writes: bool = True, restores: bool = False) -> Project:
    """Open the project around the current directory; make an identity if it has none, unless `writes` is off.

    With `restores` on, also a known project's checkout that lacks the file gets it.
    """
    output: Output = ctx.obj
    project = Project.find(Path.cwd(), output.warn, writes=writes)
    project.restores = restores
    ctx.call_on_close(project.store.close)
    if writes:
        _ = project.identity
    warn_of_queue(project.store, output)
    return project


def open_store(ctx: click.Context) -> Store:
    """Open this user's store, for what is about all projects; opening creates nothing."""
    output: Output = ctx.obj
    store = Store(home(), node_id=node_id(), warn=output.warn)
    ctx.call_on_close(store.close)
    return store


def project_here(output: Output) -> Project | None:
    """Open the project around the current directory as it is, None outside of one."""
    try:
        return Project.find(Path.cwd(), output.warn, writes=False)
    except (KittywatchError, OSError):
        return None


def deliver_afterwards(ctx: click.Context) -> None:
    """Leave delivery to the flusher when the command has ended; say once how to log in if there is no login."""
    ctx.call_on_close(functools.partial(_deliver, ctx.obj))


def _deliver(output: Output) -> None:
    from kittywatch.sync.flusher import hand_over
    from kittywatch.sync.status import HINT

    project = project_here(output)
    if project is None or not project.store.exists or os.environ.get("KITTYWATCH") == "0":
        return
    with contextlib.closing(project.store), contextlib.suppress(StoreError):
        hand_over(project)
        if not output.quiet and project.store.transact(delivery.hint_is_due):
            output.say(HINT)


def warn_of_queue(store: Store, output: Output) -> None:
    """Say that more waits than is set; nothing is ever dropped for it."""
    if not store.exists:
        return
    try:
        waiting = store.read(queue_length)
    except StoreError:
        return  # the command itself meets it, and says so
    limit = sync_settings(store.directory).max_queue_size
    if waiting > limit:
        output.warn(
            f"{waiting} events wait in {store.path}, more than max_queue_size ({limit}); "
            "none is dropped. Deliver them with `kittywatch sync now`"
        )
