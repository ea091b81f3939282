"""What an emission and a hook's observation import, beside a Python that imports nothing."""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.figure import Figure, main
from tests.benchmarks.processes import Command, interleaved
from tests.store import stores

_EMISSION = "import kittywatch.api, kittywatch.project"
_OBSERVATION = "import kittywatch.observe.observation"
_LIBRARIES = "import sqlite3, json, yaml, msgspec"


def run(options: argparse.Namespace) -> list[Figure]:
    commands = {
        name: Command([sys.executable, "-c", program], stores.ROOT)
        for name, program in {
            "bare": "pass",
            "emission": _EMISSION,
            "observation": _OBSERVATION,
            "libraries": _LIBRARIES,
        }.items()
    }
    measured = interleaved(commands, options.runs * 2)
    bare = measured["bare"].median

    def over(name: str) -> float:
        return (measured[name].median - bare) * 1e3

    return [
        Figure("what an emission imports, over bare Python", over("emission"), "ms", 90),
        Figure("what an observation imports, over bare Python", over("observation"), "ms", 90),
        Figure("  sqlite3, json, PyYAML and msgspec alone", over("libraries"), "ms"),
        Figure("  bare Python", bare * 1e3, "ms"),
    ]


if __name__ == "__main__":
    main(run)
