"""`agent tasks` and `agent feature`: what agents call while they work."""

from __future__ import annotations

import json

import click

from kittywatch.cli.foreign import ForwardingGroup
from kittywatch.cli.workflow import WP_ID, feature_option, in_workspace, options, report
from kittywatch.workflow import moves
from kittywatch.workflow.moves import Move, Signature, lane_named

_SUBTASK = "T"


@click.group(cls=ForwardingGroup)
def agent() -> None:
    """What agents call while they work on a feature."""


@agent.group(cls=ForwardingGroup)
def tasks() -> None:
    """Work packages: move them, tick their subtasks, note something."""


@agent.group("feature", cls=ForwardingGroup)
def feature_group() -> None:
    """A feature as a whole."""


@tasks.command("move-task")
@click.argument("wp_id", metavar="WP", type=WP_ID)
@click.option("--to", "lane", required=True, metavar="LANE", help="planned, doing, for_review or done.")
@click.option("--assignee", metavar="NAME", help="Who it is assigned to.")
@options()
@click.pass_context
def move_task(
    ctx: click.Context,
    wp_id: str,
    lane: str,
    assignee: str | None,
    stated: str | None,
    agent: str | None,
    note: str | None,
    shell_pid: str | None,
    force: bool,
    commits: bool,
    as_json: bool,
) -> None:
    """Move a work package to a lane, and note it in its activity log.

    planned → doing → for_review → done, and back to doing or planned from a review; --force goes anywhere.

    \b
    Examples:
      kittywatch agent tasks move-task WP01 --to doing --agent claude --shell-pid $$
      kittywatch agent tasks move-task WP01 --to for_review --note "tests pass" --json
      kittywatch agent tasks move-task WP01 --to planned --note "see the review"
    """
    with in_workspace(ctx, "move-task", wp_id) as workspace:
        feature = workspace.feature(stated)
        to = lane_named(workspace.project.names, lane)
        what = Move(to, f"Moved to {to}", Signature(agent, note, shell_pid, assignee), force=force)
        outcomes, commit = moves.move(workspace, feature, [wp_id], what, commits=commits)
    report(ctx.obj, feature, outcomes, commit, as_json=as_json)


@tasks.command("mark-status")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--status", required=True, metavar="STATUS", help="done or pending for subtasks; a lane for WPs.")
@options()
@click.pass_context
def mark_status(
    ctx: click.Context,
    ids: tuple[str, ...],
    status: str,
    stated: str | None,
    agent: str | None,
    note: str | None,
    shell_pid: str | None,
    force: bool,
    commits: bool,
    as_json: bool,
) -> None:
    """Tick the boxes of subtasks in tasks.md, or move work packages to a lane.

    \b
    Examples:
      kittywatch agent tasks mark-status T001 T002 --status done
      kittywatch agent tasks mark-status WP01 --status for_review --agent claude
    """
    subtasks = [one.upper() for one in ids if one[:1].upper() == _SUBTASK]
    wp_ids = [WP_ID.convert(one, None, ctx) for one in ids if one[:1].upper() != _SUBTASK]
    if subtasks and wp_ids:
        raise click.UsageError("name subtasks or work packages, not both at once")
    if subtasks and status not in ("done", "pending"):
        raise click.BadParameter("a subtask is done or pending", param_hint="--status")
    with in_workspace(ctx, "mark-status", wp_ids[0] if len(wp_ids) == 1 else None) as workspace:
        feature = workspace.feature(stated)
        if wp_ids:
            to = lane_named(workspace.project.names, status)
            what = Move(to, f"Moved to {to}", Signature(agent, note, shell_pid), force=force)
            outcomes, commit = moves.move(workspace, feature, wp_ids, what, commits=commits)
        else:
            path, commit = moves.mark_subtasks(workspace, feature, subtasks, done=status == "done", commits=commits)
    if wp_ids:
        report(ctx.obj, feature, outcomes, commit, as_json=as_json)
    elif as_json:
        fields = {"feature": feature.slug, "path": path, "subtasks": subtasks, "status": status, "commit": commit}
        ctx.obj.data(json.dumps(fields))
    else:
        ctx.obj.data(f"{', '.join(subtasks)}  {status}")


@tasks.command("add-history")
@click.argument("wp_id", metavar="WP", type=WP_ID)
@options(force=False)
@click.pass_context
def add_history(
    ctx: click.Context,
    wp_id: str,
    stated: str | None,
    agent: str | None,
    note: str | None,
    shell_pid: str | None,
    commits: bool,
    as_json: bool,
) -> None:
    """Append a note to a work package's activity log; its lane stays.

    \b
    Example:
      kittywatch agent tasks add-history WP01 --note "the API answers now" --agent claude
    """
    if not note or not note.strip():
        raise click.UsageError("say what happened: --note TEXT")
    with in_workspace(ctx, "add-history", wp_id) as workspace:
        feature = workspace.feature(stated)
        outcomes, commit = moves.add_history(
            workspace, feature, wp_id, Signature(agent, note, shell_pid), commits=commits
        )
    report(ctx.obj, feature, outcomes, commit, as_json=as_json)


@click.command("finalize-tasks")
@feature_option
@click.option("--commit/--no-commit", "commits", default=False, help="Commit the edited files, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def finalize_tasks(ctx: click.Context, stated: str | None, commits: bool, as_json: bool) -> None:
    """Write the dependencies that tasks.md states into the work packages.

    Refused where they go in a circle, or on a work package that isn't there. A new feature is told by this too.

    \b
    Examples:
      kittywatch agent feature finalize-tasks --feature 001-login
      kittywatch agent tasks finalize-tasks
      kittywatch agent feature finalize-tasks --commit --json
    """
    with in_workspace(ctx, "finalize-tasks") as workspace:
        feature = workspace.feature(stated)
        changed, commit = moves.finalize(workspace, feature, commits=commits)
    if as_json:
        ctx.obj.data(json.dumps({"feature": feature.slug, "dependencies": changed, "commit": commit}))
        return
    for wp_id, needs in changed.items():
        ctx.obj.data(f"{wp_id}  {', '.join(needs) or 'depends on nothing'}")
    ctx.obj.say(f"{len(changed)} of {len(feature.packages)} work packages changed")


tasks.add_command(finalize_tasks)
feature_group.add_command(finalize_tasks)
