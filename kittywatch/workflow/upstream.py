"""spec-kitty-cli, whose lanes in an event log only it may write: where it is, and which command of its does what."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from kittywatch.errors import WorkflowError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

SCRIPT = "spec-kitty"
DISTRIBUTION = "spec-kitty-cli"
_OWN = "kittywatch"
# By our command: spec-kitty-cli's for the same.
COMMANDS = {
    "implement": "agent action implement {wp} --mission {slug} --agent NAME",
    "merge": "agent tasks move-task {wp} --to for_review --mission {slug}",
    "accept": "accept --mission {slug}",
    "move-task": "agent tasks move-task {wp} --to LANE --mission {slug}",
    "mark-status": "agent tasks mark-status T001 --status done --mission {slug}",
    "add-history": "agent tasks add-history {wp} --note TEXT --mission {slug}",
    "finalize-tasks": "agent mission finalize-tasks --mission {slug}",
    "orchestrate": "next --agent NAME --mission {slug}",
}


def entry_point() -> EntryPoint | None:
    """The entry point of the other distribution's script in this environment, None without one."""
    from importlib.metadata import entry_points  # takes as long to import as all else here

    for one in entry_points(group="console_scripts", name=SCRIPT):
        if one.module.partition(".")[0] != _OWN:
            return one
    return None


def version() -> str | None:
    """The other distribution in this environment with its version, for people; None without one."""
    entry = entry_point()
    return f"{entry.dist.name} version {entry.dist.version}" if entry is not None and entry.dist is not None else None


def is_installed() -> bool:
    """Whether `spec-kitty` on PATH reaches spec-kitty-cli: by its own script, or by ours with it beside us."""
    found = shutil.which(SCRIPT)
    if found is None:
        return False
    try:
        with Path(found).open("rb") as script:
            head = script.read(4096)
    except OSError:
        return False
    return b"specify_cli" in head or (_OWN.encode() in head and entry_point() is not None)


def refusal(command: str, slug: str, wp_id: str | None) -> WorkflowError:
    """The error of a command of ours on a mission whose lanes are in a log, with what to call for it."""
    theirs = COMMANDS[command].format(slug=slug, wp=wp_id or "WP01")
    install = "" if is_installed() else f", after `pip install {DISTRIBUTION}`"
    return WorkflowError(
        f"the lanes of {slug} are in its event log, which spec-kitty-cli alone writes: nothing was changed",
        remedy=f"`{SCRIPT} {theirs}`{install}",
    )
