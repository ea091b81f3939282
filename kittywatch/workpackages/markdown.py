"""Markdown files with a status: Backlog.md's tasks, and any other layout that the configuration describes (M1 to M3).

Backlog.md keeps a task a file, whose name follows its title, and moves the file when the task is completed or archived.
So a task is told by its id alone, and by whatever milestone it has: neither another name nor another milestone is a
transition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from kittywatch.startup.digests import sha256
from kittywatch.workpackages.categories import Category, feature_slug, guessed_category, lane_name
from kittywatch.workpackages.frontmatter import Frontmatter, read_frontmatter
from kittywatch.workpackages.globs import Glob
from kittywatch.workpackages.lane_source import ANY_ID, Contents, Fault, LaneSource, Stated, Unit
from kittywatch.workpackages.lanes import Lane, LaneNames
from kittywatch.workpackages.layout import as_bytes, as_text
from kittywatch.workpackages.reader import HOME_MARK, Problem, WorkPackage, distinct, word
from kittywatch.workpackages.schemes import Scheme
from kittywatch.workpackages.text import ContentError, text_of
from kittywatch.yaml.mapping import read_mapping
from kittywatch.yaml.values import PlainYamlError, Value

_NO_ID = "the id is none: it has 40 letters, digits, '.', '_' and '-' at most"
_REMEMBERED = 50_000  # paths
_DEFAULT_STATUSES = ("To Do", "In Progress", "Done")


class Fields(Struct, frozen=True):
    """The names of the frontmatter's fields."""

    id: str = "id"
    status: str = "status"
    title: str = "title"
    dependencies: str = "dependencies"
    agent: str = "assignee"
    feature: str | None = None


class Layout(Struct, frozen=True):
    """Where a tool keeps its Markdown files, and what is in them.

    Files that match `done` are done whatever they say, those that match `kept` are only seen where no other file has
    their id. `config` is the file with `statuses` and `project_name`, `milestones` are files that name milestones.
    `lanes` are the lanes with their categories where no file says them.
    """

    name: str
    files: tuple[str, ...]
    done: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    config: str | None = None
    milestones: tuple[str, ...] = ()
    fields: Fields = Fields()
    lanes: Mapping[Lane, Category] | None = None


BACKLOG = Layout(
    "backlog.md",
    files=("backlog/tasks/*.md",),
    done=("backlog/completed/*.md",),
    kept=("backlog/archive/tasks/*.md",),
    config="backlog/config.yml",
    milestones=("backlog/milestones/*.md", "backlog/archive/milestones/*.md"),
    fields=Fields(feature="milestone"),
)


class _Settings(Struct, frozen=True):
    """What the configuration of Backlog.md says, or a milestone's file: its id and its title."""

    statuses: tuple[str, ...] = ()
    project: str | None = None
    milestone: tuple[str, str] | None = None


class Markdown(LaneSource):
    """The Markdown files of one layout."""

    kind = "markdown"

    def __init__(self, layout: Layout) -> None:
        self.name = layout.name
        self.ids = ANY_ID
        self._layout = layout
        self._tasks = tuple(Glob(text) for text in layout.files)
        self._done = tuple(Glob(text) for text in layout.done)
        self._kept = tuple(Glob(text) for text in layout.kept)
        self.globs = (*self._tasks, *self._done, *self._kept)
        settings = ((layout.config,) if layout.config else ()) + layout.milestones
        self.settings = tuple(Glob(text) for text in settings)
        by_directory = all("{feature}" in glob.text for glob in self.globs)
        self.home = None if by_directory and layout.fields.feature is None else f"{HOME_MARK}{layout.name}"

    # One file.

    def read(self, path: str, data: bytes, names: LaneNames) -> object:
        try:
            text = text_of(data)
            if path == self._layout.config:
                return _settings(text)
            if not text.lstrip().startswith("---"):
                return None  # no frontmatter: not one of its tasks
            matter = read_frontmatter(text)
        except ContentError as error:
            return Problem(path, error.line, error.reason)
        except PlainYamlError as error:
            return Problem(path, error.line, f"the settings are not usable: {error.reason}")
        if not self.states_lanes(path):
            return _milestone(matter)
        return self._task(path, matter)

    def _task(self, path: str, matter: Frontmatter) -> WorkPackage | Problem | None:
        names, fields = self._layout.fields, matter.fields
        wp_id, status = word(fields.get(names.id)), word(fields.get(names.status))
        needs = _words(fields.get(names.dependencies))
        if wp_id is None:
            return None
        if not ANY_ID.fullmatch(wp_id):
            return Problem(path, matter.lines[names.id], _NO_ID)
        return WorkPackage(
            feature=(word(fields.get(names.feature)) if names.feature else None) or self._feature(path),
            wp_id=wp_id.upper(),
            path=path,
            lane=lane_name(status) if status is not None else None,
            trail=(),
            title=word(fields.get(names.title)) or path.rsplit("/", 1)[-1].removesuffix(".md"),
            agent=next(iter(_words(fields.get(names.agent))), None),
            dependencies=distinct(one.upper() for one in needs if ANY_ID.fullmatch(one)),
            source=self.kind,
            home=self.home,
        )

    # All of them together.

    def together(self, unit: Unit, paths: Iterable[str], contents: Contents) -> Stated:
        settings: list[_Settings] = []
        faults: list[Fault] = []
        paths = tuple(paths)
        if self._layout.config is not None and self._layout.config not in paths:
            return Stated({})  # a directory of that name alone makes no backlog
        tasks: list[tuple[int, str, WorkPackage]] = []
        for path in paths:
            said, content = contents.said(path)
            if isinstance(said, Problem):
                faults.append(Fault(said, content))
            elif isinstance(said, _Settings):
                settings.append(said)
            elif isinstance(said, WorkPackage):
                tasks.append((self._rank(path), path, said))
        scheme = self._scheme(settings)
        names = dict(one.milestone for one in settings if one.milestone is not None)
        project = feature_slug(next((one.project for one in settings if one.project), None) or self._layout.name)
        slugs: dict[str, str] = {}
        found: dict[str, WorkPackage] = {}
        for rank, path, task in sorted(tasks, key=lambda one: (one[0], as_bytes(one[1]))):
            first = found.get(task.wp_id)
            if first is None:
                feature = slugs.get(task.feature) or slugs.setdefault(task.feature, self._named(task, names) or project)
                found[task.wp_id] = _in_scheme(task, feature, scheme, is_done=rank == 1)
            elif rank < 2:
                problem = Problem(path, 1, f"{task.wp_id} is already the id of {first.path}, which counts")
                faults.append(Fault(problem, sha256(as_bytes(path)).hexdigest()[:32]))
        return Stated({one.key: one for one in found.values()}, tuple(faults), unit.feature or project)

    @lru_cache(maxsize=_REMEMBERED)  # noqa: B019 - a source lives as long as its process
    def _rank(self, path: str) -> int:
        """Which of two files with one id counts: the one that is worked on, the completed one, the archived one."""
        groups = (self._tasks, self._done)
        return next((at for at, globs in enumerate(groups) if any(one.match(path) is not None for one in globs)), 2)

    def _named(self, task: WorkPackage, names: Mapping[str, str]) -> str:
        """The feature that a task says, "" where it says none; a directory's name stays as it is."""
        if not task.feature or self._layout.fields.feature is None:
            return task.feature
        return feature_slug(names.get(task.feature, task.feature))

    def _feature(self, path: str) -> str:
        """The feature that a file's place says, "" where it says none."""
        return next((as_text(found) for glob in self.globs if (found := glob.match(path)) is not None), "")

    def _scheme(self, settings: Iterable[_Settings]) -> Scheme:
        if self._layout.lanes is not None:
            return Scheme(self.name, self._layout.lanes, is_open=True)
        statuses = next((one.statuses for one in settings if one.statuses), _DEFAULT_STATUSES)
        lanes = {name: guessed_category(name, "active") for name in map(lane_name, statuses)}
        first, last = next(iter(lanes)), next(reversed(lanes))
        return Scheme(self.name, {**lanes, first: "backlog", last: "done"}, is_open=True)


def _in_scheme(task: WorkPackage, feature: str, scheme: Scheme, *, is_done: bool) -> WorkPackage:
    lane = task.lane
    if is_done and not scheme.is_done(lane):
        lane = next(name for name in reversed(tuple(scheme.lanes)) if scheme.is_done(name))
    return replace(task, feature=feature, lane=lane, scheme=scheme)


def _settings(text: str) -> _Settings:
    """Read the configuration of Backlog.md; raises PlainYamlError."""
    fields, _ = read_mapping(text)
    statuses = tuple(one for one in _words(fields.get("statuses")))
    return _Settings(statuses, word(fields.get("project_name")))


def _milestone(matter: Frontmatter) -> _Settings | None:
    name, title = word(matter.fields.get("id")), word(matter.fields.get("title"))
    return _Settings(milestone=(name, title)) if name and title else None


def _words(value: Value) -> list[str]:
    """The words of a list, or the one that stands in its place."""
    items = value if isinstance(value, list) else [value]
    return [one for one in map(word, cast("list[Value]", items)) if one is not None]
