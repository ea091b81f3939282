"""One figure of a benchmark, and the table of many."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, in `unit`.

    `target` is the most that it may be, `at_least` the least; neither where it only serves to compare with. `against`
    says what a ratio is a ratio to.
    """

    what: str
    measured: float
    unit: str
    target: float | None = None
    against: str = ""
    at_least: float | None = None

    @property
    def shown_target(self) -> str:
        """The target with its unit; marked where it is missed."""
        if self.at_least is not None:
            return f"at least {self.at_least:g} {self.unit}{'' if self.measured >= self.at_least else '  BELOW'}"
        if self.target is not None:
            return f"{self.target:g} {self.unit}{'' if self.measured <= self.target else '  ABOVE'}"
        return ""


def table(figures: Iterable[Figure]) -> str:
    """The figures in columns; what misses its target is marked."""
    rows = [("what", "measured", "target", "against")]
    for one in figures:
        rows.append((one.what, f"{_rounded(one.measured)} {one.unit}", one.shown_target, one.against))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _rounded(number: float) -> str:
    """Three digits that count, and no exponent."""
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


def main(*benchmarks: Callable[[argparse.Namespace], list[Figure]]) -> None:
    """Run benchmarks and print their table."""
    parser = argparse.ArgumentParser(description="Measures kittywatch; every ratio is of one run.")
    parser.add_argument("--corpus", help="a fast-export of a project's history, .xz or plain, to replay")
    parser.add_argument("--runs", type=int, default=9, help="how many runs a median is of (default %(default)s)")
    options = parser.parse_args()
    print(table([figure for benchmark in benchmarks for figure in benchmark(options)]))
