"""No row of the contract's table without a test."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.scenarios import table

CONTRACT = Path(__file__).parents[2].parent / "shared" / "contract" / "transitions.md"
NUMBERS = {str(number) for number in range(1, 60)} | {"19b", "26b", "30b"}


def test_every_row_has_a_test() -> None:
    for module in Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(f"tests.scenarios.{module.stem}")
    assert {one for one in table.ROWS if one[0].isdigit()} == NUMBERS


@pytest.mark.beside(CONTRACT)
def test_these_are_the_rows_of_the_contract() -> None:
    assert set(re.findall(r"^\| (\d+b?) \|", CONTRACT.read_text("utf-8"), re.MULTILINE)) == NUMBERS
