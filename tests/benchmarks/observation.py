"""One observation of a commit that moves 10,000 work packages."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from kittywatch.emit.emitter import EventEmitter
from kittywatch.home import node_id
from kittywatch.observe.observation import observe
from kittywatch.project import Project
from kittywatch.store.store import Store
from tests.benchmarks.figure import Figure, main

_FEATURES, _EACH = 100, 100
_RUNS = 3


def run(options: argparse.Namespace) -> list[Figure]:
    whole, inside = [], []
    for _ in range(_RUNS):
        with tempfile.TemporaryDirectory() as directory:
            seconds, transaction = _once(Path(directory))
            whole.append(seconds)
            inside.append(transaction)
    events = _FEATURES * _EACH
    return [
        Figure(f"an observation of {events:,} events", statistics.median(whole), "s", 1),
        Figure("  of which in the transaction", statistics.median(inside), "s"),
    ]


def _once(place: Path) -> tuple[float, float]:
    root = place / "repository"
    root.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=root, check=True)
    _commit(root, "planned", 1_767_225_600)
    messages: list[str] = []
    store = Store(place / "home", node_id=node_id(), warn=messages.append)
    project = Project(Project.find(root, messages.append).git, store, messages.append)
    observe(project, "benchmark", worktree=False)
    _commit(root, "doing", 1_767_229_200)
    inside: list[float] = []
    _time_transactions(project.emitter, inside)
    start = time.perf_counter()
    observed = observe(project, "benchmark", worktree=False)
    seconds = time.perf_counter() - start
    assert len(observed.events) == _FEATURES * _EACH, len(observed.events)
    store.close()
    return seconds, sum(inside)


def _time_transactions(emitter: EventEmitter, seconds: list[float]) -> None:
    plain = emitter.transact

    def transact(work: object) -> object:
        start = time.perf_counter()
        try:
            return plain(work)  # type: ignore[arg-type]
        finally:
            seconds.append(time.perf_counter() - start)

    emitter.transact = transact  # type: ignore[method-assign, assignment]


def _commit(root: Path, lane: str, moment: int) -> None:
    stream = [
        "commit refs/heads/main",
        f"author A <a@example.invalid> {moment} +0000",
        f"committer A <a@example.invalid> {moment} +0000",
        "data 1\nx",
    ]
    if lane != "planned":
        stream.append("from refs/heads/main^0")
    for feature in range(_FEATURES):
        for number in range(_EACH):
            text = f'---\nwork_package_id: "WP{number:02d}"\ntitle: "Part {number}"\nlane: "{lane}"\n---\n\n# Part\n'
            stream += [
                f"M 100644 inline kitty-specs/{feature:03d}-part/tasks/WP{number:02d}-part.md",
                f"data {len(text)}\n{text}",
            ]
    subprocess.run(["git", "fast-import", "--quiet"], cwd=root, input="\n".join(stream) + "\n", text=True, check=True)


if __name__ == "__main__":
    main(run)
