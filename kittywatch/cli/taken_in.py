"""What commands say of a first observation (rule B1)."""

from __future__ import annotations

from kittywatch.cli.output import Output, plain
from kittywatch.observe.found import found_sources
from kittywatch.observe.observation import Observed
from kittywatch.observe.shown import shown_now
from kittywatch.project import Project


def say_baseline(output: Output, seen: Observed) -> None:
    """How many work packages were taken in silently, or why none could be yet."""
    if seen.busy:
        output.say(f"git is in the middle of something ({seen.busy}); work packages are taken in when it is done")
    elif seen.baseline:
        what = "1 work package" if seen.baseline == 1 else f"{seen.baseline} work packages"
        output.say(f"{what} taken in silently; `kittywatch emit replay` tells the history")


def say_sources(output: Output, project: Project) -> None:
    """Which lane sources there are, and what each of them holds."""
    found = found_sources(shown_now(project), project.git.sources)
    for one in found:
        output.say(plain(f"found {one}"))
    if not found:
        output.say("no lane source has a work package here yet; `kittywatch init --help` names them")
