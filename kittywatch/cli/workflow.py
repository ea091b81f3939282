"""`implement`, `merge`, `accept`: the lanes of work packages, moved by editing their files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from kittywatch.cli.context import deliver_afterwards, open_project
from kittywatch.cli.output import Output
from kittywatch.errors import GitError, KittywatchError, WorkflowError
from kittywatch.natural import natural
from kittywatch.workflow.feature import Feature, hinted_package
from kittywatch.workflow.moves import Move, Outcome, Signature, check_move, move
from kittywatch.workflow.rules import lane_of
from kittywatch.workflow.workspace import Workspace

Function = TypeVar("Function", bound=Callable[..., Any])
_ID = re.compile(r"(?i)wp([0-9]{1,3})\Z", re.ASCII)


class WorkPackageId(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """WP01; wp1 means the same."""

    name = "work package"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = _ID.match(str(value))
        if found is None:
            self.fail(f"{value!a} is no work package of kitty-specs/, whose ids are like WP01", param, ctx)
        return f"WP{int(found[1]):02}"


WP_ID = WorkPackageId()


def options(*, force: bool = True) -> Callable[[Function], Function]:
    """The options that the workflow's commands share."""

    def decorate(function: Function) -> Function:
        function = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")(function)
        function = click.option(
            "--commit/--no-commit", "commits", default=False, help="Commit the edited files, and nothing else."
        )(function)
        if force:
            function = click.option("--force", is_flag=True, help="Move past the rules.")(function)
        function = click.option("--shell-pid", metavar="PID", help="Process to note beside the agent.")(function)
        function = click.option("--note", metavar="TEXT", help="What the record in the activity log says.")(function)
        function = click.option("--agent", metavar="NAME", help="Who does it; by default `user`.")(function)
        return feature_option(function)

    return decorate


def feature_option(function: Function) -> Function:
    """--feature; else the branch, the directory, or the only feature says which."""
    return click.option(
        "--feature",
        "stated",
        metavar="SLUG",
        envvar="SPECIFY_FEATURE",
        help="The feature: its directory under kitty-specs/. By default that of the branch, or the only one.",
    )(function)


@contextmanager
def in_workspace(
    ctx: click.Context, name: str, wp_id: str | None = None, *, observes: bool = True
) -> Iterator[Workspace]:
    """The files to edit; a command that fails tells one ErrorLogged, and one that succeeds what it did."""
    project = open_project(ctx)
    if observes:
        deliver_afterwards(ctx)
    workspace = Workspace(project, name, Path.cwd(), wp_id)
    try:
        yield workspace
    except (click.ClickException, click.Abort):
        raise
    except Exception as error:
        # What an error of this package says is made for people; any other's text may quote the content.
        said = error.message if isinstance(error, KittywatchError) else type(error).__name__
        project.emitter.emit_error_logged(wp_id, "runtime", f"{name}: {said}", feature_slug=workspace.chosen)
        raise
    if observes:
        workspace.observe()


def report(
    output: Output, feature: Feature, outcomes: Sequence[Outcome], commit: str | None, *, as_json: bool, **more: object
) -> None:
    """Print what became of the work packages."""
    if as_json:
        packages = [
            {"wp_id": one.wp_id, "path": one.path, "previous_lane": one.previous_lane, "lane": one.lane}
            for one in outcomes
        ]
        output.data(json.dumps({"feature": feature.slug, "work_packages": packages, "commit": commit, **more}))
        return
    for one in outcomes:
        stayed = one.previous_lane == one.lane
        output.data(f"{one.wp_id}  {one.lane}" if stayed else f"{one.wp_id}  {one.previous_lane} → {one.lane}")


@click.command()
@click.argument("wp_id", metavar="WP", type=WP_ID)
@click.option("--worktree", is_flag=True, help="Make the linked worktree .worktrees/<feature>-<WP> and its branch.")
@click.option("--base", metavar="REF", help="Where the branch begins: a work package's id, or a commit.")
@options()
@click.pass_context
def implement(
    ctx: click.Context,
    wp_id: str,
    worktree: bool,
    base: str | None,
    stated: str | None,
    agent: str | None,
    note: str | None,
    shell_pid: str | None,
    force: bool,
    commits: bool,
    as_json: bool,
) -> None:
    """Begin a work package: planned → doing.

    Refused while a dependency is not done, and while another agent is doing it. --base makes a worktree too.

    \b
    Examples:
      kittywatch implement WP01 --agent claude
      kittywatch implement WP02 --worktree --base WP01
      kittywatch implement WP03 --feature 001-login --commit --json
    """
    with in_workspace(ctx, "implement", wp_id) as workspace:
        feature = workspace.feature(stated)
        what = Move("doing", "Started implementation", Signature(agent, note, shell_pid), force=force)
        if not (worktree or base):
            outcomes, commit = move(workspace, feature, [wp_id], what, commits=commits)
            more: dict[str, object] = {}
        else:
            check_move(feature, feature.package(wp_id), what)
            name = f"{feature.slug}-{wp_id}"
            made = _Worktree(workspace, name, _base(feature, base))
            try:
                outcomes, commit = move(workspace, feature, [wp_id], what, commits=commits, around=made.make)
            except BaseException:
                made.undo()
                raise
            more = {"worktree": str(made.path), "branch": name}
    report(ctx.obj, feature, outcomes, commit, as_json=as_json, **more)
    if more:
        ctx.obj.say(f"worktree {more['worktree']}")


class _Worktree:
    """A worktree that is there only if the command succeeds."""

    def __init__(self, workspace: Workspace, name: str, base: str) -> None:
        self._workspace = workspace
        self._name = name
        self._base = base
        self._made = False
        self.path: Path | None = None

    def make(self) -> None:
        git = self._workspace.project.git
        new = f"refs/heads/{self._name}" not in git.branches()
        self.path = self._workspace.checkout.add_worktree(self._name, git.commit_id(self._base) if new else "")
        self._made = new

    def undo(self) -> None:
        if self._made:
            with suppress(GitError):
                self._workspace.checkout.remove_worktree(self._name)


def _base(feature: Feature, base: str | None) -> str:
    """The commit-ish that a new branch begins at; a work package's id means its branch."""
    if base is None:
        return "HEAD"
    named = _ID.match(base)
    return f"{feature.slug}-WP{int(named[1]):02}" if named else base


@click.command()
@click.argument("wp_ids", metavar="[WP]...", nargs=-1, type=WP_ID)
@options()
@click.pass_context
def merge(
    ctx: click.Context,
    wp_ids: tuple[str, ...],
    stated: str | None,
    agent: str | None,
    note: str | None,
    shell_pid: str | None,
    force: bool,
    commits: bool,
    as_json: bool,
) -> None:
    """Hand work over for review: doing → for_review. It moves lanes, and leaves git's branches to you.

    Without an id it is the work package of the branch or worktree at hand, else every one that is being done.

    \b
    Examples:
      kittywatch merge WP01 --note "ready, see the pull request"
      kittywatch merge --feature 001-login --commit
    """
    with in_workspace(ctx, "merge", wp_ids[0] if len(wp_ids) == 1 else None) as workspace:
        feature = workspace.feature(stated)
        chosen = list(wp_ids)
        if not chosen:
            hinted = hinted_package(workspace.hints, feature.slug)
            doing = [one for one in sorted(feature.packages, key=natural) if _is_in(feature, one, "doing")]
            chosen = [hinted] if hinted else doing
        if not chosen:
            raise WorkflowError(f"no work package of {feature.slug} is being done", remedy="name one: merge WP01")
        what = Move("for_review", "Ready for review", Signature(agent, note, shell_pid), force=force)
        outcomes, commit = move(workspace, feature, chosen, what, commits=commits)
    report(ctx.obj, feature, outcomes, commit, as_json=as_json)


@click.command()
@click.argument("wp_ids", metavar="[WP]...", nargs=-1, type=WP_ID)
@click.option("--actor", metavar="NAME", help="The same as --agent.")
@options()
@click.pass_context
def accept(
    ctx: click.Context,
    wp_ids: tuple[str, ...],
    actor: str | None,
    stated: str | None,
    agent: str | None,
    note: str | None,
    shell_pid: str | None,
    force: bool,
    commits: bool,
    as_json: bool,
) -> None:
    """Accept what was reviewed: for_review → done, every work package of the feature, or those named.

    Refused as long as one of them is not up for review; nothing is moved then.

    \b
    Examples:
      kittywatch accept
      kittywatch accept WP01 WP02 --feature 001-login --agent reviewer --commit
    """
    with in_workspace(ctx, "accept", wp_ids[0] if len(wp_ids) == 1 else None) as workspace:
        feature = workspace.feature(stated)
        chosen = list(wp_ids) or sorted(feature.packages, key=natural)
        if not chosen:
            raise WorkflowError(f"{feature.slug} has no work packages", remedy="write some under its tasks/ first")
        # Without changing who it is assigned to: accepting is no work on it.
        what = Move("done", "Accepted", Signature(None, note, shell_pid, signed=agent or actor), force=force)
        outcomes, commit = move(workspace, feature, chosen, what, commits=commits)
    report(ctx.obj, feature, outcomes, commit, as_json=as_json)


def _is_in(feature: Feature, wp_id: str, lane: str) -> bool:
    return lane_of(feature.packages[wp_id]) == lane
