"""Files that are replaced whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittywatch.store.files import replace_file, sweep


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "place"
    made.mkdir()
    return made


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced(place: Path, durable: bool) -> None:
    path = place / "file"
    path.write_text("old")
    replace_file(path, b"new", durable=durable)
    assert path.read_bytes() == b"new"
    assert [one.name for one in place.iterdir()] == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_its_mode_is_as_asked_for(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o777)
    replace_file(path, b"new", mode=mode)
    assert path.stat().st_mode & 0o777 == mode


def test_a_failure_leaves_nothing_behind(place: Path) -> None:
    path = place / "file"
    path.mkdir()
    with pytest.raises(OSError, match="file"):
        replace_file(path, b"new")
    assert [one.name for one in place.iterdir()] == ["file"]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "no" / "file", b"new")


def test_what_a_killed_process_has_left_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "a[b].md"
    path.write_text("1")
    others = [".a[b].md.keep", ".a[b].md.0123456789abcdeg", ".b.md.0123456789abcdef", "a[b].md.0123456789abcdef"]
    for name in [".a[b].md.0123456789abcdef", *others]:
        (tmp_path / name).write_text("2")
    sweep(path)
    assert {one.name for one in tmp_path.iterdir()} >= {path.name, *others}
    assert not (tmp_path / ".a[b].md.0123456789abcdef").exists()
