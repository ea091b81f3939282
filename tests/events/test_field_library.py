"""The field's library, spec-kitty-events, accepts our events: its newest release and the oldest one that counts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kittywatch.events import from_json, to_json
from kittywatch.events.field_form import as_status_transition
from kittywatch.workpackages.schemes import SPEC_KITTY_2, SPEC_KITTY_3
from tests.events.examples import EVENT_NAMES, Json, changed, example
from tests.venvs import MakeVenv, programs_of

pytestmark = pytest.mark.long  # a program of others

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


# One payload a line of standard input; prints the lanes of each, null where the library refuses it.
_TRANSITIONS = """
import json, sys
from pydantic import ValidationError
from spec_kitty_events import StatusTransitionPayload
lanes = []
for line in sys.stdin.buffer:
    try:
        payload = StatusTransitionPayload(**json.loads(line))
        lanes.append([payload.from_lane.value, payload.to_lane.value])
    except ValidationError:
        lanes.append(None)
print(json.dumps(lanes))
"""

_SHARED = {
    "repos": [{"repo": "cats", "branch": "main", "commit": "c0ffee", "files_touched": ["a.py"]}, {"repo": ""}, 7],
    "verification": [{"command": "pytest", "result": "passed", "summary": None}, {}],
    "review": {"reviewer": "mira", "verdict": "approved", "reference": "feedback://1"},
}


def transition(old: str, new: str, **more: object) -> Json:
    event = example("WPStatusChanged")
    payload = event["payload"] | {"previous_status": old, "new_status": new} | more
    return event | {"schema_version": "1.1.0", "payload": payload}


def test_the_newest_library_accepts_transitions_in_its_form(library: MakeVenv) -> None:
    lanes = [*SPEC_KITTY_2.lanes, *SPEC_KITTY_3.lanes]
    events = [transition(old, new) for old in lanes for new in lanes if old != new]
    expected = [[_named(one["payload"][name]) for name in ("previous_status", "new_status")] for one in events]
    # Its lanes, whoever moved there by force, without a mode, a feature or evidence, or with what of it was shared.
    events += [
        transition("in_review", "planned", force=True, execution_mode="worktree"),
        transition("in_review", "planned", force=True, reason="not yet", review_ref="feedback://1"),
        transition("in_progress", "for_review", execution_mode="elsewhere", feature_slug=None),
        transition("in_review", "approved", evidence=_SHARED),
        transition("in_review", "approved", evidence={"repos": "x", "verification": {}, "review": []}),
        transition("ideas", "shipped", previous_category="backlog", new_category="done") | {"project_slug": None},
    ]
    expected += [["in_review", "planned"]] * 2 + [["in_progress", "for_review"]] + [["in_review", "approved"]] * 2
    expected += [["planned", "done"]]
    # Of other sources, with ids of theirs; a lane that means something else there goes by that.
    events += [
        transition("to_do", "approved", wp_id="BACK-1.2", previous_category="backlog", new_category="done"),
        transition("to_do", "waiting_for_approval", wp_id="1-2-user-login"),
        *(transition("planned", "done", wp_id=one) for one in ("T001", "1.1", "12", "x" * 40)),
    ]
    expected += [["planned", "done"], ["planned", "for_review"], *[["planned", "done"]] * 4]
    lines = [as_status_transition(json.dumps(event)) for event in events]
    refused = json.dumps(json.loads(lines[0] or "") | {"feature_slug": "x"})  # it takes no field beyond its own
    given = "".join(f"{line}\n" for line in [*lines, refused])
    command = [str(library("spec-kitty-events")), "-I", "-c", _TRANSITIONS]
    result = subprocess.run(command, input=given.encode(), capture_output=True, check=True)
    assert json.loads(result.stdout) == [*expected, None]


def _named(lane: str) -> str:
    return "in_progress" if lane == "doing" else lane


def test_what_an_event_says_is_in_the_librarys_form() -> None:
    event = transition("in_review", "approved", force=True, reason="fine", evidence=_SHARED) | {"commit": "c0ffee"}
    line = json.loads(as_status_transition(json.dumps(event)) or "")
    assert (line["mission_slug"], line["wp_id"], line["actor"]) == ("014-grüße", "WP01", "claude")
    assert (line["force"], line["reason"], line["execution_mode"]) == (True, "fine", "direct_repo")
    assert line["evidence"]["repos"][0] == _SHARED["repos"][0]  # type: ignore[index]
    assert line["evidence"]["review"] == _SHARED["review"]
    bare = json.loads(as_status_transition(json.dumps(transition("for_review", "done") | {"commit": "c0ffee"})) or "")
    assert bare["evidence"] == {
        "repos": [{"repo": "kittywatch", "branch": "unknown", "commit": "c0ffee"}],
        "verification": [],
        "review": {"reviewer": "unknown", "verdict": "unknown"},
    }
    assert [as_status_transition(json.dumps(example(name))) is None for name in EVENT_NAMES].count(False) == 1
