"""All benchmarks, one table."""

from __future__ import annotations

from tests.benchmarks import emission, fuzzing, hooks, hub_ingest, imports, observation, replay, watching
from tests.benchmarks.figure import main

if __name__ == "__main__":
    main(replay.run, emission.run, observation.run, hooks.run, watching.run, hub_ingest.run, imports.run, fuzzing.run)
