"""What a lane source is: where its files are, what each of them says, and what they say together.

The files that only say together what the lanes are make a unit: a feature's directory, a backlog with its settings, a
list of tasks. All that a source reads of a commit or a worktree it reads unit by unit.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import ClassVar, NamedTuple, Protocol

from msgspec import Struct

from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.event_log import Log
from kittywatch.workpackages.globs import Glob
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.layout import as_text
from kittywatch.workpackages.reader import Problem, WorkPackage
from kittywatch.workpackages.text import MAX_BYTES

LONGEST_ID = 40
ANY_ID = pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""An id as events carry it."""


class Unit(NamedTuple):
    """A unit of a source; `feature` is None where its files say which features they have."""

    source: str
    feature: str | None


class Fault(Struct, frozen=True):
    """What is wrong with a file, and a fingerprint of the content that is."""

    problem: Problem
    content: str


class Stated(Struct, frozen=True):
    """What the files of a unit say together.

    `packages` are its work packages by the keys that they are kept under, `feature` is the one of what is wrong.
    """

    packages: Mapping[tuple[str, str], WorkPackage]
    faults: tuple[Fault, ...] = ()
    feature: str = ""


class Contents(Protocol):
    """The contents of a unit's files, each read once."""

    def said(self, path: str) -> tuple[object, str]:
        """What the file at a path says by itself, as its source reads it, and a fingerprint of it."""
        ...

    def log(self, path: str) -> Log:
        """What the event log at a path says."""
        ...


class Given:
    """Contents that were read before."""

    def __init__(self, said: Mapping[str, tuple[object, str]]) -> None:
        self._said = said

    def said(self, path: str) -> tuple[object, str]:
        return self._said[path]

    def log(self, path: str) -> Log:
        raise NotImplementedError(path)


class LaneSource(ABC):
    """One lane source of a project. `name` tells it from the others, `kind` is its reader's name.

    `globs` are its files, `settings` those among them that state no lanes themselves, `ids` the ids that its work
    packages can have. `home` is the name under which they are kept whatever feature they belong to, None where
    the feature is the first part of their key.
    """

    name: str
    kind: ClassVar[str]
    globs: tuple[Glob, ...]
    settings: tuple[Glob, ...] = ()
    ids: re.Pattern[str]
    home: str | None = None

    # Where its files are.

    @property
    def roots(self) -> set[str]:
        """The directories and files that all of its files are at or below."""
        return {glob.root for glob in (*self.globs, *self.settings)}

    @property
    def pathspecs(self) -> tuple[str, ...]:
        """Its files as git takes them."""
        return tuple(glob.pathspec for glob in (*self.globs, *self.settings))

    def unit_of(self, path: str) -> Unit | None:
        """The unit that a file belongs to, None for a file of no concern."""
        for glob in (*self.globs, *self.settings):
            feature = glob.match(path)
            if feature is not None:
                return self.unit(as_text(feature) or None)
        return None

    def unit(self, feature: str | None) -> Unit:
        """The unit of a feature, or the only one."""
        return Unit(self.name, feature if self._by_feature else None)

    def units_of(self, key: tuple[str, str]) -> tuple[Unit, ...]:
        """The units that may have the work package of a key."""
        if not self.ids.fullmatch(key[1]) or (self.home is not None and key[0] != self.home):
            return ()
        return (self.unit(key[0]),)

    def globs_of(self, unit: Unit) -> tuple[Glob, ...]:
        """The files of a unit."""
        own = (*self.globs, *self.settings)
        return own if unit.feature is None else tuple(Glob(glob.text, unit.feature) for glob in own)

    def beginnings(self, unit: Unit, paths: Iterable[str]) -> list[str]:
        """The files with whose first commit a feature began, as git takes them; `paths` are those that it has now."""
        if unit.feature is None:
            return [f":(top,literal){path}" for path in paths]
        return [Glob(glob.text, unit.feature).pathspec for glob in self.globs]

    def states_lanes(self, path: str) -> bool:
        """Whether a file of this source states lanes."""
        return any(glob.match(path) is not None for glob in self.globs)

    def is_added_to(self, path: str) -> bool:
        """Whether a last line without its end is one that somebody is still writing."""
        return False

    def largest(self, path: str) -> int:
        """How many bytes a file may have to be read."""
        return MAX_BYTES

    @cached_property
    def _by_feature(self) -> bool:
        return self.home is None and all("{feature}" in glob.text for glob in self.globs)

    # What they say.

    @abstractmethod
    def read(self, path: str, data: bytes, names: LaneNames) -> object:
        """What one file says by itself, as `together` takes it; never raises."""

    def check(self, unit: Unit, files: Mapping[str, bytes], names: LaneNames) -> list[Problem]:
        """Everything that is wrong with a unit's files, by path and line."""
        said = {path: (self.read(path, data, names), "") for path, data in files.items()}
        stated = self.together(unit, files, Given(said))
        findings = [fault.problem for fault in stated.faults]
        return sorted(findings, key=lambda finding: (finding.path, finding.line))

    @abstractmethod
    def together(self, unit: Unit, paths: Iterable[str], contents: Contents) -> Stated:
        """What the files of a unit say together."""
