"""`doctor`: every fault that can be found, each with one remedy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from kittywatch.cli.boundary import FAILED
from kittywatch.cli.lines import counted
from kittywatch.cli.output import Output, plain
from kittywatch.doctor.checks import Diagnosis, examine
from kittywatch.doctor.finding import Examination
from kittywatch.errors import NotAProjectError
from kittywatch.home import home
from kittywatch.project import Project
from kittywatch.workpackages.layout import as_text


@click.command()
@click.option("--fix", is_flag=True, help="Mend what can be mended without harm, and say what was done.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(ctx: click.Context, fix: bool, as_json: bool) -> None:
    """Find every fault there is: one line for each, with the one thing to do about it.

    Looks at files and database in the home, the clock, programs on PATH, the queue; in a project also at its
    identity, hooks, watcher and ledger. Exits 1 while there are findings, 0 when there are none. Without --fix
    nothing is changed.

    \b
    Examples:
      kittywatch doctor
      kittywatch doctor --fix
      kittywatch doctor --json | jq -r '.[].remedy'
    """
    output: Output = ctx.obj
    project: Project | None = None
    nowhere: NotAProjectError | None = None
    try:
        project = Project.find(Path.cwd(), output.warn, writes=False)
        ctx.call_on_close(project.store.close)
    except NotAProjectError as error:
        nowhere = error
    found = list(examine(Examination(home(), os.environ.get("PATH", ""), project), fix=fix))
    left = sum(1 for one in found if one.fixed is None)
    if as_json:
        output.data(json.dumps([_fields(one) for one in found]))
    else:
        for one in found:
            output.data(_line(one))
    if nowhere is not None:
        output.error(f"{nowhere}: only the machine was examined", nowhere.remedy)
    elif not left:
        output.say("nothing is wrong" if not found else f"{counted(len(found), 'fault')} mended, nothing else is wrong")
    else:
        output.say(f"{counted(left, 'fault')}")
    if left or nowhere is not None:
        ctx.exit(FAILED)


def _line(one: Diagnosis) -> str:
    outcome = f"mended: {one.fixed}" if one.fixed is not None else one.finding.remedy
    return plain(f"{one.topic}: {one.finding.what} → {outcome}")


def _fields(one: Diagnosis) -> dict[str, object]:
    return {
        "topic": one.topic,
        "finding": as_text(one.finding.what),
        "remedy": as_text(one.finding.remedy),
        "fixable": one.finding.fix is not None,
        "fixed": one.fixed,
    }
