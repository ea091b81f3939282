"""Patterns of paths: what they match, what they name, and where they lead."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kittywatch.workpackages.globs import Glob, walk

PATHS = (
    *("specs/a/tasks.md", "specs/a/b/tasks.md", "specs/tasks.md", "specs/a/tasks.md.orig"),
    *("work/x/1.md", "work/x/y/z/2.md", "work/1.md", "work/x/[1].md", "work/x/ab.md", "work/x/a.b"),
    *("archive/2026-01-02-add-x/tasks.md", "archive/add-x/tasks.md"),
)


@pytest.mark.parametrize(
    ("text", "feature", "matched"),
    [
        ("specs/{feature}/tasks.md", None, {"specs/a/tasks.md": "a"}),
        ("work/**/*.md", None, dict.fromkeys((path for path in PATHS if path[:4] == "work" and path[-2:] == "md"), "")),
        ("work/{feature}/?.md", None, {"work/x/1.md": "x"}),
        ("work/{feature}/[0-9].md", "x", {"work/x/1.md": ""}),
        ("work/{feature}/a?b", None, {"work/x/a.b": "x"}),
        (
            "archive/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-{feature}/tasks.md",
            None,
            {"archive/2026-01-02-add-x/tasks.md": "add-x"},
        ),
        ("specs/{feature}/tasks.md", "b", {}),
    ],
)
def test_what_it_matches_is_what_git_lists_and_a_walk_finds(
    text: str, feature: str | None, matched: dict[str, str], tmp_path: Path
) -> None:
    glob = Glob(text, feature)
    assert {path: found for path in PATHS if (found := glob.match(path)) is not None} == matched
    assert {path for path, _ in walk([glob.rest], "", _below)} == set(matched)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    command = ["git", "ls-files", "-z", "--others", "--", glob.pathspec]
    listed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert set(listed.split("\0")) - {""} == set(matched)
    assert all(path.startswith(glob.root) for path in matched)


def _below(directory: str) -> dict[str, str] | None:
    """What a directory of PATHS has below it, None of a file."""
    inside = [path.removeprefix(directory) for path in PATHS if path.startswith(directory)]
    below = {rest.split("/")[0]: f"{directory}{rest.split('/')[0]}" for rest in inside}
    return None if directory in PATHS else {name: path if path in PATHS else f"{path}/" for name, path in below.items()}


@pytest.mark.parametrize("text", ["", "/etc/*.md", "a/../b", "a//b", "./a", ".git/*", "work/**"])
def test_what_leaves_the_project_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="inside the project"):
        Glob(text)
