"""What is staged: the work packages as the next commit will have them.

Read from the index that git hands to its hooks, which for `commit -a` and `commit --only` is one of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from kittywatch.git.repository import Git
from kittywatch.workpackages.check import check_feature
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.layout import SPECS, feature_of, place
from kittywatch.workpackages.reader import Problem
from kittywatch.workpackages.sources import largest, log_of


def check_staged(git: Git, names: LaneNames, environment: Mapping[str, str] = os.environ) -> list[Problem]:
    """Every finding in the features that the next commit changes; raises GitError."""
    index = environment.get("GIT_INDEX_FILE")
    chosen = git.with_index(Path(index) if os.path.isabs(index) else git.root / index) if index else git
    return [finding for feature in chosen.staged_features() for finding in _check(chosen, feature, names)]


def _check(git: Git, feature: str, names: LaneNames) -> Iterator[Problem]:
    objects = git.objects()
    try:
        files = {file.path: file for file in git.staged_files(feature) if file.is_regular and feature_of(file.path)}
        data: dict[str, bytes | None] = {}
        for most in {largest(path) for path in files}:
            some = [path for path in files if largest(path) == most]
            data |= zip(some, objects.read_many([files[path].blob for path in some], most), strict=True)
    finally:
        objects.close()
    packages = {path: content or b"" for path, content in data.items() if place(path)}
    path = log_of(feature)
    log = (path, data[path] or b"") if path in data else None
    yield from check_feature(packages, data.get(f"{SPECS}/{feature}/tasks.md"), names, log)
