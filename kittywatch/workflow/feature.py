"""A feature as its files are now: its work packages and their dependencies; and the choice of a command's feature."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from kittywatch.errors import WorkflowError
from kittywatch.natural import natural
from kittywatch.observe.worktree import files_below, read_file
from kittywatch.workpackages.features import dependencies_of, first_of_each, read_dependencies
from kittywatch.workpackages.globs import walk
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.layout import SPECS, place
from kittywatch.workpackages.reader import Problem, WorkPackage, read_work_package
from kittywatch.workpackages.sources import DEFAULT

_WP_BRANCH = re.compile(r"(?P<feature>.+)-(?P<wp>WP[0-9]{2,3})\Z")


class Feature(Struct, frozen=True):
    """The work packages of one feature by id, the bytes of all their files by path, and who waits for whom."""

    slug: str
    packages: Mapping[str, WorkPackage]
    files: Mapping[str, bytes]
    needs: Mapping[str, tuple[str, ...]]
    problems: Sequence[Problem]
    tasks: bytes | None

    def package(self, wp_id: str) -> WorkPackage:
        """A work package by its id; raises WorkflowError."""
        found = self.packages.get(wp_id)
        if found is not None:
            return found
        for problem in self.problems:
            where = place(problem.path)
            if where is not None and where.wp_id == wp_id:
                raise WorkflowError(str(problem), remedy=f"mend {problem.path}")
        there = ", ".join(sorted(self.packages, key=natural)) or "none"
        raise WorkflowError(
            f"{self.slug} has no work package {wp_id}", remedy=f"name one that is there: {there}; or another --feature"
        )


def load_feature(root: Path, slug: str, names: LaneNames) -> Feature:
    """Read a feature's files in a checkout; raises WorkflowError if there is no such feature."""
    if slug not in list_features(root):
        raise WorkflowError(f"there is no feature {slug}", remedy=_choices(root))
    files: dict[str, bytes] = {}
    for found in sorted((root / SPECS / slug / "tasks").rglob("WP[0-9][0-9]*.md")):
        path = found.relative_to(root).as_posix()
        read = read_file(root, path) if place(path) is not None else None
        if read is not None:
            files[path] = read[0]
    packages, problems = first_of_each((path, read_work_package(path, data, names)) for path, data in files.items())
    tasks = read_file(root, f"{SPECS}/{slug}/tasks.md")
    stated = read_dependencies(tasks[0] if tasks else None)
    needs = {wp_id: dependencies_of(package, stated) for wp_id, package in packages.items()}
    return Feature(slug, packages, files, needs, problems, tasks[0] if tasks else None)


def list_features(root: Path) -> list[str]:
    """The features of a checkout: the directories under kitty-specs/ that have a `tasks` directory."""
    specs = root / SPECS
    if not specs.is_dir():
        return []
    return sorted(one.name for one in specs.iterdir() if not one.is_symlink() and (one / "tasks").is_dir())


def choose_feature(root: Path, stated: str | None, hints: Sequence[str]) -> str:
    """The feature that a command means: the stated one, else what a hint names, else the only one.

    `hints` are the branch and directories that the command was called from. Raises WorkflowError.
    """
    features = list_features(root)
    if stated is not None:
        if stated in features:
            return stated
        raise WorkflowError(f"there is no feature {stated}", remedy=_choices(root))
    for hint in hints:
        named = _WP_BRANCH.match(hint)
        for name in (hint, named["feature"] if named else hint):
            if name in features:
                return name
    if len(features) == 1:
        return features[0]
    if features:
        raise WorkflowError("there are several features here", remedy=_choices(root))
    if others := neighbors_here(root):
        raise WorkflowError(
            f"there is no feature under kitty-specs/, and this command is for spec-kitty's alone; here is {others[0]}",
            remedy=f"move its tasks with {others[0]}'s own commands, or in its files: kittywatch observes both",
        )
    raise WorkflowError("there is no feature under kitty-specs/", remedy=_choices(root))


def neighbors_here(root: Path) -> list[str]:
    """The other lane sources that have files in a checkout, by their names."""
    others = (source for source in DEFAULT.all if source.name != "spec-kitty")
    return [
        source.name
        for source in others
        if next(walk([glob.rest for glob in source.globs], root, files_below), None) is not None
    ]


def hinted_package(hints: Sequence[str], slug: str) -> str | None:
    """Id of the work package that a branch or worktree of a feature is for, None if no hint names one."""
    for hint in hints:
        named = _WP_BRANCH.match(hint)
        if named is not None and named["feature"] == slug:
            return named["wp"]
    return None


def _choices(root: Path) -> str:
    features = list_features(root)
    if not features:
        return "make one with its work packages under kitty-specs/<feature>/tasks/"
    return f"name one with --feature: {', '.join(features)}"
