"""What a feature's own files say, and R6: which of two files with one id counts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittywatch.workpackages.features import Meta, dependencies_of, first_of_each, read_dependencies, read_meta
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import Problem, WorkPackage, read_work_package
from kittywatch.workpackages.text import MAX_BYTES
from tests.builders import work_package_text

TASKS = "kitty-specs/001-login/tasks/"


def package(name: str, **fields: str | None) -> tuple[str, WorkPackage | Problem]:
    path = TASKS + name
    return path, read_work_package(path, work_package_text(**fields).encode(), LaneNames())  # type: ignore[arg-type]


# meta.json


def test_meta() -> None:
    data = {"slug": "login", "feature_number": "007", "target_branch": "2.x", "created_at": "2026-01-01T10:00:00+01:00"}
    assert read_meta(json.dumps(data).encode(), "001-login") == Meta("007", "2.x", "2026-01-01T10:00:00+01:00")


@pytest.mark.parametrize(
    "data", [None, b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b" " * (MAX_BYTES + 1), b"{}"]
)
def test_without_a_usable_meta_the_directory_says(data: bytes | None) -> None:
    assert read_meta(data, "001-login") == Meta("001")
    assert read_meta(data, "login") == Meta(None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("feature_number", 7),
        ("feature_number", "7"),
        ("feature_number", "0077"),
        ("target_branch", ""),
        ("target_branch", 2),
        ("created_at", "yesterday"),
        ("created_at", "2026-01-01T10:00:00"),
        ("created_at", 1_700_000_000),
        ("created_at", None),
    ],
)
def test_a_field_that_makes_no_sense_counts_as_missing(field: str, value: object) -> None:
    assert read_meta(json.dumps({field: value}).encode(), "001-login") == Meta("001")


def test_a_number_that_the_directory_does_not_begin_with() -> None:
    assert read_meta(None, "0123-x").number is None
    assert read_meta(None, "a-001-x").number is None


def test_a_byte_order_mark_is_no_reason_to_ignore_meta() -> None:
    data = b"\xef\xbb\xbf" + json.dumps({"target_branch": "2.x"}).encode()
    assert read_meta(data, "001-login").target_branch == "2.x"


@given(st.binary(max_size=60))
def test_any_bytes_give_a_meta(data: bytes) -> None:
    assert read_meta(data, "001-login").number is not None


# tasks.md


def test_dependencies_in_tasks() -> None:
    """`Depends on`, a Dependencies line or heading, in the section of each work package."""
    text = """\
# Tasks
Everything depends on WP09 here, in no section.

## Work Package WP01: Setup
Nothing.

## WP02 – Login (depends on nothing)
Depends on WP01, WP03.

### WP03: Logout
**Dependencies**: WP01 and WP02, WP01

### WP04
#### Dependencies
- WP03
- WP02 (soft)
#### Risks
- WP01 might break

### WP05
We mention WP01 here.

### WP06
depends on WP06
"""
    assert read_dependencies(text.encode()) == {
        "WP02": ("WP01", "WP03"),
        "WP03": ("WP01", "WP02"),
        "WP04": ("WP03", "WP02"),
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_dependencies_with_any_line_end(newline: str) -> None:
    text = newline.join(["## WP02", "Depends on WP01", "## WP03", ""])
    assert read_dependencies(b"\xef\xbb\xbf" + text.encode()) == {"WP02": ("WP01",)}


@pytest.mark.parametrize("data", [None, b"", b"\xff\xfe", b"x" * (MAX_BYTES + 1)])
def test_tasks_that_say_nothing(data: bytes | None) -> None:
    assert read_dependencies(data) == {}


@given(st.text(alphabet="# WP012\nDependson:*-é", max_size=120))
def test_any_tasks_are_read(text: str) -> None:
    for wp_id, dependencies in read_dependencies(text.encode()).items():
        assert wp_id not in dependencies


@pytest.mark.parametrize("filler", [" ", "\n", "#", "## ", "WP01 ", "depends on ", "## WP01\n", "## Dependencies\n"])
def test_hostile_tasks_take_no_longer_than_their_length(filler: str) -> None:
    """Long runs up to the size that the file may have; quadratic time would be hours."""
    run = filler * (900_000 // len(filler))
    read_dependencies(f"## WP01\n{run}\n## Dependencies\n{run}x\n".encode())


def test_the_frontmatter_outweighs_tasks() -> None:
    """Also where it states none at all; a work package never depends on itself."""
    tasks = {"WP01": ("WP02",)}
    for stated, expected in ((None, ("WP02",)), ("[]", ()), ("[WP01, WP03]", ("WP03",))):
        one = package("WP01.md", dependencies=stated)[1]
        assert isinstance(one, WorkPackage)
        assert dependencies_of(one, tasks) == expected


# R6: duplicate ids


def test_the_first_path_in_byte_order_counts() -> None:
    """R6: the others cause one problem each, wherever they stand in the listing."""
    files = [package("WP01-b.md"), package("WP01-a.md"), package("WP02.md", wp_id="WP02"), package("WP01-c.md")]
    found, problems = first_of_each(files)
    assert {wp_id: one.path for wp_id, one in found.items()} == {"WP01": TASKS + "WP01-a.md", "WP02": TASKS + "WP02.md"}
    assert [(one.path, one.line) for one in problems] == [(TASKS + "WP01-b.md", 1), (TASKS + "WP01-c.md", 1)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("WP01-B.md", "WP01-a.md"),
        ("WP01-z.md", "WP01-ä.md"),
        ("WP01-\uffee.md", "WP01-\U0001f431.md"),  # UTF-16 order would be the other one
        ("WP01-\U0001f431.md", b"WP01-\xff.md".decode("utf-8", "surrogateescape")),
        ("WP01-\u00e9.md", "WP01-\u00ea.md"),
        ("WP01-e\u0301.md", "WP01-\u00e9.md"),
        ("WP01-x.md", "doing/WP01-a.md"),
    ],
)
def test_byte_order_of_names_that_are_not_ascii(first: str, second: str) -> None:
    """R6: bytes, not letters, not code units, not a locale."""
    for files in ([package(first), package(second)], [package(second), package(first)]):
        found, problems = first_of_each(files)
        assert found["WP01"].path == TASKS + first
        assert [one.path for one in problems] == [TASKS + second]


def test_an_id_from_the_frontmatter_can_be_a_duplicate() -> None:
    """R2 and R6: what the files say counts, not their names."""
    found, problems = first_of_each([package("WP01.md", wp_id="WP02"), package("WP02.md", wp_id="WP02")])
    assert {wp_id: one.path for wp_id, one in found.items()} == {"WP02": TASKS + "WP01.md"}
    assert [one.path for one in problems] == [TASKS + "WP02.md"]


def test_a_file_that_cannot_be_read_takes_no_id() -> None:
    """R6: a broken first file leaves the id to the second; its problem is listed, as is an invalid lane."""
    broken = (TASKS + "WP01-a.md", read_work_package(TASKS + "WP01-a.md", b"", LaneNames()))
    found, problems = first_of_each([broken, package("WP01-b.md", lane="foo")])
    assert found["WP01"].path == TASKS + "WP01-b.md"
    assert [one.path for one in problems] == [TASKS + "WP01-a.md", TASKS + "WP01-b.md"]
