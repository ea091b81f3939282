"""Which tests are long: those that say so, and of some tables of cases all but one in turn.

What is long runs with `pytest -m long`; plain `pytest` leaves it out (`pyproject.toml`). A test that is named by its id
(`tests/x.py::test_y`) runs whichever it is, and so does everything in a campaign.
"""

from __future__ import annotations

import os
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CAMPAIGN = float(os.environ.get("KITTYWATCH_CAMPAIGN", "0"))
"""Minutes for which tests of random histories, kills and faults go on; 0 without a campaign."""
QUICK = "not long"


@dataclass(frozen=True, kw_only=True)
class Turns:
    """In a directory, tests that are there for each value of one of these parameters: one of the values is quick.

    Which one it is follows from the test's name. Where `first` is given, this value always is, and one in `every` tests
    has the others as well.
    """

    below: str
    parameters: frozenset[str]
    first: str = ""
    every: int = 1

    def value(self, item: pytest.Item) -> str | None:
        """The value of the parameter that a test has, as its id says it."""
        callspec = getattr(item, "callspec", None)
        if callspec is None or not item.path.is_relative_to(TESTS / self.below):
            return None
        return next((str(callspec.params[name]) for name in self.parameters if name in callspec.params), None)

    def quick(self, name: str, values: Sequence[str]) -> set[str]:
        """Those of its values with which a test is quick."""
        number = zlib.crc32(name.encode())
        if self.first not in values:
            return {values[number % len(values)]}
        return set(values) if number % self.every == 0 else {self.first}


TURNS = (
    Turns(below="scenarios", parameters=frozenset({"world", "mode"})),
    Turns(below="hub", parameters=frozenset({"database"}), first="sqlite", every=5),
)


def choose(config: pytest.Config) -> None:
    """Run what is named by its id, and everything in a campaign or for a seed of one, unless the command selects."""
    named = CAMPAIGN or "KITTYWATCH_SEED" in os.environ or any("::" in argument for argument in config.args)
    if config.option.markexpr == QUICK and named:
        config.option.markexpr = ""
    if CAMPAIGN:
        config.option.timeout = 0


def mark(items: Iterable[pytest.Item]) -> None:
    """Mark as long what is not in turn."""
    found = list(items)
    for turns in TURNS:
        tests: defaultdict[str, dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
        for item in found:
            if (value := turns.value(item)) is not None:
                tests[_without(item, value)][value].append(item)
        for name, by_value in tests.items():
            quick = turns.quick(name, list(by_value))
            for item in (one for value, those in by_value.items() if value not in quick for one in those):
                item.add_marker(pytest.mark.long)


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of what lies beside the checkout where kittywatch is developed: without it there is nothing to test."""
    without = {item for item in items if any(not Path(mark.args[0]).exists() for mark in item.iter_markers("beside"))}
    if without:
        config.hook.pytest_deselected(items=[item for item in items if item in without])
        items[:] = [item for item in items if item not in without]


def _without(item: pytest.Item, value: str) -> str:
    """The id of a test but for the value of a parameter."""
    test, _, parameters = item.nodeid.partition("[")
    return f"{test}[{'-'.join(part for part in parameters.removesuffix(']').split('-') if part != value)}"


def amounts(name: str, *, sample: int, most: int, campaign: int = 0) -> pytest.MarkDecorator:
    """Parametrize a test with how much it does: a sample, which is quick, and the most, in a campaign even more."""
    return _parametrized(name, {"sample": sample}, {"most": max(campaign, most) if CAMPAIGN else most})


def some(name: str, values: Iterable[int | str], *, quick: int) -> pytest.MarkDecorator:
    """Parametrize a test with values of which the first ones are quick."""
    named = {str(value): value for value in values}
    names = list(named)
    return _parametrized(name, *({one: named[one] for one in part} for part in (names[:quick], names[quick:])))


def _parametrized(name: str, quick: Mapping[str, int | str], long: Mapping[str, int | str]) -> pytest.MarkDecorator:
    cases = [pytest.param(value, id=one) for one, value in quick.items()]
    cases += [pytest.param(value, id=one, marks=pytest.mark.long) for one, value in long.items()]
    return pytest.mark.parametrize(name, cases)
