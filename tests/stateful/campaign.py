"""Runs the machine: in one place after another, by seeds."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.bench import make_template
from tests.stateful.exchanging import Exchanging
from tests.stateful.hook_server import HookServer

STEPS = 40
SETTINGS = settings(
    deadline=None,
    database=None,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
)


def nothing_but_the_seed() -> contextlib.AbstractContextManager[object]:
    """Within it, what Hypothesis draws follows from the seed alone.

    Otherwise it also draws numbers that it finds in whatever modules of the project have been imported by then, which
    depends on the tests that ran before in the same process: the same seed is other operations there.
    """
    return patch.multiple(providers, _get_local_constants=Constants, CONSTANTS_CACHE={})


@contextlib.contextmanager
def machine() -> Iterator[type[Exchanging]]:
    """A machine with a place of its own; in memory where that can be, for thousands of small files come and go."""
    memory = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="kittywatch-", dir=memory if os.access(memory, os.W_OK) else None)).resolve()
    served = HookServer(place / "server")

    class Machine(Exchanging):
        template = place / "template"
        directory = place / "run"
        server = served
        done: ClassVar[Counter[str]] = Counter()
        idle: ClassVar[Counter[str]] = Counter()

    try:
        make_template(Machine.directory, Machine.template, served)
        with nothing_but_the_seed():
            yield Machine
    finally:
        served.close()
        shutil.rmtree(place)


def run_seed(made: type[Exchanging], number: int, *, examples: int, shrinks: bool = True) -> None:
    """Run some examples that a number stands for; raises what they found."""
    seed(number)(made)
    phases = [Phase.generate, *([Phase.shrink] if shrinks else [])]
    run_state_machine_as_test(made, settings=settings(SETTINGS, max_examples=examples, phases=phases))
