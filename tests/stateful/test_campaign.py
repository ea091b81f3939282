"""The machine at work: a part that is always the same, and a part that never is in a campaign.

That part is some known seeds, or fresh ones for `KITTYWATCH_CAMPAIGN=<minutes>`; `KITTYWATCH_SEED=<number>` repeats one
that another run printed, and makes it as small as it can be.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from tests.selection import amounts
from tests.stateful.campaign import SETTINGS, machine, nothing_but_the_seed, run_seed
from tests.stateful.exchanging import Exchanging
from tests.stateful.faults import FAULTS, PROJECT

CAMPAIGN = float(os.environ.get("KITTYWATCH_CAMPAIGN", "0"))  # minutes
SEED = int(os.environ.get("KITTYWATCH_SEED", "0"))
FRESH_SECONDS = CAMPAIGN * 60
EXAMPLES_OF_A_SEED = 6
KNOWN_SEEDS = (213, 243, 256)  # what runs without a campaign: each found something once


@pytest.fixture
def driving() -> Iterator[type[Exchanging]]:
    with machine() as made:
        yield made


def report(made: type[Exchanging], part: str, record: Callable[[str, object], None]) -> None:
    done, idle = made.done.total(), made.idle.total()
    share = (done - idle) / max(done, 1)
    record(f"operations, {part}", done)
    print(f"\n{part}: {done} operations in {made.examples} examples, {share:.1%} of them did something")
    print("  " + ", ".join(f"{name} {number}" for name, number in made.done.most_common()))
    assert share > 0.9


def numbers() -> Iterator[int]:
    """The seeds to run: the one that was asked for, fresh ones for as long as a campaign lasts, or the known ones."""
    if not CAMPAIGN:
        yield from (SEED,) if SEED else KNOWN_SEEDS
        return
    end = time.monotonic() + FRESH_SECONDS
    number = SEED or random.SystemRandom().randrange(1, 1 << 32)
    yield number
    while time.monotonic() < end:
        yield (number := number + 1)


@amounts("examples", sample=1, most=20)
def test_the_same_every_time(
    driving: type[Exchanging], record_property: Callable[[str, object], None], examples: int
) -> None:
    fixed = settings(SETTINGS, derandomize=True, max_examples=examples, phases=[Phase.generate])
    run_state_machine_as_test(driving, settings=fixed)
    report(driving, "fixed", record_property)


@pytest.mark.long
@pytest.mark.timeout(0 if CAMPAIGN or SEED else 900)
def test_never_the_same(driving: type[Exchanging], record_property: Callable[[str, object], None]) -> None:
    for number in numbers():
        print(f"\nKITTYWATCH_SEED={number}", flush=True)
        run_seed(driving, number, examples=EXAMPLES_OF_A_SEED, shrinks=bool(CAMPAIGN or SEED))
    report(driving, "fresh", record_property)


def test_a_seed_is_the_same_whatever_was_imported(tmp_path: Path) -> None:
    """As many numbers as there are in a module that some other test may have imported."""

    def drawn() -> list[int]:
        found: list[int] = []

        @seed(4)
        @settings(SETTINGS, max_examples=20, phases=[Phase.generate])
        @given(st.lists(st.integers(0, 10_000), min_size=20))
        def draw(numbers: list[int]) -> None:
            found.extend(numbers)

        with nothing_but_the_seed():
            draw()
        return found

    before = drawn()
    numbers = ModuleType("numbers_of_another")
    numbers.__file__ = str(tmp_path / "numbers_of_another.py")
    Path(numbers.__file__).write_text(f"NUMBERS = {list(range(1000, 2000))}")
    with patch.dict(sys.modules, {numbers.__name__: numbers}):
        assert drawn() == before


def test_deliberate_faults_are_in_the_code_as_it_is() -> None:
    """`python -m tests.stateful.faults` measures how soon the machine finds them."""
    for fault in FAULTS:
        text = (PROJECT / "kittywatch" / fault.file).read_text("utf-8")
        assert text.count(fault.right) == 1, f"{fault.words}: the text in {fault.file} is another one by now"
