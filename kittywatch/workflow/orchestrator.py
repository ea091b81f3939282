"""Runs a feature's work packages through agents: the scheduler's decisions carried out in files, git and processes.

- The lanes, committed on the branch that is checked out, are the state. A rerun goes on from them, after Ctrl-C as
  well as after a kill: what is doing or for_review gets an agent again, in the worktree that is there.
- A work package is worked on in `.worktrees/<feature>-<WP>`, on a branch of that name. Once accepted it is merged into
  the branch that is checked out in the main worktree, and then done; so whoever depends on it begins with its code.
- Agents don't move lanes: what they change in `kitty-specs/*/tasks` of their worktree is taken back.
- One orchestration of a feature at a time, one agent on a work package at a time: both by locks that die with their
  holders.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from kittywatch.errors import GitError, KittywatchError, ProjectError, WorkflowError
from kittywatch.git.repository import LOCAL_VARIABLES, Git
from kittywatch.git.state import busy
from kittywatch.natural import natural
from kittywatch.store.files import replace_file
from kittywatch.store.lock import locked
from kittywatch.workflow import schedule
from kittywatch.workflow.agents import Settings, filled
from kittywatch.workflow.briefing import Briefing, implementation_prompt, review_prompt
from kittywatch.workflow.checkout import WORKTREES, Checkout
from kittywatch.workflow.feature import Feature
from kittywatch.workflow.moves import Move, Signature, move
from kittywatch.workflow.rules import lane_of
from kittywatch.workflow.runs import Ended, Runs
from kittywatch.workflow.schedule import Result, Start, Task, Tasks
from kittywatch.workflow.workspace import Workspace
from kittywatch.workpackages.check import check_feature
from kittywatch.workpackages.reader import WorkPackage

_MAX_FEEDBACK = 1 << 16
_PATIENCE = 10.0  # seconds for a git that a killed orchestrator has left to come to its end


class Progress(Struct, frozen=True):
    """Something that happened, for whoever looks on: the tasks as they are now, and a line about it."""

    tasks: Tasks
    said: str


class Orchestrator:
    """One orchestration of one feature. `look` is called with everything that happens."""

    def __init__(self, workspace: Workspace, slug: str, settings: Settings, look: Callable[[Progress], None]) -> None:
        self._workspace = workspace
        self._slug = slug
        self._settings = settings
        self._look = look
        self.directory = workspace.project.git.common / "kittywatch" / "orchestrate" / slug
        self.runs = Runs(self.directory, time_limit=settings.time_limit)
        self.tasks: Tasks = {}
        self.stopping = False
        self._target = ""

    def stop(self) -> None:
        """Have `run` end soon; safe in a signal handler."""
        self.stopping = True
        self.runs.wake()

    def run(self) -> bool:
        """Work until nothing more can be done or `stop` is called; returns whether all is done.

        Raises KittywatchError; no agent runs any more then, and lanes and worktrees are as they were before.
        """
        with self._alone():
            self._prepare()
            try:
                while not self.stopping:
                    self._start_what_is_ready()
                    if schedule.is_over(self.tasks, self._settings.team):
                        break
                    for ended in self.runs.wait():
                        self._end(ended)
            except KittywatchError:
                if not self.stopping:  # Ctrl-C reaches a git that is at work here as well
                    raise
            finally:
                for ended in self.runs.stop():
                    self.tasks = schedule.interrupted(self.tasks, ended.wp_id)
                    self._say(f"{ended.wp_id}  stopped")
        return all(task.lane == "done" for task in self.tasks.values())

    # Before.

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with locked(self.directory / "orchestrate.lock", wait=False) as free:
            if not free:
                raise WorkflowError(
                    f"{self._slug} is being orchestrated already", remedy="wait for it, or end it first"
                )
            yield

    def _prepare(self) -> None:
        git, checkout = self._workspace.project.git, self._workspace.checkout
        feature = load_orderly(self._workspace, self._slug)
        end = time.monotonic() + _PATIENCE
        while busy(git.directory) == "index.lock" and time.monotonic() < end:
            threading.Event().wait(0.1)
        checkout.abandon_merge([self._branch(wp_id) for wp_id in feature.packages])
        ref, doing = git.head().ref, busy(git.directory)
        if ref is None or doing:
            where = f"git is in the middle of something ({doing})" if doing else "no branch is checked out"
            raise WorkflowError(f"{where} in {git.root}", remedy="finish that; work packages are merged there")
        if checkout.staged():
            raise WorkflowError(
                f"something is staged in {git.root}", remedy="commit it; work packages are merged there"
            )
        self._target = ref.removeprefix("refs/heads/")
        for wp_id in feature.packages:
            self.runs.stop_leftover(wp_id)
        self._workspace.sweep(feature)
        changed = checkout.changed_packages(self._slug)
        if changed:
            checkout.commit_only(changed, f"{self._slug}: work packages as they are")
        self._workspace.observe()
        self.tasks = tasks_of(feature)
        for task in self.tasks.values():
            if task.lane == "done" and self._accepted_before(task.wp_id):
                checkout.tidy_worktree(self._branch(task.wp_id))

    # Start.

    def _start_what_is_ready(self) -> None:
        """Start agents up to the limit; a review that was accepted before a kill is only merged."""
        while starts := schedule.next_starts(self.tasks, self._settings.team):
            for start in starts:
                if self.stopping:
                    return
                self._start(start)

    def _start(self, start: Start) -> None:
        task = self.tasks[start.wp_id]
        self.tasks = schedule.begun(self.tasks, start)
        if start.phase == "review" and self._accepted_before(start.wp_id):
            self._finish(start.wp_id, self._merge(task, start.agent), "accepted before")
            return
        self._check_target()
        new = start.phase == "implementation"
        try:
            worktree = self._workspace.checkout.add_worktree(self._branch(start.wp_id), "HEAD")
            git = self._worktree(start.wp_id)
        except (GitError, ProjectError) as error:
            self._finish(start.wp_id, "failed", f"{start.phase}: there is no worktree: {error.message}")
            return
        if new and task.needs:
            self._bring_dependencies(start.wp_id, git)
        note = "Started implementation" if new else "Started review"
        self._move(start.wp_id, Move("doing" if new else "for_review", note, Signature(start.agent), force=True))
        feedback = self.directory / f"{start.wp_id}.feedback"
        feedback.unlink(missing_ok=True)
        briefing = Briefing(
            feature=self._slug,
            wp_id=start.wp_id,
            file=self._workspace.root / self._feature().package(start.wp_id).path,
            branch=self._branch(start.wp_id),
            target=self._target,
            feedback_file=feedback,
            feedback=_read(self.directory / f"{start.wp_id}.changes"),
        )
        prompt = (implementation_prompt if new else review_prompt)(briefing)
        values = {
            "prompt": prompt,
            "wp": start.wp_id,
            "feature": self._slug,
            "phase": start.phase,
            "file": str(briefing.file),
            "worktree": str(worktree),
        }
        command = filled(self._settings.commands[start.agent], values)
        self.runs.start(start, command, worktree, _variables(values, feedback), prompt)
        self._say(f"{start.wp_id}  {start.phase} by {start.agent}, attempt {start.attempt}")

    def _bring_dependencies(self, wp_id: str, git: Git) -> None:
        """Merge the target into a branch that began before it was what it is now; a conflict is left out."""
        project = self._workspace.project.git
        if project.is_ancestor(project.commit_id("HEAD"), git.commit_id("HEAD")):
            return
        try:
            conflicts = Checkout(git).merge(self._target, f"Merge {self._target} into {wp_id}")
            said = f"conflicts in {', '.join(conflicts)}" if conflicts else ""
        except GitError as error:
            said = error.message
        if said:
            self._say(f"{wp_id}  {self._target} is not merged into its branch: {said}")

    # End.

    def _end(self, ended: Ended) -> None:
        start = self.tasks[ended.wp_id].running
        assert start is not None
        result: Result = "timed out" if ended.timed_out else "failed" if ended.code else "succeeded"
        how = f"{start.phase} by {start.agent}: {result}" + (f", exit code {ended.code}" if ended.code else "")
        if result == "succeeded":
            try:
                self._keep_work(ended.wp_id, start)
            except (GitError, ProjectError) as error:
                result, how = "failed", f"{how}, but its work cannot be committed: {error.message}"
        if result == "succeeded":
            result = self._implemented(start) if start.phase == "implementation" else self._reviewed(start)
        self._finish(ended.wp_id, result, how if result in ("succeeded", "failed", "timed out") else f"{how}: {result}")

    def _finish(self, wp_id: str, result: Result, how: str) -> None:
        self.tasks = schedule.ended(self.tasks, wp_id, result, self._settings.team)
        stuck = self.tasks[wp_id].stuck
        self._say(f"{wp_id}  {how}" + (f"; given up: {stuck}" if stuck else ""))

    def _keep_work(self, wp_id: str, start: Start) -> None:
        Checkout(self._worktree(wp_id)).keep_work(self._target, f"{wp_id}: {start.phase} by {start.agent}")

    def _worktree(self, wp_id: str) -> Git:
        """The worktree of a work package; raises GitError where it is none, or on another branch.

        git would take the project itself for it, and commit what its user has there.
        """
        branch = self._branch(wp_id)
        path = self._workspace.project.git.main_root / WORKTREES / branch
        git = Git.find(path)
        if git.root.resolve() != path.resolve() or git.head().ref != f"refs/heads/{branch}":
            raise GitError("worktree", f"{path} is no longer a worktree on the branch {branch}")
        return git

    def _implemented(self, start: Start) -> Result:
        (self.directory / f"{start.wp_id}.changes").unlink(missing_ok=True)
        signature = Signature(signed=start.agent)
        self._move(start.wp_id, Move("for_review", "Ready for review", signature, force=True))
        return "succeeded"

    def _reviewed(self, start: Start) -> Result:
        feedback = _read(self.directory / f"{start.wp_id}.feedback")
        if feedback.strip():
            self._back(start, "Changes requested", feedback)
            return "changes"
        tip = self._workspace.project.git.commit_id(f"refs/heads/{self._branch(start.wp_id)}")
        (self.directory / f"{start.wp_id}.accepted").write_text(tip, "ascii")
        return self._merge(self.tasks[start.wp_id], start.agent)

    def _merge(self, task: Task, reviewer: str) -> Result:
        self._check_target()
        branch = self._branch(task.wp_id)
        conflicts = self._workspace.checkout.merge(branch, f"Merge {task.wp_id} of {self._slug}")
        if conflicts:
            start = Start(task.wp_id, "review", reviewer, 1)
            text = f"Merging the branch into {self._target} conflicts. Merge {self._target} into it, and solve:\n"
            self._back(start, "Conflicts", text + "\n".join(conflicts))
            return "conflict"
        self._move(task.wp_id, Move("done", "Accepted", Signature(signed=reviewer), force=True))
        self._workspace.checkout.tidy_worktree(branch)
        return "succeeded"

    def _back(self, start: Start, note: str, feedback: str) -> None:
        replace_file(self.directory / f"{start.wp_id}.changes", feedback.encode("utf-8", "replace"))
        self._move(start.wp_id, Move("doing", note, Signature(signed=start.agent), force=True))

    # The rest.

    def _accepted_before(self, wp_id: str) -> bool:
        """Tell whether a review has accepted just what is on the branch, and the merge alone is missing."""
        accepted = _read(self.directory / f"{wp_id}.accepted").strip()
        branch = f"refs/heads/{self._branch(wp_id)}"
        git = self._workspace.project.git
        return bool(accepted) and branch in git.branches() and git.commit_id(branch) == accepted

    def _check_target(self) -> None:
        git = self._workspace.project.git
        if git.head().ref != f"refs/heads/{self._target}":
            raise WorkflowError(
                f"{git.root} is no longer on the branch {self._target}",
                remedy="check it out and run the command again",
            )

    def _move(self, wp_id: str, what: Move) -> None:
        move(self._workspace, self._feature(), [wp_id], what, commits=True)
        self._workspace.observe(worktree=False)

    def _feature(self) -> Feature:
        return self._workspace.load(self._slug)

    def _branch(self, wp_id: str) -> str:
        return f"{self._slug}-{wp_id}"

    def _say(self, text: str) -> None:
        self._look(Progress(self.tasks, text))


def load_orderly(workspace: Workspace, slug: str) -> Feature:
    """A feature that can be orchestrated; raises WorkflowError for the first thing that stands against it."""
    feature = workspace.load(slug)
    findings = check_feature(feature.files, feature.tasks, workspace.project.names)
    if findings:
        raise WorkflowError(str(findings[0]), remedy="mend it; `kittywatch hooks check` names everything once staged")
    if not feature.packages:
        raise WorkflowError(f"{slug} has no work packages", remedy="write some under its tasks/ first")
    return feature


def tasks_of(feature: Feature) -> Tasks:
    """The tasks as a feature's files state them."""
    ids = sorted(feature.packages, key=natural)
    return {wp_id: _task(feature.packages[wp_id], feature.needs[wp_id]) for wp_id in ids}


def _task(package: WorkPackage, needs: tuple[str, ...]) -> Task:
    lane = lane_of(package) or "planned"
    began = [record.agent for record in package.trail if record.lane == "doing"]
    implementer = began[-1] if began else package.agent
    return Task(package.wp_id, lane, needs, agent=package.agent if lane != "planned" else None, implementer=implementer)


def _variables(values: Mapping[str, str], feedback: Path) -> dict[str, str]:
    """An agent's environment: the user's own, without what ties git to another repository."""
    stated = {f"KITTYWATCH_{key.upper()}": value for key, value in values.items() if key != "prompt"}
    inherited = {name: value for name, value in os.environ.items() if name not in LOCAL_VARIABLES}
    return inherited | stated | {"KITTYWATCH_FEEDBACK": str(feedback)}


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FEEDBACK).decode("utf-8", "replace")
    except OSError:
        return ""
