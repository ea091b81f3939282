"""The machine at work: a part that is always the same, and a part that never is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.bench import make_template
from tests.stateful.machine import Driving

CAMPAIGN = float(os.environ.get("KITTYWATCH_CAMPAIGN", "0"))  # minutes
FRESH_SECONDS = CAMPAIGN * 60 or 90.0
FIXED_EXAMPLES = 70
STEPS = 30
_SETTINGS = settings(
    deadline=None,
    database=None,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


@pytest.fixture
def machine(tmp_path: Path) -> type[Driving]:
    class Machine(Driving):
        template = make_template(tmp_path / "template")
        directory = tmp_path

    return Machine


def report(machine: type[Driving], part: str, record: Callable[[str, object], None]) -> None:
    record(f"operations, {part}", machine.passed)
    print(f"\n{part}: {machine.passed} operations in {machine.examples} examples")


@pytest.mark.timeout(0)
def test_the_same_every_time(machine: type[Driving], record_property: Callable[[str, object], None]) -> None:
    run_state_machine_as_test(machine, settings=settings(_SETTINGS, derandomize=True, max_examples=FIXED_EXAMPLES))
    report(machine, "fixed", record_property)


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_never_the_same(machine: type[Driving], record_property: Callable[[str, object], None]) -> None:
    end = time.monotonic() + FRESH_SECONDS
    while time.monotonic() < end:
        run_state_machine_as_test(machine, settings=settings(_SETTINGS, max_examples=5))
    report(machine, "fresh", record_property)
