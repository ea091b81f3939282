"""All benchmarks, one table."""

from __future__ import annotations

from tests.benchmarks import emission, imports, observation, replay
from tests.benchmarks.figure import main

if __name__ == "__main__":
    main(replay.run, emission.run, observation.run, imports.run)
