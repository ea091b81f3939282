"""`emit history`, `emit error` and `emit assign` on the command line."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Command
from tests.history.script import Repository


@pytest.mark.parametrize(
    ("command", "kind", "fields"),
    [
        (
            ("history", "WP01", "Half of it", "--author", "ada"),
            "HistoryAdded",
            {"entry_type": "note", "entry_content": "Half of it", "author": "ada"},
        ),
        (
            ("error", "the build fails", "--wp", "WP01", "--agent", "ada"),
            "ErrorLogged",
            {"error_type": "runtime", "error_message": "the build fails", "agent_id": "ada", "stack_trace": None},
        ),
        (
            ("assign", "WP01", "ada", "--phase", "review", "--retry-count", "2"),
            "WPAssigned",
            {"agent_id": "ada", "phase": "review", "retry_count": 2},
        ),
    ],
)
def test_by_hand(
    kittywatch: Command, repository: Repository, command: tuple[str, ...], kind: str, fields: dict[str, object]
) -> None:
    """The feature need not be named where one alone has the work package."""
    kittywatch("init")
    done = kittywatch("emit", *command, "--json")
    assert done.code == 0, done.err
    event = json.loads(done.out)
    assert event["event_type"] == kind
    assert event["payload"] == {"wp_id": "WP01", "feature_slug": "001-login", **fields}
    (line,) = kittywatch("log", "--json").out.splitlines()
    assert json.loads(line) == event
    assert kittywatch("emit", *command).out.count("\n") == 1


@pytest.mark.parametrize(
    "command", [("history", "WP1", "text"), ("history", "WP01", ""), ("assign", "WP01", ""), ("error", "")]
)
def test_what_the_contract_does_not_allow(
    kittywatch: Command, repository: Repository, command: tuple[str, ...]
) -> None:
    """1, with the field named and the content not."""
    done = kittywatch("emit", *command)
    assert (done.code, done.out) == (1, "")
    assert "nothing was told" in done.err
    assert "field" in done.err


@pytest.mark.parametrize("command", [("history", "WP01"), ("assign", "WP01", "ada", "--phase", "nap"), ("error",)])
def test_usage(kittywatch: Command, repository: Repository, command: tuple[str, ...]) -> None:
    assert kittywatch("emit", *command).code == 2
