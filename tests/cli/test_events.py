"""`events schema`: what an event looks like."""

from __future__ import annotations

import json

from kittywatch.events.schema import json_schema, schema_of
from tests.cli.conftest import Command


def test_the_schema_of_a_type_and_of_all(kittywatch: Command) -> None:
    assert json.loads(kittywatch("events", "schema").out) == json_schema()
    assert json.loads(kittywatch("events", "schema", "WPCreated").out) == schema_of("WPCreated")
    old = kittywatch("events", "schema", "WPCreated", "--version", "1.0.0").out
    assert json.loads(old) == schema_of("WPCreated", "1.0.0") != schema_of("WPCreated")


def test_a_type_that_is_none_is_named_with_those_that_are(kittywatch: Command) -> None:
    done = kittywatch("events", "schema", "WPNothing")
    assert done.code == 2
    assert "'WPNothing' is not one of 'WPStatusChanged'" in done.err
