"""The order in which people read ids: BACK-2 before BACK-10, 1.2 before 1.10."""

from __future__ import annotations

from kittywatch.startup.patterns import pattern

_NUMBER = pattern(r"[0-9]+")
LONGEST = 160
"""Characters of the key of an id, which has 40 at most."""


def natural(text: str) -> str:
    """A key for a text: the order of keys, character by character, is that of the texts with their numbers as numbers.

    Each text has a key of its own; upper and lower case stand together.
    """
    # A number goes by how many digits it has, then by the digits. What is left to tell two texts apart is the texts
    # themselves, after a tab, which comes before whatever a text may go on with.
    return _NUMBER.sub(lambda found: _key(found[0]), text.lower()) + "\t" + text


def _key(digits: str) -> str:
    number = digits.lstrip("0") or "0"
    return f"{len(number):03}{number}"
