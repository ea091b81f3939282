"""Keyed records: task-master's `tasks.json` and BMAD's `sprint-status.yaml` (rules K1 and K2)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec
from msgspec import Struct

from kittywatch.startup.digests import sha256
from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.categories import feature_slug, lane_name
from kittywatch.workpackages.globs import Glob
from kittywatch.workpackages.lane_source import ANY_ID, LONGEST_ID, Contents, Fault, LaneSource, Stated, Unit
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.layout import as_bytes
from kittywatch.workpackages.reader import Problem, WorkPackage, distinct
from kittywatch.workpackages.schemes import Scheme
from kittywatch.workpackages.text import ContentError, text_of
from kittywatch.yaml.mapping import read_mapping
from kittywatch.yaml.values import PlainYamlError

TASK_MASTER = Scheme(
    "task-master",
    {
        "pending": "backlog",
        "in_progress": "active",
        "review": "review",
        "done": "done",
        "blocked": "blocked",
        "deferred": "blocked",
        "cancelled": "canceled",
    },
    is_open=True,
)
BMAD = Scheme(
    "bmad",
    {
        "backlog": "backlog",
        "drafted": "backlog",
        "ready_for_dev": "backlog",
        "in_progress": "active",
        "review": "review",
        "done": "done",
    },
    is_open=True,
)
_LARGEST = 8 << 20
_EPIC = pattern(r"epic-[0-9]+\Z|.*-retrospective\Z", 0)
_BYTE = pattern(r"\(byte ([0-9]+)\)")
_STORY = pattern(r"([0-9]+)-")
_STATUS_KEY = "development_status"
_UNTAGGED = "master"


class Record(Struct, frozen=True):
    """One record: its feature, its id, the lane that its status names, its title, and the ids that it waits for."""

    feature: str
    wp_id: str
    lane: str | None
    title: str
    dependencies: tuple[str, ...] = ()


class Records(LaneSource):
    """Files that hold all of a tool's records."""

    kind = "records"
    scheme: Scheme

    def __init__(self, name: str, *files: str) -> None:
        self.name = name
        self.globs = tuple(Glob(text) for text in files)
        self.ids = ANY_ID

    def largest(self, path: str) -> int:
        return _LARGEST

    def read(self, path: str, data: bytes, names: LaneNames) -> object:
        try:
            return tuple(self._records(text_of(data, _LARGEST)))
        except ContentError as error:
            return Problem(path, error.line, error.reason)

    @abstractmethod
    def _records(self, text: str) -> Iterator[Record]:
        """The records of a file; raises ContentError."""

    def together(self, unit: Unit, paths: Iterable[str], contents: Contents) -> Stated:
        found: dict[tuple[str, str], WorkPackage] = {}
        faults: list[Fault] = []
        for path in sorted(paths, key=as_bytes):
            said, content = contents.said(path)
            if isinstance(said, Problem):
                faults.append(Fault(said, content))
                continue
            for record in cast("tuple[Record, ...]", said):
                key = record.feature, record.wp_id
                if key not in found:
                    found[key] = self._package(path, record)
                    continue
                reason = f"{record.wp_id} is already the id of another one of {found[key].path}, which counts"
                name = sha256(f"{record.feature}\0{record.wp_id}".encode(errors="replace")).hexdigest()[:32]
                faults.append(Fault(Problem(path, 1, reason), name))
        return Stated(found, tuple(faults), self.name)

    def _package(self, path: str, record: Record) -> WorkPackage:
        return WorkPackage(
            record.feature,
            record.wp_id,
            path,
            record.lane,
            (),
            record.title,
            dependencies=record.dependencies,
            source=self.kind,
            scheme=self.scheme,
        )


class TaskMaster(Records):
    """task-master's tasks, by tag, subtasks as `id.sub`; the form without tags is that of the tag `master`."""

    scheme = TASK_MASTER

    def _records(self, text: str) -> Iterator[Record]:
        try:
            said = msgspec.json.decode(text.encode())
        except msgspec.DecodeError as error:
            raise ContentError(_line_of(text, str(error)), "the file is no JSON") from None
        except RecursionError:
            raise ContentError(1, "the file is nested too deeply") from None
        if not isinstance(said, dict):
            raise ContentError(1, "the file is no object of tags")
        tags = {_UNTAGGED: said} if isinstance(said.get("tasks"), list) else said
        for tag, about in tags.items():
            tasks = about.get("tasks") if isinstance(about, dict) else None
            for task in tasks if isinstance(tasks, list) else ():
                yield from _tasks(feature_slug(tag), task, "")


class Bmad(Records):
    """The stories of BMAD's sprints, by epic."""

    scheme = BMAD

    def _records(self, text: str) -> Iterator[Record]:
        try:
            fields, _ = read_mapping(text)
        except PlainYamlError as error:
            raise ContentError(error.line, f"the file is not usable: {error.reason}") from None
        stories = fields.get(_STATUS_KEY)
        for key, status in stories.items() if isinstance(stories, dict) else ():
            story = _STORY.match(key)
            if _EPIC.match(key):
                continue
            lane = lane_name(status) if isinstance(status, str) and status else None
            wp_id = key[:LONGEST_ID].rstrip("-._")
            if ANY_ID.fullmatch(wp_id):
                title = key[story.end() :] if story else key
                yield Record(f"epic-{story[1]}" if story else "sprint", wp_id, lane, title)


def _line_of(text: str, said: str) -> int:
    """The line that an error of the decoder is about; without a place it is the end that is missing."""
    place = _BYTE.search(said)
    return text.encode()[: int(place[1])].count(b"\n") + 1 if place else text.rstrip("\n").count("\n") + 1


def _tasks(tag: str, task: Any, parent: str) -> Iterator[Record]:
    """A task, and its subtasks after it."""
    if not isinstance(task, Mapping):
        return
    wp_id = _id(task.get("id"), parent)
    if wp_id is None:
        return
    status, title, needs = task.get("status"), task.get("title"), task.get("dependencies")
    ids = [_id(one, parent) for one in needs] if isinstance(needs, list) else []
    yield Record(
        tag,
        wp_id,
        lane_name(status) if isinstance(status, str) and status else None,
        title.strip() if isinstance(title, str) and title.strip() else wp_id,
        distinct(one for one in ids if one is not None and one != wp_id),
    )
    subtasks = task.get("subtasks")
    for one in subtasks if isinstance(subtasks, list) else ():
        yield from _tasks(tag, one, f"{wp_id}.")


def _id(stated: Any, parent: str) -> str | None:
    """An id as text; that of a subtask with its task's before it, unless it has it already."""
    if isinstance(stated, bool) or not isinstance(stated, (int, str)):
        return None
    name = str(stated).strip()
    name = name if parent and name.startswith(parent) else f"{parent}{name}"
    return name if ANY_ID.fullmatch(name) else None
