"""The field's library, spec-kitty-events, accepts our events: its newest release and the oldest one that counts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kittywatch.events import from_json, to_json
from tests.events.examples import EVENT_NAMES, Json, changed, example
from tests.venvs import MakeVenv, programs_of

# One event a line of standard input; tells which of them the library takes.
_SCRIPT = """
import json, sys
from importlib.metadata import version
from pydantic import ValidationError
from spec_kitty_events.models import Event
accepted = []
for line in sys.stdin.buffer:
    event = json.loads(line)
    try:
        accepted.append(Event(**event).event_type == event["event_type"])
    except ValidationError:
        accepted.append(False)
print(json.dumps({"version": version("spec-kitty-events"), "accepted": accepted}))
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> MakeVenv:
    """Makes a virtual environment that holds the library as required, and returns its Python."""
    root = tmp_path_factory.mktemp("venvs")
    return lambda requirement: programs_of(requirement, root) / "python"


def judge(python: Path, events: list[Json]) -> tuple[str, list[bool]]:
    """The library's version, and whether it takes each of the events."""
    lines = "".join(json.dumps(event) + "\n" for event in events)
    # -I: nothing of this project or its environment on the path.
    result = subprocess.run([str(python), "-I", "-c", _SCRIPT], input=lines.encode(), capture_output=True, check=True)
    answer = json.loads(result.stdout)
    return answer["version"], answer["accepted"]


@pytest.mark.parametrize("requirement", ["spec-kitty-events==0.4.1", "spec-kitty-events"])
def test_the_library_accepts_an_event_of_each_type(requirement: str, library: MakeVenv) -> None:
    events = [json.loads(to_json(from_json(json.dumps(example(name))))) for name in EVENT_NAMES]
    # It takes whatever has its fields, so what it refuses shows that it looks.
    refused = [changed(events[0], None, "event_id", "short"), changed(events[0], None, "project_uuid", None)]
    version, accepted = judge(library(requirement), events + refused)
    assert accepted == [True] * 8 + [False] * 2
    assert version == "0.4.1" if "==" in requirement else int(version.split(".")[0]) >= 11
