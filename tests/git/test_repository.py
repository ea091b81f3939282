"""What git says of a repository, in the forms that it may have."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kittywatch.errors import GitError, NotAProjectError, ProjectError
from kittywatch.git.repository import Git, Head
from kittywatch.observe.staged import check_staged
from kittywatch.workpackages.lanes import LaneNames
from tests.githooks.hooked import Repository

_GOOD = "---\nwork_package_id: WP01\ntitle: One\nlane: doing\n---\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "project")


def _tip(repository: Repository) -> str:
    return repository.git("rev-parse", "HEAD").strip()


def test_a_repository_of_another_user_says_what_git_says(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what makes it safe as the remedy; git is told to take it for another's, as its own tests do."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ProjectError, match="belongs to another user") as caught:
        Git.find(repository.root)
    assert "safe.directory" in caught.value.remedy
    assert str(repository.root) in caught.value.remedy


def test_outside_of_a_repository(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "gone"):
        with pytest.raises(NotAProjectError):
            Git.find(place)


# Where HEAD is.


def test_a_branch_whose_ref_is_packed(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ref has no file of its own: git is asked, once, because a process of git is a hook's whole time."""
    repository.git("pack-refs", "--all")
    assert not (repository.directory / "refs" / "heads" / "main").exists()
    tip = _tip(repository)
    asked = tmp_path / "asked"
    monkeypatch.setenv("GIT_TRACE", str(asked))
    git = Git.of_hook(repository.root)
    assert git.head() == Head("refs/heads/main", tip)
    assert asked.read_text("utf-8").count("built-in: git") == 1


def test_a_branch_before_its_first_commit(repository: Repository) -> None:
    repository.git("checkout", "-q", "--orphan", "fresh")
    assert Git.find(repository.root).head() == Head("refs/heads/fresh", None)


def test_a_branch_that_is_another_name(repository: Repository) -> None:
    """HEAD → alias → main: what is checked out is what git writes to."""
    repository.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    repository.git("symbolic-ref", "HEAD", "refs/heads/alias")
    assert Git.find(repository.root).head() == Head("refs/heads/main", _tip(repository))


@pytest.mark.parametrize("packed", [False, True])
def test_a_branch_whose_name_is_no_text(repository: Repository, packed: bool) -> None:
    name = b"refs/heads/caf\xe9"
    subprocess.run([b"git", b"update-ref", name, b"HEAD"], cwd=repository.root, check=True)
    subprocess.run([b"git", b"symbolic-ref", b"HEAD", name], cwd=repository.root, check=True)
    if packed:
        repository.git("pack-refs", "--all")
    assert Git.find(repository.root).head() == Head(os.fsdecode(name), _tip(repository))


def test_a_detached_head(repository: Repository) -> None:
    repository.git("checkout", "-q", "--detach")
    assert Git.find(repository.root).head() == Head(None, _tip(repository))


# Worktrees.


def test_the_main_worktree_of_a_linked_one(repository: Repository, tmp_path: Path) -> None:
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Git.find(tmp_path / "linked")
    assert linked.main_root == Git.find(repository.root).main_root == repository.root
    assert linked.worktrees() == [repository.root, tmp_path / "linked"]


def test_linked_worktrees_of_a_bare_repository(repository: Repository, tmp_path: Path) -> None:
    """There is no main one: the repository itself is none, and each is its own."""
    repository.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    bare = Repository(tmp_path / "bare.git", fresh=False)
    bare.git("worktree", "add", "-q", str(tmp_path / "one"))
    bare.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "two"))
    git = Git.find(tmp_path / "one")
    assert git.worktrees() == [tmp_path / "one", tmp_path / "two"]
    assert git.main_root == tmp_path / "one"


def test_the_main_worktree_of_a_submodules_linked_one(repository: Repository, tmp_path: Path) -> None:
    """Its git directory is the outer repository's; the configuration there says where its files are."""
    outer = Repository(tmp_path / "outer")
    outer.git("-c", "protocol.file.allow=always", "submodule", "-q", "add", str(repository.root), "inner")
    inner = Repository(outer.root / "inner", fresh=False)
    inner.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    assert Git.find(tmp_path / "linked").main_root == inner.root


# Commits.


def test_a_shallow_clone_does_not_know_its_first_commits(repository: Repository, tmp_path: Path) -> None:
    """Its oldest commit looks like a first one, and would tell it from its own origin."""
    first = _tip(repository)
    repository.git("commit", "-q", "--allow-empty", "-m", "second")
    repository.git("clone", "-q", "--depth=1", f"file://{repository.root}", str(tmp_path / "shallow"))
    assert Git.find(repository.root).root_commits() == {first}
    assert Git.find(tmp_path / "shallow").root_commits() == set()


def test_a_command_that_fails_says_why(repository: Repository) -> None:
    git = Git.find(repository.root)
    with pytest.raises(GitError, match="no-such"):
        git.files("no-such")
    with pytest.raises(GitError, match="is no commit here"):
        git.commit_id("no-such")


@pytest.mark.parametrize(
    ("author", "committer", "moment"),
    [
        ("1700000000", "1800000000", datetime.fromtimestamp(1700000000, UTC)),
        ("99999999999999", "1800000000", datetime.fromtimestamp(1800000000, UTC)),
        ("-86400", "1800000000", datetime.fromtimestamp(1800000000, UTC)),
        ("99999999999999", "99999999999999", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_that_are_none(repository: Repository, author: str, committer: str, moment: datetime) -> None:
    """The committer's then; and 1970 where neither is one: a moment that is the same whoever reads it."""
    repository.write(_GOOD)
    repository.git("add", "-A")
    tree = repository.git("write-tree").strip()
    commit = (
        f"tree {tree}\nparent {_tip(repository)}\nauthor A <a@example.invalid> {author} +0000\n"
        f"committer A <a@example.invalid> {committer} +0000\n\nodd\n"
    )
    command = ["git", "hash-object", "-t", "commit", "-w", "--literally", "--stdin"]
    made = subprocess.run(command, cwd=repository.root, input=commit.encode(), capture_output=True, check=True).stdout
    (found,) = Git.find(repository.root).commits(made.decode().strip(), without=[_tip(repository)])
    assert found.moment == moment


# What the next commit will have.


def test_what_is_staged_is_read_from_the_index_that_git_hands_over(repository: Repository) -> None:
    """`commit -a` has one of its own, named from the worktree's top, and `--only` an absolute one."""
    repository.write(_GOOD)
    repository.commit()
    git, names = Git.find(repository.root), LaneNames()
    repository.write(_GOOD.replace("doing", "nowhere"))
    other = repository.directory / "other-index"
    repository.git("add", "-A", GIT_INDEX_FILE=str(other))
    assert check_staged(git, names, {}) == []
    for stated in (str(other), ".git/other-index"):
        (problem,) = check_staged(git, names, {"GIT_INDEX_FILE": stated})
        assert problem.path == "kitty-specs/001-x/tasks/WP01.md"
        assert problem.reason.startswith("the lane is none of")


def test_commits_are_all_that_a_tip_reaches_and_others_do_not(repository: Repository) -> None:
    """Each with what it changes against its first parent, also a merge, and parents first."""
    one, other = "kitty-specs/001-a/tasks/WP01-a.md", "kitty-specs/001-a/tasks/WP02-b.md"

    def commit(path: str, text: str) -> None:
        target = repository.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        repository.git("add", path)
        repository.git("commit", "-q", "-m", path)

    commit("README", "x")
    repository.git("checkout", "-q", "-b", "side")
    commit(one, _GOOD)
    repository.git("checkout", "-q", "main")
    commit("README", "y")
    repository.git("branch", "start")
    commit(other, _GOOD)
    taken = _tip(repository)
    repository.git("reset", "-q", "--hard", "start")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    commit("README", "z")
    found = Git.find(repository.root).commits("main", without=[taken, "1" * 40])
    assert [(len(made.parents), [file.path for file in made.changed]) for made in found] == [
        (1, [one]),
        (2, [one]),
        (1, []),
    ]
