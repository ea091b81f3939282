"""What is known of one thing besides its lane, as keys: which of its records, notes and feedback were met, and so on.

A page of marks belongs to a work package, or to a feature (then the id is ""). Keys, by their first letter:

- `r`, `f`: a trail record, or review feedback. The value says how it came to be known: `told`, when it was told or was
  the record of a step; `baseline` and `elsewhere`, when it was only taken in.
- `o`, `h`: a note that an observer met, or that was told by hand, by what it says. Whichever comes second of a pair
  isn't told.
- `d`: that a dependent was told that it waits for this one no longer; `by hand`, where no observer has come by since.
- `p`: a step to done that was told by hand, and when. What it causes is told when an observer comes by.
- `complete`: that a feature's completion was told, and no work package of it has left done since.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from kittywatch.startup.digests import sha256
from kittywatch.workpackages.trail import Record

Marks: TypeAlias = dict[str, str]
COMPLETE = "complete"


def record_keys(trail: Iterable[Record]) -> list[str]:
    """A key for each record: when, who and where to. Only where those are the same twice does the order count."""
    met: dict[str, int] = {}
    keys: list[str] = []
    for record in trail:
        times = met[record.key] = met.get(record.key, 0) + 1
        keys.append(f"r{short(record.key)}" if times == 1 else f"r{short(record.key)}#{times}")
    return keys


def feedback_key(text: str) -> str:
    return f"f{short(text)}"


def pairs_up(marks: Marks, letter: str, content: tuple[str, ...]) -> bool:
    """Note that a content was met (`o`) or told by hand (`h`); whether the other one of its pair was there before."""
    name = hand_key(content)[1:-2]
    mine, other = (_times(marks, f"{one}{name}#") for one in (letter, "h" if letter == "o" else "o"))
    marks[f"{letter}{name}#{mine + 1}"] = "told"
    return mine < other


def hand_key(content: tuple[str, ...]) -> str:
    """The key of a content that was told by hand once."""
    name = short("\0".join(content))
    return f"h{name}#1"


def short(text: str) -> str:
    """A short fingerprint."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _times(marks: Marks, prefix: str) -> int:
    return sum(1 for key in marks if key.startswith(prefix))
