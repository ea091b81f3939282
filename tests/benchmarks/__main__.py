"""All benchmarks, one table."""

from __future__ import annotations

from tests.benchmarks import (
    delivery,
    emission,
    end_to_end,
    fuzzing,
    hooks,
    hub_ingest,
    imports,
    inline,
    observation,
    replay,
    sources,
    viewers,
    watching,
)
from tests.benchmarks.figure import main

if __name__ == "__main__":
    runs = [replay, emission, observation, hooks, sources, watching, hub_ingest, viewers, delivery, end_to_end]
    runs += [imports, inline, fuzzing]
    main(*(benchmark.run for benchmark in runs))
