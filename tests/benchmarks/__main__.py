"""All benchmarks, one table."""

from __future__ import annotations

from tests.benchmarks import delivery, emission, hooks, hub_ingest, imports, inline, observation, replay, watching
from tests.benchmarks.figure import main

if __name__ == "__main__":
    main(
        replay.run,
        emission.run,
        observation.run,
        hooks.run,
        watching.run,
        hub_ingest.run,
        delivery.run,
        imports.run,
        inline.run,
    )
