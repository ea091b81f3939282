"""YAML as data and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittywatch.yaml.composer import read_whole
from kittywatch.yaml.mapping import read_mapping
from kittywatch.yaml.simple import read_simple
from kittywatch.yaml.values import PlainYamlError


def test_scalars_stay_text() -> None:
    """A lane named `no` is the text `no`; only null is None."""
    fields, _ = read_mapping("a: no\nb: 1\nc: 2026-01-01\nd: 'null'\ne: null\nf: ~\ng:\nh: \"\"\n")
    assert fields == {"a": "no", "b": "1", "c": "2026-01-01", "d": "null", "e": None, "f": None, "g": None, "h": ""}


def test_lists_mappings_and_blocks() -> None:
    fields, _ = read_mapping("a: [x, {y: z}]\nb:\n  - 1\n  - - 2\nc: |\n  one\n  two\nd: >-\n  one\n  two\n")
    assert fields == {"a": ["x", {"y": "z"}], "b": ["1", ["2"]], "c": "one\ntwo\n", "d": "one two"}


def test_the_last_of_duplicate_keys_counts() -> None:
    """As in every YAML loader in use; the line is the one that counts."""
    fields, lines = read_mapping("lane: planned\nother: x\nlane: doing\n")
    assert fields["lane"] == "doing"
    assert lines == {"lane": 3, "other": 2}


def test_comments_and_quotes() -> None:
    fields, _ = read_mapping("# first\nlane: \"doing\"  # not 'done'\nagent: 'it''s me'\nnote: a#b\n")
    assert fields == {"lane": "doing", "agent": "it's me", "note": "a#b"}


@pytest.mark.parametrize(
    "text", ["lane: doing\t\nagent: x\n", "lane: doing\n\t\nagent: x\n", "lane:\tdoing\nagent: x\n"]
)
def test_tabs_that_nobody_sees(text: str) -> None:
    assert read_mapping(text)[0] == {"lane": "doing", "agent": "x"}


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: b\nlane: !secret doing\n", 2, "a tag"),
        ("a: b\nlane: !!python/object/apply:os.system [x]\n", 2, "a tag"),
        ("a: &secret b\n", 1, "an anchor"),
        ("a: b\nc: d\ne: *secret\n", 3, "an alias"),
        ("!secret\na: b\n", 1, "a tag"),
        ("&secret\na: b\n", 1, "an anchor"),
        ("a:\n  - &secret [x]\n", 2, "an anchor"),
        ("<<: *secret\n", 1, "an alias"),
        ("? !secret k\n: v\n", 1, "a tag"),
        ("a: ['x', {y: !secret z}]\n", 1, "a tag"),
    ],
)
def test_tags_anchors_and_aliases_are_refused(text: str, line: int, what: str) -> None:
    """The error names the line and what is wrong, and quotes no content."""
    with pytest.raises(PlainYamlError) as caught:
        read_mapping(text)
    assert caught.value.line == line
    assert what in caught.value.reason
    assert "secret" not in caught.value.reason


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: b\n\tlane: secret\n", 2),
        ("a: [secret\n", 2),
        ("a: secret\n b: secret\n", 2),
        ('a: "secret\n', 2),
        ("a: b\nsecret\n", 3),
        ("a: b: secret\n", 1),
        ("a: @secret\n", 1),
        ("a: \x07secret\n", 1),
        ("", 1),
        ("# nothing\n", 1),
        ("- secret\n", 1),
        ("secret\n", 1),
        ("--- secret\n", 1),
    ],
)
def test_what_cannot_be_read(text: str, line: int) -> None:
    with pytest.raises(PlainYamlError) as caught:
        read_mapping(text)
    assert caught.value.line == line
    assert "secret" not in caught.value.reason


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused(opening: str) -> None:
    """However deep: an error, and not the interpreter's own limit."""
    with pytest.raises(PlainYamlError):
        read_mapping("a:\n  " + opening * 50_000)


def test_keys_that_are_no_text() -> None:
    assert read_mapping("? [x]\n: y\n? null\n: z\n")[0] == {"['x']": "y", "null": "z"}


@given(st.text(max_size=200))
def test_any_text_gives_fields_or_an_error(text: str) -> None:
    try:
        fields, lines = read_mapping(text)
    except PlainYamlError as caught:
        error = caught
    else:
        assert fields.keys() == lines.keys()
        return
    assert 1 <= error.line <= len(text.splitlines()) + 1


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.sampled_from(["x", "doing", "1", "é"]), min_size=1
    )
)
def test_plain_fields_are_read_as_written(fields: dict[str, str]) -> None:
    text = "".join(f'{key}: "{value}"\n' for key, value in fields.items())
    assert read_mapping(text) == (fields, {key: line for line, key in enumerate(fields, start=1)})


# Pieces of which nearly simple texts are made: what the quick reader takes, and what only looks like it.
_INDENTS = st.sampled_from(["", "", "", "  ", "  ", "    ", " ", "      "])
_KEYS = st.sampled_from(
    ["a", "b", "lane", "work_package_id", "a-b", "1", "null", "~", "-a", "a b", '"a"', "é", "a" * 129]
)
_SCALARS = st.sampled_from(
    [
        *(
            "",
            "x",
            "planned",
            '"for review"',
            "'it'",
            "'it''s'",
            '"a\\tb"',
            "null",
            "~",
            "~x",
            "no",
            "1",
            "2026-01-01T10:00:00Z",
        ),
        *(
            "a: b",
            "a:",
            "a #b",
            "a#b",
            "# c",
            "[]",
            "[ ]",
            "[WP01]",
            "[WP01, 'WP02', \"x\"]",
            "[null, 'null']",
            "[a b]",
        ),
        *(
            "[a,]",
            "[[a]]",
            "[a",
            "{}",
            "{a: b}",
            "|",
            ">-",
            "&a",
            "*a",
            "!t",
            "@a",
            "`a`",
            "%a",
            "- a",
            "-",
            "-a",
            "?",
            "? a",
        ),
        *(
            ".5",
            "...",
            "/a/b",
            "(a)",
            "a\u00a0b",
            "a\u2028b",
            "a\x85b",
            "\ufeffa",
            "ä ö",
            "a\tb",
            "http://x/y",
            '"a" b',
            '"',
            "''",
        ),
        *("a  b", "a, b", "a]", "a}", "a & b", "x" * 2000),
    ]
)
_LINES = st.one_of(
    st.tuples(
        _INDENTS,
        _KEYS,
        st.just(":"),
        st.sampled_from(["", " ", "  "]),
        _SCALARS,
        st.sampled_from(["", "", "", " ", " # c"]),
    ),
    st.tuples(_INDENTS, st.sampled_from(["- ", "-  ", "- a: ", "- a:", "-"]), _SCALARS),
    st.tuples(_INDENTS, st.sampled_from(["", "# c", "---", "...", "--- a: b", "x", "%YAML 1.1"])),
).map("".join)


@given(st.lists(_LINES, max_size=8).map("\n".join))
@settings(max_examples=500)
def test_the_quick_reader_says_what_the_library_says(text: str) -> None:
    found = read_simple(text)
    if found is not None:
        assert found == read_whole(text)


def test_usual_frontmatter_needs_no_library() -> None:
    text = """
work_package_id: "WP01"
title: 'Log in: first'
subtasks:
- T001
- "T002"
dependencies: [WP02, "WP03"]
# who
agent:
phase: Phase 1 - Basics

history:
  - timestamp: 2026-01-01T10:00:00Z
    lane: planned
  - timestamp: "2026-01-02T10:00:00Z"
    lane: doing
"""
    found = read_simple(text)
    assert found is not None
    assert found == read_whole(text)
    assert found[1]["agent"] == 9
