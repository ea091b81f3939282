"""`board`: the lanes of the project in the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import groupby, zip_longest
from typing import NamedTuple

import click

from kittywatch.cli.context import open_project
from kittywatch.cli.output import Output, plain
from kittywatch.errors import KittywatchError
from kittywatch.natural import natural
from kittywatch.observe.shown import shown_now
from kittywatch.workpackages.categories import CATEGORIES, CATEGORY_TITLES, Category, guessed_category, lane_title
from kittywatch.workpackages.layout import as_text
from kittywatch.workpackages.reader import WorkPackage

_COLORS: dict[Category, str] = {
    "backlog": "white",
    "active": "yellow",
    "review": "cyan",
    "done": "green",
    "blocked": "red",
    "canceled": "bright_black",
}
_ALL_SHOWN = 4  # columns that a terminal has room for whether or not something is in them


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the features with their work packages as JSON.")
@click.option("--feature", metavar="SLUG", help="Only this feature: its directory, milestone, tag or epic.")
@click.pass_context
def board(ctx: click.Context, as_json: bool, feature: str | None) -> None:
    """Show the lanes of the project, as this worktree has them now, edits that are not committed included.

    A table for each feature on a terminal, with the lanes of the feature's own scheme in their order; of a scheme with
    many lanes the empty ones are named below. Elsewhere a line for each work package: feature, id, lane, agent and
    title, with tabs between them. --json also says what each lane means: its category.

    \b
    Examples:
      kittywatch board
      kittywatch board --feature 001-login
      kittywatch board | grep for_review
      kittywatch board --json | jq '.features[].work_packages[] | select(.category == "active")'
    """
    output: Output = ctx.obj
    project = open_project(ctx, writes=False)
    seen = shown_now(project)
    packages = sorted(seen.packages, key=lambda one: (natural(one.feature), natural(one.wp_id)))
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
        output.say("there are no work packages here; `kittywatch init --help` names the lane sources that are read")


def _features(packages: Iterable[WorkPackage]) -> list[dict[str, object]]:
    return [
        {
            "feature_slug": slug,
            "work_packages": [
                {
                    "wp_id": one.wp_id,
                    "title": one.title,
                    "lane": one.lane,
                    "category": _category(one) if one.lane is not None else None,
                    "agent": one.agent,
                    "dependencies": list(one.dependencies or ()),
                    "path": as_text(one.path),
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
        columns = _columns(of_feature)
        empty = [one.name for one in columns if not one.packages] if len(columns) > _ALL_SHOWN else []
        shown = [one for one in columns if one.name not in empty]
        for one in shown:
            style = _COLORS[one.category] if colors else ""
            table.add_column(Text(f"{one.name} {len(one.packages)}"), ratio=1, style=style)
        for row in zip_longest(*([_card(package) for package in one.packages] for one in shown), fillvalue=""):
            table.add_row(*(Text(cell) for cell in row))
        if shown:
            console.print(table)
        if empty:
            console.print(Text(f"empty: {', '.join(empty)}"))
        for package in of_feature:
            if package.lane is None:
                output.say(f"{package.wp_id} states no lane: {package.path}")


class _Column(NamedTuple):
    """A lane of a feature's scheme, or a category where its work packages are of several; `name` is for people."""

    name: str
    category: Category
    packages: list[WorkPackage]


def _columns(packages: list[WorkPackage]) -> list[_Column]:
    stated = [one for one in packages if one.lane is not None]
    schemes = {one.scheme for one in stated} or {packages[0].scheme}
    if len(schemes) == 1:
        lanes = {**next(iter(schemes)).lanes}
        for package in stated:
            lanes.setdefault(package.lane or "", _category(package))
        return [
            _Column(lane_title(lane), category, [one for one in stated if one.lane == lane])
            for lane, category in lanes.items()
        ]
    there = {category for scheme in schemes for category in scheme.lanes.values()} | {*map(_category, stated)}
    return [
        _Column(CATEGORY_TITLES[category], category, [one for one in stated if _category(one) == category])
        for category in CATEGORIES
        if category in there
    ]


def _category(package: WorkPackage) -> Category:
    """What the lane of a work package that has one means; a scheme need not know all lanes of its source."""
    return package.scheme.category(package.lane) or guessed_category(package.lane or "")


def _card(package: WorkPackage) -> str:
    agent = f"\n  {package.agent}" if package.agent else ""
    return "\n".join(plain(line) for line in f"{package.wp_id} {package.title}{agent}".split("\n"))
