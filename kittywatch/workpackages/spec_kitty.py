"""spec-kitty's features: work packages with their lane in frontmatter, or in an event log beside them.

Both are one source here, because a work package's lane passes from one to the other (rules E6 and E12).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast

from msgspec.structs import replace

from kittywatch.startup.patterns import pattern
from kittywatch.workpackages import event_log
from kittywatch.workpackages.check import check_feature
from kittywatch.workpackages.event_log import Log
from kittywatch.workpackages.features import first_of_each
from kittywatch.workpackages.globs import Glob
from kittywatch.workpackages.lane_source import Contents, Fault, LaneSource, Stated, Unit
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.layout import LOG, OWN, SPECS, feature_of, place
from kittywatch.workpackages.reader import Problem, WorkPackage, read_work_package
from kittywatch.workpackages.schemes import SPEC_KITTY_3
from kittywatch.workpackages.stated import StatedNote, Steps
from kittywatch.workpackages.text import MAX_BYTES

_KEPT = 50_000  # work packages; a long-running watcher starts over there


def is_log(path: str) -> bool:
    """Whether a file is an event log, which is only ever added to."""
    parts = path.split("/")
    return len(parts) == 3 and parts[0] == SPECS and parts[2] == LOG


def log_of(feature: str) -> str:
    """The path of a feature's event log, whether it has one or not."""
    return f"{SPECS}/{feature}/{LOG}"


def coordination_worktree(feature: str) -> str:
    """Where a mission that has one has its coordination worktree, as a path from the main worktree's top (rule E11)."""
    return f".worktrees/{feature}-coord"


class _Kept(NamedTuple):
    """A work package as a log says, and what it was put together from."""

    frontmatter: WorkPackage
    steps: Steps
    notes: Sequence[StatedNote]
    result: WorkPackage


class SpecKitty(LaneSource):
    """Features and missions of spec-kitty.

    Work packages with a log are put together once as long as nothing says anything else about them: of hundreds, a
    line that is added concerns one.
    """

    kind = "spec-kitty"

    def __init__(self) -> None:
        self.name = self.kind
        self.globs = (Glob(f"{SPECS}/{{feature}}/tasks/**/WP[0-9][0-9]*.md"), Glob(f"{SPECS}/{{feature}}/{LOG}"))
        self.settings = tuple(Glob(f"{SPECS}/{{feature}}/{name}") for name in OWN)
        self.ids = pattern(r"WP[0-9]+")
        self._kept: dict[tuple[str, str], _Kept] = {}

    @property
    def pathspecs(self) -> tuple[str, ...]:
        return (SPECS,)

    def unit_of(self, path: str) -> Unit | None:
        feature = feature_of(path)
        if feature is None or not (self.states_lanes(path) or self._is_own(path)):
            return None
        return Unit(self.name, feature)

    def beginnings(self, unit: Unit, paths: Iterable[str]) -> list[str]:
        return super().beginnings(unit, paths)[:1]  # work packages; a log is there before them

    def states_lanes(self, path: str) -> bool:
        return place(path) is not None or is_log(path)

    def is_added_to(self, path: str) -> bool:
        return is_log(path)

    def largest(self, path: str) -> int:
        return event_log.MAX_BYTES if is_log(path) else MAX_BYTES

    def read(self, path: str, data: bytes, names: LaneNames) -> object:
        return read_work_package(path, data, names) if place(path) is not None else None

    def together(self, unit: Unit, paths: Iterable[str], contents: Contents) -> Stated:
        feature = unit.feature or ""
        files: list[tuple[str, WorkPackage | Problem]] = []
        fingerprints: dict[str, str] = {}
        logs: list[str] = []
        for path in paths:
            if place(path) is not None:
                said, fingerprints[path] = contents.said(path)
                files.append((path, cast("WorkPackage | Problem", said)))
            elif is_log(path):
                logs.append(path)
        packages, problems = first_of_each(files)
        faults = [Fault(problem, fingerprints[problem.path]) for problem in problems]
        for path in logs:
            packages, faults = self._with_log(packages, faults, path, contents.log(path))
        return Stated({one.key: one for one in packages.values()}, tuple(faults), feature)

    def _stated(self, package: WorkPackage, log: Log) -> WorkPackage:
        """A work package as a log says; the same one as long as neither says anything else."""
        steps, notes = log.lanes[package.wp_id], log.notes.get(package.wp_id, ())
        kept = self._kept.get(package.key)
        if kept is not None and kept.steps is steps and kept.notes == notes and kept.frontmatter == package:
            return kept.result
        made = replace(
            package,
            lane=steps.last,
            trail=(),
            problem=None,
            feedback=None,
            source="event-log",
            scheme=SPEC_KITTY_3,
            stated=steps,
            notes=notes,
        )
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[package.key] = _Kept(package, steps, notes, made)
        return made

    def check(self, unit: Unit, files: Mapping[str, bytes], names: LaneNames) -> list[Problem]:
        packages = {path: data for path, data in files.items() if place(path) is not None}
        tasks, log = f"{SPECS}/{unit.feature}/tasks.md", log_of(unit.feature or "")
        return check_feature(packages, files.get(tasks), names, (log, files[log]) if log in files else None)

    @staticmethod
    def _is_own(path: str) -> bool:
        parts = path.split("/")
        return len(parts) == 3 and parts[0] == SPECS and parts[2] in OWN

    def _with_log(
        self, packages: dict[str, WorkPackage], faults: list[Fault], path: str, log: Log
    ) -> tuple[dict[str, WorkPackage], list[Fault]]:
        """Let a log say where its work packages are; what frontmatter says of their lanes counts no more (rule E12)."""
        feature = feature_of(path) or ""
        found = dict(packages)
        silenced = {packages[wp_id].problem for wp_id in log.lanes.keys() & packages.keys()} - {None}
        for wp_id in log.lanes:
            package = packages.get(wp_id) or WorkPackage(feature, wp_id, path, None, (), wp_id)
            found[wp_id] = self._stated(package, log)
        kept = [fault for fault in faults if fault.problem not in silenced]
        kept += [Fault(Problem(path, one.line, one.reason), one.content) for one in log.faults]
        return found, kept
