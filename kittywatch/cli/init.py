"""`init`: give a project its identity, and take in what is there."""

from __future__ import annotations

import json

import click

from kittywatch.cli.context import open_project
from kittywatch.cli.output import Output, plain
from kittywatch.cli.taken_in import say_baseline, say_sources
from kittywatch.observe.found import found_sources
from kittywatch.observe.observation import observe
from kittywatch.observe.shown import shown_now
from kittywatch.sync.identity import CONFIG


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the identity as JSON.")
@click.pass_context
def init(ctx: click.Context, as_json: bool) -> None:
    """Create or complete the project's identity in .kittify/config.yaml, and take in what is there.

    What was there before kittywatch is recorded silently; `emit replay` tells its history. Says which lane sources it
    has found, and what each holds: spec-kitty, Backlog.md, spec-kit, OpenSpec, task-master, BMAD, and those that
    `sources:` in the configuration names.

    \b
    Examples:
      kittywatch init
      kittywatch init --json
    """
    output: Output = ctx.obj
    project = open_project(ctx, restores=True)
    identity = project.identity
    seen = observe(project, "init")
    if as_json:
        fields = {
            "project_uuid": identity.project_uuid,
            "project_slug": identity.project_slug,
            "node_id": identity.node_id,
            "config": str(project.git.main_root / CONFIG),
            "baseline": seen.baseline,
            "sources": [
                {"name": one.source.name, "reader": one.source.kind, "work_packages": one.packages}
                for one in found_sources(shown_now(project), project.git.sources)
            ],
        }
        output.data(json.dumps(fields))
        return
    where = project.git.main_root / CONFIG
    output.say(plain(f"project {identity.project_slug} ({identity.project_uuid or 'no identity yet'}) in {where}"))
    say_sources(output, project)
    say_baseline(output, seen)
