"""`board`: the lanes of the project in the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import groupby, zip_longest

import click

from kittywatch.cli.context import open_project
from kittywatch.cli.output import Output, plain
from kittywatch.errors import KittywatchError
from kittywatch.observe.shown import shown_now
from kittywatch.workpackages.lanes import LANES
from kittywatch.workpackages.reader import WorkPackage

_COLORS = {"planned": "white", "doing": "yellow", "for_review": "cyan", "done": "green"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the features with their work packages as JSON.")
@click.option("--feature", metavar="SLUG", help="Only this feature: the name of its directory under kitty-specs/.")
@click.pass_context
def board(ctx: click.Context, as_json: bool, feature: str | None) -> None:
    """Show the lanes of the project, as this worktree has them now, edits that are not committed included.

    A table on a terminal; elsewhere a line for each work package: feature, id, lane, agent and title, with tabs
    between them.

    \b
    Examples:
      kittywatch board
      kittywatch board --feature 001-login
      kittywatch board | grep for_review
      kittywatch board --json | jq '.features[].work_packages[] | select(.lane == "doing")'
    """
    output: Output = ctx.obj
    project = open_project(ctx, writes=False)
    seen = shown_now(project)
    packages = sorted(seen.packages, key=lambda one: (one.feature, one.wp_id))
    if feature is not None:
        packages = [one for one in packages if one.feature == feature]
        if not packages:
            raise KittywatchError(
                f"no work package is here under the feature {feature!a}", remedy="`kittywatch board` shows them all"
            )
    for broken in seen.broken:
        if feature in (None, broken.feature):
            output.warn(str(broken.problem))
    if as_json:
        output.data(json.dumps({"project": project.identity.project_slug, "features": _features(packages)}))
    elif sys.stdout.isatty():
        _draw(output, packages)
    else:
        for one in packages:
            fields = (one.feature, one.wp_id, one.lane or "-", one.agent or "-", one.title)
            output.lines("\t".join(plain(field) for field in fields))
    if not packages and not as_json:
        output.say("there are no work packages here: kitty-specs/<feature>/tasks/WP01-….md")


def _features(packages: Iterable[WorkPackage]) -> list[dict[str, object]]:
    return [
        {
            "feature_slug": slug,
            "work_packages": [
                {
                    "wp_id": one.wp_id,
                    "title": one.title,
                    "lane": one.lane,
                    "agent": one.agent,
                    "dependencies": list(one.dependencies or ()),
                    "path": one.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
                }
                for one in group
            ],
        }
        for slug, group in groupby(packages, key=lambda one: one.feature)
    ]


def _draw(output: Output, packages: list[WorkPackage]) -> None:
    """A table a feature, the lanes side by side; a lane that is none has a line below."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colors = output.colors(terminal=True)
    console = Console(no_color=not colors, force_terminal=True, highlight=False, legacy_windows=False)
    for slug, group in groupby(packages, key=lambda one: one.feature):
        of_feature = list(group)
        table = Table(title=Text(plain(slug)), title_justify="left", expand=True)
        columns = []
        for lane in LANES:
            inside = [one for one in of_feature if one.lane == lane]
            table.add_column(Text(f"{lane} {len(inside)}"), ratio=1, style=_COLORS[lane] if colors else "")
            columns.append([_card(one) for one in inside])
        for row in zip_longest(*columns, fillvalue=""):
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
        for one in of_feature:
            if one.lane is None:
                output.say(f"{one.wp_id} states no lane: {one.path}")


def _card(package: WorkPackage) -> str:
    agent = f"\n  {package.agent}" if package.agent else ""
    return "\n".join(plain(line) for line in f"{package.wp_id} {package.title}{agent}".split("\n"))
