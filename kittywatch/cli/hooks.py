"""`hooks`: git hooks beside whatever is there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from kittywatch.cli.boundary import FAILED
from kittywatch.cli.context import open_project
from kittywatch.cli.output import Output, plain
from kittywatch.cli.taken_in import say_baseline
from kittywatch.git.repository import Git
from kittywatch.githooks import entry, installation
from kittywatch.observe.observation import observe
from kittywatch.project import Project


@click.group()
def hooks() -> None:
    """Git hooks that observe what was committed, checked out, merged or rewritten."""


@hooks.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.pass_context
def install(ctx: click.Context, dry_run: bool) -> None:
    """Install the hooks where git looks for them, beside whatever is there.

    A shell script that is there gets a marked block; anything else is moved aside and run after ours.

    \b
    Examples:
      kittywatch hooks install --dry-run
      kittywatch hooks install
    """
    output: Output = ctx.obj
    project = open_project(ctx, writes=not dry_run)
    directory = _directory(project)
    changes = installation.plan_install(directory)
    if not dry_run:
        installation.apply(changes)
    _say(output, directory, changes, dry_run)
    _warn_of_place(output, project.git, directory)
    if not dry_run:
        say_baseline(output, observe(project, "hooks install"))


@hooks.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.pass_context
def uninstall(ctx: click.Context, dry_run: bool) -> None:
    """Take the hooks away again; what was there before is as it was.

    \b
    Example:
      kittywatch hooks uninstall
    """
    output: Output = ctx.obj
    directory = _directory(open_project(ctx, writes=False))
    changes = installation.plan_uninstall(directory)
    if not dry_run:
        installation.apply(changes)
    _say(output, directory, changes, dry_run)
    if not changes:
        output.say("no hooks of kittywatch are installed")


@hooks.command()
@click.option("--json", "as_json", is_flag=True, help="Print the hooks as JSON.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say of each hook whether it is installed and works; exits 1 unless all do.

    \b
    Examples:
      kittywatch hooks status
      kittywatch hooks status --json
    """
    output: Output = ctx.obj
    found = installation.status(_directory(open_project(ctx, writes=False)))
    if as_json:
        fields = [
            {
                "hook": one.name,
                "path": str(one.path),
                "state": one.state,
                "python": one.python,
                "foreign": one.foreign,
                "fault": one.fault,
            }
            for one in found
        ]
        output.data(json.dumps(fields))
    else:
        for one in found:
            beside = {"script": ", in a script of another tool", "aside": ", chained before another tool's", None: ""}
            fault = f": {one.fault}" if one.fault else ""
            output.data(plain(f"{one.name:15}  {one.state}{beside[one.foreign]}{fault}"))
    if any(one.state != "installed" for one in found):
        output.say("`kittywatch hooks install` installs what is missing and mends what is stale")
        ctx.exit(FAILED)


@hooks.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", type=click.Choice([*installation.HOOKS, "auto"]))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(name: str, arguments: tuple[str, ...]) -> None:
    """What a hook calls; `auto` is for the pre-commit framework, whose variables say which hook it is.

    \b
    Examples:
      kittywatch hooks run post-commit
      kittywatch hooks run auto
    """
    if name == "auto":
        name, arguments = installation.framework_hook(os.environ)
    if os.environ.get("KITTYWATCH") != "0":
        entry.run(name, arguments)


@hooks.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Check the staged work packages: readable, lanes valid, ids unique, dependencies there and without a circle.

    For a pre-commit hook; exits 1 and names file and line of each finding.

    \b
    Example:
      kittywatch hooks check
    """
    from kittywatch.observe.staged import check_staged

    output: Output = ctx.obj
    project = open_project(ctx, writes=False)
    findings = check_staged(project.git, project.names)
    for finding in findings:
        output.data(plain(str(finding)))
    if findings:
        output.say("mend what is named, stage it and commit again")
        ctx.exit(FAILED)


def _directory(project: Project) -> Path:
    return installation.hooks_directory(project.git.hooks_path(), project.git.root)


def _warn_of_place(output: Output, git: Git, directory: Path) -> None:
    """Warn where the hooks would become other repositories' or other people's."""
    place = directory.resolve()
    if place.is_relative_to(git.common.resolve()):
        return
    if not place.is_relative_to(git.root.resolve()):
        output.warn(f"{directory} lies outside of this repository: every repository that uses it has these hooks now")
    elif git.tracks(place):
        output.warn(
            f"git tracks {directory}, and these hooks name an interpreter of this machine: don't commit them. To share"
            ' them, take them away again and have your own hooks call `kittywatch hooks run <name of the hook> "$@"`'
        )


def _say(output: Output, directory: Path, changes: list[installation.Change], dry_run: bool) -> None:
    if changes:
        output.say(plain(f"{'would change' if dry_run else 'hooks'} in {directory}:"))
    for change in changes:
        for line in installation.describe(change):
            output.say(f"  {line}")
