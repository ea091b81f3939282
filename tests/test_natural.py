"""The order of ids: numbers as numbers, each id with a key of its own."""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from kittywatch.natural import LONGEST, natural

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", fullmatch=True)


def parts(text: str) -> list[tuple[int, int | str]]:
    """What people compare: letters by their place in the alphabet, numbers by what they are."""
    return [
        (0, int(part)) if part.isdigit() else (1, part) for part in re.findall(r"[0-9]+|[^0-9]", text.lower()) if part
    ]


def test_numbers_are_numbers() -> None:
    for ordered in (
        ["BACK-1.2", "BACK-1.10", "BACK-2", "BACK-10", "BACK-222"],
        ["1", "1.1", "1.2", "1.10", "2", "12", "12.3"],
        ["1-2-user-login", "1-10-user-login", "2-1-shop"],
        ["T001", "T002", "T010", "T0100"],
        ["WP01", "WP2", "WP99", "WP100"],
        ["001-login", "2-shop", "010-mail"],
    ):
        assert sorted(random.Random(1).sample(ordered, len(ordered)), key=natural) == ordered


@given(IDS, IDS)
def test_keys_are_in_the_order_of_numbers_and_letters_and_tell_ids_apart(one: str, other: str) -> None:
    assert (natural(one) == natural(other)) == (one == other)
    assert max(len(natural(one)), len(natural(other))) <= LONGEST
    letters = {character for character in one + other if not character.isalnum()}
    if parts(one) != parts(other) and not letters:
        assert (natural(one) < natural(other)) == (parts(one) < parts(other))
