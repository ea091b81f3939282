"""The main job on a project made for it: run it to see what kittywatch does.

Makes a git project with a week of work in a temporary directory, lets kittywatch take it in, tells its history, and
goes on working with the hooks installed. Everything is removed at the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FEATURE = "kitty-specs/001-sign-in/tasks"
WEEK = [
    ("2026-01-05T09:00:00Z", {"WP01": "planned", "WP02": "planned"}, "Plan the sign-in"),
    ("2026-01-05T10:00:00Z", {"WP01": "doing"}, "Begin with the form"),
    ("2026-01-06T15:30:00Z", {"WP01": "for_review"}, "The form, ready for review"),
    ("2026-01-07T11:00:00Z", {"WP01": "doing"}, "Review: the labels are missing"),
    ("2026-01-08T16:00:00Z", {"WP01": "done", "WP02": "doing"}, "The form is done; begin with the session"),
]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="kittywatch-") as scratch:
        project = Path(scratch) / "project"
        environment = os.environ | {"SPEC_KITTY_HOME": str(Path(scratch) / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
        environment |= {f"GIT_{who}_NAME": "Kit" for who in ("AUTHOR", "COMMITTER")}
        environment |= {f"GIT_{who}_EMAIL": "kit@example.invalid" for who in ("AUTHOR", "COMMITTER")}
        project.mkdir()
        show(["git", "init", "-q", "-b", "main"], project, environment)
        for moment, lanes, message in WEEK:
            work(project, lanes, message, environment | {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment})
        kittywatch = [sys.executable, "-P", "-m", "kittywatch.cli.main"]
        show([*kittywatch, "init"], project, environment)
        show([*kittywatch, "emit", "replay"], project, environment)
        show([*kittywatch, "emit", "replay"], project, environment)
        show([*kittywatch, "hooks", "install"], project, environment)
        print("\nA commit, as always; the hook sees it:")
        work(project, {"WP02": "for_review"}, "The session, ready for review", environment)
        show([*kittywatch, "log"], project, environment)


def work(project: Path, lanes: dict[str, str], message: str, environment: dict[str, str]) -> None:
    """Move work packages to lanes, and commit."""
    for wp_id, lane in lanes.items():
        path = project / FEATURE / f"{wp_id}-work.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        title = {"WP01": "The form", "WP02": "The session"}[wp_id]
        path.write_text(f"---\nwork_package_id: {wp_id}\ntitle: {title}\nlane: {lane}\nagent: kit\n---\n\n# {title}\n")
    subprocess.run(["git", "add", "-A"], cwd=project, env=environment, check=True)
    show(["git", "commit", "-q", "-m", message], project, environment)


def show(command: list[str], project: Path, environment: dict[str, str]) -> None:
    """Print a command as a person would type it, and run it."""
    words = ["kittywatch", *command[4:]] if command[0] == sys.executable else command
    print("$ " + " ".join(f'"{word}"' if " " in word else word for word in words), flush=True)
    subprocess.run(command, cwd=project, env=environment, check=True)


if __name__ == "__main__":
    main()
