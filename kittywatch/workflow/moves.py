"""The workflow's edits of work packages: move them, note something, finalize their dependencies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from kittywatch.errors import WorkflowError
from kittywatch.workflow.feature import Feature
from kittywatch.workflow.rules import lane_of, refusal, taken_by_another, unmet
from kittywatch.workflow.workspace import Workspace
from kittywatch.workpackages.activity import NewRecord, one_line
from kittywatch.workpackages.boxes import mark
from kittywatch.workpackages.check import check_feature
from kittywatch.workpackages.editing import Change, NewValue, edit
from kittywatch.workpackages.features import read_dependencies
from kittywatch.workpackages.lanes import Lane, LaneNames
from kittywatch.workpackages.layout import SPECS
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.source import EditError

_FORCE = "--force does it all the same"
_SEPARATOR = re.compile(r"\s[-–—]\s")
USER = "user"


class Signature(Struct, frozen=True):
    """The author of an edit, and what they say of it.

    `agent` takes the work package on; `signed` stands in the record alone. If both are None the author is `user`.
    """

    agent: str | None = None
    note: str | None = None
    shell_pid: str | None = None
    assignee: str | None = None
    signed: str | None = None

    @property
    def name(self) -> str:
        return self.signed or self.agent or USER

    def record(self, package: WorkPackage, lane: Lane, note: str) -> NewRecord:
        """The next record of a work package's trail, never earlier than the last one and never like another."""
        moment = datetime.now(UTC).replace(microsecond=0)
        if package.trail:
            last = package.trail[-1].moment
            moment = max(moment, last if not last.microsecond else last.replace(microsecond=0) + timedelta(seconds=1))
        said = NewRecord(moment, self.name, lane, self.note or note, self.shell_pid)
        keys = {record.key for record in package.trail}
        while said.record.key in keys:
            said = NewRecord(said.moment + timedelta(seconds=1), said.agent, lane, said.note, self.shell_pid)
        return said

    def fields(self) -> dict[str, NewValue]:
        pid = None if self.signed else self.shell_pid
        stated = {"agent": self.agent, "assignee": self.assignee, "shell_pid": pid}
        return {key: one_line(value) for key, value in stated.items() if value}


class Outcome(Struct, frozen=True):
    """The result for one work package; the lanes are equal where it was there already."""

    wp_id: str
    path: str
    previous_lane: str | None
    lane: str


class Move(Struct, frozen=True):
    """A move: the lane to go to; `note` is what the record says unless the signature does."""

    to: Lane
    note: str
    signature: Signature
    force: bool = False


def move(
    workspace: Workspace,
    feature: Feature,
    wp_ids: Sequence[str],
    what: Move,
    *,
    commits: bool = False,
    around: Callable[[], None] | None = None,
) -> tuple[list[Outcome], str | None]:
    """Move work packages to a lane, all or none.

    A work package that is there already stays as it is, unless another agent takes it on or a note is given. Returns
    the result for each, and the commit's id, None if there is no commit. Raises KittywatchError.
    """
    check_agent(what.signature.name)
    outcomes: list[Outcome] = []

    def work(now: Feature) -> Mapping[str, bytes]:
        outcomes.clear()
        changes: dict[str, bytes] = {}
        for wp_id in dict.fromkeys(wp_ids):
            package = now.package(wp_id)
            check_move(now, package, what)
            changes[package.path] = _moved(now, package, what, workspace.project.names)
            outcomes.append(Outcome(wp_id, package.path, lane_of(package), what.to))
        return changes

    message = f"{', '.join(wp_ids)}: {what.to}" if commits else None
    commit = workspace.edit(feature.slug, work, message=message, around=around)
    return outcomes, commit


def check_move(feature: Feature, package: WorkPackage, what: Move) -> None:
    """Raise WorkflowError if a move is not allowed; nothing with `force`."""
    if what.force:
        return
    reason = taken_by_another(package, what.signature.agent) if what.to == "doing" else None
    if reason is None and lane_of(package) != what.to:
        reason = refusal(package, what.to, unmet(package.wp_id, feature.needs, feature.packages))
    if reason is not None:
        raise WorkflowError(reason, remedy=_FORCE)


def _moved(feature: Feature, package: WorkPackage, what: Move, names: LaneNames) -> bytes:
    data = feature.files[package.path]
    fields = what.signature.fields()
    stays = package.lane == what.to and fields.get("agent", package.agent) == package.agent
    if stays and what.signature.note is None:
        return data
    if package.lane != what.to:
        fields = {"lane": what.to} | fields
    return edited(package.path, data, Change(fields, what.signature.record(package, what.to, what.note)), names)


def add_history(
    workspace: Workspace, feature: Feature, wp_id: str, signature: Signature, *, commits: bool = False
) -> tuple[list[Outcome], str | None]:
    """Append a record that moves no lane; returns as `move` does. Raises KittywatchError."""
    check_agent(signature.name)
    outcomes: list[Outcome] = []

    def work(now: Feature) -> Mapping[str, bytes]:
        package = now.package(wp_id)
        lane = lane_of(package)
        if lane is None:
            raise WorkflowError(f"{wp_id} is in no valid lane", remedy=f"move it to one: {package.path}")
        outcomes[:] = [Outcome(wp_id, package.path, lane, lane)]
        change = Change({}, signature.record(package, lane, "noted"))
        return {package.path: edited(package.path, now.files[package.path], change, workspace.project.names)}

    return outcomes, workspace.edit(feature.slug, work, message=f"{wp_id}: note" if commits else None)


def mark_subtasks(
    workspace: Workspace, feature: Feature, ids: Sequence[str], *, done: bool, commits: bool = False
) -> tuple[str, str | None]:
    """Tick the boxes of subtasks in the feature's tasks.md, or clear them if not `done`.

    Returns the list's path and the commit's id, None if there is no commit. Raises KittywatchError.
    """
    path = f"{SPECS}/{feature.slug}/tasks.md"

    def work(now: Feature) -> Mapping[str, bytes]:
        if now.tasks is None:
            raise WorkflowError(f"there is no {path}", remedy="write it, with a box like `- [ ] T001 …` a subtask")
        marked, missing = mark(now.tasks, ids, done=done)
        if missing:
            raise WorkflowError(
                f"{path} has no box for {', '.join(sorted(missing))}", remedy="add a line `- [ ] T001 …` for each"
            )
        return {path: marked}

    said = f"{', '.join(ids)}: {'done' if done else 'pending'}"
    return path, workspace.edit(feature.slug, work, message=said if commits else None)


def finalize(
    workspace: Workspace, feature: Feature, *, commits: bool = False
) -> tuple[dict[str, list[str]], str | None]:
    """Write what tasks.md says of dependencies into the frontmatter; returns the changed ones by id.

    A work package of which tasks.md says nothing keeps its own, or gets an empty list. Returns the changed dependencies
    by id, and the commit's id, None if there is no commit. Raises KittywatchError, also for dependencies that form a
    circle or don't exist.
    """
    changed: dict[str, list[str]] = {}

    def work(now: Feature) -> Mapping[str, bytes]:
        changed.clear()
        stated = read_dependencies(now.tasks)
        files = dict(now.files)
        for wp_id, package in now.packages.items():
            wanted = stated.get(wp_id, package.dependencies or ())
            if package.dependencies != wanted:
                change = Change({"dependencies": list(wanted)})
                files[package.path] = edited(package.path, files[package.path], change, workspace.project.names)
                changed[wp_id] = list(wanted)
        names = workspace.project.names
        known = {problem.reason for problem in check_feature(now.files, None, names)}
        for finding in check_feature(files, None, names):
            if finding.reason not in known:
                raise WorkflowError(
                    f"{SPECS}/{now.slug}/tasks.md: {finding.reason}", remedy="mend tasks.md and run the command again"
                )
        return {now.packages[wp_id].path: files[now.packages[wp_id].path] for wp_id in changed}

    commit = workspace.edit(feature.slug, work, message=f"{feature.slug}: dependencies" if commits else None)
    return changed, commit


def edited(path: str, data: bytes, change: Change, names: LaneNames) -> bytes:
    """Bytes of a file with a change made in place; raises WorkflowError if it can't be."""
    try:
        return edit(path, data, change, names)
    except EditError as error:
        raise WorkflowError(str(error), remedy="edit the file by hand; any edit is observed") from None


def check_agent(agent: str) -> None:
    """Raise WorkflowError for a name that a record cannot hold."""
    if not agent.strip() or not agent.isprintable() or _SEPARATOR.search(f" {agent} "):
        raise WorkflowError("the agent's name is empty, or has a dash between spaces", remedy="name it without")


def lane_named(names: LaneNames, written: str) -> Lane:
    """The lane of a name or alias; raises WorkflowError."""
    lane = names.lane(written.strip())
    if lane is None:
        raise WorkflowError("there is no such lane", remedy="name one of planned, doing, for_review, done")
    return lane
