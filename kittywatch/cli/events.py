"""`events`: what an event looks like, for programs that read them."""

from __future__ import annotations

import json

import click

from kittywatch.cli.output import Output
from kittywatch.events import SCHEMA_VERSION, SchemaVersion
from kittywatch.events.schema import TYPES, VERSIONS, json_schema, schema_of


@click.group()
def events() -> None:
    """What an event looks like."""


@events.command()
@click.argument("event_type", metavar="[TYPE]", required=False, type=click.Choice(list(TYPES)))
@click.option(
    "--version",
    type=click.Choice(list(VERSIONS)),
    default=SCHEMA_VERSION,
    show_default=True,
    help="The version of the events' form; what is as the older ones have it says so in `schema_version`.",
)
@click.pass_context
def schema(ctx: click.Context, event_type: str | None, version: SchemaVersion) -> None:
    """Print the JSON Schema of the events of a type, or of all.

    \b
    Examples:
      kittywatch events schema WPStatusChanged
      kittywatch events schema --version 1.0.0 > events.schema.json
    """
    output: Output = ctx.obj
    found = schema_of(event_type, version) if event_type is not None else json_schema(version)
    output.data(json.dumps(found, indent=2))
