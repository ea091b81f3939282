"""Looks at repositories in unusual states: what is told of them, and that nothing is told twice (O1, O3, O4, O7)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kittywatch.derive.changes import WorktreeLook
from kittywatch.emit.unit_of_work import UnitOfWork
from kittywatch.errors import StoreError
from kittywatch.events import ErrorLogged
from kittywatch.git.repository import Git, Head
from kittywatch.observe import observation
from kittywatch.observe.observation import Observed, Observer, observe
from kittywatch.observe.once import observe_all
from kittywatch.observe.reconcile import reconcile_view
from kittywatch.project import Project
from tests.builders import record
from tests.history.replaying import lanes, opened, replay
from tests.history.script import SPECS, Repository, text, wp

_ONE, _TWO = wp("001-x", "WP01"), wp("001-x", "WP02")


class Desk:
    """A repository that is worked in, and looks at it, now and then, by an observer of commits and files."""

    def __init__(self, repository: Repository, home: Path) -> None:
        self.repository = repository
        self.home = home
        self.root = repository.root
        self.day = 0

    def git(self, *command: str) -> str:
        return self.repository.git(*command)

    def commit(self, *options: str, **lanes_of: str | None) -> str:
        """Commit work packages at lanes, a day after the last commit: `WP01="doing"`, None where none is stated."""
        self.day += 1
        when = f"2026-02-{self.day:02}T12:00:00+00:00"
        self.write(**lanes_of)
        self.git("add", "-A")
        self.repository.git("commit", "-q", "--allow-empty", "-m", f"day {self.day}", *options, moment=when)
        return self.git("rev-parse", "HEAD")

    def write(self, **lanes_of: str | None) -> None:
        for wp_id, lane in lanes_of.items():
            self.repository.write(wp("001-x", wp_id), text(wp_id, f"Work {wp_id}", lane))

    def look(self) -> list[str]:
        """Creations and steps that one look tells."""
        return lanes(self.see().events)

    def see(self) -> Observed:
        with opened(self.root, self.home) as project:
            return observe(project, "scan")

    def replayed(self) -> list[str]:
        """The steps that a replay tells; creations before the baseline are its own to tell."""
        return [one for one in lanes(replay(self.root, self.home)) if "→" in one]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """WP01 at planned, committed with the project's identity and looked at."""
    made = Desk(Repository(tmp_path / "project"), tmp_path / "kitty")
    made.repository.write(".gitignore", ".kittify/\n")
    made.git("add", "-A")
    made.commit(WP01="planned")
    assert made.see().baseline == 1
    return made


# Branches that share nothing with what was looked at.


def test_an_orphan_branch_before_and_after_its_first_commit(desk: Desk) -> None:
    """Nothing is gone for good where a branch has no commit yet; what it commits anew was told."""
    desk.commit(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]
    desk.git("checkout", "-q", "--orphan", "fresh")
    assert desk.look() == []
    desk.commit()
    assert desk.look() == []
    desk.commit(WP01="for_review")
    assert desk.look() == ["WP01 doing→for_review"]
    assert desk.replayed() == []


def test_a_branch_with_a_first_commit_of_its_own(desk: Desk) -> None:
    """Made here from nothing, between two looks: all of it counts, but for what the log has."""
    desk.git("checkout", "-q", "--orphan", "apart")
    desk.commit(WP01="planned")
    desk.commit(WP01="doing", WP02="planned")
    assert desk.look() == ["WP01 planned→doing", "WP02 created"]
    assert desk.replayed() == []


# Commits that are gone.


def _forget(desk: Desk) -> None:
    """Everything that no branch reaches leaves the repository, as `gc` lets it after some weeks."""
    desk.git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all")
    desk.git("gc", "-q", "--prune=now")


def test_what_was_looked_at_is_gone_from_the_repository(desk: Desk) -> None:
    """Nothing says any more what the branch showed: the commits that are there count, each with its own steps (D7)."""
    gone = desk.commit(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]
    desk.commit("--amend", WP01="for_review", WP02="planned")
    _forget(desk)
    assert not Git.find(desk.root).exists(gone)
    assert desk.look() == ["WP01 planned→for_review", "WP02 created"]
    assert desk.look() == []


def test_what_was_looked_at_is_gone_and_work_packages_too(desk: Desk) -> None:
    """D6: a file that is gone is no transition."""
    desk.git("rm", "-q", "-r", SPECS)
    desk.commit("--amend")
    _forget(desk)
    assert desk.look() == []
    desk.commit(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]


def test_a_stay_whose_commit_is_gone(desk: Desk) -> None:
    """HEAD's log says that it was there; nobody can say any more what it showed."""
    desk.git("checkout", "-q", "--detach")
    gone = desk.commit(WP01="doing")
    desk.git("checkout", "-q", "main")
    (desk.root / ".git" / "objects" / gone[:2] / gone[2:]).unlink()
    assert desk.look() == []
    desk.commit(WP01="done")
    assert desk.look() == ["WP01 planned→done"]


# Merges that a branch is brought forward to.


def _elsewhere(desk: Desk, tmp_path: Path) -> Desk:
    """`mine` moves WP01 to doing, which is looked at; in a worktree that nobody looks at, `main` works on WP02."""
    desk.git("checkout", "-q", "-b", "mine")
    desk.commit(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]
    desk.git("worktree", "add", "-q", str(tmp_path / "other"), "main")
    other = Desk(Repository(tmp_path / "unused"), desk.home)
    other.repository.root = other.root = tmp_path / "other"
    other.day = desk.day
    other.commit(WP02="planned")
    return other


def test_forward_to_a_merge_that_took_an_older_state(desk: Desk, tmp_path: Path) -> None:
    """D7: it is as its first parent was, so the merge decides nothing."""
    other = _elsewhere(desk, tmp_path)
    other.git("merge", "-q", "--no-ff", "--strategy=ours", "mine")
    other.commit(WP02="doing")
    desk.git("merge", "-q", "--ff-only", "main")
    assert desk.look() == ["WP02 created", "WP02 planned→doing"]
    assert desk.look() == []
    assert desk.replayed() == []


def test_forward_to_a_merge_that_made_something_new(desk: Desk, tmp_path: Path) -> None:
    """D7: a merge is compared with its first parent."""
    other = _elsewhere(desk, tmp_path)
    other.git("merge", "-q", "--no-ff", "--no-commit", "mine")
    other.commit(WP01="done")
    desk.git("merge", "-q", "--ff-only", "main")
    assert desk.look() == ["WP02 created", "WP01 planned→done"]
    assert desk.look() == []
    assert desk.replayed() == []


# Edits.


def test_an_edit_that_went_there_and_back_and_was_taken_back(desk: Desk) -> None:
    """O5, D1: the next edit to the same lane is news again, although the log has the first one."""
    lanes_of = {"doing": "2026-02-03T09:00:00Z", "planned": "2026-02-04T09:00:00Z"}
    trail = [record(when, lane) for lane, when in lanes_of.items()]
    desk.repository.write(_ONE, text("WP01", "Work WP01", "doing", *trail[:1]))
    assert desk.look() == ["WP01 planned→doing"]
    desk.repository.write(_ONE, text("WP01", "Work WP01", "planned", *trail))
    assert desk.look() == ["WP01 doing→planned"]
    desk.git("checkout", "-q", "--", SPECS)
    assert desk.look() == []
    desk.write(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]
    desk.commit()
    assert desk.look() == []


def test_an_edit_of_the_agent_alone(desk: Desk) -> None:
    """The lane is the commit's, and all the same it is an edit: HEAD has not moved under it."""
    desk.commit(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]
    path = desk.root / _ONE
    path.write_text(path.read_text("utf-8").replace("---\n", "---\nagent: bob\n", 1), "utf-8")
    assert [type(event).__name__ for event in desk.see().events] == ["WPAssigned"]
    desk.commit()
    assert desk.see().events == []


# What can't be read, or says nothing.


def test_an_amended_commit_with_something_broken(desk: Desk) -> None:
    desk.commit(WP02="planned")
    assert desk.look() == ["WP02 created"]
    desk.commit("--amend", WP02="nowhere")
    (event,) = desk.see().events
    assert type(event).__name__ == "ErrorLogged"
    assert desk.see().events == []


def test_work_packages_without_a_lane_are_waited_for(tmp_path: Path) -> None:
    """D2: they are seen when they state one, in the first look, in an edit and on a branch alike."""
    desk = Desk(Repository(tmp_path / "project"), tmp_path / "kitty")
    desk.commit(WP01=None, WP02="planned")
    desk.write(WP03=None)
    assert desk.see().baseline == 1
    desk.write(WP03="planned")
    assert desk.look() == ["WP03 created"]
    desk.commit(WP01="doing")
    assert desk.look() == ["WP01 created", "WP01 planned→doing"]


def test_a_branch_from_where_a_work_package_had_no_lane(desk: Desk) -> None:
    desk.commit(WP02=None)
    start = desk.git("rev-parse", "HEAD")
    desk.commit(WP02="planned")
    desk.commit(WP02="doing")
    assert desk.look() == ["WP02 created", "WP02 planned→doing"]
    desk.git("checkout", "-q", "-b", "old", start)
    assert desk.look() == []
    desk.commit(WP02="planned")
    assert desk.look() == []
    desk.commit(WP02="done")
    assert desk.look() == ["WP02 planned→done"]


def test_a_file_that_is_broken_just_now_is_looked_at_again(desk: Desk) -> None:
    """R5: somebody may be writing it; after a moment it is an error, once."""
    desk.repository.write(_TWO, "---\nlane: [\n---\n")
    with opened(desk.root, desk.home) as project:
        first, again = observe_all(project)
        assert first.unsettled == (_TWO,)
        assert (first.events, again.unsettled) == ([], ())
        assert [type(event).__name__ for event in again.events] == ["ErrorLogged"]


# Checkouts.


def test_a_scan_passes_over_a_worktree_that_is_gone(desk: Desk, tmp_path: Path) -> None:
    desk.git("worktree", "add", "-q", "-b", "gone", str(tmp_path / "gone"))
    shutil.rmtree(tmp_path / "gone")
    desk.write(WP01="doing")
    with opened(desk.root, desk.home) as project:
        assert [lanes(seen.events) for seen in observe_all(project)] == [["WP01 planned→doing"]]


def test_another_clone_that_shares_no_commit_that_was_looked_at_last(desk: Desk, tmp_path: Path) -> None:
    """O3: what it was cloned with is known here; what both make is told once."""
    (desk.root / ".gitignore").unlink()
    desk.git("add", "-A")
    desk.commit()
    other = Desk(Repository(tmp_path / "start"), desk.home)
    shutil.rmtree(other.root)
    desk.git("clone", "-q", str(desk.root), str(other.root))
    other.day = desk.day
    desk.commit(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]
    assert other.look() == []
    other.commit(WP01="doing")
    assert other.look() == []
    other.commit(WP01="for_review")
    assert other.look() == ["WP01 doing→for_review"]


def test_a_hook_that_is_the_first_to_look_where_no_log_is_kept(tmp_path: Path) -> None:
    """B1: its baseline is the state before its operation, which then is the commit's first parent."""
    desk = Desk(Repository(tmp_path / "project"), tmp_path / "kitty")
    desk.git("config", "core.logAllRefUpdates", "false")
    desk.commit(WP01="planned")
    desk.commit(WP01="doing", WP02="planned")
    with opened(desk.root, desk.home) as project:
        seen = observe(project, "hook:post-commit", worktree=False, hook="post-commit")
    assert seen.baseline == 1
    assert lanes(seen.events) == ["WP01 planned→doing", "WP02 created"]


def test_reconciling_before_the_first_commit(tmp_path: Path) -> None:
    desk = Desk(Repository(tmp_path / "project"), tmp_path / "kitty")
    with opened(desk.root, desk.home) as project:
        assert reconcile_view(project) == []


# Others, meanwhile.


class Meanwhile(Git):
    """A repository in which something happens each time that somebody has asked where HEAD is."""

    happens: Iterator[object] = iter(())

    def head(self) -> Head:
        found = super().head()
        next(self.happens, None)
        return found


def _meanwhile(project: Project, happens: Iterator[object]) -> Project:
    git = Meanwhile(project.git.root, project.git.directory, project.git.common)
    git.happens = happens
    return Project(git, project.store, project.warn)


def test_somebody_who_commits_all_the_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look gives up and says so; the next one tells it all."""
    monkeypatch.setattr(observation, "_ATTEMPTS", 3)
    with opened(desk.root, desk.home) as project:
        restless = _meanwhile(project, (desk.commit(WP01=lane) for lane in ("doing", "for_review") * 10))
        with pytest.raises(StoreError, match="never got its turn") as caught:
            observe(restless, "scan")
        assert "nothing is lost" in caught.value.remedy
    told = desk.look()
    assert told[:2] == ["WP01 planned→doing", "WP01 doing→for_review"]
    assert desk.replayed() == []


def test_a_view_to_start_from_moves_on_in_the_meantime(desk: Desk, tmp_path: Path) -> None:
    """A new worktree begins where another checkout stands; that one is looked at before the plan is carried out."""
    desk.git("worktree", "add", "-q", "-b", "topic", str(tmp_path / "topic"))
    topic = Desk(Repository(tmp_path / "unused"), desk.home)
    topic.repository.root = topic.root = tmp_path / "topic"

    def work() -> Iterator[object]:
        yield None
        desk.commit(WP01="doing")
        yield desk.look()

    with opened(topic.root, desk.home) as project:
        seen = observe(_meanwhile(project, work()), "scan")
    assert seen.events == []
    topic.day = desk.day
    topic.commit(WP01="doing")
    assert topic.look() == []
    topic.commit(WP01="done")
    assert topic.look() == ["WP01 doing→done"]
    assert desk.replayed() == topic.replayed() == []


def test_a_checkout_that_is_half_done_while_somebody_looks(desk: Desk) -> None:
    """O2, O6: files and index are the other branch's, HEAD isn't yet, and no lock says so: that is no edit."""
    desk.commit(WP01="planned")
    desk.look()
    desk.git("checkout", "-q", "-b", "topic")
    desk.commit(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]
    with opened(desk.root, desk.home) as project:
        observer = Observer(project, "watcher")
        look, looks = observer.worktree.look, []

        def half_done(*arguments: Any) -> WorktreeLook:
            looks.append(arguments)
            if len(looks) == 1:
                desk.git("read-tree", "-m", "-u", "HEAD", "main")
            else:
                desk.git("symbolic-ref", "HEAD", "refs/heads/main")
            return look(*arguments)

        observer.worktree.look = half_done  # type: ignore[method-assign,assignment]
        assert lanes(observer.observe().events) == []
    assert len(looks) > 1
    assert desk.look() == []


def test_a_checkout_begun_just_after_a_look_was_decided_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """O6: whether the index is young is asked before all else; what is written after that is seen as a change."""
    desk.git("checkout", "-q", "-b", "topic")
    desk.commit(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]
    os.utime(desk.root / ".git" / "index", (1, 1))
    with opened(desk.root, desk.home) as project:
        peek = project.emitter.peek

        def begins(reading: Callable[[UnitOfWork], Any]) -> Any:
            monkeypatch.setattr(project.emitter, "peek", peek)
            desk.git("read-tree", "-m", "-u", "HEAD", "main")
            return peek(reading)

        monkeypatch.setattr(project.emitter, "peek", begins)
        seen = Observer(project, "watcher").observe(patient=False)
        assert (lanes(seen.events), seen.unsettled) == ([], ("",))
    desk.git("symbolic-ref", "HEAD", "refs/heads/main")
    assert desk.look() == []


def test_one_file_of_a_checkout_that_is_half_done(desk: Desk) -> None:
    """O6: a watcher that hears of a file alone takes it for no edit either, as long as the index is young."""
    desk.git("checkout", "-q", "-b", "topic")
    desk.commit(WP01="doing")
    desk.write(WP02="doing")  # as long as an edit is known, there is always something to look at
    assert desk.look() == ["WP01 planned→doing", "WP02 created", "WP02 planned→doing"]
    desk.git("read-tree", "-m", "-u", "HEAD", "main")
    with opened(desk.root, desk.home) as project:
        seen = Observer(project, "watcher").observe(paths=frozenset({_ONE}), patient=False)
        assert (lanes(seen.events), seen.unsettled) == ([], ("",))
    desk.git("symbolic-ref", "HEAD", "refs/heads/main")
    assert desk.look() == []


# Where a branch begins.


def test_a_branch_begins_where_its_checkout_was(desk: Desk, tmp_path: Path) -> None:
    """O7: of several views that show its first commit, the one that HEAD was on knows what has been told there."""
    desk.git("worktree", "add", "-q", "-b", "one", str(tmp_path / "one"))
    assert Desk(Repository(tmp_path / "one", fresh=False), desk.home).look() == []
    desk.write(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]
    desk.git("checkout", "--", ".")
    assert desk.look() == ["WP01 doing→planned"]
    desk.git("checkout", "-q", "-b", "topic")
    desk.commit(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]


# Merges.


def test_a_merged_branch_that_first_kept_its_lane(desk: Desk, tmp_path: Path) -> None:
    """D7, O4: the commit of the other side that moved the lane counts, as that side had it."""
    desk.git("worktree", "add", "-q", "-b", "topic", str(tmp_path / "topic"))
    topic = Desk(Repository(tmp_path / "topic", fresh=False), desk.home)
    topic.git("mv", _ONE, _ONE.replace("WP01", "WP01-renamed"))
    topic.commit()
    topic.git("mv", _ONE.replace("WP01", "WP01-renamed"), _ONE)
    topic.commit(WP01="for_review")
    desk.commit(WP01="doing")
    assert desk.look() == ["WP01 planned→doing"]
    desk.git("merge", "-q", "--no-ff", "-X", "theirs", "-m", "merged", "topic")
    assert desk.look() == ["WP01 planned→for_review"]
    assert desk.replayed() == []


# Files.


def test_a_second_file_of_an_id_under_another_name(desk: Desk) -> None:
    """R2, R6: what is told of it names the id that it states, not the one of its name."""
    desk.repository.write(wp("001-x", "WP07-other"), text("WP01", "Another", "planned"))
    desk.commit()
    (error,) = desk.see().events
    assert isinstance(error, ErrorLogged)
    assert error.payload.wp_id == "WP01"
