"""What is put together from objects is what git's own commands say."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kittywatch.git.linear import LONGEST, commits_between, files_of
from kittywatch.git.objects import Objects
from kittywatch.git.output import Commit
from kittywatch.git.repository import Git
from kittywatch.observe import reader as reading
from kittywatch.observe.reader import Reader
from kittywatch.workpackages.lane_source import Unit
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.sources import DEFAULT
from tests.builders import work_package_text
from tests.history.script import Repository, moment

_ODD = Path("kitty-specs/001-a/tasks/WP01-\udcff.md")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "project")


@pytest.fixture
def objects(repository: Repository) -> Iterator[Objects]:
    reader = Git.find(repository.root).objects()
    yield reader
    reader.close()


def _sorted(commits: list[Commit]) -> list[tuple[object, ...]]:
    """What commits change of work packages; git lists what else is in their directories, too."""
    return [
        (
            one.id,
            one.parents,
            one.moment,
            sorted((file for file in one.changed if DEFAULT.states_lanes(file.path)), key=lambda file: file.path),
            sorted(path for path in one.removed if DEFAULT.states_lanes(path)),
        )
        for one in commits
    ]


def _unit(feature: str) -> Unit:
    return Unit("spec-kitty", feature)


def _odd_history(repository: Repository) -> list[str]:
    """Commits in which a path is a file, a directory, a link, a submodule, executable, or gone."""
    specs = "kitty-specs"
    one = f"{specs}/001-a/tasks/WP01-a.md"
    made = [
        repository.commit("01-01", files={"README.md": "x"}),
        repository.commit(
            "01-02", files={one: "a", "kitty-specs/001-a/meta.json": "{}", "kitty-specs/002-b/x/y.md": "y"}
        ),
        repository.commit("01-03", files={"README.md": "y"}),
        repository.commit("01-04", files={one: "b", "kitty-specs/001-a/research/deep/notes.md": "n"}),
        repository.commit("01-05", files={one: None, one + "/inner.md": "a directory now"}),
        repository.commit("01-06", files={one + "/inner.md": None}),
    ]
    (repository.root / one).rmdir()
    repository.link(one, "WP02-b.md")
    made.append(repository.commit("01-07", files={"kitty-specs/001-a/tasks/WP02-b.md": "b"}))
    repository.write(one, "b")
    (repository.root / one).chmod(0o755)
    made.append(repository.commit("01-08"))
    repository.write(str(_ODD), "no UTF-8 in its name")
    made.append(repository.commit("01-09"))
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{made[0]},kitty-specs/001-a/sub")
    repository.git("commit", "-q", "-m", "a submodule", moment=moment("01-10"))
    made.append(repository.git("rev-parse", "HEAD"))
    repository.git("rm", "-q", "-r", "--cached", "kitty-specs")
    repository.git("commit", "-q", "-m", "all gone", moment=moment("01-11"))
    return [*made, repository.git("rev-parse", "HEAD")]


def test_stretches_and_files_as_git_says_them(repository: Repository, objects: Objects) -> None:
    git = Git.find(repository.root)
    made = _odd_history(repository)
    for at, old in enumerate(made):
        for new in made[at:]:
            found = commits_between(objects, old, new, DEFAULT)
            assert found is not None
            assert _sorted(found) == _sorted(git.commits(new, without=[old]))
    for commit in made:
        found_files = files_of(objects, commit, map(_unit, ("001-a", "002-b", "003-none")), DEFAULT)
        assert found_files is not None
        for unit, files in found_files.items():
            of_unit = [
                [one for one in some if DEFAULT.unit_of(one.path) == unit] for some in (files, git.files(commit))
            ]
            assert {one.path: one for one in of_unit[0]} == {one.path: one for one in of_unit[1]}


def test_what_is_out_of_the_ordinary_is_left_to_git(repository: Repository, objects: Objects) -> None:
    first = repository.commit("01-01")
    repository.git("checkout", "-q", "-b", "side")
    side = repository.commit("01-02", files={"kitty-specs/001-a/tasks/WP01-a.md": "a"})
    repository.git("checkout", "-q", "main")
    main = repository.commit("01-03", files={"x": "x"})
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    merge = repository.git("rev-parse", "HEAD")
    assert commits_between(objects, main, merge, DEFAULT) is None
    assert commits_between(objects, side, main, DEFAULT) is None
    assert commits_between(objects, "1" * 40, first, DEFAULT) is None
    assert commits_between(objects, first, "1" * 40, DEFAULT) is None
    assert files_of(objects, "1" * 40, [_unit("001-a")], DEFAULT) is None
    last = merge
    for _ in range(LONGEST + 1):
        last = repository.commit("01-04")
    assert commits_between(objects, merge, last, DEFAULT) is None


def test_a_name_that_is_no_text_is_left_to_git(repository: Repository, objects: Objects) -> None:
    """What a log says of it isn't what the tree says."""
    first = repository.commit("01-01", files={"kitty-specs/001-a/tasks/WP01-a.md": "a"})
    assert files_of(objects, first, [_unit("001-a"), _unit("00\N{REPLACEMENT CHARACTER}-b")], DEFAULT) is None


def test_a_tree_that_is_too_large_or_none_is_left_to_git(repository: Repository, objects: Objects) -> None:
    first = repository.commit("01-01", files={"kitty-specs/001-a/tasks/WP01-a.md": "a"})
    blob = repository.git("rev-parse", "HEAD:kitty-specs/001-a/tasks/WP01-a.md")
    many = "".join(f"100644 blob {blob}\t{number:06}-a-name-of-some-length.md\n" for number in range(30_000))

    def made(*command: str, text: str) -> str:
        done = subprocess.run(
            ["git", *command], cwd=repository.root, input=text.encode(), check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    for specs, kind in ((made("mktree", text=many), "tree"), (blob, "blob")):
        mode = "040000" if kind == "tree" else "100644"
        tree = made("mktree", text=f"{mode} {kind} {specs}\tkitty-specs\n")
        commit = made("commit-tree", "-p", first, "-m", "odd", tree, text="")
        assert files_of(objects, commit, [_unit("001-a")], DEFAULT) == (
            None if kind == "tree" else {_unit("001-a"): []}
        )
        assert (commits_between(objects, first, commit, DEFAULT) is None) == (kind == "tree")
    assert objects.tree(blob) is None


@pytest.mark.parametrize("author", ["A <a@b> 17e5 +0000", "A <a@b>", "A <a@b> 99999999999999999999 +0000"])
def test_a_commit_with_an_odd_time_is_left_to_git(repository: Repository, objects: Objects, author: str) -> None:
    first = repository.commit("01-01")
    tree = repository.git("rev-parse", "HEAD^{tree}")
    text = f"tree {tree}\nparent {first}\nauthor {author}\ncommitter A <a@b> 1700000000 +0000\n\nodd\n"
    done = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
        cwd=repository.root,
        input=text.encode(),
        check=True,
        capture_output=True,
    )
    assert commits_between(objects, first, done.stdout.decode().strip(), DEFAULT) is None


def test_a_hook_finds_the_repository_that_git_finds(repository: Repository, tmp_path: Path) -> None:
    repository.commit("01-01", files={"a/b": "c"})
    linked = tmp_path / "linked \u00e9"
    repository.git("worktree", "add", "-q", "--detach", str(linked))
    other = Repository(tmp_path / "other")
    other.commit("01-01")
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.root), "sub")
    moved = tmp_path / "moved"
    moved.mkdir()
    subprocess.run(["git", "init", "-q", f"--separate-git-dir={tmp_path / 'apart'}"], cwd=moved, check=True)
    (tmp_path / "by link").symlink_to(repository.root)
    for top in (repository.root, linked, repository.root / "sub", moved, tmp_path / "by link"):
        found, asked = Git.of_hook(top), Git.find(top)
        assert (found.root, found.directory, found.common) == (asked.root, asked.directory, asked.common)


def test_a_hook_believes_what_git_exports(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("01-01")
    other = Repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(repository.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.root))
    assert Git.of_hook(other.root).directory == repository.root / ".git"
    monkeypatch.delenv("GIT_WORK_TREE")
    assert Git.of_hook(other.root).directory == repository.root / ".git"


@pytest.mark.parametrize("count", [5, 120])
def test_files_of_few_features_and_of_many(repository: Repository, count: int) -> None:
    """Few are read one by one, many with everything there is: the same comes out."""
    names = [f"{number:03}-f" for number in range(count)]
    tip = repository.commit("01-01", files={f"kitty-specs/{name}/tasks/WP01-a.md": name for name in names})
    git = Git.find(repository.root)
    with Reader(git, LaneNames()) as reader:
        units = {_unit(name) for name in (*names, "999-none")}
        found = reader.files(tip, units)
        assert found == reader.files(tip, units)
    assert {unit.feature: [file.path for file in files] for unit, files in found.items()} == {
        "999-none": [],
        **{name: [f"kitty-specs/{name}/tasks/WP01-a.md"] for name in names},
    }


def test_a_reader_starts_over_when_it_has_read_much(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher runs for weeks: what it remembers ends somewhere, and is read again then."""
    monkeypatch.setattr(reading, "_REMEMBERED", 1)
    paths = [f"kitty-specs/001-a/tasks/WP0{number}-a.md" for number in range(1, 4)]
    tip = repository.commit("01-01", files={path: work_package_text(wp_id=path[24:28]) for path in paths})
    git = Git.find(repository.root)
    reader = Reader(git, LaneNames())
    for _ in range(3):
        with reader:
            reader.prefetch(git.files(tip))
            assert len(reader._said) == 3
            read = [reader.said(file)[0] for file in git.files(tip)]
            assert [one.wp_id for one in read if isinstance(one, WorkPackage)] == ["WP01", "WP02", "WP03"]
    with reader:
        assert not reader._said
