"""R1 to R5: from the bytes of a file to a work package, or to the reason why it cannot be one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import Problem, WorkPackage, read_work_package
from kittywatch.workpackages.text import MAX_BYTES
from tests.builders import FEATURE, PATH, record, work_package_text

OLD = f"kitty-specs/{FEATURE}/tasks/doing/phase-1/WP01-build.md"
TRAIL = (record("2026-01-01T10:00:00Z", "planned"), record("2026-01-01T11:00:00Z", "doing", shell_pid="7"))


def read(text: str | bytes, path: str = PATH, names: LaneNames | None = None) -> WorkPackage:
    """The work package; a problem fails the test."""
    found = read_work_package(path, text if isinstance(text, bytes) else text.encode(), names or LaneNames())
    assert isinstance(found, WorkPackage), str(found)
    return found


def refused(text: str | bytes, path: str = PATH) -> Problem:
    """The problem; a work package fails the test."""
    found = read_work_package(path, text if isinstance(text, bytes) else text.encode(), LaneNames())
    assert isinstance(found, Problem)
    return found


def test_all_fields() -> None:
    package = read(work_package_text(lane="doing", trail=TRAIL, agent="claude", dependencies="[WP02, WP03]"))
    assert (package.feature, package.wp_id, package.path) == (FEATURE, "WP01", PATH)
    assert (package.lane, package.title, package.agent) == ("doing", "Build it", "claude")
    assert package.dependencies == ("WP02", "WP03")
    assert [one.lane for one in package.trail] == ["planned", "doing"]
    assert package.problem is None


# R2: the id


@pytest.mark.parametrize(
    ("stated", "wp_id"),
    [
        ("WP07", "WP07"),
        (None, "WP01"),
        ("WP7", "WP01"),
        ("WP070", "WP070"),
        ("WP0700", "WP01"),
        ("wp07", "WP01"),
        ("WP07 ", "WP01"),
        ("", "WP01"),
    ],
)
def test_the_id_is_the_stated_one_or_the_file_name(stated: str | None, wp_id: str) -> None:
    """R2: frontmatter work_package_id where it matches, else the file name's prefix."""
    assert read(work_package_text(wp_id=stated)).wp_id == wp_id


def test_an_id_that_is_no_text() -> None:
    """R2: a list is no id."""
    assert read(work_package_text(wp_id=None, extra=["work_package_id: [WP07]"])).wp_id == "WP01"


# R3: the lane


@pytest.mark.parametrize(
    "line",
    [
        "lane: doing",
        'lane: "doing"',
        "lane: 'doing'",
        "lane: doing  # not done",
        "lane:    doing   ",
        'lane: " doing "',
        "lane: doing\t",
        "lane:\tdoing",
        "lane: |\n  doing",
        "lane: in_progress",
        "lane: 'claimed'",
        "lane: planned\nlane: doing",
        "lane: foo\nother: x\nlane: doing",
    ],
)
def test_a_stated_lane(line: str) -> None:
    """R3: quoted, commented, with tabs, by an alias; of duplicate keys the last one counts."""
    package = read(work_package_text(lane=None, extra=[line]))
    assert (package.lane, package.problem) == ("doing", None)


@pytest.mark.parametrize("line", ["title: only", "lane:", "lane: ~", "lane: null", "lane:   # later"])
def test_an_unstated_lane(line: str) -> None:
    """R3: unstated is nothing, not even an error; in the old layout the directory then says."""
    text = work_package_text(lane=None, extra=[line])
    assert (read(text).lane, read(text).problem) == (None, None)
    assert read(text, OLD).lane == "doing"


@pytest.mark.parametrize(
    "line", ["lane: secret", 'lane: ""', "lane: Doing", "lane: [doing]", "lane: {a: b}", "lane: done done"]
)
def test_an_invalid_lane(line: str) -> None:
    """R3: invalid: no lane and a problem, also where the directory would say one."""
    for path in (PATH, OLD):
        package = read(work_package_text(lane=None, extra=["note: x", line]), path)
        assert package.lane is None
        assert package.problem is not None
        assert (package.problem.path, package.problem.line) == (path, 5)
        assert "secret" not in str(package.problem)


def test_the_frontmatter_outweighs_the_directory() -> None:
    """R3: frontmatter lane, else the lane directory."""
    assert read(work_package_text(lane="done"), OLD).lane == "done"


def test_configured_aliases() -> None:
    """R3: aliases are configurable."""
    text = work_package_text(lane="wip")
    assert read(text, names=LaneNames({"wip": "doing"})).lane == "doing"
    assert read(text).problem is not None


# How files are written


def test_line_ends_and_byte_order_mark_change_nothing() -> None:
    """CRLF, lone CR and a BOM: the same work package."""
    text = work_package_text(lane="doing", trail=TRAIL, agent="claude", body="```\n- x\n```")
    expected = read(text)
    assert len(expected.trail) == 2
    for written in (
        text.replace("\n", "\r\n").encode(),
        text.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + text.encode(),
        b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        b"\n\n" + text.encode(),
    ):
        assert read(written) == expected


def test_frontmatter_alone() -> None:
    """No body, and no line end after the block."""
    assert read("---\nlane: doing\n---").lane == "doing"


@pytest.mark.parametrize(
    ("fields", "body", "title"),
    [
        ("title: Given", "# Heading", "Given"),
        ("lane: doing", "text\n\n# The heading  \n\n# Another", "The heading"),
        ("title:", "# The heading", "The heading"),
        ("title: '  '", "## Second level", "WP01-build"),
        ("title: [x]", "", "WP01-build"),
    ],
)
def test_the_title(fields: str, body: str, title: str) -> None:
    """The stated one, else the first heading, else the file's name."""
    assert read(f"---\n{fields}\n---\n{body}\n").title == title


@pytest.mark.parametrize(
    ("stated", "dependencies"),
    [
        ("[WP02, 'WP03', WP02]", ("WP02", "WP03")),
        ("\n  - WP02\n  - WP03", ("WP02", "WP03")),
        ("WP02, WP03", ("WP02", "WP03")),
        ("[]", ()),
        ("", ()),
        ("[WP2, none, [WP03], ' WP04 ']", ("WP04",)),
        ("{WP02: x}", ()),
    ],
)
def test_stated_dependencies(stated: str, dependencies: tuple[str, ...]) -> None:
    """Lists and text; each once, in their order."""
    assert read(work_package_text(dependencies=stated)).dependencies == dependencies


def test_dependencies_that_are_not_stated() -> None:
    """None then, so that tasks.md may say."""
    assert read(work_package_text()).dependencies is None


# What cannot be read


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("# secret\n", 1, "no frontmatter"),
        ("", 1, "no frontmatter"),
        ("---\ntitle: secret\nlane: doing\n", 1, "no end"),
        ("---\ntitle: secret\nlane: *secret\n---\n", 3, "an alias"),
        ("---\ntitle: &secret x\n---\n", 2, "an anchor"),
        ("---\n\ntitle: !secret x\n---\n", 3, "a tag"),
        ("---\ntitle: x\n\tlane: secret\n---\n", 3, "cannot be read"),
        ("---\r\ntitle: x\r\nlane: @secret\r\n---\r\n", 3, "cannot be read"),
        ("---\ntitle: x\nagent: é\nnote: sec\x00ret\n---\n", 4, "cannot be read"),
        ("---\ntitle: ééé\x07\n---\n", 2, "cannot be read"),
        ("---\ntitle: x\ndeep: " + "[" * 100_000 + "\n---\n", 3, "nested too deeply"),
        ("---\n- secret\n---\n", 1, "no fields"),
        ("---\n---\n", 1, "no fields"),
    ],
)
def test_a_problem_names_file_and_line(text: str, line: int, what: str) -> None:
    """R5: and it quotes no content."""
    problem = refused(text)
    assert (problem.path, problem.line) == (PATH, line)
    assert what in problem.reason
    assert "secret" not in str(problem)
    assert str(problem).startswith(f"{PATH}:{line}: ")


def test_what_is_not_utf8() -> None:
    """The line is that of the first byte which isn't."""
    problem = refused("---\ntitle: é\n".encode() + b"agent: secret \xff\n---\n")
    assert problem.line == 3
    assert "not UTF-8" in problem.reason
    assert "secret" not in problem.reason


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp500"])
def test_other_encodings(encoding: str) -> None:
    refused(work_package_text().encode(encoding))


def test_the_largest_file() -> None:
    """1 MiB is read, a byte more is not."""
    text = work_package_text(lane="doing").encode()
    assert read(text + b"x" * (MAX_BYTES - len(text))).lane == "doing"
    assert "larger than 1 MiB" in refused(text + b"x" * (MAX_BYTES - len(text) + 1)).reason


def test_nul_in_the_body_is_nobodys_business() -> None:
    """Only the frontmatter is YAML."""
    assert read(work_package_text(lane="doing", body="\x00\x1b[2J")).lane == "doing"


@pytest.mark.parametrize("filler", [" ", "\n", "\t", "-", "#", "- ", "a: ", "---\n", "`", "\r"])
def test_a_hostile_file_takes_no_longer_than_its_length(filler: str) -> None:
    """Long runs up to the size that a file may have, before, in and after the frontmatter; quadratic time is hours."""
    run = filler * (900_000 // len(filler))
    for text in (f"{run}x", f"---\nlane: x{run}y\n---\n", f"---\nlane: doing\n---\n# a{run}b\n- lane={run}c\n"):
        read_work_package(PATH, text.encode(), LaneNames())


def test_a_path_that_is_no_work_package_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="not the path"):
        read_work_package("README.md", b"", LaneNames())


# Properties

_FIELDS = ("---\n", "lane: doing\n", "lane: ", "title: x\n", "- ", "[", "{", "&a ", "*a ", "!t ", "? ", ": ", "|\n")
_MARKS = (
    "\r\n",
    "\r",
    "\ufeff",
    "\t",
    "\x00",
    "\x85",
    "\u2028",
    "```\n",
    "~~~\n",
    '"',
    "'",
    "é",
    "  ",
    "#",
    f"{TRAIL[0]}\n",
)
_PIECES = st.sampled_from([*_FIELDS, *_MARKS])


@given(st.binary(max_size=300) | st.lists(_PIECES, max_size=30).map(lambda parts: "".join(parts).encode()))
@example(b"---\n---\n---\n")
@example("---\n? \x85\n---\n".encode())
def test_any_bytes_give_a_work_package_or_a_problem(data: bytes) -> None:
    """Nothing ever raises, and a problem names a line of the file."""
    found = read_work_package(PATH, data, LaneNames())
    problem = found if isinstance(found, Problem) else found.problem
    if problem is not None:
        assert problem.path == PATH
        assert 1 <= problem.line <= data.count(b"\n") + data.count(b"\r") + data.count(b"\x85") * 2 + 2
        assert problem.reason.isprintable()


@given(st.lists(_PIECES.filter(lambda piece: "\r" not in piece), max_size=30))
def test_reading_is_stable_under_line_ends(parts: list[str]) -> None:
    """CRLF and LF are the same work package, and the same problem."""
    text = "".join(["---\nlane: doing\n", *parts, "\n---\nbody\n"])
    crlf = text.replace("\n", "\r\n")
    assert read_work_package(PATH, crlf.encode(), LaneNames()) == read_work_package(PATH, text.encode(), LaneNames())
