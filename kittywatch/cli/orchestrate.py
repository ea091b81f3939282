"""`orchestrate`: agents implement and review the work packages of a feature."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from kittywatch.cli.output import Output, plain
from kittywatch.cli.workflow import feature_option, in_workspace
from kittywatch.errors import WorkflowError
from kittywatch.home import home
from kittywatch.workflow.agents import Approvals, Settings, check_team, fingerprint, read_settings
from kittywatch.workflow.orchestrator import Orchestrator, Progress, load_orderly, tasks_of
from kittywatch.workflow.schedule import Tasks, rehearsal
from kittywatch.workflow.workspace import Workspace

if TYPE_CHECKING:
    from rich.table import Table

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_Look = Callable[[Progress], None]


@click.command()
@feature_option
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Agents at once.")
@click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="For each run.")
@click.option("--impl-agent", "--implementer", "implementer", metavar="NAME", help="Who implements first.")
@click.option("--review-agent", "--reviewer", "reviewer", metavar="NAME", help="Who reviews first.")
@click.option("--yes", is_flag=True, help="Approve the agents' command lines as they are configured now.")
@click.option("--dry-run", is_flag=True, help="Say who would do what, a wave at a time; start nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def orchestrate(
    ctx: click.Context,
    stated: str | None,
    jobs: int | None,
    time_limit: float | None,
    implementer: str | None,
    reviewer: str | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Have agents implement and review the work packages of a feature, in parallel where dependencies allow it.

    Each works in a linked worktree under .worktrees/. What another agent has reviewed is merged into the branch that
    is checked out here, and then done. After a failure another agent takes over. Ctrl-C stops; the next run goes on.

    \b
    The agents are named in .kittify/config.yaml, as lists of arguments, without a shell:
      orchestrate:
        jobs: 2
        time_limit_seconds: 3600
        attempts: 3
        agents:
          claude: [claude, -p, "{prompt}"]
          codex: [codex, exec, "{prompt}"]

    They are run only after you have approved their exact argument lists, once on each machine.

    \b
    Examples:
      kittywatch orchestrate --dry-run
      kittywatch orchestrate --feature 001-login --jobs 4
    """
    if os.name == "nt":
        raise WorkflowError("orchestrate needs process groups, which Windows doesn't have", remedy="run it in WSL")
    output: Output = ctx.obj
    with in_workspace(ctx, "orchestrate", observes=not dry_run) as workspace:
        feature = workspace.feature(stated)
        settings = _settings(workspace, jobs, time_limit, implementer, reviewer)
        if dry_run:
            _rehearse(output, tasks_of(load_orderly(workspace, feature.slug)), settings, as_json=as_json)
            return
        _approve(output, workspace, settings, yes=yes)
        stopped = _run(output, workspace, feature.slug, settings, as_json=as_json)
    if stopped:
        raise KeyboardInterrupt


def _run(output: Output, workspace: Workspace, slug: str, settings: Settings, *, as_json: bool) -> bool:
    """Orchestrate and report; returns whether it was stopped. Raises WorkflowError where something is left."""
    with _looking(output) as look:
        orchestrator = Orchestrator(workspace, slug, settings, look)
        with _stopping(orchestrator):
            done = orchestrator.run()
    _report(output, orchestrator, as_json=as_json)
    if not done and not orchestrator.stopping:
        left = [task.wp_id for task in orchestrator.tasks.values() if task.lane != "done"]
        raise WorkflowError(
            f"{', '.join(left)} of {slug} could not be done",
            remedy=f"see the logs in {orchestrator.directory}; another run goes on from here",
        )
    return orchestrator.stopping


def _settings(
    workspace: Workspace, jobs: int | None, time_limit: float | None, implementer: str | None, reviewer: str | None
) -> Settings:
    settings = read_settings(workspace.project.config, workspace.root)
    team = replace(
        settings.team,
        implementation=_first(implementer, settings.team.implementation, settings),
        review=_first(reviewer, settings.team.review, settings),
        jobs=jobs or settings.team.jobs,
    )
    check_team(team)
    return replace(settings, team=team, time_limit=time_limit or settings.time_limit)


def _first(name: str | None, names: tuple[str, ...], settings: Settings) -> tuple[str, ...]:
    if name is None:
        return names
    if name not in settings.commands:
        raise WorkflowError(f"there is no agent {name}", remedy=f"name one of {', '.join(settings.commands)}")
    return (name, *(one for one in names if one != name))


def _approve(output: Output, workspace: Workspace, settings: Settings, *, yes: bool) -> None:
    """Go on only with what the user of this machine has approved: the repository is not to be trusted with it."""
    approvals = Approvals(home())
    mark = fingerprint(settings, workspace.project.git.common)
    if approvals.has(mark):
        return
    lines = [f"  {name}: {shlex.join(command)}" for name, command in settings.commands.items()]
    if not yes:
        click.echo("\n".join(["this project's configuration would run:", *map(plain, lines)]), err=True)
        asks = sys.stdin.isatty() and sys.stderr.isatty()
        if not (asks and click.confirm("Run these on this machine?", err=True)):
            raise WorkflowError(
                "the agents' command lines are not approved on this machine", remedy="read them; --yes approves them"
            )
    approvals.add(mark)


def _rehearse(output: Output, tasks: Tasks, settings: Settings, *, as_json: bool) -> None:
    waves = list(rehearsal(tasks, settings.team))
    if as_json:
        fields = [[{"wp_id": one.wp_id, "phase": one.phase, "agent": one.agent} for one in wave] for wave in waves]
        output.data(json.dumps(fields))
        return
    for number, wave in enumerate(waves, 1):
        for start in wave:
            output.data(f"{number:3}  {start.wp_id}  {start.phase} by {start.agent}")
    output.say("nothing was started (dry run)")


def _report(output: Output, orchestrator: Orchestrator, *, as_json: bool) -> None:
    tasks = orchestrator.tasks.values()
    if as_json:
        fields = [
            {"wp_id": one.wp_id, "lane": one.lane, "stuck": one.stuck, "log": str(orchestrator.runs.log(one.wp_id))}
            for one in tasks
        ]
        output.data(json.dumps({"done": all(one.lane == "done" for one in tasks), "work_packages": fields}))
        return
    for one in tasks:
        output.data(f"{one.wp_id}  {one.lane}" + (f"  {one.stuck}" if one.stuck else ""))


@contextmanager
def _stopping(orchestrator: Orchestrator) -> Iterator[None]:
    """Ctrl-C and its kin end the orchestration in order."""

    def end(number: int, frame: FrameType | None) -> None:
        orchestrator.stop()

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _looking(output: Output) -> Iterator[_Look]:
    """A table on a terminal, a line for each thing that happens elsewhere."""
    if output.quiet or not sys.stderr.isatty():
        yield lambda progress: output.say(progress.said)
        return
    from rich.console import Console
    from rich.live import Live

    board = _Board()
    console = Console(stderr=True, no_color=not output.colors(True))
    with Live(console=console, get_renderable=board.table, refresh_per_second=2) as live:

        def look(progress: Progress) -> None:
            board.see(progress)
            live.console.print(plain(progress.said), markup=False, highlight=False)
            live.refresh()

        yield look


class _Board:
    """The work packages as a table, with how long each has been at what it is at."""

    def __init__(self) -> None:
        self._tasks: Tasks = {}
        self._since: dict[str, tuple[str, float]] = {}

    def see(self, progress: Progress) -> None:
        for wp_id, task in progress.tasks.items():
            what = f"{task.running.phase} by {task.running.agent}" if task.running else task.stuck or ""
            if wp_id not in self._since or self._since[wp_id][0] != what:
                self._since[wp_id] = (what, time.monotonic())
        self._tasks = progress.tasks  # last: another thread draws the table

    def table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        for heading in ("WP", "lane", "agent", "seconds"):
            table.add_column(heading)
        for wp_id, task in self._tasks.items():
            what, since = self._since[wp_id]
            seconds = f"{time.monotonic() - since:.0f}" if task.running else ""
            table.add_row(wp_id, task.lane, Text(plain(what)), seconds)
        return table
