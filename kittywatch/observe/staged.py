"""What is staged: the work packages as the next commit will have them.

Read from the index that git hands to its hooks, which for `commit -a` and `commit --only` is one of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kittywatch.git.repository import Git
from kittywatch.workpackages.lane_source import Unit
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import Problem


def check_staged(git: Git, names: LaneNames, environment: Mapping[str, str] = os.environ) -> list[Problem]:
    """Every finding in the units that the next commit changes; raises GitError."""
    index = environment.get("GIT_INDEX_FILE")
    chosen = git.with_index(Path(index) if os.path.isabs(index) else git.root / index) if index else git
    return [finding for unit in chosen.staged_units() for finding in _check(chosen, unit, names)]


def _check(git: Git, unit: Unit, names: LaneNames) -> list[Problem]:
    sources = git.sources
    objects = git.objects()
    try:
        of_unit = (file for file in git.staged_files(unit) if file.is_regular)
        files = {file.path: file for file in of_unit if sources.unit_of(file.path) == unit}
        data: dict[str, bytes] = {}
        for most in {sources.largest(path) for path in files}:
            some = [path for path in files if sources.largest(path) == most]
            read = objects.read_many([files[path].blob for path in some], most)
            data |= {path: content or b"" for path, content in zip(some, read, strict=True)}
    finally:
        objects.close()
    return sources[unit].check(unit, data, names)
