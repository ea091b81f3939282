"""What is behind a commit, or behind an edit: commits of its own history that brought something ahead (O7)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from kittywatch.derive.edits import WorktreeLook
from kittywatch.derive.snapshot import Key, Snapshot
from kittywatch.git.repository import Git
from kittywatch.observe.past import Past
from kittywatch.observe.plans import CopiedStart, ViewPlan
from kittywatch.store.views import View
from tests.derive.packages import KEY, package
from tests.githooks.hooked import Repository

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OTHER: Key = (KEY[0], "WP02")


class Chain:
    """Three commits one after the other, and what is asked of the ledger."""

    def __init__(self, root: Path) -> None:
        self.repository = Repository(root)
        self.commits = [self._commit(number) for number in range(3)]
        self.asked: list[tuple[int, set[Key]]] = []
        self.landed = set(self.commits)
        self.past = Past(Git.find(self.repository.root), self._ahead)

    def _commit(self, number: int) -> str:
        self.repository.git("commit", "-q", "--allow-empty", "-m", f"number {number}")
        return self.repository.git("rev-parse", "HEAD").strip()

    def _ahead(self, view: int, keys: Iterable[Key]) -> set[str]:
        self.asked.append((view, set(keys)))
        return self.landed

    def made(self, number: int, *keys: Key) -> Snapshot:
        return Snapshot(NOW, (), self.commits[number], moved=frozenset(keys))


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path / "project")


VIEWS = {"main": View(7, None)}


def test_the_commits_below_each_one(chain: Chain) -> None:
    plan = ViewPlan("main", chain.commits[2], snapshots=[chain.made(1, KEY), chain.made(2, OTHER)])
    chain.past.note([plan], None, VIEWS)
    assert [one.behind for one in plan.snapshots] == [{chain.commits[0]}, {*chain.commits[:2]}]
    assert chain.asked == [(7, {KEY, OTHER})]


def test_what_its_history_has_not_brought_is_not_behind(chain: Chain) -> None:
    plan = ViewPlan("main", chain.commits[1], snapshots=[chain.made(1, KEY)])
    chain.landed = {chain.commits[2], "0" * 40}
    chain.past.note([plan], None, VIEWS)
    assert plan.snapshots[0].behind == frozenset()


def test_only_what_was_moved_here_is_asked_about(chain: Chain) -> None:
    """Not what a merge brought, what others made, what moved nothing, or what no commit shows."""
    one = chain.made(2, KEY)
    plain = [
        replace(one, brought=frozenset({KEY})),
        replace(one, origin="elsewhere"),
        replace(one, moved=frozenset()),
    ]
    plan = ViewPlan("main", chain.commits[2], snapshots=list(plain))
    chain.past.note([plan], None, VIEWS)
    assert plan.snapshots == plain
    assert chain.asked == []
    plan.snapshots = [*plain, replace(one, commit=None), chain.made(1, OTHER)]
    chain.past.note([plan], None, VIEWS)
    assert [bool(found.behind) for found in plan.snapshots] == [False, False, False, False, True]


def test_a_view_that_begins_where_another_one_is(chain: Chain) -> None:
    """It stands there; one that begins with what is there stands behind nothing."""
    plan = ViewPlan("topic", chain.commits[2], CopiedStart(View(9, None)), snapshots=[chain.made(2, KEY)])
    new = ViewPlan("new", chain.commits[2], snapshots=[chain.made(2, KEY)])
    chain.past.note([plan, new], None, VIEWS)
    assert chain.asked == [(9, {KEY})]
    assert new.snapshots[0].behind == frozenset()


def test_what_is_below_a_worktree(chain: Chain) -> None:
    """The last view's commit and all before it; without one, nothing."""
    look = WorktreeLook(NOW, {KEY: package("doing")})
    plans = [ViewPlan("topic", chain.commits[2], CopiedStart(View(9, None))), ViewPlan("main", chain.commits[1])]
    found = chain.past.note(plans, look, VIEWS)
    assert found is not None
    assert found.behind == {*chain.commits[:2]}
    assert chain.asked == [(7, {KEY})]
    unborn = chain.past.note([ViewPlan("main", None)], look, VIEWS)
    assert unborn is not None
    assert unborn.behind == frozenset()
