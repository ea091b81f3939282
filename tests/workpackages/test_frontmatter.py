"""The block of fields at the start of a file, and the lines it names in errors."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittywatch.workpackages.frontmatter import FrontmatterError, _plainly, _split, read_frontmatter


def test_fields_lines_and_body() -> None:
    """Lines count from 1 in the file, the opening --- being the first."""
    matter = read_frontmatter("---\ntitle: x\n\nlane: doing\n---\nthe body\n")
    assert matter.fields == {"title": "x", "lane": "doing"}
    assert matter.lines == {"title": 2, "lane": 4}
    assert matter.body.strip() == "the body"


def test_lines_after_a_blank_start() -> None:
    """Blank lines before the block count."""
    matter = read_frontmatter("\n\n---\nlane: doing\n---\n")
    assert matter.lines == {"lane": 4}
    assert read_frontmatter("\n---\n\n\nlane: doing\n---\n").lines == {"lane": 5}
    with pytest.raises(FrontmatterError) as caught:
        read_frontmatter("\n\n---\nlane: *x\n---\n")
    assert caught.value.line == 4


def test_a_rule_in_the_body_belongs_to_the_body() -> None:
    matter = read_frontmatter("---\nlane: doing\n---\nabove\n\n---\n\nbelow\n")
    assert matter.fields == {"lane": "doing"}
    assert "above" in matter.body
    assert "below" in matter.body


def test_dashes_within_a_value_end_nothing() -> None:
    assert read_frontmatter("---\ntitle: a --- b\nlane: doing\n---\n").fields["lane"] == "doing"


@pytest.mark.parametrize("text", ["", "# Title\n", "lane: doing\n", "--\nlane: doing\n--\n", "-----x\n"])
def test_no_frontmatter(text: str) -> None:
    with pytest.raises(FrontmatterError) as caught:
        read_frontmatter(text)
    assert caught.value.line == 1


@pytest.mark.parametrize("text", ["---\nlane: doing\n", "---\n", "---", "---\nlane: doing\n--\nbody\n"])
def test_frontmatter_without_an_end(text: str) -> None:
    """The error is in the line in which the block begins."""
    with pytest.raises(FrontmatterError) as caught:
        read_frontmatter(text)
    assert caught.value.line == 1
    assert "no end" in caught.value.reason


@pytest.mark.parametrize(
    ("block", "line"),
    [("title: x\nlane: *secret\n", 3), ("\n\ntitle: x\nlane: *secret\n", 5), ("title: x\nlane: [secret\n", 4), ("", 1)],
)
def test_an_unusable_block_names_its_line(block: str, line: int) -> None:
    with pytest.raises(FrontmatterError) as caught:
        read_frontmatter(f"---\n{block}---\nbody\n")
    assert caught.value.line == line
    assert "secret" not in caught.value.reason


_PIECES = st.sampled_from(
    ["---", "----", "--- ", "\n", "\n\n", " ", "\t", "a: b", "x", "\u2028", "\f", "--", "# h", "  y"]
)


@given(st.lists(_PIECES, max_size=14).map("".join).map("---\n".__add__))
@settings(max_examples=400)
def test_the_usual_form_is_split_as_the_library_splits_it(text: str) -> None:
    found = _plainly(text)
    if found is not None:
        assert found == _split(text)
