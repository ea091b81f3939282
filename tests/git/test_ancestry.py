"""What precedes what: within a walk by masks, outside of it by git, checked against brute force."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittywatch.git.ancestry import Ancestry
from kittywatch.git.repository import Git
from tests.githooks.hooked import Repository

Dag = list[tuple[int, ...]]  # the parents of each commit, by their numbers


class Counted:
    """Answers what git would, from a graph, and counts how often it is asked."""

    def __init__(self, dag: Dag) -> None:
        self.past: list[set[int]] = []
        for number, parents in enumerate(dag):
            self.past.append({number}.union(*(self.past[parent] for parent in parents)))
        self.asked = 0

    def reached(self, commits: Iterable[str], tip: str) -> set[str]:
        self.asked += 1
        return {one for one in commits if int(one) in self.past[int(tip)]}

    def is_ancestor(self, old: str, new: str) -> bool:
        self.asked += 1
        return int(old) in self.past[int(new)]


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    made: Dag = []
    for number in range(draw(st.integers(1, 14))):
        earlier = st.integers(0, number - 1) if number else st.nothing()
        made.append(tuple(draw(st.lists(earlier, unique=True, max_size=min(3, number)))))
    return made


def ancestry(dag: Dag, boundary: set[int], marked: set[int], asked: set[int]) -> tuple[Ancestry, Counted]:
    """One whose walk is all that nothing of `boundary` reaches."""
    git = Counted(dag)
    behind = set[int]().union(*(git.past[one] for one in boundary))
    walk = {str(one): [str(parent) for parent in dag[one]] for one in range(len(dag)) if one not in behind}
    made = Ancestry(git, walk, marked=map(str, marked), asked=map(str, asked))  # type: ignore[arg-type]
    return made, git


@given(dags(), st.data())
def test_it_is_what_brute_force_finds(dag: Dag, data: st.DataObject) -> None:
    """Whatever is marked and asked about beforehand: that decides only how often git has to be asked."""
    commits = st.sets(st.integers(0, len(dag) - 1))
    made, git = ancestry(dag, data.draw(commits), data.draw(commits), data.draw(commits))
    for new in range(len(dag)):
        for old in range(len(dag)):
            expected = old != new and old in git.past[new]
            assert made.precedes(str(old), str(new)) == expected, (old, new)


@given(dags(), st.data())
def test_marked_commits_of_a_walk_need_no_git(dag: Dag, data: st.DataObject) -> None:
    """Nor does a commit outside that the walk ends at; one that is asked about costs one question an end."""
    marked = data.draw(st.sets(st.integers(0, len(dag) - 1)))
    made, git = ancestry(dag, set(), marked, set())
    for new in marked:
        for old in marked:
            made.precedes(str(old), str(new))
    assert git.asked == 0


@given(dags(), st.data())
def test_each_end_of_a_walk_is_asked_once(dag: Dag, data: st.DataObject) -> None:
    boundary = data.draw(st.sets(st.integers(0, len(dag) - 1)))
    git = Counted(dag)
    behind = set[int]().union(*(git.past[one] for one in boundary))
    walked = set(range(len(dag))) - behind
    made, git = ancestry(dag, boundary, walked, behind)
    for _ in range(2):
        for new in walked:
            for old in behind:
                made.precedes(str(old), str(new))
    ends = {parent for one in walked for parent in dag[one] if parent in behind}
    assert git.asked <= len(ends)


@pytest.fixture
def chain(tmp_path: Path) -> tuple[Repository, Sequence[str]]:
    """A real repository with four commits one after the other."""
    repository = Repository(tmp_path / "project")
    for _ in range(3):
        repository.git("commit", "-q", "--allow-empty", "-m", "more")
    return repository, repository.git("rev-list", "--reverse", "HEAD").split()


def test_a_real_repository(chain: tuple[Repository, Sequence[str]]) -> None:
    """Commits before the walk, in it, and such that are gone, which precede nothing."""
    repository, (first, second, third, fourth) = chain
    gone = "1" * 40
    git = Git.find(repository.root)
    walk = {third: [second], fourth: [third]}
    made = Ancestry(git, walk, marked=[third, fourth], asked=[first, gone])
    for old in (first, second, third):
        assert made.precedes(old, fourth)
        assert not made.precedes(fourth, old)
    assert made.precedes(first, second)
    assert not made.precedes(gone, fourth)
    assert not made.precedes(fourth, gone)
    assert not made.precedes(first, gone)
    assert not made.precedes(gone, gone)
    assert not made.precedes(fourth, fourth)


def test_without_a_walk_git_is_asked(chain: tuple[Repository, Sequence[str]]) -> None:
    repository, (first, _, third, fourth) = chain
    made = Ancestry(Git.find(repository.root), {}, marked=(), asked=[first])
    assert made.precedes(first, fourth)
    assert made.precedes(third, fourth)
    assert not made.precedes(fourth, third)
    subprocess.run(["git", "update-ref", "-d", "refs/heads/main"], cwd=repository.root, check=True)
    assert made.precedes(first, fourth), "what was answered is remembered"
