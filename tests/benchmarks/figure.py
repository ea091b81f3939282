"""One figure of a benchmark, and the table of many."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, in `unit`; `target` is the most that it may be, None where it only serves to compare with.

    `against` says what a ratio is a ratio to.
    """

    what: str
    measured: float
    unit: str
    target: float | None = None
    against: str = ""

    @property
    def holds(self) -> bool:
        return self.target is None or self.measured <= self.target


def table(figures: Iterable[Figure]) -> str:
    """The figures in columns; what is above its target is marked."""
    rows = [("what", "measured", "target", "against")]
    for one in figures:
        mark = "" if one.holds else "  ABOVE"
        target = "" if one.target is None else f"{one.target:g} {one.unit}{mark}"
        rows.append((one.what, f"{one.measured:.3g} {one.unit}", target, one.against))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def main(*benchmarks: Callable[[argparse.Namespace], list[Figure]]) -> None:
    """Run benchmarks and print their table."""
    parser = argparse.ArgumentParser(description="Measures kittywatch; every ratio is of one run.")
    parser.add_argument("--corpus", help="a fast-export of a project's history, .xz or plain, to replay")
    parser.add_argument("--runs", type=int, default=9, help="how many runs a median is of (default %(default)s)")
    options = parser.parse_args()
    print(table([figure for benchmark in benchmarks for figure in benchmark(options)]))
