"""`kittywatch hub …` without a rate limit: it asks for no pause between batches, and takes as many as come."""

from __future__ import annotations

from dataclasses import dataclass, field

from kittywatch.cli.main import main
from kittywatch.hub import config
from kittywatch.hub.limits import Limits


def _unlimited() -> Limits:
    return Limits(batches_per_second=1e6, batch_burst=1_000_000)


@dataclass(frozen=True, kw_only=True)
class Quick(config.Config):
    batch_interval: float = 0.0
    limits: Limits = field(default_factory=_unlimited)


if __name__ == "__main__":
    config.Config = Quick  # type: ignore[misc]
    main()
