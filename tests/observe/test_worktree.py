"""R1, R5: which files of a worktree are read, and how."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kittywatch.observe import worktree
from kittywatch.observe.worktree import read_file
from kittywatch.workpackages.text import MAX_BYTES

PATH = "kitty-specs/001-login/tasks/WP01.md"
LOG = "kitty-specs/001-login/status.events.jsonl"
LONG = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / PATH).parent.mkdir(parents=True)
    return root


def _data(root: Path) -> bytes | None:
    read = read_file(root, PATH)
    return read[0] if read else None


def test_a_regular_file(root: Path) -> None:
    (root / PATH).write_bytes(b"text")
    assert _data(root) == b"text"


def test_no_more_than_a_work_package_may_be_long(root: Path) -> None:
    (root / PATH).write_bytes(b"x" * (MAX_BYTES + 100))
    assert len(_data(root) or b"") == MAX_BYTES + 1


def test_a_link_within_the_feature(root: Path) -> None:
    (root / PATH).with_name("elsewhere.md").write_bytes(b"text")
    (root / PATH).symlink_to("elsewhere.md")
    assert _data(root) == b"text"


def test_a_link_out_of_the_feature(root: Path) -> None:
    """As in a commit, where only the feature's own files are at hand."""
    (root / "elsewhere.md").write_bytes(b"text")
    (root / PATH).symlink_to(root / "elsewhere.md")
    assert _data(root) is None


def test_a_link_out_of_the_project(root: Path) -> None:
    (root.parent / "secret.md").write_bytes(b"secret")
    (root / PATH).symlink_to(root.parent / "secret.md")
    assert _data(root) is None


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_directory_that_is_a_link_out_of_the_project(root: Path, depth: int) -> None:
    """A link anywhere on the way leads out just as well."""
    parts = PATH.split("/")
    outside = root.parent / "outside"
    (outside / Path(*parts[depth:])).parent.mkdir(parents=True)
    (outside / Path(*parts[depth:])).write_bytes(b"secret")
    place = root / Path(*parts[:depth])
    for directory in sorted((one for one in place.rglob("*") if one.is_dir()), reverse=True):
        directory.rmdir()
    place.rmdir()
    place.symlink_to(outside)
    assert _data(root) is None


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / PATH)
    assert _data(root) is None


def test_a_directory_and_nothing(root: Path) -> None:
    assert _data(root) is None
    (root / PATH).mkdir()
    assert _data(root) is None


def test_a_loop_of_links(root: Path) -> None:
    (root / PATH).symlink_to(root / PATH)
    assert _data(root) is None


@pytest.mark.parametrize(
    ("reads", "believed"),
    [
        ([b"---\nlane: do", b"", b"whole", b"whole"], b"whole"),
        ([b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"], b"6"),
    ],
)
def test_two_equal_reads_are_believed(
    root: Path, monkeypatch: pytest.MonkeyPatch, reads: list[bytes], believed: bytes
) -> None:
    """R5. Who writes all the time is read as he writes in the end. The moments of a write can't be chosen, so they
    are played."""
    (root / PATH).write_bytes(b"whole")
    left = iter(reads)
    monkeypatch.setattr(worktree, "_read", lambda target, most: (next(left), 0.0))
    assert _data(root) == believed


@pytest.mark.parametrize(("before", "reads"), [(b"", 2), (b"x" * LONG, 1), (b"y" * LONG, 2), (b"x", 2)])
def test_a_long_file_that_only_got_longer_is_read_once(
    root: Path, before: bytes, reads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One read alone may be torn where somebody writes the whole file, and not where it begins as it was."""
    (root / LOG).write_bytes(b"x" * LONG + b"more\n")
    done: list[Path] = []

    def read(target: Path, most: int) -> tuple[bytes, float] | None:
        done.append(target)
        return worktree_read(target, most)

    worktree_read = worktree._read
    monkeypatch.setattr(worktree, "_read", read)
    found = read_file(root, LOG, before=before)
    assert found is not None
    assert found[0].endswith(b"more\n")
    assert len(done) == reads
