"""A hundred thousand cases in all: documents changed at random, and bytes and texts that hypothesis makes up."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import mutations
from tests.fuzz.targets import TARGETS, Target
from tests.selection import CAMPAIGN, amounts

EACH = 50  # documents changed at random in an example
MADE_UP = st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")))


def test_there_are_a_hundred_thousand() -> None:
    assert sum(target.cases for target in TARGETS) == 100_000


@amounts("percent", sample=4, most=100)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_crashes(target: Target, percent: int) -> None:
    """An example is one document made up and many changed ones; hypothesis finds the smallest that fails."""
    examples = max(round(target.cases / EACH * max(CAMPAIGN, 1) * percent / 100), 1)

    @settings(max_examples=examples, derandomize=not CAMPAIGN, database=None)
    @given(made_up=MADE_UP, seed=st.integers(0, 2**32))
    def run(made_up: bytes, seed: int) -> None:
        target.run(made_up)
        for document in mutations((*target.documents, made_up), Random(seed), EACH - 1):
            target.run(document)

    run()
