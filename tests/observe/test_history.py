"""What a merge decides about work packages (rule D7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittywatch.git.repository import Git
from kittywatch.observe.history import History
from kittywatch.observe.reader import Reader
from kittywatch.workpackages.lanes import LaneNames
from tests.builders import record
from tests.history.script import Repository, text, wp

ONE = wp("001-x", "WP01")
ROUND = [record("2026-01-02T10:00:00Z", "claimed"), record("2026-01-02T11:00:00Z", "planned")]
NOTE = [record("2026-01-02T10:00:00Z", "planned", note="refined")]


class Fork:
    """A commit at planned, and a branch from it."""

    def __init__(self, root: Path) -> None:
        self.repository = Repository(root)
        self.hours = 0
        self.commit("planned")
        self.repository.git("branch", "side")

    def commit(self, lane: str, *trail: str) -> None:
        self.hours += 1
        self.repository.write(ONE, text("WP01", "Build", lane, *trail))
        self.repository.git("add", "-A")
        moment = f"2026-02-01T{self.hours:02}:00:00+00:00"
        self.repository.git("commit", "-q", "--allow-empty", "-m", "work", moment=moment)

    def side(self, lane: str, *trail: str) -> None:
        """A commit on the other branch."""
        self.repository.git("checkout", "-q", "side")
        self.commit(lane, *trail)
        self.repository.git("checkout", "-q", "main")

    def merge(self, lane: str, *trail: str) -> list[str]:
        """Merge the branch into this content; returns the lanes that the merge itself decides."""
        self.repository.git("merge", "-q", "--no-ff", "--no-commit", "-s", "ours", "side")
        self.commit(lane, *trail)
        git = Git.find(self.repository.root)
        with Reader(git, LaneNames()) as reader:
            *_, merge = History(reader, git).changes(git.commits(git.commit_id("HEAD")))
        assert merge.is_merge
        return [f"{one.base.lane if one.base else None}→{one.package.lane}" for one in merge.packages]


@pytest.fixture
def fork(tmp_path: Path) -> Fork:
    return Fork(tmp_path / "project")


def test_a_side_that_moved_it(fork: Fork) -> None:
    fork.side("doing")
    fork.commit("for_review")
    assert fork.merge("doing") == []


def test_a_lane_that_neither_side_has(fork: Fork) -> None:
    fork.side("doing")
    fork.commit("for_review")
    assert fork.merge("done") == ["for_review→done"]


def test_a_side_that_left_it_where_it_was(fork: Fork) -> None:
    """The merge takes back what the first parent did; a note on the side is no move."""
    fork.side("planned", *NOTE)
    fork.commit("for_review")
    assert fork.merge("planned", *NOTE) == ["for_review→planned"]


def test_a_side_that_moved_it_and_back(fork: Fork) -> None:
    """As its trail says: what it came back to came with the merge."""
    fork.side("planned", *ROUND)
    fork.commit("for_review")
    assert fork.merge("planned", *ROUND) == []


def test_a_side_that_moved_it_and_back_without_a_record(fork: Fork) -> None:
    fork.side("doing")
    fork.side("planned")
    fork.commit("for_review")
    assert fork.merge("planned") == []


def test_a_side_that_wrote_another_trail(fork: Fork) -> None:
    """What it had before is no beginning of it: nothing says that it moved."""
    fork.repository.git("checkout", "-q", "side")
    fork.commit("planned", *NOTE)
    fork.repository.git("checkout", "-q", "-B", "main")
    fork.repository.git("checkout", "-q", "side")
    fork.commit("planned", *ROUND)
    fork.repository.git("checkout", "-q", "main")
    fork.commit("for_review", *NOTE)
    assert fork.merge("planned", *ROUND) == ["for_review→planned"]
