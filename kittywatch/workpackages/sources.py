"""The lane sources of a project, and which of its files concern them.

Nothing outside of this folder knows which source speaks: it asks here which paths matter, and what the files of a
unit say together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache

from kittywatch.workpackages.checklist import Checklist
from kittywatch.workpackages.globs import Glob, Rest
from kittywatch.workpackages.lane_source import LaneSource, Unit
from kittywatch.workpackages.markdown import BACKLOG, Markdown
from kittywatch.workpackages.records import Bmad, TaskMaster
from kittywatch.workpackages.spec_kitty import SpecKitty
from kittywatch.workpackages.text import MAX_BYTES

_REMEMBERED = 50_000  # paths
_ARCHIVED = "openspec/changes/archive/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-{feature}/tasks.md"
_SPRINTS = (
    "sprint-status.yaml",
    *("docs/sprint-status.yaml", "docs/*/sprint-status.yaml"),
    *("_bmad-output/sprint-status.yaml", "_bmad-output/*/sprint-status.yaml"),
)


def known_sources() -> tuple[LaneSource, ...]:
    """The sources that are looked for in every project, in the order in which they count."""
    return (
        SpecKitty(),
        Markdown(BACKLOG),
        Checklist("spec-kit", "specs/{feature}/tasks.md"),
        Checklist("openspec", "openspec/changes/{feature}/tasks.md", _ARCHIVED),
        TaskMaster("task-master", ".taskmaster/tasks/tasks.json"),
        Bmad("bmad", *_SPRINTS),
    )


class Sources:
    """The sources of one project."""

    def __init__(self, sources: Iterable[LaneSource]) -> None:
        self.all = tuple(sources)
        self._by_name = {source.name: source for source in self.all}
        self._by_top: dict[str, list[LaneSource]] = {}
        for source in self.all:
            for top in {root.split("/", 1)[0] for root in source.roots}:
                self._by_top.setdefault(top, []).append(source)
        # The same paths are asked for again and again, and a Glob takes its time.
        self.unit_of = lru_cache(maxsize=_REMEMBERED)(self._unit_of)
        self.tops = tuple(sorted(self._by_top))
        self.pathspecs = tuple(dict.fromkeys(one for source in self.all for one in source.pathspecs))

    @cached_property
    def rests(self) -> list[Rest]:
        """The patterns of all files, name by name."""
        return [glob.rest for source in self.all for glob in (*source.globs, *source.settings)]

    def __getitem__(self, unit: Unit) -> LaneSource:
        return self._by_name[unit.source]

    def _unit_of(self, path: str) -> Unit | None:
        """The unit that a file belongs to, None for a file of no concern."""
        for source in self._at(path):
            unit = source.unit_of(path)
            if unit is not None:
                return unit
        return None

    def source_of(self, path: str) -> LaneSource | None:
        """The source that a file belongs to, None for a file of no concern."""
        unit = self.unit_of(path)
        return self[unit] if unit is not None else None

    def states_lanes(self, path: str) -> bool:
        """Whether a file states lanes, and not only what belongs to them."""
        return any(source.states_lanes(path) for source in self._at(path))

    def units_of(self, key: tuple[str, str]) -> Iterator[Unit]:
        """The units that may have the work package of a key, in the order in which they count."""
        for source in self.all:
            yield from source.units_of(key)

    def globs_of(self, unit: Unit) -> tuple[Glob, ...]:
        """The files of a unit."""
        return self[unit].globs_of(unit)

    def is_added_to(self, path: str) -> bool:
        """Whether a last line without its end is one that somebody is still writing."""
        source = self.source_of(path)
        return source is not None and source.is_added_to(path)

    def largest(self, path: str) -> int:
        """How many bytes a file may have to be read."""
        source = self.source_of(path)
        return source.largest(path) if source is not None else MAX_BYTES

    def _at(self, path: str) -> list[LaneSource]:
        return self._by_top.get(path.partition("/")[0], [])


DEFAULT = Sources(known_sources())
"""The sources that are looked for where the configuration says nothing."""
