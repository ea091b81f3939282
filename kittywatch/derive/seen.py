"""Seen keys: what is known of one work package besides its lanes, so that it is emitted once.

A page of seen keys belongs to a work package, or to a feature (then the id is ""). Keys, by their first letter:

- `r`, `f`: a trail record, or review feedback. The value says how it came to be known: `told`, when it was emitted or
  was the record of a step; `baseline` and `elsewhere`, when it was only recorded.
- `o`, `h`: a note that an observer saw, or that was emitted manually, by its text. Whichever comes second of a pair
  isn't emitted.
- `i`: a step or a note that the source states with an id; with `!verdict` behind it, the step's verdict.
- `d`: that a dependent was told that it waits for this one no longer; `by hand`, where no observer has come by since.
- `p`: a step to done that was emitted manually, and when. What it causes is emitted when an observer comes by.
- `complete`: that a feature's completion was emitted, and no work package of it has left done since.

The letters and values are those of the tables of the version before, whose pages stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from kittywatch.startup.digests import sha256
from kittywatch.workpackages.trail import Record

SeenKeys: TypeAlias = dict[str, str]
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
    """The key of a text of review feedback."""
    return f"f{short(text)}"


def stated_key(name: str, what: str = "") -> str:
    """The key of what the source states under an id of its own."""
    return f"i{name}!{what}" if what else f"i{name}"


def pairs_up(seen: SeenKeys, letter: str, content: tuple[str, ...]) -> bool:
    """Record that a content was seen (`o`) or emitted manually (`h`); True if the other one of its pair was before."""
    name = manual_key(content)[1:-2]
    mine, other = (_times(seen, f"{one}{name}#") for one in (letter, "h" if letter == "o" else "o"))
    seen[f"{letter}{name}#{mine + 1}"] = "told"
    return mine < other


def manual_key(content: tuple[str, ...]) -> str:
    """The key of a content that was emitted manually once."""
    name = short("\0".join(content))
    return f"h{name}#1"


def short(text: str) -> str:
    """A fingerprint of 16 hexadecimal digits."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _times(seen: SeenKeys, prefix: str) -> int:
    return sum(1 for key in seen if key.startswith(prefix))
