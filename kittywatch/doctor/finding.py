"""The input of a check, and its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from kittywatch.errors import ProjectError
from kittywatch.project import Project


@dataclass(frozen=True)
class Finding:
    """One fault: what it is, and the one thing to do. `fix` does it where that is safe, and says what it did."""

    what: str
    remedy: str
    fix: Callable[[], str] | None = None


@dataclass(frozen=True)
class Examination:
    """The subject of all checks: a home, the programs on a search path, and a project, None outside of one."""

    home: Path
    search_path: str
    found: Project | None

    @property
    def project(self) -> Project:
        """Project at hand; only checks that are marked so are run without one."""
        if self.found is None:
            raise ProjectError("there is no project here", remedy="change to the project's directory")
        return self.found


Run: TypeAlias = Callable[[Examination], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """A topic with what finds its faults.

    `unless` are topics of which a fault keeps it from being run: what it does would mend that fault, and looking must
    not; or it would only find the same again.
    """

    topic: str
    run: Run
    needs_project: bool = True
    unless: frozenset[str] = frozenset()
