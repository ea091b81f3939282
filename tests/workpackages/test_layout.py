"""R1: which paths are work packages, and what their paths say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittywatch.workpackages.layout import Place, feature_of, place


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("kitty-specs/001-login/tasks/WP01.md", Place("001-login", "WP01", None)),
        ("kitty-specs/001-login/tasks/WP01-build-it.md", Place("001-login", "WP01", None)),
        ("kitty-specs/001-login/tasks/WP12 with spaces.md", Place("001-login", "WP12", None)),
        ("kitty-specs/001-login/tasks/WP01-héllo\nthere.md", Place("001-login", "WP01", None)),
        ("kitty-specs/not-numbered/tasks/WP01.md", Place("not-numbered", "WP01", None)),
    ],
)
def test_flat_layout(path: str, expected: Place) -> None:
    """R1: tasks/WPdd*.md is a work package, and its directory states no lane."""
    assert place(path) == expected


@pytest.mark.parametrize("lane", ["planned", "doing", "for_review", "done"])
@pytest.mark.parametrize("between", ["", "phase-1/", "phase-1/part-2/"])
def test_old_layout(lane: str, between: str) -> None:
    """R1: tasks/<lane>/**/WPdd*.md is a work package at any depth, in the lane of its directory."""
    path = f"kitty-specs/002-x/tasks/{lane}/{between}WP03-y.md"
    found = place(path)
    assert found is not None
    assert (found.feature, found.wp_id, found.lane_directory) == ("002-x", "WP03", lane)


@pytest.mark.parametrize(
    "path",
    [
        "kitty-specs/001-login/tasks/WP01-x/review-cycle-1.md",
        "kitty-specs/001-login/tasks/WP01-x/WP01.md",
        "kitty-specs/001-login/tasks/Doing/WP01.md",
        "kitty-specs/001-login/tasks/in_progress/WP01.md",
        "kitty-specs/001-login/tasks/phase-1/doing/WP01.md",
        "kitty-specs/001-login/tasks/README.md",
        "kitty-specs/001-login/tasks/WP1-x.md",
        "kitty-specs/001-login/tasks/wp01-x.md",
        "kitty-specs/001-login/tasks/xWP01.md",
        "kitty-specs/001-login/tasks/WP01.txt",
        "kitty-specs/001-login/tasks/WP01.md.bak",
        "kitty-specs/001-login/tasks/WP01.md\n",
        "kitty-specs/001-login/tasks/.WP01.md.swp",
        "kitty-specs/001-login/tasks/WP01.MD",
        "kitty-specs/001-login/tasks/WP٠١.md",
        "kitty-specs/001-login/WP01.md",
        "kitty-specs/001-login/tasks.md",
        "kitty-specs/001-login/more/tasks/WP01.md",
        "kitty-specs/tasks/WP01.md",
        "docs/kitty-specs/001-login/tasks/WP01.md",
        "kitty-specs2/001-login/tasks/WP01.md",
        "",
    ],
)
def test_what_is_no_work_package(path: str) -> None:
    """R1: anything deeper and any other name is none."""
    assert place(path) is None


def test_a_feature_directory_that_is_not_utf8() -> None:
    """A name that cannot stand in JSON is shown with replacement characters, in both functions alike."""
    directory = b"kitty-specs/001-\xff/tasks/WP01.md".decode("utf-8", "surrogateescape")
    found = place(directory)
    assert found is not None
    assert found.feature == "001-�" == feature_of(directory)


@pytest.mark.parametrize(
    ("path", "feature"),
    [
        ("kitty-specs/001-login/meta.json", "001-login"),
        ("kitty-specs/001-login/tasks/doing/WP01.md", "001-login"),
        ("kitty-specs/README.md", None),
        ("kitty-specs", None),
        ("src/001-login/meta.json", None),
    ],
)
def test_feature_of(path: str, feature: str | None) -> None:
    assert feature_of(path) == feature


@given(st.lists(st.sampled_from(["kitty-specs", "001-x", "tasks", "doing", "WP01.md", "..", "", "a"]), max_size=7))
def test_a_work_package_lies_in_its_feature(parts: list[str]) -> None:
    """What `place` says of a feature is what `feature_of` says."""
    path = "/".join(parts)
    found = place(path)
    if found is not None:
        assert found.feature == feature_of(path)
