"""What commands say of a first observation (rule B1)."""

from __future__ import annotations

from kittywatch.cli.output import Output
from kittywatch.observe.observation import Observed


def say_baseline(output: Output, seen: Observed) -> None:
    """How many work packages were taken in silently, or why none could be yet."""
    if seen.busy:
        output.say(f"git is in the middle of something ({seen.busy}); work packages are taken in when it is done")
    elif seen.baseline:
        what = "1 work package" if seen.baseline == 1 else f"{seen.baseline} work packages"
        output.say(f"{what} taken in silently; `kittywatch emit replay` tells the history")
