"""Which lane sources a checkout has, what each of them holds, and what looks like one and isn't read."""

from __future__ import annotations

from collections.abc import Iterator, Set

from msgspec import Struct

from kittywatch.git.repository import Git
from kittywatch.observe.shown import Shown
from kittywatch.workpackages.lane_source import LaneSource
from kittywatch.workpackages.sources import Sources

# Where files of tools that are read may stand as well: how git finds them, the end of their paths, and their source.
_ELSEWHERE = (
    (":(top,glob)**/sprint-status.yaml", "sprint-status.yaml", "bmad"),
    (":(top,literal)tasks/tasks.json", "tasks/tasks.json", "task-master"),
    (":(top,glob)**/backlog/config.yml", "/backlog/config.yml", "backlog.md"),
)


class Found(Struct, frozen=True):
    """A source with its work packages in a checkout, and the features that they belong to."""

    source: LaneSource
    packages: int
    features: tuple[str, ...]

    def __str__(self) -> str:
        count = "1 work package" if self.packages == 1 else f"{self.packages} work packages"
        named = ", ".join(self.features[:3]) + (" and others" if len(self.features) > 3 else "")
        return f"{self.source.name}: {count} ({named})"


class Unread(Struct, frozen=True):
    """Something that looks like a source and isn't read; what it is, and what would make it one."""

    what: str
    remedy: str


def found_sources(shown: Shown, sources: Sources) -> list[Found]:
    """The sources that have work packages in a checkout, in the order in which they count."""
    by_name: dict[str, list[str]] = {}
    for package in shown.packages:
        source = sources.source_of(package.path)
        if source is not None:
            by_name.setdefault(source.name, []).append(package.feature)
    return [
        Found(source, len(by_name[source.name]), tuple(sorted(set(by_name[source.name]))))
        for source in sources.all
        if source.name in by_name
    ]


def unread(git: Git, shown: Shown) -> Iterator[Unread]:
    """What looks like a lane source and isn't read, and why; raises GitError."""
    sources = git.sources
    names = {source.name for source in sources.all}  # what is turned off is not missed
    elsewhere = [one for one in _ELSEWHERE if one[2] in names]
    paths = set(git.tracked((*sources.pathspecs, *(pathspec for pathspec, _, _ in elsewhere))))
    if "backlog.md" in names:
        yield from _without_config(paths)
    yield from _without_ids(paths, shown, sources)
    for path in sorted(path for path in paths if sources.unit_of(path) is None):
        name = next((name for _, end, name in elsewhere if path.endswith(end)), None)
        if name is not None:
            yield Unread(
                f"{path}: {name} is not looked for in this place",
                f"if it is to be observed, say where its files are: sources: {name}: files: in .kittify/config.yaml",
            )


def _without_config(paths: Set[str]) -> Iterator[Unread]:
    tasks = [path for path in paths if path.startswith("backlog/tasks/")]
    if not tasks or "backlog/config.yml" in paths:
        return
    count = "1 file" if len(tasks) == 1 else f"{len(tasks)} files"
    yield Unread(
        f"backlog/tasks: {count}, but no backlog/config.yml beside it, by which Backlog.md is known",
        "commit the config.yml that `backlog init` made, or name the files under sources: in .kittify/config.yaml",
    )


def _without_ids(paths: Set[str], shown: Shown, sources: Sources) -> Iterator[Unread]:
    read = {package.path for package in shown.packages} | {one.problem.path for one in shown.broken}
    for path in sorted(paths - read):
        source = sources.source_of(path)
        if source is not None and source.kind == "checklist":
            yield Unread(
                f"{path}: no item of this list has an id",
                "begin each item with one, `- [ ] T001 …` or `- [ ] 1.1 …`, or leave the list as it is",
            )
